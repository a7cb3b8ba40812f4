"""What annotations, names, labels and lists of a processed file say, and whether they agree."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skelkit.data.clips import COLUMNS
from skelkit.data.datasets import ntu, nw_ucla
from skelkit.data.protocols import NTU60_TRAIN_SUBJECTS, NTU120_TRAIN_SUBJECTS, TEST_CAMERA
from skelkit.files import SkelkitError

_NTU = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})(?:\.skeleton)?")
_UCLA = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)(?:\.json)?")
_SIDE = re.compile(r"train(?:ing)?|test(?:ing)?|val(?:id(?:ation)?)?")
_NTU60_SETUPS = 17
_AGAIN = "copy or export it again"


def columns(place: str, name: str, label: int) -> dict[str, int | str]:
    """The columns that a clip's name and label give; raises SkelkitError where a known name has another class."""
    if found := _NTU.fullmatch(name):
        setup, camera, subject, replicate, action = map(int, found.groups())
        _agree(place, name, label, action - 1)
        performance = ((setup * 1000 + subject) * 10 + replicate) * 1000 + action
        known = {"subject": subject, "camera": camera, "setup": setup, "replicate": replicate, "action": performance}
        return {**known, "label": label, "name": name.removesuffix(".skeleton")}
    if (found := _UCLA.fullmatch(name)) and int(found[1]) in nw_ucla.CLASSES:
        action, subject, repetition, camera = map(int, found.groups())
        _agree(place, name, label, list(nw_ucla.CLASSES).index(action))
        performance = 10000 * action + 100 * subject + repetition
        known = {"subject": subject, "camera": camera, "replicate": repetition, "action": performance}
        return {**known, "label": label, "name": name.removesuffix(".json")}
    return {"label": label, "name": name}


def _agree(place: str, name: str, label: int, named: int) -> None:
    if label not in (-1, named):
        raise SkelkitError(f"{place}: has label {label}, and the name {name} says {named}; mend the one or the other")


def table(columns: list[dict[str, Any]]) -> pd.DataFrame:
    given = pd.DataFrame(columns)
    table = pd.DataFrame({c: given[c].fillna(-1) if c in given else -1 for c in COLUMNS}, index=given.index)
    table = table.astype(np.int64)
    table["name"] = given["name"].astype(str)
    return table


def named(entry: Any) -> Any:
    """The name of an annotation; the oldest pickles call it `filename`."""
    return entry.get("frame_dir", entry.get("filename")) if isinstance(entry, dict) else None


def annotation(place: str, entry: Any, seen: set[str]) -> tuple[str, np.ndarray, int]:
    """Name, keypoints (m, t, v, 2 or 3) and label of an annotation, checked."""
    name = named(entry)
    if not isinstance(name, str) or not name or not name.isprintable():
        raise SkelkitError(f"{place}: has no text frame_dir; {_AGAIN}")
    place = f"{place} ({name[:60]})"
    if name in seen:
        raise SkelkitError(f"{place}: is there twice; leave one out")
    seen.add(name)
    if "keypoint" not in entry and "raw_file" in entry:
        raise SkelkitError(
            f"{place}: its keypoints are in a file of their own, raw_file; put them into the annotations"
        )
    keypoint, label, total = entry.get("keypoint"), entry.get("label", -1), entry.get("total_frames")
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4 or keypoint.dtype.kind not in "fiu":
        raise SkelkitError(f"{place}: its keypoint is no array (persons, frames, joints, 2 or 3); leave it out")
    if 0 in keypoint.shape or keypoint.shape[3] not in (2, 3):
        raise SkelkitError(f"{place}: its keypoint has the shape {keypoint.shape}; leave it out")
    if total is not None and (not isinstance(total, int | np.integer) or total != keypoint.shape[1]):
        raise SkelkitError(f"{place}: its total_frames are not its keypoint's {keypoint.shape[1]}; {_AGAIN}")
    if isinstance(label, bool) or not isinstance(label, int | np.integer) or not -1 <= label < 100_000:
        raise SkelkitError(f"{place}: its label is no whole number from 0 (or -1 for none); mend it or leave it out")
    with np.errstate(over="ignore"):
        finite = np.isfinite(keypoint.astype(np.float32)).all(axis=(0, 2, 3))
    if not finite.all():
        raise SkelkitError(f"{place}, frame {finite.argmin() + 1}: NaN or infinity; mend it or leave it out")
    if not keypoint.any():
        raise SkelkitError(f"{place}: nobody is in it, all zeros; leave it out")
    return name, keypoint, int(label)


def frames(keypoint: np.ndarray, persons: int) -> np.ndarray:
    """(m, t, v, 2 or 3) -> (t, 3, v, persons)"""
    m, _, _, c = keypoint.shape
    return np.pad(keypoint.transpose(1, 3, 2, 0), [(0, 0), (0, 3 - c), (0, 0), (0, persons - m)])


def classes(table: pd.DataFrame) -> list[str]:
    """Class names: NW-UCLA's, NTU's (of the 60, or of all 120), or numbers."""
    n = int(table["label"].max()) + 1
    if table["name"].str.fullmatch(_UCLA.pattern).all():
        return list(nw_ucla.CLASSES.values())
    if table["name"].str.fullmatch(_NTU.pattern).all():
        return list(ntu.CLASSES[: 60 if n <= 60 else 120])
    return [f"class {i}" for i in range(n)]


def labels(path: Path, content: Any) -> tuple[list[str], list[int]]:
    """ST-GCN's label pickle: (names, labels)."""
    pair = isinstance(content, tuple | list) and len(content) in (2, 3)
    names, numbers = (_plain(content[0]), _plain(content[1])) if pair else (None, None)
    if names is None or numbers is None or not all(isinstance(name, str) and name.isprintable() for name in names):
        raise SkelkitError(f"{path}: is not ([names], [labels]); copy or export it again")
    if len(names) != len(numbers) or not all(type(n) is int and 0 <= n < 100_000 for n in numbers):
        raise SkelkitError(f"{path}: its labels are not a whole number from 0 for each name; copy or export it again")
    return names, numbers


def _plain(values: Any) -> list[Any] | None:
    """A list of Python's own numbers and text, from a list, a tuple or an array."""
    if isinstance(values, np.ndarray):
        return list(values.tolist()) if values.ndim == 1 else None
    if not isinstance(values, list | tuple):
        return None
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def checked_lists(path: Path, splits: Any) -> dict[str, list[str]]:
    """The pickle's `split`: lists of names by key."""
    if not isinstance(splits, dict):
        raise SkelkitError(f"{path}: its split is no dict of lists of names; copy or export it again")
    found = {}
    for key, names in splits.items():
        plain = _plain(names)
        if not isinstance(key, str) or plain is None or not all(isinstance(name, str) for name in plain):
            raise SkelkitError(f"{path}: split {str(key)[:60]!r} is no list of names; copy or export it again")
        found[key] = plain
    return found


def folds(
    path: Path, lists: Mapping[str, Sequence[str]], split: str, there: Sequence[str]
) -> tuple[dict[str, int] | None, str]:
    """The fold of every listed name (0 trains, 1 tests, 2 validates beside a test), and words on what it leaves out.

    None where there is no split, or several, none is chosen, and the names say enough themselves.
    """
    sides: dict[str, dict[str, Sequence[str]]] = defaultdict(dict)
    for key, names in lists.items():
        side = _SIDE.search(key)
        if side:
            sides[(key[: side.start()] + key[side.end() :]).strip("_-. ")][side[0][:2]] = names
    for base in [base for base, pair in sides.items() if "tr" not in pair or len(pair) < 2]:
        del sides[base]
    known = ", ".join(sorted(sides)) or "none"
    if split and split not in sides:
        raise SkelkitError(f"{path}: has no split {split!r}; it has {known}")
    for base, pair in sides.items():
        check_published(path, base, pair)
    if not split and len(sides) != 1:
        if sides and not all(_NTU.fullmatch(n) or _UCLA.fullmatch(n) for n in there):
            raise SkelkitError(f"{path}: has several splits; choose one of {known} (-o split NAME)")
        return None, ""
    chosen = sides[split if split in sides else next(iter(sides))]
    order = {"tr": 0, "te": 1, "va": 2 if "te" in chosen else 1}
    found: dict[str, int] = {}
    for side_name, names in chosen.items():
        for name in names:
            if found.setdefault(name, order[side_name]) != order[side_name]:
                raise SkelkitError(f"{path}: clip {name[:80]} is in two lists of the split; take it out of one")
    return found, _left(found, there)


def _left(found: Mapping[str, int], there: Sequence[str]) -> str:
    unlisted, absent = len(set(there) - set(found)), len(set(found) - set(there))
    words = [f"{unlisted} clips in no list left out"] if unlisted else []
    words += [f"{absent} listed clips are not in the file"] if absent and there else []
    return "".join(f", {word}" for word in words)


def check_published(path: Path, base: str, pair: Mapping[str, Sequence[str]]) -> None:
    """Lists of NTU clips that are called as a published split must be it."""
    names = [(match, side) for side, listed in pair.items() for n in listed if (match := _NTU.fullmatch(n))]
    small = all(int(match[1]) <= _NTU60_SETUPS for match, _ in names)
    subjects = NTU60_TRAIN_SUBJECTS if small else NTU120_TRAIN_SUBJECTS
    for match, side in names:
        setup, camera, subject = int(match[1]), int(match[2]), int(match[3])
        trains = {"xsub": subject in subjects, "xview": camera != TEST_CAMERA["ntu60"], "xset": setup % 2 == 0}
        if base in trains and trains[base] != (side == "tr"):
            listed = "training" if side == "tr" else "test"
            raise SkelkitError(
                f"{path}: {match[0].removesuffix('.skeleton')} is in the {listed} list of {base}, and the published "
                f"{base} has it in the other; get the file again, or rename this split"
            )
