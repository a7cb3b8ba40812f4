"""The transformations of inter-skeleton contrast (Thoker et al. 2021, Sec. 3.1).

Pose augmentation (Eq. 1) is `Shear`; the spatio-temporal augmentation (Eq. 4) is
`(CropResize(), OneOf((Shear(), JointJitter())))`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from skelkit.augment.chain import coin, linear_map, some, uniform
from skelkit.data.views import spread_over
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class JointJitter:
    """Move some joints by one random matrix, the same in every frame and both persons (Thoker et al. 2021, Eq. 2)."""

    joints: float = 3 / 5
    """|j| as a share of the joints: 15 of 25, and as much of any other skeleton."""
    limit: float = 1.0
    """The matrix's elements, its diagonal too, are drawn from U[-limit, limit]."""
    zero: float = 0.0
    """The chance that the joints are set to zero instead; the released code has 0.5, the paper none."""

    def sample(self, shape: torch.Size, rng: Generator) -> tuple[Float[Tensor, "b 3 3"], Bool[Tensor, "b 1 1 v m"]]:
        """The matrices, and which joints they move.

        Raises SkelkitError where no joint would keep its place.
        """
        b, _, _, v, m = shape
        moved = round(self.joints * v)
        if not 0 <= moved < v:
            raise SkelkitError(
                f"joint jitter: joints = {self.joints:g} moves {moved} of {v} joints, and some must keep their place "
                f"(|j| < J); give a share of 0 to {(v - 1) / v:.2f}"
            )
        matrix = uniform((b, 3, 3), -self.limit, self.limit, rng) * ~coin(b, self.zero, rng)[:, None, None]
        chosen = some(v, torch.full((b,), moved, device=rng.device), rng)
        return matrix, chosen[:, None, None, :, None].repeat(1, 1, 1, 1, m)

    def apply(
        self, x: Float[Tensor, "b 3 t v m"], parameters: tuple[Float[Tensor, "b 3 3"], Bool[Tensor, "b 1 1 v m"]]
    ) -> Float[Tensor, "b 3 t v m"]:
        matrix, chosen = parameters
        return torch.where(chosen, linear_map(x, matrix), x)


@dataclass(frozen=True)
class CropResize:
    """Cut a random part out of a clip and stretch it over the frames again (Thoker et al. 2021, Eq. 3).

    T is the number of real frames that come in, so that what a clip is brought to first decides what a crop can see:
    all of it, stretched (`Resample`) or in its own frames (`Whole`, as the released code), or a clip that goes on in a
    loop (`View(fill="loop")`).
    """

    crops_lengths: ClassVar[bool] = True
    """`sample` takes each clip's length, and leaves the padding after it out."""
    shortest: float = 0.1
    """l_min: the crop's share of the frames is drawn from U[shortest, 1]."""
    least: int = 1
    """A crop has at least so many frames, if there are as many: 64 in the released code, no such floor in the paper."""
    frames: int | None = None
    """So many frames come out (the paper: 64); None is as many as came in."""

    def sample(
        self, shape: torch.Size, rng: Generator, lengths: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b t2"]:
        """The place in the clip of each new frame; between two frames it is blended.

        lengths: T of each clip, where padding follows it; None: all t frames are real. Raises SkelkitError where l_min
        is not a share.
        """
        if not 0 < self.shortest <= 1:
            raise SkelkitError(f"crop-resize: shortest = {self.shortest:g} is no share of a clip; give one in (0, 1]")
        b, _, t, _, _ = shape
        real = torch.full((b,), float(t), device=rng.device) if lengths is None else lengths.float()
        length = (uniform((b,), self.shortest, 1.0, rng) * real).floor().clamp(min=max(1, self.least)).minimum(real)
        start = (uniform((b,), 0.0, 1.0, rng) * (real - length + 1)).floor().minimum(real - length)
        return spread_over(start, length, self.frames or t)

    def apply(self, x: Float[Tensor, "b 3 t v m"], place: Float[Tensor, "b t2"]) -> Float[Tensor, "b 3 t2 v m"]:
        b, c, t, v, m = x.shape
        rows = x.reshape(b * c * t, v * m)
        first = torch.arange(b * c, device=x.device).view(b, c, 1) * t  # of each clip's axis

        def at(frame: Tensor) -> Tensor:
            return rows.index_select(0, (first + frame[:, None]).flatten()).view(b, c, -1, v, m)

        before = place.floor().long()
        after = (before + 1).clamp(max=t - 1)  # has no weight where the crop ends
        return torch.lerp(at(before), at(after), (place - before)[:, None, :, None, None])
