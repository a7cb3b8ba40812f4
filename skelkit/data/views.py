"""From ragged clips to padded batches on the device: one gather a batch, no Python per clip."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from skelkit.data.clips import Clips
from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class DataSpec:
    """What a model must know of the training set it is built for."""

    clips: int
    """Clips of the training set: rows of a memory bank."""
    classes: int
    """Classes of the data set, whether each has a training clip or not."""
    skeleton: Skeleton
    """Joints, bones and parts."""
    persons: int
    """Persons of a clip, those who are zeros included."""


@dataclass(frozen=True)
class View:
    """How a clip of any length becomes `frames` frames, by cutting and padding."""

    frames: int = 150
    """So many frames are taken of a longer clip."""
    fill: Literal["zeros", "loop", "hold"] = "zeros"
    """What follows a shorter clip: zeros (Rao et al. 2021), the clip again and again (Moliner et al. 2022, Data
    processing; 2s-AGCN's replay), or its last frame."""
    crop: Literal["first", "centre"] = "first"
    """Which frames of a longer clip: the first, or those in its middle. Random ones belong to augmentation."""

    @property
    def pads(self) -> bool:
        """Whether frames of zeros may follow a clip's own."""
        return self.fill == "zeros"

    def positions(self, lengths: Int[Tensor, " b"]) -> Int[Tensor, "b t"]:
        """The frame of the clip at each time step; -1 stands for an all-zero frame."""
        time = torch.arange(self.frames, device=lengths.device).expand(len(lengths), -1)
        length = lengths[:, None]
        if self.crop == "centre":
            time = time + (length - self.frames).clamp(min=0) // 2
        if self.fill == "loop":
            return time % length
        if self.fill == "hold":
            return torch.minimum(time, length - 1)
        return torch.where(time < length, time, -1)


@dataclass(frozen=True)
class Resample:
    """How a clip of any length becomes `frames` frames, by linear interpolation in time over its middle part.

    What Thoker et al. 2021's released code shows the encoder when it tests: the middle 95 % of a clip, resized to 64
    frames. A person who is missing in one of two neighbouring frames is blended with zeros, as there.
    """

    frames: int = 64
    """So many frames come out."""
    share: float = 1.0
    """The share of the clip, about its middle, that is seen; Thoker et al. test with 0.95."""
    least: int = 1
    """So many frames of a clip are seen at least (Thoker et al.: 64), if it has them."""
    corners: bool = False
    """Whether the first and last frame are met exactly. Without (as in the released code, and in torch's `interpolate`)
    new frame k lies at (k + 1/2) length / frames - 1/2, held within the clip."""
    pads: ClassVar[bool] = False
    """See `View.pads`."""

    def positions(self, lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t"]:
        """The place in the clip at each time step; between two frames it is blended."""
        # The small number keeps 0.95 x 20 from becoming 18.
        seen = torch.floor(lengths.double() * self.share + 1e-9).clamp(min=self.least).minimum(lengths.double())
        first = torch.floor((lengths - seen) / 2)
        if not self.corners:
            return spread_over(first, seen, self.frames).float()
        time = torch.arange(self.frames, device=lengths.device, dtype=torch.double)
        return (first[:, None] + time * (seen - 1)[:, None] / max(self.frames - 1, 1)).float()


def spread_over(first: Float[Tensor, " b"], seen: Float[Tensor, " b"], frames: int) -> Float[Tensor, "b t"]:
    """Where `frames` new frames lie in the `seen` ones from `first` on, as in torch's `interpolate` without corners."""
    time = torch.arange(frames, device=seen.device, dtype=seen.dtype)
    place = (time + 0.5) * seen[:, None] / frames - 0.5
    return first[:, None] + place.clamp(min=0).minimum(seen[:, None] - 1)


@dataclass(frozen=True)
class Whole:
    """Every clip at its own length: a batch is as long as its longest clip, and zero frames follow the shorter ones.

    What Zheng et al. 2018 read ("the whole input sequence"). `Batch.lengths` says where each clip ends; an encoder that
    reads lengths never sees the padding. Its place in a batch decides nothing about a clip's own frames.
    """

    frames: int = 300
    """Longer clips are cut to so many first frames: a bound on memory, above every clip that matters."""
    pads: ClassVar[bool] = True
    """See `View.pads`."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise SkelkitError(f"Whole: frames = {self.frames} leaves nothing of a clip; give 1 or more")

    def positions(self, lengths: Int[Tensor, " b"]) -> Int[Tensor, "b t"]:
        """The frame of the clip at each time step; -1 stands for an all-zero frame. A GPU is waited for: t is read."""
        longest = int(lengths.max().clamp(max=self.frames))
        time = torch.arange(longest, device=lengths.device).expand(len(lengths), -1)
        return torch.where(time < lengths[:, None], time, -1)


AnyView = View | Resample | Whole
"""How clips become a batch."""


@dataclass(frozen=True)
class Batch:
    """What a method's loss reads."""

    clips: Float[Tensor, "b 3 t v m"]
    """As the view gives them, before any augmentation."""
    index: Int[Tensor, " b"]
    """Each clip's number within the training set, from 0: the memory bank's row."""
    labels: Int[Tensor, " b"]
    """-1 = unlabelled."""
    partner: Float[Tensor, "b 3 t v m"] | None = None
    """A second viewpoint of the same performance as each clip, or that clip again; None where clips are drawn alone."""
    lengths: Int[Tensor, " b"] | None = None
    """So many of each clip's frames are real, those after them zero padding; None: all are. A resident data set's
    batches always have them; a frame that a view repeats or blends is a real one."""


class Performances:
    """Which clips of a training set show one performance from several cameras (Moliner et al. 2022, Sec. 3.4)."""

    def __init__(self, actions: Int[Tensor, " n"]):
        """actions: the performance's number for each clip of the training set; -1 stands for one of its own."""
        alone = actions.amax().clamp(min=0) + 1 + torch.arange(len(actions), device=actions.device)
        actions = torch.where(actions < 0, alone, actions)
        self.members = actions.argsort(stable=True)  # clip numbers, those of a performance side by side
        self.counts = actions.unique(return_counts=True)[1]
        self.first = self.counts.cumsum(0) - self.counts

    def __len__(self) -> int:
        return len(self.counts)

    def draw(self, index: Int[Tensor, " b"], rng: Generator) -> tuple[Int[Tensor, " b"], Int[Tensor, " b"]]:
        """Two clips of each performance of an index, with replacement: any number of cameras, also one."""
        chance = torch.rand(2, len(index), device=index.device, generator=rng)
        place = (chance * self.counts[index]).long()  # below the count: chance is at most 1 - 2^-24
        one, other = self.members[self.first[index] + place]
        return one, other


class Resident:
    """Preprocessed clips, whole, on one device."""

    def __init__(self, clips: Clips, view: AnyView, device: torch.device | str = "cpu"):
        """clips: what `preprocess` made of a data set."""
        self.view = view
        frames = clips.frames
        self.joints, self.persons = frames.shape[2], frames.shape[3]
        zero = np.zeros_like(frames[:1])  # index -1 lands here: zero padding is part of the same gather
        self.frames = torch.from_numpy(np.concatenate([frames, zero])).to(device)
        self.starts = torch.from_numpy(clips.offsets[:-1].copy()).to(device)
        self.lengths = torch.from_numpy(clips.lengths.copy()).to(device)
        self.labels = torch.from_numpy(clips.labels.copy()).to(device)
        self.actions = torch.from_numpy(clips.column("action").copy()).to(device)

    @property
    def device(self) -> torch.device:
        return self.frames.device

    def through(self, view: AnyView) -> Resident:
        """The same clips, in the same memory, through another view."""
        other = copy.copy(self)
        other.view = view
        return other

    def labelled(self, known: Int[Tensor, " n"]) -> Resident:
        """The same clips, in the same memory, of which only those of an index have labels; the others' are -1."""
        other = copy.copy(self)
        other.labels = torch.full_like(self.labels, -1)
        known = known.to(self.device)
        other.labels[known] = self.labels[known]
        return other

    def clips(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b 3 t v m"]:
        """The clips of an index, as the view fits them."""
        position = self.view.positions(self.lengths[index])  # (b t)
        if not position.is_floating_point():
            return self._gather(index, position)
        before = position.floor().long()
        after = torch.minimum(before + 1, self.lengths[index][:, None] - 1)
        weight = (position - before)[:, None, :, None, None]
        return torch.lerp(self._gather(index, before), self._gather(index, after), weight)

    def real(self, index: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """How many frames of each clip, as the view fits it, are no padding."""
        return (self.view.positions(self.lengths[index]) >= 0).sum(1)

    def _gather(self, index: Int[Tensor, " b"], position: Int[Tensor, "b t"]) -> Float[Tensor, "b 3 t v m"]:
        row = torch.where(position < 0, len(self.frames) - 1, self.starts[index][:, None] + position)
        x = self.frames.index_select(0, row.flatten()).float()  # (bt 3 v m)
        return x.unflatten(0, row.shape).transpose(1, 2).contiguous()  # (b 3 t v m)

    def performances(self, train: Int[Tensor, " n"]) -> Performances:
        """The performances that the training set `train` shows; clips outside of it belong to none."""
        return Performances(self.actions[train])

    def batch(
        self, train: Int[Tensor, " n"], index: Int[Tensor, " b"], partner: Int[Tensor, " b"] | None = None
    ) -> Batch:
        """The batch of members `index` of the training set `train`, beside them the members `partner`, if given."""
        members = train[index]
        beside = None if partner is None else self.clips(train[partner])
        return Batch(self.clips(members), index, self.labels[members], beside, self.real(members))
