"""UWA3D Multiview Activity II, skeletons: thirty actions, four views (Rahmani, Mahmood, Huynh and Mian 2016).

A clip is `aAA_sSS_eEE_vVV.mat` (action, subject, repetition, view): a MATLAB v7.3 file whose variable `A` holds 45
numbers a frame, x, y, z of 15 joints. The page that described them is gone. What is known comes from public readers,
and is doubtful so far:

- The joints: one reader has head, neck, torso, left arm, right arm, left leg, right leg, three joints each, which is
  SBU's order too; another agrees where it says anything (neck, torso, the hips and their sides). Neither says whether
  "left" is the person's own.
- The units: OpenNI gives millimetres, and one reader divides by 1000. Nobody stands 20 metres from a Kinect, or has all
  joints within 20 millimetres of it: a clip that reaches beyond 20 is in millimetres, any other one in metres.
- The views 1 to 4 (front, left, right, top) were filmed one after the other, two descriptions say, each subject
  performing again: clips of different views show no common performance, so `action` is -1.
"""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np

from skelkit.data.datasets import folder as files
from skelkit.data.formats import mat
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import SBU
from skelkit.files import SkelkitError

CLASSES = (
    "one hand waving",
    "one hand punching",
    "two hand waving",
    "two hand punching",
    "sitting down",
    "standing up",
    "vibrating",
    "falling down",
    "holding chest",
    "holding head",
    "holding back",
    "walking",
    "irregular walking",
    "lying down",
    "turning around",
    "drinking",
    "phone answering",
    "bending",
    "jumping jack",
    "running",
    "picking up",
    "putting down",
    "kicking",
    "jumping",
    "dancing",
    "mopping floor",
    "sneezing",
    "sitting down (chair)",
    "squatting",
    "coughing",
)
CLIPS = 1075
"""The size of the whole data set."""
VIEWS = (1, 2, 3, 4)
SPLITS = tuple(f"v{a}v{b}-v{c}" for a, b in combinations(VIEWS, 2) for c in VIEWS if c not in (a, b))
"""The twelve splits that papers average over, as `protocols.split` takes them: two views train, another one tests."""

_NAME = re.compile(r"a(0[1-9]|[12]\d|30)_s(0[1-9]|10)_e(\d\d)_v(0[1-4])\.mat", re.ASCII)
_LIKE = re.compile(r"a\d+_s\d+_|.*\.mat$", re.IGNORECASE)
_MOST_FRAMES = 2000  # the longest real clip has 167
_MILLIMETRES = 20.0  # beyond it no number can be metres
_REACH = 10.0  # metres


def reading(folder: Path) -> Reading:
    """The clips of a folder that holds `aAA_sSS_eEE_vVV.mat` files, all 1,075 or some of them.

    Frames (t, 3, 15, 1) in metres (see above); `camera` is the view, `replicate` the repetition, `action` -1. A clip
    of zeros alone, which the official files have some of, is a fault. v7.3 files take h5py. Raises SkelkitError for a
    folder without any.
    """
    limits = "an action 01 to 30, a subject 01 to 10 and a view 01 to 04"
    return Reading(
        name="uwa3d",
        skeleton=SBU,
        classes=CLASSES,
        sources=files.sources(folder, "aAA_sSS_eEE_vVV.mat", _NAME, _LIKE, _columns, limits),
        read=_clip,
        source="UWA3D Multiview Activity II, from skeleton .mat files",
        expected=CLIPS,
    )


def _columns(name: re.Match[str]) -> dict[str, int | str]:
    action, subject, repetition, view = map(int, name.groups())
    stem = name[0].removesuffix(".mat")
    return {"label": action - 1, "subject": subject, "camera": view, "replicate": repetition, "name": stem}


def _clip(source: Source) -> list[RawClip]:
    path = source.path
    array = mat.numbers(path, "A", most=_MOST_FRAMES * 45)
    # The last axis counts the frames, in MATLAB's order of axes: 45 x t, or 3 x 15 x t.
    if array.shape[:-1] not in ((45,), (3, 15)) or not array.size:
        shape = " x ".join(map(str, array.shape)) or "one number"
        raise SkelkitError(f"{path}: A is {shape}, not 45 x frames or 3 x 15 x frames; {AGAIN}")
    frames = array.T.reshape(-1, 15, 3).transpose(0, 2, 1)[..., None]  # (t, 45) -> (t, 3, v, 1)
    if np.abs(frames).max() > _MILLIMETRES:
        frames = frames / 1000
    mat.check_metres(path, frames, _REACH)
    return [RawClip(np.ascontiguousarray(frames, np.float32))]
