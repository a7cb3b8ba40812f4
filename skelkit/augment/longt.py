"""What Zheng et al. 2018 do to clips before their networks see them: pieces of random length, and hidden body parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from skelkit.augment.chain import frames_at, members, some
from skelkit.data.skeleton import Skeleton
from skelkit.data.views import Batch
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Pieces:
    """A random piece of each clip: it knows lengths, and so is no step of `augment`.

    Differs from the paper: by its Experiments Setup 25 pieces of each clip are cut once, "on average"; here a new one
    each time that a clip is drawn, so that 25 epochs see as many pieces as one of the paper's, and never the same ones
    again. A clip that is shorter than a bound is bounded by its own length: one of a single frame stays as it is.
    """

    shortest: int = 7
    """Lengths are drawn evenly from this ..."""
    longest: int = 35
    """... to this, then the start from all that fit."""

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise SkelkitError(
                f"Pieces: of {self.shortest} to {self.longest} frames none can be cut; give lengths from 1 upwards"
            )

    def sample(self, lengths: Int[Tensor, " b"], rng: Generator) -> tuple[Int[Tensor, " b"], Int[Tensor, " b"]]:
        """Each piece's first frame, and its length. lengths: how many frames each clip has."""
        chance = torch.rand(2, len(lengths), device=rng.device, generator=rng)
        least, most = lengths.clamp(max=self.shortest), lengths.clamp(max=self.longest)
        length = (least + (chance[0] * (most - least + 1)).long()).minimum(most)  # a product may be rounded up
        room = lengths - length
        return (chance[1] * (room + 1)).long().minimum(room), length

    def apply(
        self, x: Float[Tensor, "b 3 t v m"], piece: tuple[Int[Tensor, " b"], Int[Tensor, " b"]]
    ) -> Float[Tensor, "b 3 t2 v m"]:
        """The pieces, from the first frame on, zeros after them: min(longest, t) frames."""
        start, length = piece
        time = torch.arange(min(self.longest, x.shape[2]), device=x.device)
        cut = frames_at(x, (start[:, None] + time).clamp(max=x.shape[2] - 1))
        return cut * (time < length[:, None])[:, None, :, None, None]


def cut(pieces: Pieces | None, batch: Batch, rng: Generator) -> tuple[Float[Tensor, "b 3 t v m"], Int[Tensor, " b"]]:
    """A random piece of each clip of a batch, or without `pieces` the clips, and how many of their frames are real."""
    x, lengths = batch.clips, batch.lengths
    if lengths is None:
        lengths = torch.full((len(x),), x.shape[2], device=x.device)
    if pieces is None:
        return x, lengths
    piece = pieces.sample(lengths, rng)
    return pieces.apply(x, piece), piece[1]


@dataclass(frozen=True)
class PartMask:
    """Hide some body parts of a clip: their coordinates become zero, in all its frames alike but for the first.

    Zheng et al. 2018, Decoding by Conditional Skeleton Inpainting. Both persons lose the same parts.
    """

    parts: int | None = None
    """So many parts are hidden; None draws the number for each clip, evenly from one to all but one ("a random number
    parts"). Three of five in the released code."""
    alike: bool = False
    """Whether all clips of a batch lose the same parts, as in the released code. The paper does not say."""
    axes: int = 3
    """So many coordinates of a hidden joint become zero, x first. 2 is a slip of the released code: z stays."""
    first_whole: bool = True
    """Whether the first frame keeps its parts, "so as to give an initial inpainting reference"."""
    joints: tuple[tuple[int, ...], ...] = ()
    """The joints of each part; () is filled in from the skeleton by `fitted`: trunk and four limbs."""

    def __post_init__(self) -> None:
        if self.axes not in (1, 2, 3):
            raise SkelkitError(f"part mask: axes = {self.axes} hides nothing, or more than there is; give 1, 2 or 3")

    def fitted(self, skeleton: Skeleton) -> PartMask:
        """The same mask with the skeleton's parts.

        Raises SkelkitError where it has fewer than two, or as many as are to be hidden, and where given `joints` are
        shared by two parts or are not the skeleton's.
        """
        joints = self.joints or tuple(part for part in skeleton.parts.values() if part)
        if len(joints) < 2:
            raise SkelkitError(
                f"part mask: skeleton {skeleton.name} has {len(joints)} body parts, and one must stay when one is "
                "hidden; give it a trunk, left arm, right arm, left leg and right leg"
            )
        every = [j for part in joints for j in part]
        if not all(joints) or len(set(every)) < len(every) or not set(every) <= set(range(len(skeleton))):
            raise SkelkitError(
                f"part mask: joints = {joints}; give each part joints of its own, of the 0 to {len(skeleton) - 1} that "
                f"skeleton {skeleton.name} has"
            )
        if self.parts is not None and not 1 <= self.parts < len(joints):
            raise SkelkitError(
                f"part mask: parts = {self.parts} of {len(joints)} hides everything or nothing; give 1 to "
                f"{len(joints) - 1}"
            )
        return replace(self, joints=joints)

    def sample(self, shape: torch.Size, rng: Generator) -> Bool[Tensor, "b 3 t v 1"]:
        """Which coordinates of each clip are hidden. Raises SkelkitError where no skeleton is known."""
        b, c, t, v, _ = shape
        if not self.joints:
            raise SkelkitError("part mask: it knows no skeleton yet; call fitted(skeleton) first")
        drawn, total = 1 if self.alike else b, len(self.joints)
        low, high = (1, total - 1) if self.parts is None else (self.parts, self.parts)
        many = torch.randint(low, high + 1, (drawn,), device=rng.device, generator=rng)
        gone = (some(total, many, rng)[:, :, None] & members(self.joints, v, rng.device)).any(1)  # (b v)
        axis = torch.arange(c, device=rng.device) < self.axes
        time = torch.arange(t, device=rng.device) >= int(self.first_whole)
        hidden = gone[:, None, None] & axis[:, None, None] & time[:, None]  # (b 3 t v)
        return hidden[..., None].expand(b, c, t, v, 1)

    def apply(self, x: Float[Tensor, "b 3 t v m"], hidden: Bool[Tensor, "b 3 t v 1"]) -> Float[Tensor, "b 3 t v m"]:
        return x.masked_fill(hidden, 0.0)
