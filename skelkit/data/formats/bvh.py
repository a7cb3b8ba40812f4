"""Biovision motion capture (BVH): a hierarchy with its motion, and where the joints are in every frame.

The format: M. Meredith and S. Maddock, Motion Capture File Formats Explained (2001).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.data.formats.mocap import JOINTS, elementary, lines_of, number, numbers, refuse, turned

POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")


@dataclass(frozen=True)
class Joint:
    """A joint or an end site, in the order of the file."""

    name: str
    """An end site is called after its joint: `Head_end`."""
    parent: int
    """-1 for the root; always before its children."""
    offset: Float[np.ndarray, " 3"]
    """From the parent, in the file's units."""
    channels: tuple[str, ...]
    """Of `POSITIONS` and `ROTATIONS`, in the order of the motion's columns; an end site has none."""


@dataclass(frozen=True)
class Motion:
    """What a BVH file holds."""

    joints: tuple[Joint, ...]
    values: Float[np.ndarray, "t channels"]
    """Every frame's channels, joint by joint, in the file's units and degrees."""
    seconds: float
    """From frame to frame."""

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(child, parent), by child."""
        return tuple((child, joint.parent) for child, joint in enumerate(self.joints) if joint.parent >= 0)


# ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_bvh(path: Path) -> Motion:
    """A BVH file. Raises SkelkitError that names file, line and fault.

    The number of frames is compared with the lines that are there, and nothing is made of it otherwise.
    """
    lines = lines_of(path)
    while lines and not lines[-1].strip():
        lines.pop()
    joints, at = _hierarchy(path, lines)
    return _motion(path, lines, at, joints)


class _Words:
    """The words of the hierarchy, each with its line; the parser takes one after the other."""

    def __init__(self, path: Path, lines: list[str]):
        self.path = path
        self.lines = lines
        self.line = 1
        self._words = self._all()

    def _all(self) -> Iterator[str]:
        for place, line in enumerate(self.lines, 1):
            self.line = place
            yield from line.replace("{", " { ").replace("}", " } ").split()

    def next(self) -> str:
        word = next(self._words, None)
        if word is None:
            refuse(self.path, self.line, "the hierarchy does not end, so the file is cut short")
        return word

    def expect(self, *wanted: str) -> str:
        """The next word, which must be one of these, in any case; as it is written here."""
        word = self.next()
        found = [each for each in wanted if each.lower() == word.lower()]
        if not found:
            refuse(self.path, self.line, f"{word[:40]!r} stands where {' or '.join(wanted)} should")
        return found[0]


def _hierarchy(path: Path, lines: list[str]) -> tuple[tuple[Joint, ...], int]:
    """(the joints, the line of MOTION)."""
    words = _Words(path, lines)
    words.expect("HIERARCHY")
    words.expect("ROOT")
    joints: list[Joint] = []
    within: list[int] = []  # the joints whose braces are open; a list, so that no depth is too deep
    _joint(words, joints, within)
    while within:
        word = words.expect("JOINT", "End", "}")
        if word == "JOINT":
            _joint(words, joints, within)
        elif word == "End":
            words.expect("Site")
            words.expect("{")
            _append(words, joints, f"{joints[within[-1]].name}_end", within[-1], end=True)
            words.expect("}")
        else:
            within.pop()
    words.expect("MOTION")
    return tuple(joints), words.line


def _joint(words: _Words, joints: list[Joint], within: list[int]) -> None:
    name = words.next()
    words.expect("{")
    _append(words, joints, name, within[-1] if within else -1)
    within.append(len(joints) - 1)


def _append(words: _Words, joints: list[Joint], name: str, parent: int, end: bool = False) -> None:
    path = words.path
    if len(joints) == JOINTS:
        refuse(path, words.line, f"holds more than {JOINTS} joints")
    if name in "{}" or name in [joint.name for joint in joints]:
        refuse(path, words.line, f"a second joint is called {name[:40]!r}, or it has no name")
    words.expect("OFFSET")
    offset = np.array([number(words.next(), path, words.line) for _ in range(3)])
    channels: list[str] = []
    if not end:
        words.expect("CHANNELS")
        count = words.next()
        if count not in list("0123456"):
            refuse(path, words.line, f"{count[:40]!r} is no number of channels from 0 to 6")
        channels = [words.expect(*POSITIONS, *ROTATIONS) for _ in range(int(count))]
        if len(set(channels)) < len(channels):
            refuse(path, words.line, f"{name[:40]} has a channel twice")
    joints.append(Joint(name, parent, offset, tuple(channels)))


def _motion(path: Path, lines: list[str], at: int, joints: tuple[Joint, ...]) -> Motion:
    """at: the line of MOTION, from 1."""
    if lines[at - 1].upper().split() != ["MOTION"]:
        refuse(path, at, "MOTION does not stand on a line of its own")
    if len(lines) < at + 3:
        refuse(path, len(lines), "the motion is cut short, or holds no frame")
    said = lines[at].split()
    if len(said) != 2 or said[0].lower() != "frames:" or not said[1].isdigit() or len(said[1]) > 12:
        refuse(path, at + 1, f"{lines[at][:40]!r} is not 'Frames: ' and their number")
    time = lines[at + 1].split()
    if [word.lower() for word in time[:2]] != ["frame", "time:"] or len(time) != 3:
        refuse(path, at + 2, f"{lines[at + 1][:40]!r} is not 'Frame Time: ' and seconds")
    seconds = number(time[2], path, at + 2)
    if not 1e-5 <= seconds <= 10:
        refuse(path, at + 2, f"{time[2]} seconds lie between two frames")
    rows = [line.split() for line in lines[at + 2 :]]
    channels = sum(len(joint.channels) for joint in joints)
    for place, row in enumerate(rows, at + 3):
        if len(row) != channels:
            refuse(path, place, f"has {len(row)} values, and the hierarchy {channels} channels")
    if int(said[1]) != len(rows):
        refuse(path, at + 1, f"says {int(said[1]):,} frames, and {len(rows):,} are there")
    motion = Motion(joints, numbers(rows, path, range(at + 3, len(lines) + 1)), seconds)
    _check_that_only_the_root_moves(path, at + 3, motion)
    return motion


def _check_that_only_the_root_moves(path: Path, first: int, motion: Motion) -> None:
    """Some programs write positions for every joint: OFFSET again, or zeros to be added to it. Nothing else is clear.

    first: the line of the first frame.
    """
    column = 0
    for joint in motion.joints:
        columns = [column + k for k, channel in enumerate(joint.channels) if channel in POSITIONS]
        column += len(joint.channels)
        if joint.parent < 0 or not columns:
            continue
        again = [joint.offset[POSITIONS.index(c)] for c in joint.channels if c in POSITIONS]
        off = [(np.abs(motion.values[:, columns] - still) > 1e-3).any(1) for still in (0.0, np.array(again))]
        if (off[0] & off[1]).any() or (off[0].any() and off[1].any()):
            moves = first + int((off[0] & off[1]).argmax())
            refuse(path, moves, f"{joint.name[:40]} moves, and is not the root", "give a file whose joints only turn")


# ── kinematics ──────────────────────────────────────────────────────────────────────────────────────────────────────


def joint_places(motion: Motion) -> Float[np.ndarray, "v 3 t"]:
    """Where each joint and end site is in every frame, in the file's units.

    A joint lies at its parent's place plus the parent's rotation times OFFSET; the rotations multiply in the order
    of the channels. To the root's OFFSET its position channels are added; those of other joints say nothing new.
    """
    frames = len(motion.values)
    places = np.zeros((len(motion.joints), 3, frames))
    turns: list[np.ndarray] = []
    column = 0
    for i, joint in enumerate(motion.joints):
        if joint.parent < 0:
            matrix = np.repeat(np.eye(3)[:, :, None], frames, 2)
            places[i] = joint.offset[:, None]
        else:
            matrix = turns[joint.parent]
            places[i] = places[joint.parent] + joint.offset @ matrix
        for channel in joint.channels:
            values = motion.values[:, column]
            if channel in ROTATIONS:
                matrix = turned(matrix, ROTATIONS.index(channel), np.deg2rad(values))
            elif joint.parent < 0:
                places[i, POSITIONS.index(channel)] += values
            column += 1
        turns.append(matrix)
    return places


def joint_places_by_frame(motion: Motion) -> Float[np.ndarray, "v 3 t"]:
    """The same, written out frame by frame and joint by joint: what the tests and the benchmark compare with."""
    frames = []
    for values in motion.values:
        places: list[np.ndarray] = []
        turns: list[np.ndarray] = []
        left = list(values)
        for joint in motion.joints:
            rotation, place, root = np.eye(3), joint.offset.copy(), joint.parent < 0
            for channel in joint.channels:
                value = left.pop(0)
                if channel in ROTATIONS:
                    rotation = rotation @ elementary(ROTATIONS.index(channel), np.deg2rad(value))
                elif root:
                    place[POSITIONS.index(channel)] += value
            places.append(place if root else places[joint.parent] + turns[joint.parent] @ place)
            turns.append(rotation if root else turns[joint.parent] @ rotation)
        frames.append(places)
    return np.array(frames).transpose(1, 2, 0)
