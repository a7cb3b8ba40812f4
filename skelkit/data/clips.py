"""The ragged, memory-mapped, checksummed store of clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
import pandas as pd

from skelkit.data.checks import check_labels, check_shapes, first_not_finite, integers
from skelkit.data.formats import npz
from skelkit.data.skeleton import Skeleton
from skelkit.files import Digest, SkelkitError, sha256, whole_folder

COLUMNS = ("label", "subject", "camera", "setup", "replicate", "action", "fold")
"""Integer columns of the clip table; -1 says that the column does not apply. `action` numbers a performance:
clips of one performance, filmed by several cameras, share it."""
FILES = ("frames.npy", "offsets.npy", "clips.csv")
"""What a clips folder holds beside manifest.json."""


@dataclass(frozen=True, eq=False)
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

    def __getitem__(self, i: SupportsIndex) -> np.ndarray:
        """Clip i as (t, 3, v, m); -1 is the last. Raises IndexError beyond the ends."""
        i = range(len(self))[i]
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
        place: str = "",
    ) -> Clips:
        """Clips from arrays in memory, checked.

        frames: (sum of t, 3, v, m), numbers, kept as float16 or float32; offsets: (n + 1,), rising from 0 to sum of t.
        columns: any of `COLUMNS` and `name`, n values each; what is missing becomes -1. Raises SkelkitError that
        begins with `place` (by default the name) and names the fault.
        """
        place = place or name
        frames = np.asarray(frames)
        if frames.dtype.kind not in "fiu":
            raise SkelkitError(f"{place}: frames holds {frames.dtype}; give numbers")
        if frames.dtype not in (np.float16, np.float32):
            with np.errstate(over="ignore"):  # what overflows becomes infinite and is named below
                frames = frames.astype(np.float32)
        offsets = integers(place, "offsets", offsets)
        check_shapes(place, frames.shape, offsets, len(skeleton))
        n = len(offsets) - 1
        unknown = set(columns) - {*COLUMNS, "name"}
        if unknown:
            raise SkelkitError(
                f"{place}: unknown column {sorted(unknown)[0]!r}; known are {', '.join(COLUMNS)} and name"
            )
        for column, values in columns.items():
            if np.shape(values) != (n,):
                raise SkelkitError(
                    f"{place}: {column} has shape {np.shape(values)} for {n} clips; give one value a clip"
                )
        table = pd.DataFrame({c: integers(place, c, columns.get(c, np.full(n, -1))) for c in COLUMNS})
        table["name"] = [str(v) for v in columns.get("name", range(n))]
        check_labels(place, table, len(classes))
        frame = first_not_finite(frames)
        if frame is not None:
            clip = int(np.searchsorted(offsets, frame, side="right") - 1)
            at = f"clip {table['name'][clip]}, frame {frame - offsets[clip]}"
            raise SkelkitError(f"{place}: {at} holds NaN or infinity; mend the file or leave the clip out")
        return cls(frames, offsets, table, skeleton, tuple(str(c) for c in classes), name, units, source)

    @classmethod
    def from_npz(cls, path: Path | str, name: str | None = None) -> Clips:
        """Clips from a flat `.npz`: how users bring their own.

        Arrays: `frames` (sum of t, m, v, 3), `offsets` (n + 1,), `label` (n,), `class_names`, `joint_names`; optional
        `subject camera` (or `view`) `setup replicate action fold name` (n,), `units`, and for joint names that skelkit
        does not know `bones` (k, 2) of (child, parent), `centre`, and if wanted `mirror` (k, 2) of (left, right) and
        `part` (v,), the name of each joint's body part or "". Raises SkelkitError that names file and array.
        """
        return cls.from_arrays(**npz.read(Path(path), name or Path(path).stem, COLUMNS))

    def save(self, folder: Path | str) -> Clips:
        """Write the folder whole (frames.npy, offsets.npy, clips.csv, manifest.json) and return it opened.

        A clips folder that is there already is replaced; anything else in its place is refused, and stays.
        """
        return write(
            Path(folder),
            [self.frames],
            self.frames.dtype,
            self.offsets,
            self.table,
            self.skeleton,
            self.classes,
            self.name,
            self.units,
            self.source,
        )

    @classmethod
    def open(cls, folder: Path | str) -> Clips:
        """Open a saved folder: frames stay on disk, sizes are checked, hashes are not (`verify` does)."""
        folder = Path(folder)
        manifest = _manifest(folder)
        skeleton, classes = Skeleton.from_dict(manifest["skeleton"]), tuple(str(c) for c in manifest["classes"])
        try:
            frames = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False)
            offsets = np.load(folder / "offsets.npy", allow_pickle=False)
            table = pd.read_csv(
                folder / "clips.csv", dtype=dict.fromkeys(COLUMNS, np.int64) | {"name": str}, keep_default_na=False
            )
        except Exception as error:  # a changed byte makes NumPy and pandas raise nearly anything
            raise SkelkitError(
                f"{folder}: cannot be opened ({' '.join(str(error).split())}); import or copy the data set again"
            ) from error
        if [*table.columns] != [*COLUMNS, "name"]:
            raise SkelkitError(f"{folder}/clips.csv: its first line is not {','.join(COLUMNS)},name; copy it again")
        if frames.dtype not in (np.float16, np.float32) or offsets.dtype != np.int64:
            raise SkelkitError(
                f"{folder}: frames.npy holds {frames.dtype} and offsets.npy {offsets.dtype}, not float32 (or float16) "
                "and int64; copy or import the data set again"
            )
        check_shapes(str(folder), frames.shape, offsets, len(skeleton))
        if not len(offsets) - 1 == len(table) == manifest["clips"] or len(frames) != manifest["frames"]:
            raise SkelkitError(
                f"{folder}: clips.csv, offsets.npy and manifest.json disagree on the number of clips; copy it again"
            )
        check_labels(str(folder), table, len(classes))
        return cls(
            frames, offsets, table, skeleton, classes, manifest["name"], manifest["units"], manifest["source"], folder
        )

    def verify(self) -> None:
        """Compare each file's SHA-256 with the manifest's; raises SkelkitError that names the first that differs."""
        if self.folder is None:
            return
        manifest = _manifest(self.folder)
        for file in (*FILES, "manifest.json"):
            try:
                found = _seal(manifest) if file == "manifest.json" else sha256(self.folder / file)
            except OSError as error:
                raise SkelkitError(f"{self.folder / file}: cannot be read ({error.strerror}); copy it again") from error
            if manifest["sha256"].get(file) != found:
                raise SkelkitError(
                    f"{self.folder / file}: its SHA-256 is not the manifest's; copy or import the data set again"
                )

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of frames.npy, as it is or would be saved."""
        if self.folder is not None:
            return str(_manifest(self.folder)["sha256"]["frames.npy"])[:12]
        digest = Digest()
        np.lib.format.write_array(digest, self.frames)
        return digest.sha.hexdigest()[:12]

    def with_frames(self, frames: np.ndarray, offsets: np.ndarray | None = None) -> Clips:
        """The same clips with other frames (sum of t, 3, v, m): in memory, their table and skeleton unchanged.

        offsets: (n + 1,), where the clips' lengths have changed. Raises SkelkitError where the parts do not fit.
        """
        offsets = self.offsets if offsets is None else offsets
        check_shapes(self.name, frames.shape, offsets, len(self.skeleton))
        if len(offsets) != len(self.offsets):
            raise SkelkitError(
                f"{self.name}: offsets of {len(offsets) - 1} clips, and there are {len(self)}; give those of all"
            )
        return replace(self, frames=frames, offsets=offsets, folder=None)

    def subset(self, index: np.ndarray) -> Clips:
        """The clips of an index array (or a boolean mask), in its order, copied into memory."""
        index = np.arange(len(self))[index]
        frames = np.concatenate([self[i] for i in index]) if len(index) else self.frames[:0]
        offsets = np.concatenate([[0], np.cumsum(self.lengths[index])])
        table = self.table.iloc[index].reset_index(drop=True)
        return Clips(frames, offsets, table, self.skeleton, self.classes, self.name, self.units, self.source)


def write(
    folder: Path,
    blocks: Iterable[np.ndarray],
    dtype: npt.DTypeLike,
    offsets: np.ndarray,
    table: pd.DataFrame,
    skeleton: Skeleton,
    classes: Sequence[str],
    name: str,
    units: str,
    source: str,
    beside: Mapping[str, str] | None = None,
) -> Clips:
    """`Clips.save` for frames that never lie in memory at once: (any t, 3, v, m) blocks of them, end to end.

    beside: other text files of the folder, by name. Raises SkelkitError where `folder` is something else already.
    """
    refuse_other(folder)
    with whole_folder(folder) as part:
        with open(part / "frames.npy", "wb") as out:  # not a memory map: a full disk must raise, not kill
            for number, block in enumerate(blocks):
                if number == 0:
                    shape = (int(offsets[-1]), *block.shape[1:])
                    np.lib.format.write_array_header_1_0(
                        out, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
                    )
                try:
                    with np.errstate(over="raise"):
                        out.write(np.ascontiguousarray(block, dtype).data)
                except FloatingPointError as error:
                    raise SkelkitError(
                        f"{folder}: a coordinate beyond 65504 does not fit into 16 bits; import it without --half"
                    ) from error
        np.save(part / "offsets.npy", offsets)
        table.to_csv(part / "clips.csv", index=False, lineterminator="\n")
        for file, text in (beside or {}).items():
            (part / file).write_text(text, encoding="utf-8", errors="backslashreplace")  # a path may be no text
        manifest: dict[str, Any] = {
            "name": name,
            "skeleton": skeleton.as_dict(),
            "classes": [str(c) for c in classes],
            "units": units,
            "source": source,
            "clips": len(offsets) - 1,
            "frames": int(offsets[-1]),
            "sha256": {file: sha256(part / file) for file in FILES},
        }
        manifest["sha256"]["manifest.json"] = _seal(manifest)
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return Clips.open(folder)


def refuse_other(folder: Path) -> None:
    """Raise SkelkitError where a clips folder would take the place of something else."""
    if folder.exists() and not (folder / "manifest.json").exists():
        raise SkelkitError(f"{folder}: is there already and no clips folder; choose another place, or remove it")


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SkelkitError(
            f"{folder}: no manifest.json; it is no clips folder (skelkit data import makes one)"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise SkelkitError(f"{folder}/manifest.json: not JSON ({error}); copy or import the data set again") from error
    kinds: dict[type, str] = {str: "name units source", int: "clips frames", dict: "skeleton sha256", list: "classes"}
    for key, kind in ((key, kind) for kind, keys in kinds.items() for key in keys.split()):
        if not isinstance(manifest, dict) or not isinstance(manifest.get(key), kind):
            raise SkelkitError(
                f"{folder}/manifest.json: {key!r} is missing or wrong; copy or import the data set again"
            )
    return manifest


def _seal(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of everything that a manifest says beside the hashes."""
    said = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
