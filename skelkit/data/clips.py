"""The ragged, memory-mapped, checksummed store of clips."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skelkit.data.skeleton import Skeleton, skeleton_of
from skelkit.files import SkelkitError, data_folders, sha256, store_folder, whole_folder

COLUMNS = ("label", "subject", "camera", "setup", "replicate", "action", "fold")
"""Integer columns of the clip table; -1 says that the column does not apply. `action` numbers a performance:
clips of one performance, filmed by several cameras, share it."""


@dataclass(frozen=True)
class Clips:
    """Labelled skeleton clips of different lengths, stored end to end."""

    frames: np.ndarray
    """(sum of t, 3, v, m), float32 or float16, often a memory map; an absent person is all zeros."""
    offsets: np.ndarray
    """(n + 1,) int64: clip i is `frames[offsets[i]:offsets[i + 1]]`."""
    table: pd.DataFrame
    """One row a clip: `COLUMNS` and `name`."""
    skeleton: Skeleton
    classes: tuple[str, ...]
    name: str
    """The data set's name, as `load` takes it."""
    units: str = "metres"
    source: str = ""
    folder: Path | None = None
    """Where the clips were opened from; None while they are only in memory."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        """Clip i as (t, 3, v, m)."""
        return self.frames[self.offsets[i] : self.offsets[i + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """(n,) frames a clip."""
        return np.diff(self.offsets)

    @property
    def labels(self) -> np.ndarray:
        """(n,) class indices, -1 = unlabelled."""
        return self.column("label")

    @property
    def persons(self) -> int:
        return int(self.frames.shape[3])

    def column(self, name: str) -> np.ndarray:
        """(n,) int64 column of the table."""
        return self.table[name].to_numpy(np.int64)

    @classmethod
    def from_arrays(
        cls,
        frames: np.ndarray,
        offsets: np.ndarray | Sequence[int],
        *,
        skeleton: Skeleton,
        classes: Sequence[str],
        name: str,
        columns: Mapping[str, np.ndarray | Sequence[Any]],
        units: str = "metres",
        source: str = "",
    ) -> Clips:
        """Clips from arrays in memory, checked.

        frames: (sum of t, 3, v, m), float; offsets: (n + 1,), rising from 0 to sum of t. columns: any of
        `COLUMNS` and `name`, n values each; what is missing becomes -1. Raises SkelkitError that names the fault.
        """
        frames = np.asarray(frames)
        if frames.dtype not in (np.float16, np.float32):
            frames = frames.astype(np.float32)
        offsets = np.asarray(offsets, np.int64)
        _check_shapes(name, frames.shape, offsets, len(skeleton))
        n = len(offsets) - 1
        unknown = set(columns) - {*COLUMNS, "name"}
        if unknown:
            raise SkelkitError(
                f"{name}: unknown column {sorted(unknown)[0]!r}; known are {', '.join(COLUMNS)} and name"
            )
        for column, values in columns.items():
            if len(values) != n:
                raise SkelkitError(f"{name}: {column} has {len(values)} values for {n} clips; give one a clip")
        table = pd.DataFrame({c: np.asarray(columns.get(c, np.full(n, -1)), np.int64) for c in COLUMNS})
        table["name"] = [str(v) for v in columns.get("name", range(n))]
        labels = table["label"].to_numpy()
        if n and not (labels.min() >= -1 and labels.max() < len(classes)):
            raise SkelkitError(f"{name}: label {labels.max()} has no class; there are {len(classes)} classes, from 0")
        finite = np.isfinite(frames).all(axis=(1, 2, 3))
        if not finite.all():
            frame = int(np.argmin(finite))
            clip = int(np.searchsorted(offsets, frame, side="right") - 1)
            place = f"clip {table['name'][clip]}, frame {frame - offsets[clip]}"
            raise SkelkitError(f"{name}: {place} holds NaN or infinity; mend the file or leave the clip out")
        return cls(frames, offsets, table, skeleton, tuple(str(c) for c in classes), name, units, source)

    @classmethod
    def from_npz(cls, path: Path | str, name: str | None = None) -> Clips:
        """Clips from a flat `.npz`: how users bring their own.

        Arrays: `frames` (sum of t, m, v, 3), `offsets` (n + 1,), `label` (n,), `class_names`, `joint_names`; optional
        `subject camera` (or `view`) `setup replicate action fold name` (n,), `units`, and for joint names that skelkit
        does not know `bones` (k, 2) of (child, parent) and `centre`. Raises SkelkitError that names file and array.
        """
        path = Path(path)
        name = name or path.stem
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
        except FileNotFoundError as error:
            raise SkelkitError(f"{path}: no such file") from error
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise SkelkitError(f"{path}: not a readable npz ({error}); copy or export it again") from error
        missing = [key for key in ("frames", "offsets", "label", "class_names", "joint_names") if key not in arrays]
        if missing:
            raise SkelkitError(f"{path}: array {missing[0]!r} is missing; it holds {', '.join(sorted(arrays))}")
        if arrays["frames"].ndim != 4:
            raise SkelkitError(f"{path}: frames has shape {arrays['frames'].shape}; give (sum of t, m, v, 3)")
        joints = tuple(str(j) for j in arrays["joint_names"])
        skeleton = skeleton_of(joints)
        if "bones" in arrays:
            bones = tuple((int(c), int(p)) for c, p in arrays["bones"])
            skeleton = Skeleton(name, joints, bones, int(arrays.get("centre", 0)))
        if skeleton is None:
            raise SkelkitError(
                f"{path}: joint_names are no known skeleton; add an array `bones` of (child, parent) pairs"
            )
        columns = {c: arrays[c] for c in (*COLUMNS, "name") if c in arrays}
        if "view" in arrays:
            columns.setdefault("camera", arrays["view"])
        return cls.from_arrays(
            np.ascontiguousarray(arrays["frames"].transpose(0, 3, 2, 1)),
            arrays["offsets"],
            skeleton=skeleton,
            classes=[str(c) for c in arrays["class_names"]],
            name=name,
            columns=columns,
            units=str(arrays.get("units", "normalised" if skeleton.name == "sbu" else "metres")),
            source=str(arrays.get("source", path.name)),
        )

    def save(self, folder: Path | str) -> Clips:
        """Write the folder whole (frames.npy, offsets.npy, clips.csv, manifest.json) and return it opened."""
        folder = Path(folder)
        with whole_folder(folder) as part:
            np.save(part / "frames.npy", self.frames)
            np.save(part / "offsets.npy", self.offsets)
            self.table.to_csv(part / "clips.csv", index=False, lineterminator="\n")
            manifest = {
                "name": self.name,
                "skeleton": self.skeleton.as_dict(),
                "classes": list(self.classes),
                "units": self.units,
                "source": self.source,
                "clips": len(self),
                "frames": len(self.frames),
                "sha256": {file: sha256(part / file) for file in ("frames.npy", "offsets.npy", "clips.csv")},
            }
            (part / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        return Clips.open(folder)

    @classmethod
    def open(cls, folder: Path | str) -> Clips:
        """Open a saved folder: frames stay on disk, sizes are checked, hashes are not (`verify` does)."""
        folder = Path(folder)
        manifest = _manifest(folder)
        try:
            frames = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False)
            offsets = np.load(folder / "offsets.npy", allow_pickle=False)
            table = pd.read_csv(
                folder / "clips.csv", dtype=dict.fromkeys(COLUMNS, np.int64) | {"name": str}, keep_default_na=False
            )
        except (OSError, ValueError, EOFError) as error:
            raise SkelkitError(f"{folder}: cannot be opened ({error}); import or copy the data set again") from error
        skeleton = Skeleton.from_dict(manifest["skeleton"])
        _check_shapes(str(folder), frames.shape, offsets, len(skeleton))
        if not len(offsets) - 1 == len(table) == manifest["clips"] or len(frames) != manifest["frames"]:
            raise SkelkitError(
                f"{folder}: clips.csv, offsets.npy and manifest.json disagree on the number of clips or frames; copy it again"
            )
        classes = tuple(manifest["classes"])
        return cls(
            frames, offsets, table, skeleton, classes, manifest["name"], manifest["units"], manifest["source"], folder
        )

    def verify(self) -> None:
        """Compare each file's SHA-256 with the manifest's; raises SkelkitError that names the first that differs."""
        if self.folder is None:
            return
        for file, expected in _manifest(self.folder)["sha256"].items():
            if sha256(self.folder / file) != expected:
                raise SkelkitError(
                    f"{self.folder / file}: its SHA-256 is not the manifest's; copy or import the data set again"
                )

    def subset(self, index: np.ndarray) -> Clips:
        """The clips of an index array, in its order, copied into memory."""
        frames = np.concatenate([self[i] for i in index]) if len(index) else self.frames[:0]
        offsets = np.concatenate([[0], np.cumsum(self.lengths[index])])
        table = self.table.iloc[index].reset_index(drop=True)
        return Clips(frames, offsets, table, self.skeleton, self.classes, self.name, self.units, self.source)


def load(name: str) -> Clips:
    """Open a data set by name: "synthetic" is always there, others are sought in `$SKELKIT_DATA`, then in `data/`.

    A data set is a `Clips` folder `name/` or an interchange file `name.npz`. Raises SkelkitError where there is none.
    """
    if name == "synthetic":
        from skelkit.data.datasets import synthetic

        return synthetic.load(store_folder() / "data")
    for folder in data_folders():
        if (folder / name / "manifest.json").exists():
            return Clips.open(folder / name)
        if (folder / f"{name}.npz").exists():
            return Clips.from_npz(folder / f"{name}.npz", name)
    places = ", ".join(str(f) for f in data_folders())
    raise SkelkitError(f"data set {name!r} is neither in {places}; import it (skelkit data import) or set SKELKIT_DATA")


def present(name: str) -> bool:
    """Whether `load(name)` would find something."""
    return name == "synthetic" or any(
        (f / name / "manifest.json").exists() or (f / f"{name}.npz").exists() for f in data_folders()
    )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SkelkitError(
            f"{folder}: no manifest.json; it is no clips folder (skelkit data import makes one)"
        ) from error
    except ValueError as error:
        raise SkelkitError(f"{folder}/manifest.json: not JSON ({error}); copy or import the data set again") from error


def _check_shapes(place: str, frames: tuple[int, ...], offsets: np.ndarray, joints: int) -> None:
    if len(frames) != 4 or frames[1:3] != (3, joints) or frames[3] < 1:
        raise SkelkitError(f"{place}: frames has shape {frames}; give (sum of t, 3, {joints} joints, persons)")
    rising = offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0 and bool((np.diff(offsets) > 0).all())
    if not rising or offsets[-1] != frames[0]:
        raise SkelkitError(
            f"{place}: offsets must rise from 0 to the {frames[0]} frames, one clip each; export it again"
        )
