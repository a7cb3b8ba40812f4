"""Steps that change how many frames a clip has: frame rate, greatest length, and sub-sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int

from skelkit.data.clips import Clips
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class FrameRate:
    """Fewer frames a second: new frame k is the old frame floor(k of / to).

    Zheng et al. 2018 bring every data set to 15 frames a second (Experiments Setup); the first frame stays the first.
    """

    to: int = 15
    """Frames a second that come out."""
    of: int = 30
    """Frames a second that the clips have: 30 for both Kinects, 120 for CMU and HDM05's motion capture."""

    def __post_init__(self) -> None:
        if not 1 <= self.to <= self.of:
            raise SkelkitError(
                f"FrameRate: cannot make {self.to} frames a second of {self.of}; it only leaves out frames"
            )

    def __call__(self, clips: Clips) -> Clips:
        lengths = -(-clips.lengths * self.to // self.of)
        return _taken(clips, lengths, _count(lengths) * self.of // self.to)


@dataclass(frozen=True)
class AtMost:
    """Thin out longer clips; shorter ones stay as they are."""

    frames: int = 35
    """The greatest length that comes out. Zheng et al. 2018 keep CMU and Berkeley MHAD below 36 (Experiments Setup)."""
    by: Literal["even", "stride"] = "even"
    """ "even": exactly so many, spread over the whole clip: new frame k is the old frame floor(k length / frames).
    "stride": every floor(length / frames)-th from the first, whatever is then left at the end (Predict & Cluster's
    released code; of 99 frames, at most 50, it takes the first 50)."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise SkelkitError(f"AtMost: a clip of {self.frames} frames is none; give 1 or more")

    def __call__(self, clips: Clips) -> Clips:
        lengths = np.minimum(clips.lengths, self.frames)
        old, count = np.repeat(clips.lengths, lengths), _count(lengths)
        if self.by == "stride":
            return _taken(clips, lengths, count * np.maximum(old // self.frames, 1))
        return _taken(clips, lengths, count * np.maximum(old, self.frames) // self.frames)


@dataclass(frozen=True)
class Subsequences:
    """Cut many overlapping pieces out of every clip: one clip becomes `n` clips of the same label.

    Zheng et al. 2018 augment the training clips 25 times with pieces of 7 to 35 frames (Experiments Setup). The paper
    says 25 "on average"; here it is 25 of each. It changes the number of clips: for training clips, after the split.
    """

    n: int = 25
    """Pieces of each clip."""
    shortest: int = 7
    """Lengths are drawn evenly from this ..."""
    longest: int = 35
    """... to this, then starts from all that fit. A clip that is shorter bounds both."""
    seed: int = 0
    """The same seed cuts the same clips alike."""

    def __post_init__(self) -> None:
        if self.n < 1 or not 1 <= self.shortest <= self.longest:
            raise SkelkitError(
                f"Subsequences: {self.n} pieces of {self.shortest} to {self.longest} frames cannot be cut; give at "
                "least 1 piece, and lengths from 1 upwards"
            )

    def __call__(self, clips: Clips) -> Clips:
        rng = np.random.default_rng(self.seed)
        whole = np.repeat(clips.lengths, self.n)
        lengths = rng.integers(np.minimum(self.shortest, whole), np.minimum(self.longest, whole), endpoint=True)
        starts = rng.integers(0, whole - lengths, endpoint=True)
        table = clips.table.loc[clips.table.index.repeat(self.n)].reset_index(drop=True)
        piece = np.tile(np.arange(self.n), len(clips)).astype(str)
        table["name"] = [f"{name}#{k}" for name, k in zip(table["name"], piece, strict=True)]
        index = np.repeat(np.repeat(clips.offsets[:-1], self.n) + starts, lengths) + _count(lengths)
        frames = np.asarray(clips.frames)[index]
        return replace(clips, frames=frames, offsets=_offsets(lengths), table=table, folder=None)


def _offsets(lengths: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n+1"]:
    return np.concatenate([[0], np.cumsum(lengths)])


def _count(lengths: Int[np.ndarray, " n"]) -> Int[np.ndarray, " t"]:
    """0, 1, 2, ... through each clip."""
    return np.arange(lengths.sum()) - np.repeat(_offsets(lengths)[:-1], lengths)


def _taken(clips: Clips, lengths: Int[np.ndarray, " n"], positions: Int[np.ndarray, " t"]) -> Clips:
    """Of each clip so many frames: those at `positions`, which count from its start."""
    index = np.repeat(clips.offsets[:-1], lengths) + positions
    return clips.with_frames(np.asarray(clips.frames)[index], _offsets(lengths))
