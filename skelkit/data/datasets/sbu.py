"""SBU Kinect Interaction v2.0, the clean skeletons: two persons, eight interactions (Yun et al. 2012).

Files lie in `SET/CLASS/SEQUENCE/skeleton_pos.txt`. A line is a frame, `number,x,y,z,x,y,z,...`: 91 numbers,
15 joints of the person at the left, then 15 of the other.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.data.formats import tables
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import SBU
from skelkit.files import SkelkitError

CLASSES = (
    "approaching",
    "departing",
    "kicking",
    "pushing",
    "shaking hands",
    "hugging",
    "exchanging object",
    "punching",
)
FOLDS = (
    ("s01s02", "s03s04", "s05s02", "s06s04"),
    ("s02s03", "s02s07", "s03s05", "s05s03"),
    ("s01s03", "s01s07", "s07s01", "s07s03"),
    ("s02s01", "s02s06", "s03s02", "s03s06"),
    ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
)
"""The official five folds, by set; a set is named after its two persons."""
CLIPS, FRAMES = 282, 6822
"""The size of the whole data set."""

_FOLD = {name: fold for fold, sets in enumerate(FOLDS) for name in sets}
_PLACE = re.compile(r"(s(\d\d)s\d\d)/(0[1-8])/(\d\d\d)/skeleton_pos\.txt")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
# The README promises [0, 1] for x and y; the real files reach from -0.12 to 1.36.
_LOW, _HIGH = np.array([-1.0, -1.0, 0.0]), np.array([2.0, 2.0, 7.8125])


def reading(folder: Path) -> Reading:
    """The clips of a folder that holds the sets `s01s02`, `s01s03`, ..., all or some of them.

    Frames (t, 3, 15, 2) keep the file's normalised values; `subject` is the set's first person, `fold` the official
    one, 0 to 4, `replicate` the sequence. Raises SkelkitError for a folder without any.
    """
    return Reading(
        name="sbu",
        skeleton=SBU,
        classes=CLASSES,
        sources=_sources(folder),
        read=_clip,
        source="SBU Kinect Interaction v2.0 (clean), from skeleton_pos.txt files",
        units="normalised",
        expected=CLIPS,
    )


def to_metres(frames: Float[np.ndarray, "n 3 v m"]) -> Float[np.ndarray, "n 3 v m"]:
    """Normalised values as metres in the sensor's frame, by the data set's README.

    In millimetres X = 1280 - 2560 x, Y = 960 - 1920 y, Z = z 10000 / 7.8125. There are no absent persons to spare.
    """
    x, y, z = np.moveaxis(frames.astype(np.float64), 1, 0)
    metres = np.stack([1280 - 2560 * x, 960 - 1920 * y, z * 10000 / 7.8125], 1) / 1000
    return metres.astype(frames.dtype)


def official_units(frames: Float[np.ndarray, "n 3 v m"]) -> Float[np.ndarray, "n 3 v m"]:
    """What AS-CAL's released reader makes of normalised values: millimetres, with the depth of another axis.

    Differs from the paper: Z is computed from y instead of z, a slip of the released code (and of other public
    readers). It is kept to compare with; nothing else should use it.
    """
    x, y, _ = np.moveaxis(frames.astype(np.float64), 1, 0)
    return np.stack([1280 - 2560 * x, 960 - 1920 * y, y * 10000 / 7.8125], 1).astype(frames.dtype)


def _sources(folder: Path) -> list[Source | SkelkitError]:
    """Every skeleton file below the folder, in the order of their names; one that would be passed over is a fault."""
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds the sets s01s02, s01s03, ...")
    found = {*folder.glob("*/*/*/*skeleton*"), *folder.rglob("*skeleton*")}  # the first also goes through links
    found = {path for path in found if not path.name.startswith(".")}  # what macOS packs beside each file
    sources: list[Source | SkelkitError] = []
    for path in sorted(found):
        place = _PLACE.fullmatch(path.relative_to(folder).as_posix())
        if not place or place[1] not in _FOLD:
            fault = (
                f"{path}: is not SET/CLASS/SEQUENCE/skeleton_pos.txt in {folder}, with one of the 21 sets and a class "
                "01 to 08; mend the name, move the file away, or give the folder that holds the sets themselves"
            )
            sources.append(SkelkitError(fault))
            continue
        name, subject, label, sequence = place.groups()
        columns = {"label": int(label) - 1, "subject": int(subject), "replicate": int(sequence), "fold": _FOLD[name]}
        sources.append(Source(path, {**columns, "name": f"{name}_{label}_{sequence}"}))
    for name in _FOLD:
        for sequence_folder in sorted((folder / name).glob("*/*")):
            if sequence_folder.is_dir() and sequence_folder / "skeleton_pos.txt" not in found:
                fault = f"{sequence_folder}: holds no skeleton_pos.txt; {AGAIN}, or remove the folder"
                sources.append(SkelkitError(fault))
    if not sources:
        raise SkelkitError(
            f"{folder}: holds no SET/CLASS/SEQUENCE/skeleton_pos.txt; give the folder with the sets s01s02, s01s03, ..."
        )
    return sources


def _clip(source: Source) -> list[RawClip]:
    return [RawClip(_frames(source.path))]


def _frames(path: Path) -> Float[np.ndarray, "t 3 15 2"]:
    rows: list[list[str]] = []
    for number, line in enumerate(tables.lines(path), 1):
        fields = [field.strip() for field in line.split(",")]
        wrong_fields = [field for field in fields if not _NUMBER.fullmatch(field)]
        if len(fields) != 91:
            raise SkelkitError(f"{path}, line {number}: has {len(fields)} columns, not 91; {AGAIN}")
        if wrong_fields:
            raise SkelkitError(f"{path}, line {number}: {wrong_fields[0]!r} is no number; {AGAIN}")
        if not fields[0].isdigit() or (rows and int(fields[0]) != int(rows[-1][0]) + 1):
            before = f" after {rows[-1][0]}" if rows else ""
            raise SkelkitError(f"{path}, line {number}: frame number {fields[0]}{before} is out of sequence; {AGAIN}")
        rows.append(fields)
    frames = np.array([row[1:] for row in rows], np.float64).reshape(-1, 2, 15, 3)  # (t, m, v, 3)
    outside = ~((frames >= _LOW) & (frames <= _HIGH))
    absent = (frames == 0).all(axis=(2, 3), keepdims=True)  # which the clean data set does not have
    if (outside | absent).any():
        t, m, v, c = np.argwhere(outside | absent)[0]
        wrong = "is absent (all zeros)" if absent[t, m] else f"has {SBU.joints[v]} {'xyz'[c]} = {frames[t, m, v, c]:g}"
        raise SkelkitError(f"{path}, line {t + 1}: person {m + 1} {wrong}, no normalised coordinate; {AGAIN}")
    return np.ascontiguousarray(frames.transpose(0, 3, 2, 1), np.float32)
