"""UTD-MHAD, skeletons: 27 actions in front of one Kinect (Chen, Jafari and Kehtarnavaz 2015).

A clip is `aA_sS_tT_skeleton.mat` (action, subject, trial): a MATLAB file whose variable `d_skel` is 20 joints x
(x, y, z) x frames, in metres.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import numpy as np

from skelkit.data.datasets import folder as files
from skelkit.data.formats import mat
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import Skeleton, skeleton_of
from skelkit.files import SkelkitError

_CLASSES = (
    "swipe_left swipe_right wave clap throw arm_cross basketball_shoot draw_x draw_circle_cw draw_circle_ccw "
    "draw_triangle bowling boxing baseball_swing tennis_swing arm_curl tennis_serve push knock catch pickup_throw jog "
    "walk sit2stand stand2sit lunge squat"
)
CLASSES = tuple(_CLASSES.split())
CLIPS = 861
"""The size of the whole data set: 27 actions, 8 subjects and 4 trials, but for three."""
_JOINTS = (
    "head shoulder_center spine hip_center left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot"
)
SKELETON = cast(Skeleton, skeleton_of(tuple(_JOINTS.split())))

_NAME = re.compile(r"(a([1-9]|1\d|2[0-7])_s([1-8])_t([1-4]))_skeleton\.mat", re.ASCII)
_LIKE = re.compile(r"(?!a\d+_s\d+_t\d+_(inertial|depth)\.mat$|.*\.avi$)(a\d+_s\d+_|.*\.mat$)", re.IGNORECASE)
_MOST_FRAMES = 10_000  # the longest real clip has 125
_REACH = 10.0  # metres; the real files reach 4.1


def reading(folder: Path) -> Reading:
    """The clips of a folder that holds `aA_sS_tT_skeleton.mat` files, all 861 or some of them.

    Frames (t, 3, 20, 1) in metres; `replicate` is the trial. Raises SkelkitError for a folder without any.
    """
    limits = "an action 1 to 27, a subject 1 to 8 and a trial 1 to 4"
    return Reading(
        name="utd_mhad",
        skeleton=SKELETON,
        classes=CLASSES,
        sources=files.sources(folder, "aA_sS_tT_skeleton.mat", _NAME, _LIKE, _columns, limits),
        read=_clip,
        source="UTD-MHAD, from skeleton.mat files",
        expected=CLIPS,
    )


def _columns(name: re.Match[str]) -> dict[str, int | str]:
    return {"label": int(name[2]) - 1, "subject": int(name[3]), "replicate": int(name[4]), "name": name[1]}


def _clip(source: Source) -> list[RawClip]:
    path = source.path
    joints = mat.numbers(path, "d_skel", most=_MOST_FRAMES * 20 * 3)
    if joints.ndim != 3 or joints.shape[:2] != (20, 3) or not joints.size:
        shape = " x ".join(map(str, joints.shape))
        raise SkelkitError(f"{path}: d_skel is {shape}, not 20 joints x 3 x frames; {AGAIN}")
    frames = joints.transpose(2, 1, 0)[..., None]  # (v, 3, t) -> (t, 3, v, 1)
    mat.check_metres(path, frames, _REACH)
    return [RawClip(np.ascontiguousarray(frames, np.float32))]
