"""Steps that choose among the persons of a clip, and what every step asks: who is there, and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from skelkit.data.clips import Clips

AnyFrames = Float[np.ndarray, "t 3 v m"]


def present(clips: Clips) -> Bool[np.ndarray, "t m"]:
    """Which persons are there in each frame of all clips."""
    blocks = range(0, len(clips.frames), 65536)  # of a memory map, no more than this is read at once
    return np.concatenate([who_is_in(np.asarray(clips.frames[start : start + 65536])) for start in blocks])


def who_is_in(frames: AnyFrames) -> Bool[np.ndarray, "t m"]:
    """Which persons are not all zeros in each frame."""
    there = np.asarray(frames[:, :, 0].any(axis=1))  # one joint settles most frames, ten times as fast
    for person in range(there.shape[1]):
        unsure = np.flatnonzero(~there[:, person])
        there[unsure, person] = frames[unsure, :, :, person].any(axis=(1, 2))
    return there


def poses(frames: Float[np.ndarray, "t c v m"], which: Bool[np.ndarray, "t m"]) -> Float[np.ndarray, "k c v"]:
    """The single bodies of some persons in some frames."""
    return frames.transpose(0, 3, 1, 2)[which]


def first_frames(clips: Clips, there: Bool[np.ndarray, "t m"]) -> Int[np.ndarray, "n m"]:
    """The frame, counted through all clips, in which each person of a clip is first there; sum of t for one never."""
    never = len(there)
    numbers = np.where(there, np.arange(never)[:, None], never)
    return np.minimum.reduceat(numbers, clips.offsets[:-1])


def by_clip(clips: Clips, change: Callable[[AnyFrames, int], AnyFrames]) -> Clips:
    """Each clip as `change(frames in 32 bit, number of the clip)` makes it, in the precision of the clips."""
    frames = np.asarray(clips.frames)
    changed = np.empty(frames.shape, frames.dtype)
    for i, (start, end) in enumerate(pairwise(clips.offsets.tolist())):
        changed[start:end] = change(frames[start:end].astype(np.float32), i)
    return clips.with_frames(changed)


@dataclass(frozen=True)
class SelectPersons:
    """Keep some of the persons that a file lists: NTU RGB+D lists up to four, of whom many are a chair or a shadow."""

    keep: int = 2
    """So many persons are kept at most."""
    by: Literal["first", "energy", "motion"] = "first"
    """ "first": as they are listed (ST-GCN's reader). "energy": those with the largest sum of the standard deviations
    of x, y and z over their joints and the frames in which they are there, largest first (2s-AGCN's reader, which
    Thoker et al. 2021 took over). "motion": by the sum of the variances (CTR-GCN's reader). Equals keep their order."""
    pad: bool = False
    """Add persons of zeros where a set lists fewer, so that two sets have the same number (Thoker et al. 2021,
    Sec. 4.2: every clip shows two people, and the second is all zeros for actions of one)."""

    def __call__(self, clips: Clips) -> Clips:
        frames = np.asarray(clips.frames)
        kept = frames[..., : self.keep]
        if self.by != "first" and clips.persons > 1:
            rank = np.argsort(-spread(clips, self.by == "energy"), axis=1, kind="stable")[:, : self.keep]
            kept = np.empty_like(kept)
            for i, (start, end) in enumerate(pairwise(clips.offsets.tolist())):
                kept[start:end] = frames[start:end, :, :, rank[i]]
        if self.pad and kept.shape[3] < self.keep:
            kept = np.pad(kept, [(0, 0)] * 3 + [(0, self.keep - kept.shape[3])])
        return clips.with_frames(kept)


def spread(clips: Clips, deviations: bool) -> Float[np.ndarray, "n m"]:
    """How much each person of a clip moves and fills space: over x, y, z, the sum of the standard deviations (or of the
    variances) of all joints in all frames in which the person is there; 0 for one who is never there."""
    there = present(clips)
    found = np.zeros((len(clips), clips.persons))
    for i, (start, end) in enumerate(pairwise(clips.offsets.tolist())):
        for person in np.flatnonzero(there[start:end].any(0)).tolist():
            bodies = clips.frames[start:end, :, :, person][there[start:end, person]]  # (k 3 v)
            each = bodies.astype(np.float64).var(axis=(0, 2))
            found[i, person] = (np.sqrt(each) if deviations else each).sum()
    return found


@dataclass(frozen=True)
class Denoise:
    """Blank persons that are no persons, as CTR-GCN's `get_raw_denoised_data` tells them (NTU RGB+D).

    In the order listed, first for their length, then for their shape, then for their motion; the last one left stays.
    A blanked person is all zeros: `SelectPersons(by="motion")` brings the others to the front.
    Differs from the released code: there, the motion by which it sorts is the smaller one with and without the wide
    frames.
    """

    frames: int = 11
    """A person who is there for so many frames or fewer is noise."""
    ratio: float = 0.8
    """A frame is too wide where a person's extent in x exceeds this share of the extent in y."""
    share: float = 0.69754
    """A person is noise who is too wide in this share of the frames or more."""
    motion: tuple[float, float] | None = None
    """All but the one who moves most are noise whose motion (the sum of the variances of x, y and z) lies outside.
    CTR-GCN's code defines (0.089925, 2) and does not use it."""

    def __call__(self, clips: Clips) -> Clips:
        there = present(clips)
        starts = clips.offsets[:-1]
        length = np.add.reduceat(there, starts, dtype=np.int64)  # (n m)
        stays = length > 0
        _blank(stays, length <= self.frames)
        wide = np.zeros_like(there)
        for i in np.flatnonzero(stays.sum(1) > 1).tolist():
            start, end = clips.offsets[i], clips.offsets[i + 1]
            body = poses(clips.frames[start:end, :2], there[start:end]).astype(np.float32)  # (k 2 v)
            extent = body.max(2) - body.min(2)
            wide[start:end][there[start:end]] = extent[:, 0] > self.ratio * extent[:, 1]
        share = np.add.reduceat(wide, starts, dtype=np.int64) / np.maximum(length, 1)
        _blank(stays, share >= self.share)
        if self.motion is not None:
            least, most = self.motion
            moves = np.where(stays, spread(clips, False), -1)
            leads = np.arange(clips.persons) == moves.argmax(1)[:, None]
            _blank(stays, ~leads & ((moves < least) | (moves > most)))
        frames = np.array(clips.frames)
        for i, person in np.argwhere(~stays & (length > 0)).tolist():
            frames[clips.offsets[i] : clips.offsets[i + 1], :, :, person] = 0
        return clips.with_frames(frames)


def _blank(stays: Bool[np.ndarray, "n m"], noise: Bool[np.ndarray, "n m"]) -> None:
    """Strike noise off those who stay, one after the other and never the last of a clip."""
    for person in range(stays.shape[1]):
        stays[:, person] &= ~noise[:, person] | (stays.sum(1) == 1)


@dataclass(frozen=True)
class Replay:
    """Fill the frames in which a person is missing at a clip's start or end (2s-AGCN's `pre_normalization`).

    Each person by itself: where the first frame is empty, the person's frames move to the front; an empty rest is
    filled with them again and again. One who is never there stays zero. That code, which Thoker et al. 2021 took over,
    does so after padding every clip to 300 frames; here a clip keeps its length, and `View(fill="loop")` does the rest.
    """

    def __call__(self, clips: Clips) -> Clips:
        there = present(clips)
        frames = np.array(clips.frames)
        for i, m in np.argwhere(_gaps(clips, there)).tolist():
            clip = frames[clips.offsets[i] : clips.offsets[i + 1], ..., m]
            here = there[clips.offsets[i] : clips.offsets[i + 1], m]
            known = clip[here] if not here[0] else clip[: np.flatnonzero(here)[-1] + 1]
            clip[:] = known[np.arange(len(clip)) % len(known)]
        return clips.with_frames(frames)


def _gaps(clips: Clips, there: Bool[np.ndarray, "t m"]) -> Bool[np.ndarray, "n m"]:
    """Who is there at some time, but not in a clip's first or not in its last frame."""
    ends = there[clips.offsets[:-1]] & there[clips.offsets[1:] - 1]
    return np.logical_or.reduceat(there, clips.offsets[:-1]) & ~ends


@dataclass(frozen=True)
class DropEmpty:
    """Leave out frames in which nobody is there; a clip in which nobody ever is stays as it is."""

    which: Literal["leading", "all"] = "leading"
    """Those before the first with a person (the clip then starts with a pose), or all (CTR-GCN's reader)."""

    def __call__(self, clips: Clips) -> Clips:
        there = np.asarray(present(clips).any(1))
        starts = clips.offsets[:-1]
        kept = there
        if self.which == "leading":
            first = first_frames(clips, there[:, None])[:, 0]
            kept = np.arange(len(there)) >= np.repeat(first, clips.lengths)
        kept = kept | np.repeat(~np.logical_or.reduceat(there, starts), clips.lengths)
        if kept.all():
            return replace(clips)
        lengths = np.add.reduceat(kept, starts, dtype=np.int64)
        return clips.with_frames(np.asarray(clips.frames)[kept], np.concatenate([[0], np.cumsum(lengths)]))
