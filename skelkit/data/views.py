"""From ragged clips to fixed-length batches on the device: one gather a batch, no Python per clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skelkit.data.clips import Clips
from skelkit.data.skeleton import Skeleton


@dataclass(frozen=True)
class DataSpec:
    """What a model must know of the training set it is built for."""

    clips: int
    classes: int
    skeleton: Skeleton
    persons: int


@dataclass(frozen=True)
class View:
    """How a clip of any length becomes `frames` frames."""

    frames: int = 150
    """The first so many frames are taken."""
    fill: Literal["zeros", "loop", "hold"] = "zeros"
    """What follows a shorter clip: zeros (Rao et al. 2021), the clip again, or its last frame."""

    def positions(self, lengths: Int[Tensor, " b"]) -> Int[Tensor, "b t"]:
        """The frame of the clip at each time step; -1 stands for an all-zero frame."""
        time = torch.arange(self.frames, device=lengths.device).expand(len(lengths), -1)
        length = lengths[:, None]
        if self.fill == "loop":
            return time % length
        if self.fill == "hold":
            return torch.minimum(time, length - 1)
        return torch.where(time < length, time, -1)


@dataclass(frozen=True)
class Batch:
    """What a method's loss reads."""

    clips: Float[Tensor, "b 3 t v m"]
    index: Int[Tensor, " b"]
    """Each clip's number within the training set, from 0: the memory bank's row."""
    labels: Int[Tensor, " b"]
    """-1 = unlabelled."""


class Resident:
    """Preprocessed clips, whole, on one device."""

    def __init__(self, clips: Clips, frames: np.ndarray, view: View, device: torch.device | str = "cpu"):
        """frames: (sum of t, 3, v, m), what `preprocess` made of the clips."""
        self.view = view
        self.joints, self.persons = frames.shape[2], frames.shape[3]
        zero = np.zeros_like(frames[:1])  # index -1 lands here: zero padding is part of the same gather
        self.frames = torch.from_numpy(np.concatenate([frames, zero])).to(device)
        self.starts = torch.from_numpy(clips.offsets[:-1].copy()).to(device)
        self.lengths = torch.from_numpy(clips.lengths.copy()).to(device)
        self.labels = torch.from_numpy(clips.labels.copy()).to(device)

    @property
    def device(self) -> torch.device:
        return self.frames.device

    def clips(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b 3 t v m"]:
        """The clips of an index, as the view fits them."""
        position = self.view.positions(self.lengths[index])  # (b t)
        row = torch.where(position < 0, len(self.frames) - 1, self.starts[index][:, None] + position)
        x = self.frames.index_select(0, row.flatten()).float()  # (bt 3 v m)
        return x.unflatten(0, row.shape).transpose(1, 2).contiguous()  # (b 3 t v m)

    def batch(self, train: Int[Tensor, " n"], index: Int[Tensor, " b"]) -> Batch:
        """The batch of members `index` of the training set `train`."""
        members = train[index]
        return Batch(self.clips(members), index, self.labels[members])
