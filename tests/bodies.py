"""Ragged clips of bodies that come and go, for the tests of the preprocessing steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from skelkit.data.clips import Clips
from skelkit.data.skeleton import KINECT_V2, Skeleton

LENGTHS = (6, 1, 9, 4, 13)


def ragged(
    skeleton: Skeleton = KINECT_V2,
    persons: int = 2,
    dtype: Any = np.float32,
    absences: bool = True,
    seed: int = 0,
    units: str = "metres",
    lengths: tuple[int, ...] = LENGTHS,
) -> Clips:
    """Five clips of random bodies that move a little, some metres away.

    absences: person 1 is missing at the start of clip 0 and in the middle of clip 4, the second never is in clip 1 and
    late in clip 2, and in clip 3 nobody but the last listed ever is.
    """
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *lengths])
    places = rng.uniform(1, 3, (len(lengths), 3, 1, persons)) + rng.normal(0, 0.4, (len(lengths), 3, len(skeleton), 1))
    frames = np.repeat(places, lengths, axis=0) + rng.normal(0, 0.05, (offsets[-1], 3, len(skeleton), persons))
    if absences:
        clip = [frames[a:b] for a, b in pairwise(offsets)]
        clip[0][:2, ..., 0] = 0
        clip[-1][4:6, ..., 0] = 0
        if persons > 1:
            clip[1][..., 1] = 0
            clip[2][:5, ..., 1] = 0
            clip[3][..., :-1] = 0
    return Clips.from_arrays(
        frames.astype(dtype),
        offsets,
        skeleton=skeleton,
        classes=["a", "b"],
        name="bodies",
        columns={"label": np.arange(len(lengths)) % 2, "name": [f"clip {i}" for i in range(len(lengths))]},
        units=units,
    )


def blank(skeleton: Skeleton = KINECT_V2, frames: int = 1, persons: int = 1) -> Clips:
    """One clip of zeros, for values by hand."""
    zeros = np.zeros((frames, 3, len(skeleton), persons), np.float32)
    return Clips.from_arrays(zeros, [0, frames], skeleton=skeleton, classes=["a"], name="blank", columns={})


def each(clips: Clips) -> list[np.ndarray]:
    """Every clip by itself, in 64 bit."""
    return [clips[i].astype(np.float64) for i in range(len(clips))]


def rotation(seed: int) -> np.ndarray:
    """A random rotation of space."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return turn * np.sign(np.linalg.det(turn))


def rigidly_moved(clips: Clips, turn: np.ndarray, shift: Any = (0.3, -1.2, 0.7)) -> Clips:
    """Everyone who is there turned and shifted alike; an absent person stays 0."""
    frames = clips.frames.astype(np.float64)
    there = frames.any(axis=(1, 2), keepdims=True)
    moved = np.einsum("ij,tjvm->tivm", turn, frames) + np.asarray(shift)[:, None, None]
    return clips.with_frames((moved * there).astype(clips.frames.dtype))
