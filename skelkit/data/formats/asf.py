"""Acclaim skeleton files (ASF): the bones, their own axes, and how they hang together.

The format: M. Schafer, Acclaim Skeleton File Definition V1.10 (1994); Vicon's notes on it for `order` and `axis`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.data.formats.mocap import INCH, JOINTS, elementary, lines_of, number, refuse
from skelkit.data.formats.text import AGAIN
from skelkit.data.skeleton import ACCLAIM
from skelkit.files import SkelkitError

CHANNELS = ("TX", "TY", "TZ", "RX", "RY", "RZ")
_ROTATIONS = "give bones that only turn (RX, RY, RZ); the root also moves (TX, TY, TZ)"


@dataclass(frozen=True)
class Bone:
    """One bone; the root is one of length zero."""

    name: str
    parent: int
    """Index of the bone at whose end this one begins; -1 for the root."""
    offset: Float[np.ndarray, " 3"]
    """Direction times length, in the file's units; for the root, its position."""
    frame: Float[np.ndarray, "3 3"]
    """The bone's own axes, in which its angles turn."""
    channels: tuple[str, ...]
    """Of `CHANNELS`, in the order in which a motion file gives them."""


@dataclass(frozen=True)
class Acclaim:
    """A skeleton as an ASF file holds it: the root first, then the bones in the file's order."""

    bones: tuple[Bone, ...]
    order: tuple[int, ...]
    """Bone indices with every parent before its children."""
    metres: float
    """Metres a unit of the file."""

    @property
    def joints(self) -> tuple[str, ...]:
        return tuple(bone.name for bone in self.bones)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(child, parent), by child."""
        return tuple((child, bone.parent) for child, bone in enumerate(self.bones) if bone.parent >= 0)


Line = tuple[int, list[str]]
"""A line's number and its words."""


def read_asf(path: Path) -> Acclaim:
    """The skeleton of an ASF file. Raises SkelkitError that names file, line and fault."""
    sections = _sections(path)
    scale, degrees = _units(path, sections.get("units", []))
    for needed in ("root", "bonedata", "hierarchy"):
        if needed not in sections:
            refuse(path, 1, f"the section :{needed} is missing from the file")
    bones = [_root(path, sections["root"], degrees), *_bones(path, sections["bonedata"], degrees)]
    if len({bone.name for bone in bones}) < len(bones):
        refuse(path, sections["bonedata"][0][0], "two bones have one name")
    parent, order = _hierarchy(path, sections["hierarchy"], [bone.name for bone in bones])
    placed = tuple(Bone(b.name, parent[i], b.offset, b.frame, b.channels) for i, b in enumerate(bones))
    return Acclaim(placed, order, INCH / scale)


def read_known(path: Path) -> Acclaim:
    """`read_asf` for HDM05 and CMU, which share 31 joints, their order and their bones; refuses any other."""
    skeleton = read_asf(path)
    for i, joint in enumerate(ACCLAIM.joints):
        if i >= len(skeleton.joints) or skeleton.joints[i] != joint:
            found = skeleton.joints[i] if i < len(skeleton.joints) else "none"
            raise SkelkitError(f"{path}: bone {i} is {found[:40]}, and in this data set {joint}; {AGAIN}")
    if len(skeleton.joints) != len(ACCLAIM) or skeleton.edges != ACCLAIM.bones:
        raise SkelkitError(f"{path}: its {len(skeleton.joints)} bones do not hang together as this data set's; {AGAIN}")
    return skeleton


def _sections(path: Path) -> dict[str, list[Line]]:
    """The lines of each `:keyword` section, the keyword's own without the keyword."""
    sections: dict[str, list[Line]] = {}
    name = ""
    for place, line in enumerate(lines_of(path, ascii_only=False), 1):  # documentation is in any language
        said = line.split("#")[0]
        if said.lstrip().startswith(":"):
            keyword, *words = said.split()
            name = keyword[1:].lower()
            if name in sections:
                refuse(path, place, f"a second section {keyword[:40]}")
            sections[name] = [(place, words)]
            continue
        for mark in ",()":  # as good as blanks, says the format
            said = said.replace(mark, " ")
        if words := said.split():
            if not name:
                refuse(path, place, f"{words[0][:40]!r} stands before the first section")
            sections[name].append((place, words))
    return sections


def _units(path: Path, lines: list[Line]) -> tuple[float, float]:
    """(length multiplier, radians an angle)."""
    scale, angle = 1.0, "deg"
    for place, words in lines:
        if words and words[0].lower() == "length":
            scale = _numbers(path, place, words[1:], 1)[0]
            if scale < 1e-6:
                refuse(path, place, f"a unit of length of {scale:g} is none")
        elif words and words[0].lower() == "angle":
            angle = " ".join(words[1:]).lower()
            if angle not in ("deg", "rad"):
                refuse(path, place, f"angle {angle[:40]!r} is neither deg nor rad")
    return scale, np.pi / 180 if angle == "deg" else 1.0


def _numbers(path: Path, place: int, words: Sequence[str], count: int) -> list[float]:
    if len(words) != count:
        refuse(path, place, f"has {len(words)} values, not {count}")
    return [number(word, path, place) for word in words]


def _channels(path: Path, place: int, words: Sequence[str]) -> tuple[str, ...]:
    channels = tuple(word.upper() for word in words)
    if wrong := [word for word, channel in zip(words, channels, strict=True) if channel not in CHANNELS]:
        refuse(path, place, f"channel {wrong[0][:40]!r} is not supported", _ROTATIONS)
    if len(set(channels)) < len(channels):
        refuse(path, place, "names a channel twice")
    return channels


def _axes(path: Path, place: int, angles: Sequence[float], order: str, unit: float) -> Float[np.ndarray, "3 3"]:
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        refuse(path, place, f"axis order {order[:40]!r} is none of XYZ, ZYX, ...")
    return axes(angles, order, unit)


def axes(angles: Sequence[float], order: str, unit: float) -> Float[np.ndarray, "3 3"]:
    """The rotation by angles about fixed x, y and z, the order's first letter first; unit: radians an angle."""
    frame = np.eye(3)
    for letter in order.upper():
        axis = "XYZ".index(letter)
        frame = elementary(axis, angles[axis] * unit) @ frame
    return frame


def _fields(path: Path, lines: Sequence[Line], known: Sequence[str]) -> dict[str, Line]:
    """The known keywords' lines, each there once at most; `limits` and other lines are passed over."""
    fields: dict[str, Line] = {}
    for place, words in lines:
        word = words[0].lower() if words else ""
        if word in known:
            if word in fields:
                refuse(path, place, f"a second {word}")
            fields[word] = (place, words[1:])
    return fields


def _root(path: Path, lines: list[Line], unit: float) -> Bone:
    fields = _fields(path, lines, ("order", "axis", "position", "orientation"))
    if "order" not in fields:
        refuse(path, lines[0][0], "the root has no order")
    channels = _channels(path, *fields["order"])
    if len(channels) != len(CHANNELS):
        refuse(path, fields["order"][0], f"the root's order has {len(channels)} channels, not {' '.join(CHANNELS)}")
    place, axis = fields.get("axis", (lines[0][0], ["XYZ"]))
    at, position = fields.get("position", (place, ["0"] * 3))
    turn, orientation = fields.get("orientation", (place, ["0"] * 3))
    angles = _numbers(path, turn, orientation, 3)
    return Bone(
        "root",
        -1,
        np.array(_numbers(path, at, position, 3)),
        _axes(path, place, angles, "".join(axis), unit),
        channels,
    )


def _bones(path: Path, lines: list[Line], unit: float) -> list[Bone]:
    bones: list[Bone] = []
    start = -1
    for i, (place, words) in enumerate(lines):
        word = words[0].lower() if words else ""
        if word == "begin" and start < 0:
            start = i
        elif word == "end" and start >= 0:
            if len(bones) == JOINTS:
                refuse(path, place, f"holds more than {JOINTS} bones")
            bones.append(_bone(path, lines[start : i + 1], unit))
            start = -1
        elif word in ("begin", "end") or (start < 0 and word):
            refuse(path, place, f"{words[0][:40]!r} does not stand where the format wants it")
    if start >= 0:
        refuse(path, lines[start][0], "this bone has no end")
    return bones


def _bone(path: Path, lines: Sequence[Line], unit: float) -> Bone:
    fields = _fields(path, lines, ("name", "direction", "length", "axis", "dof"))
    for needed in ("name", "direction", "length", "axis"):
        if needed not in fields:
            refuse(path, lines[0][0], f"this bone has no {needed}")
    place, name = fields["name"]
    if len(name) != 1:
        refuse(path, place, "a bone's name is one word")
    direction = np.array(_numbers(path, *fields["direction"], 3))
    # Published directions have six digits; some are of length zero where the bone has none.
    long = _numbers(path, *fields["length"], 1)[0]
    if long < 0 or (long > 0 and not 0.99 <= float(np.linalg.norm(direction)) <= 1.01):
        refuse(path, fields["direction"][0], "the direction is not of length 1, or the length negative")
    place, axis = fields["axis"]
    if len(axis) < 4:
        refuse(path, place, f"has {len(axis)} values, not three angles and their order")
    frame = _axes(path, place, _numbers(path, place, axis[:3], 3), "".join(axis[3:]), unit)
    channels = _channels(path, *fields["dof"]) if "dof" in fields else ()
    if moved := [channel for channel in channels if channel.startswith("T")]:
        refuse(path, fields["dof"][0], f"channel {moved[0]} of a bone is not supported", _ROTATIONS)
    return Bone(name[0], -1, direction * long, frame, channels)


def _hierarchy(path: Path, lines: list[Line], names: list[str]) -> tuple[list[int], tuple[int, ...]]:
    """(each bone's parent, the bones with parents first)."""
    index = {name: i for i, name in enumerate(names)}
    parent, order = [-1] * len(names), [0]
    body = lines[1:]
    if len(body) < 2 or body[0][1] != ["begin"] or body[-1][1] != ["end"]:
        refuse(path, lines[-1][0], "the hierarchy is not enclosed in begin and end")
    for place, words in body[1:-1]:
        if unknown := [word for word in words if word not in index]:
            refuse(path, place, f"{unknown[0][:40]!r} is no bone of this file")
        first, *children = (index[word] for word in words)
        for child in children:
            if child == 0 or parent[child] >= 0:
                refuse(path, place, f"{names[child]} has a parent already")
            parent[child] = first
    for at in order:  # grows while it is walked: the root, its children, theirs
        order += [child for child, p in enumerate(parent) if p == at]
    if loose := set(range(len(names))) - set(order):
        refuse(path, lines[0][0], f"the bone {names[min(loose)]} does not hang on the root")
    return parent, tuple(order)
