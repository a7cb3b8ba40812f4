"""Deterministic steps from stored clips to an encoder's input, each a small named dataclass.

A step maps clips to clips and reads nothing but their geometry. It may change the number of persons and of frames, and,
for augmentation alone, of clips. Centring, units and scale stand here; the others by what they change: `canonical`
(orientation), `persons` and `timing`. `STEPS` names them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from skelkit.data.clips import Clips
from skelkit.data.datasets import sbu
from skelkit.data.steps.canonical import CanonicalRotation, ViewInvariant
from skelkit.data.steps.persons import AnyFrames, Denoise, DropEmpty, Replay, SelectPersons, by_clip, poses, who_is_in
from skelkit.data.steps.timing import AtMost, FrameRate, Subsequences
from skelkit.files import SkelkitError


@runtime_checkable
class Preprocess(Protocol):
    """One deterministic step."""

    def __call__(self, clips: Clips) -> Clips: ...


def preprocess(clips: Clips, steps: Sequence[Preprocess]) -> Clips:
    """The clips after the steps, in their order; 32 or 16 bit, as they were. The given clips stay as they are."""
    for step in steps:
        clips = step(clips)
    return clips


@dataclass(frozen=True)
class CentreActors:
    """Subtract each person's own middle spine in every frame (Rao et al. 2021, Sec. IV-B3).

    The relative position of two people is lost; an absent person stays 0. The paper says "the middle spine joint";
    that it is each actor's own is the released code's reading. Raises SkelkitError for a joint that the skeleton lacks.
    """

    joint: int | None = None
    """Another joint, by its index, takes the middle spine's place. The released code subtracts joint 1 whatever the
    skeleton: the middle spine on both Kinects, the neck on SBU's."""

    def __call__(self, clips: Clips) -> Clips:
        skeleton = clips.skeleton
        centre = skeleton.centre if self.joint is None else self.joint
        if not 0 <= centre < len(skeleton):
            raise SkelkitError(f"CentreActors: {skeleton.name} has no joint {centre}; give 0 to {len(skeleton) - 1}")
        return clips.with_frames(clips.frames - clips.frames[:, :, centre : centre + 1])


@dataclass(frozen=True)
class Units:
    """Bring coordinates into a unit; data sets that are in metres already pass unchanged."""

    to: Literal["metres", "normalised", "official"] = "metres"
    """SBU's files hold normalised numbers, and "normalised" keeps them. "official" is what AS-CAL's released reader
    makes of them: millimetres, with z computed from y (a slip). The paper gives no unit; its dot products are not
    normalised, so it matters."""

    def __call__(self, clips: Clips) -> Clips:
        if clips.units != "normalised" or self.to == "normalised":
            return clips
        convert = sbu.to_metres if self.to == "metres" else sbu.official_units
        return clips.with_frames(convert(clips.frames))


@dataclass(frozen=True)
class MinMax:
    """Stretch every clip so that its coordinates reach from -1 to 1; persons who are absent do not count, and stay 0.

    Zheng et al. 2018 "scale the skeleton joints so that their 3D coordinates are in the interval of [-1, 1]"
    (Experiments Setup), over what is not said; Predict & Cluster's released `normalize_video`, on whose clips Li and
    Shlizerman 2020 build, takes each axis's least and greatest value over the joints and frames of one clip.
    """

    over: Literal["axis", "clip"] = "axis"
    """Whether x, y and z are each stretched by their own range (a body's proportions change), or all by the widest of
    the three, each about its own middle (proportions stay). An axis without extent becomes 0."""

    def __call__(self, clips: Clips) -> Clips:
        def stretch(clip: AnyFrames, _: int) -> AnyFrames:
            there = who_is_in(clip)
            if not there.any():
                return clip
            body = poses(clip, there)  # (k 3 v)
            low, high = body.min(axis=(0, 2)), body.max(axis=(0, 2))
            extent = high - low if self.over == "axis" else np.full(3, (high - low).max())
            extent[extent == 0] = 1
            stretched = (2 * clip - (low + high)[:, None, None]) / extent[:, None, None]
            stretched.transpose(0, 3, 1, 2)[~there] = 0
            return stretched

        return by_clip(clips, stretch)


STEPS: tuple[type, ...] = (
    Units,
    CentreActors,
    CanonicalRotation,
    ViewInvariant,
    MinMax,
    FrameRate,
    AtMost,
    Subsequences,
    SelectPersons,
    Denoise,
    Replay,
    DropEmpty,
)
"""Every step."""
