"""Acclaim motion files (AMC), and where the bones end in every frame.

The rotations are those of Vicon's notes on the format: about fixed axes, in the order of `dof` or the root's `order`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.data.formats.asf import Acclaim
from skelkit.data.formats.mocap import as_clip, elementary, lines_of, numbers, refuse, turned

Motion = dict[str, Float[np.ndarray, "t _"]]
"""Each moving bone's channels, lengths in the file's units and angles in radians."""


def read_amc(path: Path, skeleton: Acclaim) -> Motion:
    """Every frame of an AMC file. Raises SkelkitError that names file, line and fault.

    Frames must be numbered in sequence, and each must give every moving bone once, in the order of the first frame.
    """
    moving = {bone.name: bone for bone in skeleton.bones if bone.channels}
    lines = lines_of(path)
    while lines and not lines[-1].strip():
        lines.pop()
    start = _header(path, lines)
    rows = _rows(path, lines, start, {name: len(bone.channels) for name, bone in moving.items()})
    stride = len(moving) + 1  # a frame's number, then a line a bone
    motion: Motion = {}
    for k in range(1, stride):
        bone = moving[rows[k][0]]
        values = numbers([row[1:] for row in rows[k::stride]], path, range(start + 1 + k, len(lines) + 1, stride))
        motion[bone.name] = values * [np.pi / 180 if channel.startswith("R") else 1.0 for channel in bone.channels]
    return motion


def _rows(path: Path, lines: list[str], start: int, wanted: dict[str, int]) -> list[list[str]]:
    """The words of every line after the header, where each is what it should be."""
    rows = [line.split() for line in lines[start:]]
    stride = len(wanted) + 1
    for i, words in enumerate(rows):
        place, said = start + 1 + i, " ".join(words)[:40]
        if i % stride == 0:
            if len(words) != 1 or not words[0].isdigit() or len(words[0]) > 9:
                refuse(path, place, f"{said!r} stands where the number of a frame should")
            if i and int(words[0]) != int(rows[i - stride][0]) + 1:
                refuse(path, place, f"frame number {said} after {rows[i - stride][0]} is out of sequence")
            continue
        first = i < stride
        if not words or (words[0] not in wanted if first else words[0] != rows[i % stride][0]):
            refuse(path, place, f"{said!r} stands where {'a' if first else rows[i % stride][0] + ','} bone should")
        if first and words[0] in [row[0] for row in rows[1:i]]:
            refuse(path, place, f"{words[0]} comes twice in one frame")
        if len(words) != 1 + wanted[words[0]]:
            refuse(path, place, f"{words[0]} has {len(words) - 1} values, and in the skeleton {wanted[words[0]]}")
    if len(rows) % stride:
        refuse(path, len(lines), f"the last frame is not whole: {len(rows) % stride - 1} of {len(wanted)} bones")
    return rows


def _header(path: Path, lines: list[str]) -> int:
    """The number of lines before the first frame, which must hold both keywords."""
    keywords = {":DEGREES", ":FULLY-SPECIFIED"}
    words = [line.split("#")[0].split() for line in lines]
    start = next((i for i, said in enumerate(words) if said and not said[0].startswith(":")), None)
    if start is None:
        refuse(path, len(lines) or 1, "holds no frame")
    if wrong := {word.upper() for said in words[:start] for word in said} ^ keywords:
        fault = "was not said" if min(wrong) in keywords else "is not supported"
        refuse(path, start + 1, f"{min(wrong)[:40]} {fault} before this line", "give a file in both")
    return start


# ── kinematics ──────────────────────────────────────────────────────────────────────────────────────────────────────


def bone_ends(skeleton: Acclaim, motion: Motion) -> Float[np.ndarray, "v 3 t"]:
    """Where each bone ends (the root: where it is) in every frame, in metres, y up as the file has it.

    A bone's axes in the world are M = M_parent C R C^-1 with its own frame C and the rotation R by its angles about
    fixed axes, the first channel first; it ends at its parent's end plus M times direction times length.
    """
    frames = len(motion[skeleton.bones[0].name])
    ends = np.zeros((len(skeleton.bones), 3, frames))
    turns = np.zeros((len(skeleton.bones), 3, 3, frames))
    for i in skeleton.order:
        bone = skeleton.bones[i]
        before = turns[bone.parent] if i else np.broadcast_to(np.eye(3)[:, :, None], (3, 3, frames))
        matrix = bone.frame.T @ before  # row by row: before @ C
        values = motion.get(bone.name, np.zeros((frames, 0)))
        for channel, value in zip(bone.channels[::-1], values.T[::-1], strict=True):  # the first turns first
            if channel.startswith("R"):
                matrix = turned(matrix, "XYZ".index(channel[1]), value)
        turns[i] = bone.frame @ matrix  # @ C^-1
        if i:
            ends[i] = ends[bone.parent] + bone.offset @ turns[i]
            continue
        ends[i] = bone.offset[:, None]
        for channel, value in zip(bone.channels, values.T, strict=True):
            if channel.startswith("T"):
                ends[i, "XYZ".index(channel[1])] += value
    return ends * skeleton.metres


def bone_ends_by_frame(skeleton: Acclaim, motion: Motion) -> Float[np.ndarray, "v 3 t"]:
    """The same, written out frame by frame and bone by bone: what the tests and the benchmark compare with."""
    frames = []
    for t in range(len(motion[skeleton.bones[0].name])):
        ends: dict[int, np.ndarray] = {}
        turns: dict[int, np.ndarray] = {}
        for i in skeleton.order:
            bone = skeleton.bones[i]
            place, rotation = bone.offset.copy(), np.eye(3)
            for k, channel in enumerate(bone.channels):
                axis = "XYZ".index(channel[1])
                if channel.startswith("T"):
                    place[axis] += motion[bone.name][t, k]
                else:
                    rotation = elementary(axis, motion[bone.name][t, k]) @ rotation
            own = bone.frame @ rotation @ np.linalg.inv(bone.frame)
            turns[i] = turns[bone.parent] @ own if i else own
            ends[i] = ends[bone.parent] + turns[i] @ place if i else place
        frames.append([ends[i] * skeleton.metres for i in range(len(skeleton.bones))])
    return np.array(frames).transpose(1, 2, 0)


def clip(path: Path, skeleton: Acclaim) -> Float[np.ndarray, "t 3 v 1"]:
    """The motion of an AMC file as a clip of one person, in metres."""
    return as_clip(bone_ends(skeleton, read_amc(path, skeleton)), path)
