"""Who trains and who is tested: splits, folds and label fractions as index arrays; pure and seeded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from skelkit.data.clips import Clips
from skelkit.files import SkelkitError

NTU60_TRAIN_SUBJECTS = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
NTU120_TRAIN_SUBJECTS = (
    *NTU60_TRAIN_SUBJECTS,
    *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92),
    *(93, 94, 95, 97, 98, 100, 103),
)
TRAIN_SUBJECTS = {
    "ntu60": NTU60_TRAIN_SUBJECTS,
    "ntu120": NTU120_TRAIN_SUBJECTS,
    "mhad": (1, 2, 3, 4, 5, 6, 7),  # Ofli et al. 2013
    # Actors bd, bk, dg train and mm, tr are tested: the cross-actor protocol of HDM05's eleven classes.
    "hdm05": (1, 2, 3),
    "hdm05_11": (1, 2, 3),
}
"""Published training subjects of cross-subject; a data set without an entry trains on its odd subjects."""
SUBJECTS_IN_FOLD = ("pku_mmd1", "pku_mmd2")
"""Data sets whose cross-subject is a list of videos: fold 1 is tested and fold 0 trains."""
TEST_CAMERA = {"ntu60": 1, "pku_mmd1": 1, "pku_mmd2": 1}
"""The camera that cross-view holds out; a data set without an entry holds out its last."""


@dataclass(frozen=True)
class Split:
    """Indices of the training and the test clips."""

    name: str
    """As `split` takes it."""
    train: np.ndarray
    """Rising indices of the clips that train."""
    test: np.ndarray
    """Rising indices of the clips that are asked about; no clip is in both."""


def split(clips: Clips, name: str, fold: int | None = None) -> Split:
    """The named split of a data set.

    "xsub" (cross-subject), "xview" (cross-view, the data set's own test camera), "xview-vN" (test on camera N, train
    on the others), "xset" (train on even setups), "folds" (test on one fold, train on the rest; `fold` from 0),
    "N-fold" (the same with N folds that `stratified_folds` draws, whatever folds the data set has), "vAvB-vC" (train on
    cameras A and B, test on C); any of them with "-leakfree" appended, which takes out of the training set the clips
    that are bit-identical to a test clip. Raises SkelkitError for a name that does not apply.
    """
    base = name.removesuffix("-leakfree")
    test = _test_mask(clips, base, fold)
    train = ~test
    if base.startswith("v"):  # the cameras named, and no others, train
        train &= np.isin(clips.column("camera"), [int(c) for c in base.rpartition("-")[0].split("v")[1:]])
    if name != base:
        train &= ~leaked(clips, train, test)
    if not train.any() or not test.any():
        empty = "test" if train.any() else "training"
        raise SkelkitError(f"{clips.name}: split {name!r} leaves no {empty} clip; choose one that fits its metadata")
    return Split(name, np.flatnonzero(train), np.flatnonzero(test))


def _test_mask(clips: Clips, name: str, fold: int | None) -> np.ndarray:
    def column(which: str) -> np.ndarray:
        values = clips.column(which)
        if (values < 0).any():
            raise SkelkitError(
                f"{clips.name}: split {name!r} needs the column {which}, which it lacks for some clips; choose a split "
                "that does without it, or import the data set with it"
            )
        return values

    if name == "xsub" and clips.name in SUBJECTS_IN_FOLD:
        return column("fold") == 1
    if name == "xsub":
        subjects = column("subject")
        known = TRAIN_SUBJECTS.get(clips.name)
        return ~np.isin(subjects, known) if known else subjects % 2 == 0
    if name == "xview":
        cameras = column("camera")
        return cameras == TEST_CAMERA.get(clips.name, cameras.max())
    if name == "xset":
        return column("setup") % 2 == 1
    if name == "folds":
        if fold is None or fold not in np.unique(column("fold")):
            raise SkelkitError(f"{clips.name}: no fold {fold}; its folds are {np.unique(column('fold')).tolist()}")
        return column("fold") == fold
    drawn = re.fullmatch(r"([1-9]\d?)-fold", name)
    if drawn:
        folds = int(drawn[1])
        if fold is None or not 0 <= fold < folds:
            raise SkelkitError(f"{clips.name}: no fold {fold}; the folds of {name!r} are 0 to {folds - 1}")
        return stratified_folds(clips.labels.tolist(), folds, seed=0) == fold
    camera = re.fullmatch(r"(?:xview|(?:v\d+)+)-v(\d+)", name)
    if camera:
        return column("camera") == int(camera[1])
    raise SkelkitError(
        f"{clips.name}: unknown split {name!r}; known are xsub, xview, xview-vN, xset, folds, N-fold, vAvB-vC"
    )


def leaked(clips: Clips, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(n,) bool: training clips whose frames are bit-identical to some test clip's.

    train, test: (n,) bool.
    """
    digests = np.array([hashlib.sha256(np.ascontiguousarray(clips[i]).tobytes()).digest() for i in range(len(clips))])
    return train & np.isin(digests, digests[test])


def label_fraction(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Indices of a class-balanced share of the labelled clips, rounded to at least one clip a class.

    Nested: for one seed, a smaller fraction is part of a larger one. labels: (n,), -1 = unlabelled.
    """
    if not 0 < fraction <= 1:
        raise SkelkitError(f"label fraction {fraction} is not in (0, 1]; give 0.1 for 10 %")
    if not (labels >= 0).any():
        raise SkelkitError("label fraction: no clip has a label; give a training set with labels")
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels[labels >= 0]):
        members = rng.permutation(np.flatnonzero(labels == label))
        chosen.append(members[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def first_of_each_class(labels: np.ndarray, n: int) -> np.ndarray:
    """Indices of the first n clips of each class in file order: how the released AS-CAL code takes its labels."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:n] for label in np.unique(labels[labels >= 0])]))


def drawn_of_each_class(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Indices of n clips of each class, drawn by the seed; of a class that has fewer, all.

    Nested: for one seed, fewer clips are part of more. Zheng et al. 2018, Fig. 3: "2 examples per category on average",
    over ten such samples. labels: (n,), -1 = unlabelled. Raises SkelkitError where n is below 1 or nothing has a label.
    """
    if n < 1 or not (labels >= 0).any():
        known = int((labels >= 0).sum())
        raise SkelkitError(f"labels: {n} of each class of {known} labelled clips are none; give more")
    rng = np.random.default_rng(seed)
    members = [rng.permutation(np.flatnonzero(labels == label))[:n] for label in np.unique(labels[labels >= 0])]
    return np.sort(np.concatenate(members))


def drawn_of_all(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Indices of n labelled clips, drawn by the seed, each as likely as any other: a class may be missed.

    Nested: for one seed, fewer clips are part of more. labels: (n,), -1 = unlabelled. Raises SkelkitError where n is
    below 1, or more than have a label.
    """
    known = np.flatnonzero(labels >= 0)
    if not 1 <= n <= len(known):
        raise SkelkitError(f"labels: {n} of {len(known)} labelled clips cannot be drawn; give 1 to {len(known)}")
    return np.sort(np.random.default_rng(seed).permutation(known)[:n])


def stratified_folds(labels: Sequence[int], folds: int, seed: int) -> Int[np.ndarray, " n"]:
    """A fold from 0 for each clip, drawn at random within each class, so that folds differ by one clip a class at most.

    The next class begins where the last one stopped: the folds are of one size, within one clip.
    """
    rng = np.random.default_rng(seed)
    given = np.asarray(labels, np.int64)
    fold, begin = np.full(len(given), -1, np.int64), 0
    for label in np.unique(given):
        members = rng.permutation(np.flatnonzero(given == label))
        fold[members] = (begin + np.arange(len(members))) % folds
        begin += len(members)
    return fold


def at_most(clips: Clips, index: np.ndarray, many: int | None) -> np.ndarray:
    """At most so many of some clips, evenly over the classes; of a performance seen by cameras two stay."""
    if many is None or len(index) <= many:
        return index
    actions = clips.column("action")[index]
    alone = actions.max() + 1 + np.arange(len(index))
    performance = pd.Series(np.where(actions < 0, alone, actions))
    camera = performance.groupby(performance).cumcount()
    together = min(2, camera.max() + 1)
    firsts = np.flatnonzero(camera == 0)
    firsts = firsts[np.argsort(clips.labels[index[firsts]], kind="stable")]
    kept = performance[firsts[np.linspace(0, len(firsts) - 1, max(1, many // together)).astype(int)]]
    return index[performance.isin(kept) & (camera < together)]
