"""MSR-Action3D, real-world skeletons: twenty actions in front of one Kinect (Li, Zhang and Liu 2010).

A clip is `aAA_sSS_eEE_skeleton3D.txt` (action, subject, repetition): 20 lines a frame, one a joint, each
`x y z confidence` in metres. (`..._skeleton.txt` files are another version, in screen coordinates.) Where the sensor
lost the person, 20 clips hold frames of zeros, and one, a13_s09_e02, nothing else: it is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import numpy as np

from skelkit.data.datasets import folder as files
from skelkit.data.formats import tables
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import Flaw, RawClip, Reading, Source
from skelkit.data.skeleton import Skeleton, skeleton_of
from skelkit.files import SkelkitError

CLASSES = (
    "high arm wave",
    "horizontal arm wave",
    "hammer",
    "hand catch",
    "forward punch",
    "high throw",
    "draw X",
    "draw tick",
    "draw circle",
    "hand clap",
    "two hand wave",
    "side boxing",
    "bend",
    "forward kick",
    "side kick",
    "jogging",
    "tennis swing",
    "tennis serve",
    "golf swing",
    "pickup and throw",
)
CLIPS = {"567": 567, "557": 557}
"""The size of the whole data set: as recorded, and as used since Wang et al. 2012, who left ten clips out."""
LEFT_OUT = (
    *("a02_s03_e02", "a04_s03_e01", "a07_s04_e01", "a13_s09_e01", "a13_s09_e02"),
    *("a13_s09_e03", "a14_s03_e01", "a20_s07_e01", "a20_s07_e03", "a20_s10_e03"),
)
"""The ten clips that the choice "557" leaves out: their skeletons are missing or wrong."""
EMPTY = "a13_s09_e02"
"""The clip that is all zeros as distributed."""
# Left and right are those of one public reader; another source may have them the other way round.
_JOINTS = (
    "left_shoulder right_shoulder shoulder_center spine left_hip right_hip hip_center left_elbow right_elbow "
    "left_wrist right_wrist left_hand right_hand left_knee right_knee left_ankle right_ankle left_foot right_foot head"
)
SKELETON = cast(Skeleton, skeleton_of(tuple(_JOINTS.split())))

_NAME = re.compile(r"(a(0[1-9]|1\d|20)_s(0[1-9]|10)_e(0[1-3]))_skeleton3D\.txt", re.ASCII)
_LIKE = re.compile(r"(?!a\d\d_s\d\d_e\d\d_(skeleton\.txt|sdepth\.bin)$)a\d+_s\d+_|.*skeleton3D", re.IGNORECASE)
_REACH = 10.0  # metres; the real files reach 3.9


def reading(folder: Path, *, clips: str = "567") -> Reading:
    """The clips of a folder that holds `aAA_sSS_eEE_skeleton3D.txt` files, all 567 or some of them.

    Frames (t, 3, 20, 1) in metres, as the files have them: frames of zeros stay, `EMPTY` is left out, another clip of
    nothing else is a fault; the confidences are dropped. clips: "567" for all, "557" without `LEFT_OUT`. Raises
    SkelkitError for a folder without any.
    """
    if clips not in CLIPS:
        raise SkelkitError(f"msr_action3d: clips is {clips!r}; give {' or '.join(CLIPS)}")
    limits = "an action 01 to 20, a subject 01 to 10 and a repetition 01 to 03"
    sources = files.sources(folder, "aAA_sSS_eEE_skeleton3D.txt", _NAME, _LIKE, _columns, limits)
    if clips == "557":
        sources = [s for s in sources if isinstance(s, SkelkitError) or s.columns["name"] not in LEFT_OUT]
    return Reading(
        name="msr_action3d",
        skeleton=SKELETON,
        classes=CLASSES,
        sources=sources,
        read=_clip,
        source=f"MSR-Action3D, the list of {clips}, from skeleton3D.txt files",
        options={"clips": clips},
        expected=CLIPS[clips],
    )


def _columns(name: re.Match[str]) -> dict[str, int | str]:
    return {"label": int(name[2]) - 1, "subject": int(name[3]), "replicate": int(name[4]), "name": name[1]}


def _clip(source: Source) -> list[RawClip | Flaw]:
    path = source.path
    joints = tables.numbers(path, 4)  # x, y, z, confidence
    if len(joints) % 20:
        line = len(joints) + 1
        raise SkelkitError(f"{path}, line {line}: the last frame has {len(joints) % 20} joints, not 20; {AGAIN}")
    far = (np.abs(joints[:, :3]) > _REACH).any(axis=1)
    if far.any():
        raise SkelkitError(
            f"{path}, line {far.argmax() + 1}: reaches beyond {_REACH:g} metres; give the real-world skeletons, not "
            f"those in screen coordinates, or {AGAIN}"
        )
    if not joints[:, :3].any():
        if source.columns["name"] == EMPTY:
            return [Flaw(f"{path}: holds nothing but zeros, as distributed; left out")]
        raise SkelkitError(f"{path}: holds nothing but zeros; {AGAIN}")
    frames = joints[:, :3].reshape(-1, 20, 3).transpose(0, 2, 1)[..., None]  # (20 t, 3) -> (t, 3, v, 1)
    return [RawClip(np.ascontiguousarray(frames, np.float32))]
