"""The processed files that people pass on: pyskl and MMAction2 pickles, CTR-GCN's .npz, ST-GCN's .npy with pickles.

A file says what it holds (`_Found`), its frames are then read in blocks of some megabytes, whatever its size; only a
pickle must be in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skelkit.data.clips import Clips, refuse_other, write
from skelkit.data.datasets import processed_names
from skelkit.data.datasets.own import skeleton_from_toml
from skelkit.data.formats import unpickle
from skelkit.data.formats.rows import Rows, members, one_hot
from skelkit.data.importing import Imported
from skelkit.data.skeleton import COCO, KINECT_V1, KINECT_V2, OPENPOSE, Skeleton
from skelkit.files import SkelkitError

KNOWN = {(25, 3): KINECT_V2, (20, 3): KINECT_V1, (17, 2): COCO, (18, 2): OPENPOSE}
"""(joints, coordinates) -> the skeleton that such files have; OpenPose's third number is a score."""
_AGAIN = "copy or export it again"


@dataclass(frozen=True)
class _Found:
    """What a file holds, before its frames are read."""

    skeleton: Skeleton
    classes: Sequence[str]
    units: str
    source: str
    table: pd.DataFrame
    lengths: np.ndarray
    dtype: Any
    blocks: Callable[[], Iterator[np.ndarray]]
    """The frames of the table's clips, (any t, 3, v, m), end to end."""
    faults: list[str]
    """One line a clip that is left out."""


def is_processed(path: Path) -> bool:
    """Whether the path is a processed file, or a folder of ST-GCN's."""
    if path.is_dir():
        return bool(_pairs(path))
    return path.suffix in (".pkl", ".pickle", ".npz", ".npy")


def read(path: Path, name: str, *, split: str = "", skeleton: str = "") -> Clips:
    """The clips of a processed file, in memory.

    path: a pickle `{"split", "annotations"}` or a list of annotations (pyskl, MMAction2), an `.npz` with x_train,
    y_train, x_test, y_test (CTR-GCN; trailing all-zero frames are padding, and cut off), an interchange `.npz`
    (`Clips.from_npz`), or a folder with train_data.npy, train_label.pkl, val_data.npy, val_label.pkl (ST-GCN, the same
    padding). 2-D joints get z = 0 and the unit "pixels": a score is no coordinate, and is left behind.

    Columns: names that are NTU's or NW-UCLA's give theirs. The file's own lists give `fold`: 0 trains, 1 tests (2
    validates where a third list tests), so that the split "folds" with fold 1 tests on them. split: which, of several
    pairs of lists; without it, names that are known do without. Clips of none of the two lists are left out.
    skeleton: the TOML of another skeleton than NTU's, NW-UCLA's, COCO's and OpenPose's. Raises SkelkitError.
    """
    found = _open(path, name, split, skeleton)
    if found.faults:
        raise SkelkitError(found.faults[0])
    return Clips.from_arrays(
        np.concatenate(list(found.blocks())),
        np.cumsum([0, *found.lengths]),
        skeleton=found.skeleton,
        classes=found.classes,
        name=name,
        columns={str(column): found.table[column].to_numpy() for column in found.table},
        units=found.units,
        source=found.source,
        place=str(path),
    )


def save(
    path: Path,
    name: str,
    folder: Path,
    *,
    split: str = "",
    skeleton: str = "",
    skip_bad: bool = False,
    half: bool = False,
    processes: int | None = None,
    progress: bool | None = None,
) -> Imported:
    """`read`, written to the clips folder `folder` block by block.

    skip_bad, half, progress: as for `importing.import_clips`; processes: one file is read by one. Raises SkelkitError.
    """
    refuse_other(folder)
    found = _open(path, name, split, skeleton, progress)
    if found.faults and not skip_bad:
        raise SkelkitError(found.faults[0])
    left = f", {len(found.faults)} left out" if found.faults else ""
    clips = write(
        folder,
        found.blocks(),
        np.float16 if half else found.dtype,
        np.cumsum([0, *found.lengths]),
        found.table,
        found.skeleton,
        found.classes,
        name,
        found.units,
        f"{found.source}; {len(found.table):,} clips{left}",
        {"left_out.txt": "".join(f"{fault}\n" for fault in found.faults)} if found.faults else {},
    )
    return Imported(clips, tuple(found.faults))


def _open(path: Path, name: str, split: str, skeleton: str, progress: bool | None = False) -> _Found:
    given = skeleton_from_toml(Path(skeleton)) if skeleton else None
    if path.is_dir():
        return _stgcn(path, split, given, progress)
    if path.suffix == ".npz":
        there = members(path)
        if not {"frames", "offsets"} <= set(there):
            return _ctrgcn(path, there, split, given, progress)
        clips = Clips.from_npz(path, name)
        blocks, dtype = lambda: iter([clips.frames]), clips.frames.dtype
        head = (clips.skeleton, clips.classes, clips.units, clips.source)
        return _Found(*head, clips.table, clips.lengths, dtype, blocks, [])
    if path.suffix == ".npy":
        raise SkelkitError(f"{path}: is one array without its labels; give the folder that holds train_data.npy")
    return _pickle(path, split, given)


def _skeleton(place: object, joints: int, coordinates: int, given: Skeleton | None) -> Skeleton:
    known = given or KNOWN.get((joints, coordinates))
    if known is None or len(known) != joints:
        raise SkelkitError(
            f"{place}: has {joints} joints of {coordinates} coordinates, and "
            f"{f'{known.name} has {len(known)}' if known else 'no known skeleton does'}; "
            "give its own as a TOML file (-o skeleton FILE; skelkit data template writes an example)"
        )
    return known


# ── pyskl ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pickle(path: Path, split: str, given: Skeleton | None) -> _Found:
    content = unpickle.load(path)
    splits: Any = {}
    if isinstance(content, dict):
        splits, content = content.get("split", {}), content.get("annotations")
    if not isinstance(content, list) or not content:
        raise SkelkitError(f'{path}: is neither {{"split", "annotations"}} nor a list of annotations; {_AGAIN}')
    lists = processed_names.checked_lists(path, splits)
    names = [processed_names.named(entry) for entry in content]
    folds, left = processed_names.folds(path, lists, split, [str(n) for n in names if isinstance(n, str)])
    skeleton, kept, columns, faults = None, [], [], []
    seen: set[str] = set()
    for number, entry in enumerate(content, 1):
        try:
            clip_name, keypoint, label = processed_names.annotation(f"{path}, annotation {number}", entry, seen)
            if folds is not None and clip_name not in folds:
                continue
            skeleton = skeleton or _skeleton(path, keypoint.shape[2], keypoint.shape[3], given)
            if keypoint.shape[2] != len(skeleton):
                raise SkelkitError(
                    f"{path}, annotation {number} ({clip_name}): has {keypoint.shape[2]} joints, "
                    f"the first {len(skeleton)}; leave it out"
                )
            fold = {} if folds is None else {"fold": folds[clip_name]}
            columns.append({**processed_names.columns(f"{path}, annotation {number}", clip_name, label), **fold})
            kept.append(keypoint)
        except SkelkitError as fault:
            faults.append(str(fault))
    if skeleton is None or not kept:
        raise SkelkitError(f"{path}: none of its {len(content)} annotations is whole; first: {(faults or ['none'])[0]}")
    table, persons = processed_names.table(columns), max(k.shape[0] for k in kept)
    flat = skeleton in (COCO, OPENPOSE) or kept[0].shape[3] == 2
    return _Found(
        skeleton,
        processed_names.classes(table),
        "pixels" if flat else "metres",
        f"{path.name}{left}",
        table,
        np.array([k.shape[1] for k in kept]),
        np.float16 if all(k.dtype == np.float16 for k in kept) else np.float32,
        lambda: (processed_names.frames(k, persons) for k in kept),
        faults,
    )


# ── padded arrays ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Side:
    """The training or the test clips of a padded file: one array, its names and labels."""

    place: str
    rows: Rows
    names: Sequence[str]
    labels: Sequence[int]


def _ctrgcn(path: Path, there: Sequence[str], split: str, given: Skeleton | None, progress: bool | None) -> _Found:
    missing = [key for key in ("x_train", "y_train", "x_test", "y_test") if key not in there]
    if missing:
        raise SkelkitError(
            f"{path}: array {missing[0]!r} is missing (it holds {', '.join(there)[:200] or 'none'}); {_AGAIN}"
        )
    sides = []
    for side in ("train", "test"):
        rows, labels = Rows.of(path, f"x_{side}"), one_hot(path, f"y_{side}")
        names = [f"{side}_{i}" for i in range(len(labels))]
        sides.append(_Side(f"{path}, x_{side}", rows, names, labels))
    shape = sides[0].rows.shape
    skeleton = given or KINECT_V2
    if len(shape) != 3 or shape[2] % (3 * len(skeleton)):
        raise SkelkitError(
            f"{path}, x_train: has the shape {shape}; give (clips, frames, {3 * len(skeleton)} a person)"
        )

    def arrange(block: np.ndarray) -> np.ndarray:
        n, t, _ = block.shape
        return block.reshape(n, t, -1, len(skeleton), 3).transpose(0, 1, 4, 3, 2)  # (n, t, m, v, 3) -> (n, t, 3, v, m)

    return _padded(path, sides, arrange, skeleton, split, progress)


def _stgcn(folder: Path, split: str, given: Skeleton | None, progress: bool | None) -> _Found:
    pairs = _pairs(folder)
    if len(pairs) != 2:
        raise SkelkitError(
            f"{folder}: lacks a file; give the folder with train_data.npy, train_label.pkl, val_data.npy, val_label.pkl"
        )
    sides = []
    for data, label in pairs:
        names, labels = processed_names.labels(label, unpickle.load(label))
        sides.append(_Side(str(data), Rows.of(data), names, labels))
    shape = sides[0].rows.shape
    if len(shape) != 5 or shape[1] != 3:
        raise SkelkitError(f"{pairs[0][0]}: has the shape {shape}; give (clips, 3, frames, joints, persons)")
    skeleton = _skeleton(pairs[0][0], shape[3], 2 if shape[3] == len(OPENPOSE) else 3, given)

    def arrange(block: np.ndarray) -> np.ndarray:
        clips = block.transpose(0, 2, 1, 3, 4)  # (n, 3, t, v, m) -> (n, t, 3, v, m)
        if skeleton is OPENPOSE:
            clips[:, :, 2] = 0  # the score
        return clips

    return _padded(folder, sides, arrange, skeleton, split, progress)


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """ST-GCN's (data, label) files of a folder: the training pair, then the test pair."""
    found = []
    for sides in (("train",), ("val", "test")):
        names = [(f"{side}_data{joint}.npy", f"{side}_label.pkl") for side in sides for joint in ("", "_joint")]
        there = [(folder / d, folder / label) for d, label in names if (folder / d).exists()]
        found += [pair for pair in there if pair[1].exists()][:1]
    return found


def _padded(
    path: Path,
    sides: Sequence[_Side],
    arrange: Callable[[np.ndarray], np.ndarray],
    skeleton: Skeleton,
    split: str,
    progress: bool | None,
) -> _Found:
    """Two passes over the arrays: lengths and faults, then the frames. A clip ends with its last frame of somebody."""
    if sides[0].rows.shape[1:] != sides[1].rows.shape[1:]:
        raise SkelkitError(f"{path}: training and test clips have the shapes {[s.rows.shape for s in sides]}; {_AGAIN}")
    for side in sides:
        if len(side.names) != side.rows.shape[0]:
            raise SkelkitError(f"{side.place}: holds {side.rows.shape[0]} clips for {len(side.names)} labels; {_AGAIN}")
    if split:
        raise SkelkitError(f"{path}: holds one split, which gives the folds; leave the option split out")
    processed_names.check_published(path, path.name, dict(zip(("tr", "te"), (s.names for s in sides), strict=True)))
    lengths: list[list[int]] = []
    columns: list[dict[str, Any]] = []
    faults: list[str] = []
    seen: set[str] = set()
    for fold, side in enumerate(sides):
        lengths.append([])
        for block in side.rows.blocks(progress):
            clips = arrange(block)
            with np.errstate(over="ignore"):
                finite: Any = np.isfinite(clips.astype(np.float32, copy=False)).all(axis=(2, 3, 4))
            there: Any = (clips != 0).any(axis=(2, 3, 4))  # (n, t)
            for k in range(len(clips)):
                shown, whole = there[k], finite[k]
                i = len(lengths[-1])
                place, length = f"{side.place}, clip {i} ({side.names[i]})", 0
                try:
                    if side.names[i] in seen:
                        raise SkelkitError(f"{place}: is there twice; leave one out")
                    seen.add(side.names[i])
                    if not whole.all():
                        raise SkelkitError(f"{place}, frame {whole.argmin() + 1}: NaN or infinity; leave it out")
                    if not shown.any():
                        raise SkelkitError(f"{place}: nobody is in it, all zeros; leave it out")
                    one = processed_names.columns(place, side.names[i], side.labels[i])
                    columns.append({**one, "fold": fold})
                    length = len(shown) - int(shown[::-1].argmax())
                except SkelkitError as fault:
                    faults.append(str(fault))
                lengths[-1].append(length)
    if not columns:
        raise SkelkitError(f"{path}: none of its clips is whole; first: {faults[0]}")

    def blocks() -> Iterator[np.ndarray]:
        for side, ends in zip(sides, lengths, strict=True):
            start = 0
            for block in side.rows.blocks(progress):
                clips = arrange(block)
                kept = [clip[:end] for clip, end in zip(clips, ends[start : start + len(clips)], strict=True)]
                start += len(clips)
                yield np.concatenate(kept)

    table = processed_names.table(columns)
    whole_lengths = np.array([length for each in lengths for length in each if length])
    dtype = np.float16 if all(side.rows.dtype == np.float16 for side in sides) else np.float32
    units = "share of the picture" if skeleton is OPENPOSE else "metres"
    return _Found(
        skeleton,
        processed_names.classes(table),
        units,
        f"{path.name}, padding cut off",
        table,
        whole_lengths,
        dtype,
        blocks,
        faults,
    )
