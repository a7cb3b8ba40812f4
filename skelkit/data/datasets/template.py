"""An example of own clips, with comments, that imports as it is: a start to replace piece by piece."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from skelkit.files import SkelkitError, whole_folder

SKELETON = """\
# A skeleton: its joints, in the order that the arrays will have.
name = "mine"
joints = [
  "pelvis", "neck", "head",
  "left_shoulder", "left_elbow", "left_hand", "right_shoulder", "right_elbow", "right_hand",
  "left_knee", "left_foot", "right_knee", "right_foot",
]
# The joint that centring subtracts: the middle of the body.
centre = "pelvis"
# Every joint but one, the root, has one parent: [child, parent].
bones = [
  ["neck", "pelvis"], ["head", "neck"],
  ["left_shoulder", "neck"], ["left_elbow", "left_shoulder"], ["left_hand", "left_elbow"],
  ["right_shoulder", "neck"], ["right_elbow", "right_shoulder"], ["right_hand", "right_elbow"],
  ["left_knee", "pelvis"], ["left_foot", "left_knee"], ["right_knee", "pelvis"], ["right_foot", "right_knee"],
]
# What mirroring exchanges: [left, right].
mirror = [
  ["left_shoulder", "right_shoulder"], ["left_elbow", "right_elbow"], ["left_hand", "right_hand"],
  ["left_knee", "right_knee"], ["left_foot", "right_foot"],
]

# The body's parts; a joint is in one at most.
[parts]
trunk = ["pelvis", "neck", "head"]
"left arm" = ["left_shoulder", "left_elbow", "left_hand"]
"right arm" = ["right_shoulder", "right_elbow", "right_hand"]
"left leg" = ["left_knee", "left_foot"]
"right leg" = ["right_knee", "right_foot"]
"""
MANIFEST = """\
# The joints and bones: a file here, or a known skeleton ("kinect-v2", "kinect-v1", "coco", ...).
skeleton = "skeleton.toml"
# Metres, if you can: the papers' augmentations and learning rates expect numbers of about 1.
units = "metres"
# Class names; a label is one of them, or its number from 0.
classes = ["wave", "squat", "walk"]
# Where the clips come from, in words.
source = "skelkit's template: clips made by a formula"
"""
README = """\
# Your own clips
1. `skeleton.toml`: joints, bones, mirror pairs and parts. Replace them by yours.
2. `manifest.toml`: the units and the class names.
3. `clips.csv`: a line a clip. `subject`, `camera`, `setup`, `replicate`, `fold` are whole numbers; leave out what you
   do not have. Cross-subject trains on the odd subjects, `folds` tests on one fold.
4. `clips/*.csv`: a row a frame, columns joint_x, joint_y, joint_z. For several persons add the columns `frame` and
   `person` (from 1), and write a row for each person in a frame; who is absent has none.
5. `skelkit data import mine FOLDER`, then `skelkit data verify mine`.
6. `skelkit run ascal --dataset mine --tier small` runs the notebooks on it.
"""
_REST = {  # metres; x to the right of the picture, y up, z away from the camera
    "pelvis": (0.0, 0.0, 2.5),
    "neck": (0.0, 0.5, 2.5),
    "head": (0.0, 0.7, 2.5),
    "shoulder": (0.2, 0.45, 2.5),
    "elbow": (0.28, 0.2, 2.5),
    "hand": (0.3, -0.05, 2.5),
    "knee": (0.12, -0.45, 2.5),
    "foot": (0.13, -0.9, 2.5),
}


def write(folder: Path) -> list[Path]:
    """Write the example: 13 joints, 3 classes, 4 subjects, 24 clips made by a formula; returns its files.

    Raises SkelkitError where there is something at `folder` already.
    """
    if folder.exists():
        raise SkelkitError(f"{folder}: is there already; give the name of a new folder")
    table = ["file,label,subject,camera,replicate,fold"]
    with whole_folder(folder) as part:
        (part / "clips").mkdir()
        for label, action in enumerate(("wave", "squat", "walk")):
            for subject in (1, 2, 3, 4):
                for take in (0, 1):
                    file = f"clips/{action}_{subject}_{take}.csv"
                    (part / file).write_text(_clip(label, subject, take), encoding="utf-8")
                    table.append(f"{file},{action},{subject},1,{take},{subject - 1}")
        for name, text in {
            "skeleton.toml": SKELETON,
            "manifest.toml": MANIFEST,
            "clips.csv": "\n".join(table) + "\n",
            "README.md": README,
        }.items():
            (part / name).write_text(text, encoding="utf-8")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _clip(label: int, subject: int, take: int) -> str:
    """Two seconds at 15 frames a second of the action, a little other for each subject and take."""
    t = np.arange(30 + 2 * take) / 15
    beat = 2 * np.pi * (0.8 + 0.1 * subject) * t + take
    columns, size = {}, 0.9 + 0.05 * subject
    for joint in tomllib.loads(SKELETON)["joints"]:
        x, y, z = _REST[joint.removeprefix("left_").removeprefix("right_")]
        x = -x if joint.startswith("right") else x
        move = np.zeros((3, len(t)))
        left = joint.startswith("left")
        if label == 0 and left and joint.endswith(("elbow", "hand")):
            move[1] = 0.3 if joint.endswith("elbow") else 0.9
            move[0] = 0.15 * np.sin(beat) * joint.endswith("hand")
        if label == 1 and not joint.endswith("foot"):
            move[1] = -0.2 * (1 - np.cos(beat)) * (0.5 if joint.endswith("knee") else 1)
        if label == 2 and joint.endswith(("hand", "foot", "knee")):
            move[2] = (0.2 if left != joint.endswith("hand") else -0.2) * np.sin(beat)
        for axis, at, way in zip("xyz", (x, y, z), move, strict=True):
            columns[f"{joint}_{axis}"] = size * (at + way)
    lines = [",".join(columns)]
    lines += [",".join(f"{value:.4f}" for value in row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"
