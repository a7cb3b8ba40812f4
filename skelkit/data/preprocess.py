"""Deterministic steps from stored clips to an encoder's input, each a small named dataclass.

A step maps (frames (sum of t, 3, v, m), clips) to frames of the same shape; it reads nothing but the clips' geometry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from skelkit.data.clips import Clips
from skelkit.data.datasets import sbu


@runtime_checkable
class Preprocess(Protocol):
    """One deterministic step."""

    def __call__(self, frames: np.ndarray, clips: Clips) -> np.ndarray: ...


def preprocess(clips: Clips, steps: Sequence[Preprocess]) -> np.ndarray:
    """The frames (sum of t, 3, v, m) after the steps, in their order; 32 or 16 bit, as the clips are."""
    frames = clips.frames
    for step in steps:
        frames = step(frames, clips)
    return frames


@dataclass(frozen=True)
class CentreActors:
    """Subtract each person's own middle spine in every frame (Rao et al. 2021, Sec. IV-B3).

    The relative position of two people is lost; an absent person stays 0. The paper says "the middle spine joint";
    that it is each actor's own is the released code's reading.
    """

    def __call__(self, frames: np.ndarray, clips: Clips) -> np.ndarray:
        centre = clips.skeleton.centre
        return frames - frames[:, :, centre : centre + 1]


@dataclass(frozen=True)
class Units:
    """Bring coordinates into a unit; data sets that are in metres already pass unchanged."""

    to: Literal["metres", "official"] = "metres"
    """SBU's files hold normalised numbers. "official" is what AS-CAL's released reader makes of them: millimetres,
    with z computed from y (a slip). The paper gives no unit; its dot products are not normalised, so it matters."""

    def __call__(self, frames: np.ndarray, clips: Clips) -> np.ndarray:
        if clips.units != "normalised":
            return frames
        return sbu.to_metres(frames) if self.to == "metres" else sbu.official_units(frames)
