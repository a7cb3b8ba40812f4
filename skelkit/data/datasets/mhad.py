"""Berkeley MHAD, the skeletons: 11 actions by 12 subjects, five times each, as BVH files (Ofli et al. 2013).

A clip is `skl_sSS_aAA_rRR.bvh` (subject, action, repetition). Subjects 1 to 7 train, 8 to 12 are tested.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from skelkit.data.datasets.folder import T_POSE
from skelkit.data.formats import bvh
from skelkit.data.formats.mocap import as_clip
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import Flaw, RawClip, Reading, Source
from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError

CLASSES = (
    "jumping in place",
    "jumping jacks",
    "bending",
    "punching",
    "waving two hands",
    "waving one hand",
    "clapping hands",
    "throwing a ball",
    "sit down then stand up",
    "sit down",
    "stand up",
)
"""By action number, from 1."""
CLIPS, JOINTS = 659, 35
"""The size of the whole data set (one of 12 x 11 x 5 is missing), and joints with the end sites."""
UNITS = {"mm": 0.001, "cm": 0.01, "inch": 0.0254, "m": 1.0}
"""Metres a unit."""

_NAME = re.compile(r"skl_s(0[1-9]|1[0-2])_a(0[1-9]|1[01])_r(0[1-5])\.bvh")
_REACH = (0.8, 2.0)  # metres along the bones from the hips to the furthest finger or toe: 1.1 to 1.5 for adults
_ARM, _LEG = ("shoulder", "collar", "arm", "elbow", "wrist", "hand"), ("leg", "hip", "knee", "ankle", "foot", "toe")

Hierarchy = tuple[tuple[str, int, tuple[str, ...]], ...]
"""(name, parent, channels) of every joint."""


def reading(folder: Path, *, unit: str = "auto") -> Reading:
    """The clips of a folder that holds `skl_sSS_aAA_rRR.bvh` files at any depth, all 659 or some of them.

    Frames (t, 3, 35, 1) in metres. The skeleton is the first file's hierarchy, end sites included; every other file
    must have the same, and the same rate (480 a second as published). unit: the files do not say theirs; "auto" takes
    the one of mm, cm and m that makes the first skeleton a person, or give mm, cm, inch or m; each file is checked to
    hold a person. `replicate` is the repetition; T-poses are no clips and are left out. Raises SkelkitError for a
    folder without any, and for an unknown unit.
    """
    sources, poses = _sources(folder)
    first, motion = _first(sources)
    joints = motion.joints
    if unit not in ("auto", *UNITS):
        raise SkelkitError(f"option unit: {unit[:40]!r} is unknown; give auto, {', '.join(UNITS)}")
    metres = _unit(first, joints) if unit == "auto" else UNITS[unit]
    return Reading(
        name="mhad",
        skeleton=skeleton_of(joints),
        classes=CLASSES,
        sources=sources,
        read=partial(_clip, metres=metres, like=str(first), hierarchy=_hierarchy(joints), seconds=motion.seconds),
        source=f"Berkeley MHAD, from BVH files of {1 / motion.seconds:.0f} frames a second",
        options={"unit": metres},
        flaws=[Flaw(f"{path}: is a T-pose, no clip; left out") for path in poses],
        expected=CLIPS,
    )


def skeleton_of(joints: Sequence[bvh.Joint]) -> Skeleton:
    """A skeleton from a hierarchy: sides and parts by the names, the centre in the middle of the spine."""
    names = [joint.name for joint in joints]
    low = [name.lower() for name in names]
    pairs = tuple(
        (i, low.index(name.replace("left", "right")))
        for i, name in enumerate(low)
        if "left" in name and name.replace("left", "right") in low
    )
    parts = {
        f"{side} {part}": tuple(i for i, name in enumerate(low) if side in name and any(word in name for word in words))
        for side in ("left", "right")
        for part, words in (("arm", _ARM), ("leg", _LEG))
    }
    limbs = {i for part in parts.values() for i in part}
    spine = [i for i, name in enumerate(low) if "spine" in name]
    return Skeleton(
        "mhad",
        tuple(names),
        tuple((i, joint.parent) for i, joint in enumerate(joints) if joint.parent >= 0),
        spine[len(spine) // 2] if spine else 0,
        pairs,
        {"trunk": tuple(i for i in range(len(names)) if i not in limbs), **parts},
    )


def _sources(folder: Path) -> tuple[list[Source | SkelkitError], list[Path]]:
    """Every BVH file below the folder, in the order of the names, and apart the T-poses; another name is a fault."""
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds skl_sSS_aAA_rRR.bvh files")
    sources: list[Source | SkelkitError] = []
    poses: list[Path] = []
    found = [path for path in folder.rglob("*") if ".bvh" in path.name.lower() and not path.name.startswith(".")]
    for path in sorted(found, key=lambda path: (path.name, path)):
        place = _NAME.fullmatch(path.name)
        if not place and T_POSE.search(path.name):
            poses.append(path)
            continue
        if not place:
            fault = (
                f"{path}: is not named skl_sSS_aAA_rRR.bvh with a subject 1 to 12, an action 1 to 11 and a repetition "
                "1 to 5; mend the name, or move the file away"
            )
            sources.append(SkelkitError(fault))
            continue
        subject, action, repetition = map(int, place.groups())
        columns = {"label": action - 1, "subject": subject, "replicate": repetition}
        sources.append(Source(path, {**columns, "name": path.stem}))
    if not sources:
        raise SkelkitError(f"{folder}: holds no skl_sSS_aAA_rRR.bvh file at any depth; give the folder that does")
    return sources, poses


def _first(sources: Sequence[Source | SkelkitError]) -> tuple[Path, bvh.Motion]:
    """The first file that can be read and has 35 joints. Raises the first fault where there is none."""
    faults = []
    for source in sources:
        try:
            if isinstance(source, SkelkitError):
                raise source
            motion = bvh.read_bvh(source.path)
            if len(motion.joints) != JOINTS:
                raise SkelkitError(
                    f"{source.path}, line 1: has {len(motion.joints)} joints and end sites, not {JOINTS}; {AGAIN}"
                )
        except SkelkitError as fault:
            faults.append(fault)
        else:
            return source.path, motion
    raise faults[0]


def _hierarchy(joints: Sequence[bvh.Joint]) -> Hierarchy:
    return tuple((joint.name, joint.parent, joint.channels) for joint in joints)


def _reach(joints: Sequence[bvh.Joint]) -> float:
    """The longest way from the root along the bones, in the file's units."""
    way: list[float] = []
    for joint in joints:
        way.append(way[joint.parent] + float(np.linalg.norm(joint.offset)) if joint.parent >= 0 else 0.0)
    return max(way)


def _unit(path: Path, joints: Sequence[bvh.Joint]) -> float:
    """Metres a unit, by the size of the person: mm, cm and m lie so far apart that only one can be right."""
    reach = _reach(joints)
    for unit in ("mm", "cm", "m"):
        if _REACH[0] <= reach * UNITS[unit] <= _REACH[1]:
            return UNITS[unit]
    raise SkelkitError(
        f"{path}, line 1: its skeleton reaches {reach:g}, a person's in none of mm, cm, m; give -o unit, or {AGAIN}"
    )


def _clip(source: Source, metres: float, like: str, hierarchy: Hierarchy, seconds: float) -> list[RawClip]:
    motion = bvh.read_bvh(source.path)
    if _hierarchy(motion.joints) != hierarchy:
        raise SkelkitError(f"{source.path}, line 1: its hierarchy is not that of {like}; {AGAIN}")
    if not 0.98 <= motion.seconds / seconds <= 1.02:  # as many digits as a program writes
        rates = f"has {1 / motion.seconds:.0f} frames a second, and {like} {1 / seconds:.0f}"
        raise SkelkitError(f"{source.path}: {rates}; take one of them away, or {AGAIN}")
    reach = _reach(motion.joints) * metres
    if not _REACH[0] <= reach <= _REACH[1]:
        raise SkelkitError(
            f"{source.path}, line 1: its skeleton reaches {reach:.3g} m from the hips, as no person does; "
            f"check -o unit, or {AGAIN}"
        )
    return [RawClip(as_clip(bvh.joint_places(motion) * metres, source.path))]
