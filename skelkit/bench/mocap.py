"""The speed of kinematics: every frame at once, against a plain loop over frames."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import numpy as np

from skelkit.bench.timing import Line, spread, turns
from skelkit.data.formats import acclaim, asf, bvh
from skelkit.data.skeleton import ACCLAIM


def acclaim_motion(frames: int, seed: int = 0) -> tuple[asf.Acclaim, acclaim.Motion]:
    """CMU's and HDM05's skeleton with made-up bones, and noise for every angle; every bone turns about three axes."""
    rng = np.random.default_rng(seed)
    parent = {0: -1, **dict(ACCLAIM.bones)}
    frame = [asf.axes(rng.uniform(-90, 90, 3).tolist(), "XYZ", np.pi / 180) for _ in ACCLAIM.joints]
    bones = tuple(
        asf.Bone(name, parent[i], rng.normal(0, 3, 3), frame[i], asf.CHANNELS[0 if i == 0 else 3 :])
        for i, name in enumerate(ACCLAIM.joints)
    )
    motion = {bone.name: rng.uniform(-2, 2, (frames, len(bone.channels))) for bone in bones}
    return asf.Acclaim(bones, tuple(range(len(bones))), 0.0564), motion


def bvh_motion(frames: int, joints: int = 35, seed: int = 0) -> bvh.Motion:
    """A hierarchy as large as Berkeley MHAD's, in which every joint turns about three axes."""
    rng = np.random.default_rng(seed)
    turning = ("Zrotation", "Yrotation", "Xrotation")
    made = tuple(
        bvh.Joint(
            f"joint{i}",
            int(rng.integers(max(0, i - 4), i)) if i else -1,
            rng.normal(0, 10, 3),
            turning if i else (*bvh.POSITIONS, *turning),
        )
        for i in range(joints)
    )
    values = rng.uniform(-180, 180, (frames, 3 + 3 * joints))
    return bvh.Motion(made, values, 1 / 480)


def kinematics(frames: int = 500, rounds: int = 5) -> list[Line]:
    """Where joints are, from angles: both formats, as many frames as a clip of some seconds has."""
    skeleton, motion = acclaim_motion(frames)
    hierarchy = bvh_motion(frames)
    sides: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        (
            f"Acclaim, {len(skeleton.bones)} bones",
            lambda: acclaim.bone_ends(skeleton, motion),
            lambda: acclaim.bone_ends_by_frame(skeleton, motion),
        ),
        (
            f"BVH, {len(hierarchy.joints)} joints",
            lambda: bvh.joint_places(hierarchy),
            lambda: bvh.joint_places_by_frame(hierarchy),
        ),
    ]
    lines = []
    for name, ours, plain in sides:
        mine, loop = turns([ours, plain], rounds)
        ratios = [slow / quick for quick, slow in zip(mine, loop, strict=True)]
        rates = f"{frames / median(mine):,.0f} against {frames / median(loop):,.0f} frames/s"
        what = f"kinematics, {name}, {frames} frames: all at once / frame by frame"
        lines.append(Line(what, "50 x", f"{spread(ratios, '.0f')} x; {rates}", median(ratios) >= 50))
    return lines
