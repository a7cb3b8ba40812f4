"""The transformations of BYOL for skeletons and its two pipelines (Moliner et al. 2022, Sec. 3.2, 3.3 and 4.2).

Shear (Eq. 5) is AS-CAL's `Shear`. Numbers stand in Sec. 4.2; what the paper leaves open is said where it is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from skelkit.augment.ascal import Shear
from skelkit.augment.chain import Augmentation, coin, frames_at, members, uniform
from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError


def aggressive(
    *, filtering: bool = True, resampling: bool = True, shear: bool = True, shift: bool = True, drop: bool = True
) -> tuple[Augmentation, ...]:
    """The distribution T_1 of Sec. 3.3; what is False is left out, as in a line of Table 2.

    The paper's text gives no order of application: this is the order in which Sec. 3.3 names them. So the filter sees
    the recorded frames, and comes before the shift, whose seam it would smooth.
    """
    steps = (
        (filtering, SavitzkyGolay()),
        (resampling, Resampling()),
        (shear, Shear()),
        (shift, TemporalShift()),
        (drop, LeftRightDrop()),
    )
    return tuple(step for wanted, step in steps if wanted)


def conservative() -> tuple[Augmentation, ...]:
    """The distribution T_2 of Sec. 3.3, and all augmentation there is downstream (Sec. 4.3 and 4.4)."""
    return (Resampling(),)


@dataclass(frozen=True)
class LeftRightDrop:
    """Zero the left or the right limbs of every person in the whole clip (Moliner et al. 2022, Sec. 3.2).

    An encoder that reads bones makes them afterwards: the bone of a limb's first joint then points from its parent to
    the origin, as the joint itself does.
    """

    p: float = 0.5
    """The chance that a clip loses a side; the left one is as likely as the right one."""
    left: tuple[int, ...] = ()
    """The joints of the left limbs; () is filled in from the skeleton by `fitted`. The paper does not say which they
    are: here arm and leg as the skeleton's body parts have them, shoulder and hip included, and where it has no such
    parts, the joints of that side in its mirror pairs."""
    right: tuple[int, ...] = ()
    """The same of the right limbs; both sides are given, or neither."""

    def __post_init__(self) -> None:
        _check_chance("left/right drop", self.p)
        if bool(self.left) != bool(self.right):
            raise SkelkitError("left/right drop: it knows the limbs of one side only; give left and right, or neither")

    def fitted(self, skeleton: Skeleton) -> LeftRightDrop:
        """The same step, with the skeleton's joint numbers. Raises SkelkitError where the skeleton has no sides."""
        if self.left:
            return self
        arms, legs = (
            [skeleton.parts.get(f"{side} {limb}", ()) for side in ("left", "right")] for limb in ("arm", "leg")
        )
        left, right = (arm + leg for arm, leg in zip(arms, legs, strict=True))
        if not (left and right):
            left, right = (tuple(pair[side] for pair in skeleton.mirror) for side in range(2))
        if not (left and right):
            raise SkelkitError(
                f"left/right drop: skeleton {skeleton.name} has neither a left arm, right arm, ... among its parts nor "
                "mirror pairs; give it either, or leave this step out"
            )
        return replace(self, left=left, right=right)

    def sample(self, shape: torch.Size, rng: Generator) -> Bool[Tensor, "b 1 1 v m"]:
        """Which joints each clip keeps. Raises SkelkitError where the limbs are not known, or not of these joints."""
        b, _, _, v, m = shape
        if not self.left:
            raise SkelkitError("left/right drop: it knows no skeleton yet; call fitted(steps, skeleton) first")
        if not 0 <= min(self.left + self.right) <= max(self.left + self.right) < v:
            raise SkelkitError(
                f"left/right drop: its limbs are joints {min(self.left + self.right)} to "
                f"{max(self.left + self.right)}, the clips have {v} joints; fit it to the clips' skeleton"
            )
        limbs = members((self.left, self.right), v, rng.device)  # (2 v)
        side = torch.randint(2, (b,), device=rng.device, generator=rng)
        gone = limbs[side] & coin(b, self.p, rng)[:, None]  # (b v)
        # Each person's own: ten times as fast as to spread one column over two persons in `apply`.
        return ~gone[:, None, None, :, None].repeat(1, 1, 1, 1, m)

    def apply(self, x: Float[Tensor, "b 3 t v m"], keep: Bool[Tensor, "b 1 1 v m"]) -> Float[Tensor, "b 3 t v m"]:
        return x * keep


@dataclass(frozen=True)
class Resampling:
    """Play a clip faster or slower, in as many frames (Moliner et al. 2022, Sec. 3.2).

    New frame k lies at k times the rate, blended from its two neighbours. The paper does not say what becomes of the
    length: here a faster clip goes on in a loop, as clips shorter than 150 frames do (Sec. 4.2), its last frame
    blended into its first, and of a slower one the end is cut. Who is missing in one neighbour is blended with zeros.
    """

    low: float = 0.7
    """The rate is drawn from U[low, high]; below 1 is slower."""
    high: float = 1.3
    """The largest rate; above 1 is faster."""

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < float("inf"):
            raise SkelkitError(f"resampling: no rate lies in [{self.low:g}, {self.high:g}]; give 0 < low <= high")

    def sample(self, shape: torch.Size, rng: Generator) -> Float[Tensor, " b"]:
        return uniform((shape[0],), self.low, self.high, rng)

    def apply(self, x: Float[Tensor, "b 3 t v m"], rate: Float[Tensor, " b"]) -> Float[Tensor, "b 3 t v m"]:
        t = x.shape[2]
        place = torch.arange(t, device=x.device) * rate[:, None] % t  # (b t)
        before = place.floor().long()
        weight = (place - before)[:, None, :, None, None]
        return torch.lerp(frames_at(x, before), frames_at(x, (before + 1) % t), weight.to(x.dtype))


@dataclass(frozen=True)
class SavitzkyGolay:
    """Smooth a clip along time by a polynomial fitted around each frame (Moliner et al. 2022, Sec. 3.2 and 4.2).

    At the ends the polynomial of the first or last whole window is read off at each frame: SciPy's mode "interp"; the
    paper does not say. A clip shorter than the window is smoothed with the longest odd window it holds, where the order
    may leave nothing to smooth.
    """

    order: int = 2
    """The polynomial's degree."""
    window: int = 15
    """So many frames it is fitted to."""
    p: float = 0.5
    """The chance that a clip is smoothed."""

    def __post_init__(self) -> None:
        _check_chance("Savitzky-Golay filter", self.p)
        if self.window % 2 == 0 or not 0 <= self.order < self.window:
            raise SkelkitError(
                f"Savitzky-Golay filter: order {self.order} in a window of {self.window} frames; "
                "give an odd window and an order from 0 to below it"
            )

    def sample(self, shape: torch.Size, rng: Generator) -> Bool[Tensor, " b"]:
        return coin(shape[0], self.p, rng)

    def apply(self, x: Float[Tensor, "b 3 t v m"], flag: Bool[Tensor, " b"]) -> Float[Tensor, "b 3 t v m"]:
        matrix = _smoother(x.shape[2], self.order, self.window, x.device)
        with torch.autocast(x.device.type, enabled=False):  # 16 bit would add more noise than the filter takes away
            smooth = (matrix @ x.float().flatten(3)).view_as(x)  # (t t) @ (b 3 t vm)
        return torch.where(flag[:, None, None, None, None], smooth, x)


@lru_cache(maxsize=16)
def _smoother(t: int, order: int, window: int, device: torch.device) -> Float[Tensor, "t t"]:
    """The filter over t frames as one matrix: the convolution's band, and the two ends' polynomials above and below it.

    One full product takes a tenth of the time of torch's convolution on a CPU, and a single call on a GPU.
    """
    window = min(window, t - 1 + t % 2)
    # In a window no longer than the order the basis is complete, and nothing is smoothed.
    powers = np.linspace(-1, 1, window)[:, None] ** np.arange(order + 1)
    basis, _ = np.linalg.qr(powers)
    fit = basis @ basis.T  # (window window): from the values of a window to its polynomial's
    frame = np.arange(t)
    first = np.clip(frame - window // 2, 0, t - window)  # of the window that a frame is smoothed in
    matrix = np.zeros((t, t), np.float32)
    matrix[frame[:, None], first[:, None] + np.arange(window)] = fit[frame - first]
    return torch.from_numpy(matrix).to(device)


@dataclass(frozen=True)
class TemporalShift:
    """Shift a clip cyclically: what leaves at its end comes in at its front (Moliner et al. 2022, Sec. 3.2).

    The offset is drawn from all frames alike: [0, 150] in the paper, whose two ends are one and the same shift.
    """

    def sample(self, shape: torch.Size, rng: Generator) -> Int[Tensor, " b"]:
        return torch.randint(shape[2], (shape[0],), device=rng.device, generator=rng)

    def apply(self, x: Float[Tensor, "b 3 t v m"], offset: Int[Tensor, " b"]) -> Float[Tensor, "b 3 t v m"]:
        t = x.shape[2]
        return frames_at(x, (torch.arange(t, device=x.device) - offset[:, None]) % t)


def _check_chance(step: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise SkelkitError(f"{step}: p = {p:g} is no chance; give one in [0, 1]")
