"""What is published of each data set's size, each number with its source; `verify` lays the clips beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skelkit.data.clips import Clips
from skelkit.data.protocols import SUBJECTS_IN_FOLD, TEST_CAMERA, split
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Count:
    """One published number."""

    what: str
    """"clips", "frames", "classes", "subjects", or a split and its side, as `counted` has it: "xsub train"."""
    number: int
    source: str
    """Who says so."""
    also: tuple[int, ...] = ()
    """What an official choice makes of it: merged classes, a shorter list."""


def _sides(split: str, train: int, test: int, source: str) -> tuple[Count, Count]:
    return Count(f"{split} train", train, source), Count(f"{split} test", test, source)


_NTU = "CTR-GCN's list of files with a skeleton"
_MSR = "the data set's page (Li et al. 2010)"
_MSRC = "the data set's page (Fothergill et al. 2012)"
_UTD = "the data set's page (Chen et al. 2015)"
_RAO = "Rao et al. 2021, Sec. IV-A"
_NAMES = "the official file names"
_ZHENG = "Zheng et al. 2018, data sets"
_THOKER = "Thoker et al. 2021, Sec. 4.1"
COUNTS: dict[str, tuple[Count, ...]] = {
    "cmu": (
        Count("clips", 2235, f"{_ZHENG}; the list of Zhu et al. 2016 is not public"),
        Count("classes", 45, f"{_ZHENG}; the list of Zhu et al. 2016 is not public"),
    ),
    "hdm05": (
        Count("clips", 2337, _ZHENG),
        Count("classes", 130, f"{_ZHENG}; 65 when merged", also=(65,)),
        Count("subjects", 5, f"{_NAMES}: bd, bk, dg, mm, tr"),
    ),
    "mhad": (
        Count("clips", 659, _ZHENG),
        Count("classes", 11, _ZHENG),
        Count("subjects", 12, _ZHENG),
        *_sides("xsub", 384, 275, "Du et al. 2015: subjects 1 to 7 train"),
    ),
    "msr_action3d": (
        Count("clips", 567, f"{_MSR}; 566 without an empty one; 557 are on the list of CVPR 2012", also=(566, 557)),
        Count("classes", 20, _MSR),
        Count("subjects", 10, _MSR),
    ),
    "msrc12": (
        Count("clips", 6244, f"{_MSRC}: the tags of 594 sequences"),
        Count("classes", 12, _MSRC),
        Count("subjects", 30, _MSRC),
    ),
    "ntu60": (
        Count("clips", 56578, f"{_NTU}: 56,880 less 302"),
        Count("classes", 60, _NAMES),
        Count("subjects", 40, _NAMES),
        *_sides("xsub", 40091, 16487, _NTU),
        *_sides("xview", 37646, 18932, _NTU),
    ),
    "ntu120": (
        Count("clips", 113945, f"{_NTU}: 114,480 less 535"),
        Count("classes", 120, _NAMES),
        Count("subjects", 106, _NAMES),
        *_sides("xsub", 63026, 50919, _NTU),
        *_sides("xset", 54468, 59477, _NTU),
    ),
    "nw_ucla": (
        Count("clips", 1484, "CTR-GCN's list; the data set's page says 1,494"),
        Count("classes", 10, _NAMES),
        Count("subjects", 10, _NAMES),
        *_sides("xview-v3", 1020, 464, "CTR-GCN's list"),
    ),
    "pku_mmd1": (
        Count("clips", 21545, "the data set's README"),
        Count("classes", 51, "the data set's README"),
        Count("subjects", 66, "the data set's page (Liu et al. 2017)"),
        *_sides("xsub", 18841, 2704, _THOKER),
    ),
    "pku_mmd2": (
        Count("clips", 6945, f"the sum of xsub's sides; {_THOKER}"),
        Count("subjects", 13, "Moliner et al. 2022, Sec. 4.1"),
        *_sides("xsub", 5332, 1613, f"{_THOKER}; others say 5,339 train"),
    ),
    "sbu": (
        Count("clips", 282, f"{_RAO} (the clean version)"),
        Count("frames", 6822, "a public reader of the files"),
        Count("classes", 8, _RAO),
        Count("subjects", 7, _NAMES),
    ),
    "utd_mhad": (
        Count("clips", 861, _UTD),
        Count("classes", 27, _UTD),
        Count("subjects", 8, _UTD),
        *_sides("xsub", 431, 430, "counted from the 861 file names: subjects 1, 3, 5, 7 train"),
    ),
    "uwa3d": (
        Count("clips", 1075, "a public reader of the files"),
        Count("classes", 30, "a public reader of the files"),
        Count("subjects", 10, "a public reader of the files"),
    ),
}
"""By data set, every one that has a reader. What is not here is not published, or only as a figure."""


def splits(clips: Clips) -> list[tuple[str, int | None]]:
    """The splits that the clips' metadata permit, as `protocols.split` takes them: (name, fold)."""

    def values(column: str) -> list[int]:
        found = np.unique(clips.column(column))
        return [int(v) for v in found] if len(found) > 1 and found[0] >= 0 else []

    in_fold = clips.name in SUBJECTS_IN_FOLD
    names: list[tuple[str, int | None]] = [("xsub", None)] if values("fold" if in_fold else "subject") else []
    views = ["xview"] if clips.name in TEST_CAMERA else [f"xview-v{camera}" for camera in values("camera")]
    names += [(view, None) for view in views if values("camera")]
    names += [("xset", None)] if values("setup") else []
    names += [("folds", fold) for fold in values("fold") if not in_fold]
    fitting = []
    for name, fold in names:
        try:
            split(clips, name, fold)
        except SkelkitError:  # a side that would be empty: all subjects odd, one setup
            continue
        fitting.append((name, fold))
    return fitting


def counted(clips: Clips) -> dict[str, int]:
    """What `Count.what` names, counted in the clips: sizes, then both sides of every split that they permit."""
    found = {"clips": len(clips), "frames": len(clips.frames), "classes": len(set(clips.labels.tolist()) - {-1})}
    if subjects := set(clips.column("subject").tolist()) - {-1}:
        found["subjects"] = len(subjects)
    for name, fold in splits(clips):
        sides = split(clips, name, fold)
        title = name if fold is None else f"fold {fold}"
        found |= {f"{title} train": len(sides.train), f"{title} test": len(sides.test)}
    return found
