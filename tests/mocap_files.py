"""Motion capture files written to the letter of their formats, and the raw samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skelkit.data.skeleton import ACCLAIM

MOVING = tuple(name for name in ACCLAIM.joints if name not in ("lhipjoint", "rhipjoint"))
"""The bones with degrees of freedom, root first."""


def degrees_of_freedom(name: str) -> str:
    """As in the real files, more or less: hinges, and joints of two and three axes."""
    hinges, pairs = ("tibia", "toes", "radius", "wrist", "fingers"), ("foot", "clavicle", "hand", "thumb")
    if any(name.endswith(part) for part in hinges):
        return "rx"
    return "ry rz" if "clavicle" in name else "rx rz" if any(name.endswith(part) for part in pairs) else "rx ry rz"


def asf_text(length: str = "0.45", order: str = "TX TY TZ RX RY RZ", seed: int = 0) -> str:
    """A skeleton file of CMU's and HDM05's 31 joints, with made-up bones."""
    rng = np.random.default_rng(seed)
    lines = [
        "# AST/ASF file generated using VICON BodyLanguage",
        ":version 1.10",
        ":name VICON",
        ":units",
        "  mass 1.0",
        f"  length {length}",
        "  angle deg",
        ":documentation",
        "   .ast/.asf written by a test",
        ":root",
        f"   order {order}",
        "   axis XYZ",
        "   position 0 0 0  ",
        "   orientation 0 0 0 ",
        ":bonedata",
    ]
    for i, name in enumerate(ACCLAIM.joints[1:], 1):
        x, y, z = (lambda v: v / np.linalg.norm(v))(rng.normal(size=3))
        axis = " ".join(f"{angle:g}" for angle in rng.uniform(-90, 90, 3).round(2))
        lines += ["  begin", f"     id {i} ", f"     name {name}", f"     direction {x:.6f} {y:.6f} {z:.6f} "]
        lines += [f"     length {rng.uniform(0.5, 7):.5f} ", f"     axis {axis}  XYZ"]
        if name in MOVING:
            dof = degrees_of_freedom(name)
            lines += [f"    dof {dof}", "    limits (-160.0 20.0)", *["           (-70.0 70.0)"] * dof.count(" ")]
        lines.append("  end")
    children = {parent: [c for c, p in ACCLAIM.bones if p == parent] for _, parent in ACCLAIM.bones}
    lines += [":hierarchy", "  begin"]
    lines += [
        "    " + " ".join(ACCLAIM.joints[i] for i in (parent, *found)) for parent, found in sorted(children.items())
    ]
    return "\n".join([*lines, "  end", ""])


def amc_text(frames: int = 3, seed: int = 0, end: str = "\r\n", first: int = 1) -> str:
    """A motion file for `asf_text`, its bones in an order of their own."""
    rng = np.random.default_rng(seed)
    bones = ["root", *rng.permutation(MOVING[1:]).tolist()]
    lines = ["#!OML:ASF X:\\written\\by\\a\\Test.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for t in range(frames):
        lines.append(str(first + t))
        for name in bones:
            count = 6 if name == "root" else degrees_of_freedom(name).count(" ") + 1
            lines.append(f"{name} " + " ".join(f"{value:g}" for value in rng.uniform(-90, 90, count)))
    return end.join([*lines, ""])


def bvh_text(
    joints: Sequence[tuple[str, int]],
    frames: int = 3,
    seed: int = 0,
    scale: float = 10.0,
    order: str = "Zrotation Yrotation Xrotation",
) -> str:
    """A BVH file: (name, parent) of every joint in depth-first order; one without children gets an end site.

    Offsets are of length `scale`.
    """
    rng = np.random.default_rng(seed)
    lines, channels = ["HIERARCHY"], 0

    def offset() -> str:
        v = rng.normal(size=3)
        return "OFFSET " + " ".join(f"{x:.5f}" for x in scale * v / np.linalg.norm(v))

    def write(i: int, depth: int) -> None:
        nonlocal channels
        tab, names = "\t" * depth, order.split()
        names = names if depth else ["Xposition", "Yposition", "Zposition", *names]
        channels += len(names)
        lines.extend([f"{tab}{'JOINT' if depth else 'ROOT'} {joints[i][0]}", f"{tab}{{"])
        lines.append(f"{tab}\t{offset() if depth else 'OFFSET 0 0 0'}")
        lines.append(f"{tab}\tCHANNELS {len(names)} {' '.join(names)}")
        children = [k for k, (_, parent) in enumerate(joints) if parent == i]
        for child in children:
            write(child, depth + 1)
        if not children:
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\t{offset()}", f"{tab}\t}}"])
        lines.append(f"{tab}}}")

    write(0, 0)
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: .0083333"]
    lines += [" ".join(f"{value:.4f}" for value in rng.uniform(-90, 90, channels)) for _ in range(frames)]
    return "\n".join([*lines, ""])


def put(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
