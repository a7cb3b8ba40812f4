"""Batches of official files that have been read: each a part in the store, which an interrupted import finds again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from skelkit.data.importing.reading import Flaw, Reading, Source, read
from skelkit.files import SkelkitError, store_folder, whole_file


@dataclass(frozen=True)
class Part:
    """A batch of files that has been read: an npz in the store, its frames still on disk."""

    path: Path
    persons: int
    lengths: np.ndarray
    columns: list[dict[str, int | str]]
    faults: list[str]
    flaws: list[str]

    def frames(self, persons: int) -> np.ndarray:
        """(sum of t, 3, v, persons)"""
        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return padded(arrays["frames"], persons)
        except (OSError, ValueError, BadZipFile) as error:  # another import of this data set took it away
            raise SkelkitError(f"{self.path}: cannot be read any more ({error}); import again") from error


def padded(frames: np.ndarray, persons: int) -> np.ndarray:
    return np.pad(frames, [(0, 0)] * 3 + [(0, persons - frames.shape[3])])


def folder_of(name: str) -> Path:
    return store_folder() / "imports" / name


def make_part(reading: Reading, sources: Sequence[Source | SkelkitError], path: Path) -> Part:
    """Read a batch, or find it as an earlier import left it; one with faults is read again, they may have passed."""
    found = _opened(path)
    if found is not None and not found.faults:
        return found
    frames, columns, lengths, faults, flaws = [], [], [], [], []
    for source in sources:
        try:
            read_here = list(read(reading, source))
        except SkelkitError as fault:
            faults.append(str(fault))
            continue
        clips = [each for each in read_here if not isinstance(each, Flaw)]
        flaws += [each.said for each in read_here if isinstance(each, Flaw)]
        frames += [clip.frames for clip in clips]
        columns += [dict(clip.columns) for clip in clips]
        lengths += [len(clip.frames) for clip in clips]
    persons = max((f.shape[3] for f in frames), default=1)
    frames = [np.zeros((0, 3, len(reading.skeleton), 1), np.float32), *frames]
    record = json.dumps({"columns": columns, "faults": faults, "flaws": flaws}, default=int)  # numbers of NumPy's
    with whole_file(path) as part, open(part, "wb") as file:
        together = np.concatenate([padded(f, persons) for f in frames])
        np.savez(file, frames=together, lengths=np.array(lengths, np.int64), record=np.array(record))
    return Part(path, persons, np.array(lengths, np.int64), columns, faults, flaws)


def _opened(path: Path) -> Part | None:
    """A part of an earlier import; None where there is none, or what is there cannot be read."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:  # np.load leaves a bad one open
            record = json.loads(str(arrays["record"]))
            columns, faults, flaws = (record[each] for each in ("columns", "faults", "flaws"))
            return Part(path, _persons(arrays), arrays["lengths"], columns, faults, flaws)
    except Exception:  # a changed byte makes NumPy and zipfile raise nearly anything
        return None


def _persons(arrays: Any) -> int:
    """The last axis of `frames`, from the array's header alone."""
    with arrays.zip.open("frames.npy") as file:
        np.lib.format.read_magic(file)
        return int(np.lib.format.read_array_header_1_0(file)[0][3])


def key(reading: Reading, sources: Sequence[Source | SkelkitError]) -> str:
    """The same for the same files, unchanged, read in the same way."""

    def stamp(path: Path) -> tuple[str, int, int]:
        try:
            status = path.stat()
        except OSError:
            return os.path.abspath(path), -1, -1
        return os.path.abspath(path), status.st_size, status.st_mtime_ns

    files = [
        str(s) if isinstance(s, SkelkitError) else [stamp(s.path), *map(stamp, s.beside), dict(s.columns)]
        for s in sources
    ]
    said = [reading.name, reading.version, dict(reading.options), reading.skeleton.as_dict(), files]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=int).encode()).hexdigest()[:16]
