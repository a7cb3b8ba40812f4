"""From official files to a clips folder: in parallel, resumable, whatever their number, with a report of what is bad.

A reader (`datasets/`) says which files there are and what one of them holds; everything else happens here. Files are
read in batches, each batch becomes a part in the store, and an import that was interrupted reads on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from skelkit.data.clips import COLUMNS, Clips, refuse_other, write
from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError, store_folder, whole_file

BATCH = 32
"""Files a part: a few megabytes."""
AT_ONCE = 4
"""Parts a process that may wait at most, so that memory does not grow with the number of files."""


@dataclass(frozen=True)
class Source:
    """One official file, and what its name says of its clips."""

    path: Path
    columns: Mapping[str, int | str] = field(default_factory=dict)
    """Of `COLUMNS` and `name`; a file of several clips names them itself."""
    beside: tuple[Path, ...] = ()
    """Other files that it is read with: labels, a skeleton."""


@dataclass(frozen=True)
class RawClip:
    """One clip as a file holds it."""

    frames: np.ndarray
    """(t, 3, v, m) float32; clips may differ in m, an absent person is all zeros."""
    columns: Mapping[str, int | str] = field(default_factory=dict)
    """Joined to the source's; at least `name` and, where there is one, `label` must be in one of the two."""


@dataclass(frozen=True)
class Reading:
    """What a reader makes of a folder: everything that an import needs."""

    name: str
    """The data set, as `load` will take it."""
    skeleton: Skeleton
    classes: Sequence[str]
    sources: Sequence[Source | SkelkitError]
    """Every file, in the order of the clips; a file that cannot be one (a name that lies) is its fault instead."""
    read: Callable[[Source], list[RawClip]]
    """Reads one file; raises SkelkitError that names file, place and mend. A module's function, or a `partial`."""
    source: str
    """Where the clips come from, in words; the number of clips is added."""
    units: str = "metres"
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the user chose (JSON values); parts read with other choices are not taken."""
    version: int = 1
    """Raised when the same files come to mean other clips."""
    expected: int | None = None
    """Clips of the whole published data set."""


@dataclass(frozen=True)
class Imported:
    """The clips, and one line for each file that was left out."""

    clips: Clips
    left_out: tuple[str, ...] = ()


def import_clips(
    reading: Reading,
    folder: Path | str,
    *,
    processes: int | None = None,
    skip_bad: bool = False,
    half: bool = False,
    progress: bool | None = None,
) -> Imported:
    """Read every file and save the clips folder `folder`; nothing is written where a file is at fault.

    processes: by default one a core for many files. skip_bad: leave faulty files out and list them, here and in
    `left_out.txt` in the folder. half: store 16 bits a number (below 2 mm within 4 metres). progress: None shows the
    bar in a terminal. Raises SkelkitError: the first fault in the order of the files.
    """
    refuse_other(Path(folder))
    parts, faults = _read_all(reading, processes, skip_bad, progress)
    table = _table(reading, parts)
    if table.empty:
        said = f", and all of them are bad: {faults[0]}" if faults else ""
        raise SkelkitError(f"{reading.name}: no clip in {len(reading.sources)} files{said}; give another folder")
    persons = max(part.shape[3] for part in parts)
    lengths = np.concatenate([part.lengths for part in parts])
    of = "" if reading.expected in (None, len(table)) else f" of {reading.expected:,}"
    left = f", {len(faults)} files left out" if faults else ""
    clips = write(
        Path(folder),
        (part.frames(persons) for part in parts),
        np.float16 if half else np.float32,
        np.concatenate([[0], np.cumsum(lengths)]),
        table,
        reading.skeleton,
        reading.classes,
        reading.name,
        reading.units,
        f"{reading.source}; {len(table):,}{of} clips{left}",
        {"left_out.txt": "".join(f"{fault}\n" for fault in faults)} if faults else {},
    )
    shutil.rmtree(_parts_folder(reading.name), ignore_errors=True)  # the clips are whole: the parts have served
    return Imported(clips, tuple(faults))


def read_clips(reading: Reading) -> Clips:
    """Every clip in memory, for a handful of files; raises SkelkitError at the first fault."""
    found = [clip for source in reading.sources for clip in _read(reading, source)]
    if not found:
        raise SkelkitError(f"{reading.name}: no file to read; give the folder that holds them")
    persons = max(clip.frames.shape[3] for clip in found)
    columns = pd.DataFrame([clip.columns for clip in found])
    return Clips.from_arrays(
        np.concatenate([_padded(clip.frames, persons) for clip in found]),
        np.cumsum([0, *(len(clip.frames) for clip in found)]),
        skeleton=reading.skeleton,
        classes=reading.classes,
        name=reading.name,
        columns={str(name): columns[name].to_numpy() for name in columns},
        units=reading.units,
        source=reading.source,
    )


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Part:
    """A batch of files that has been read: an npz in the store, its frames still on disk."""

    path: Path
    shape: tuple[int, ...]
    lengths: np.ndarray
    columns: list[dict[str, int | str]]
    faults: list[str]

    def frames(self, persons: int) -> np.ndarray:
        """(sum of t, 3, v, persons)"""
        with np.load(self.path, allow_pickle=False) as arrays:
            return _padded(arrays["frames"], persons)


def _padded(frames: np.ndarray, persons: int) -> np.ndarray:
    return np.pad(frames, [(0, 0)] * 3 + [(0, persons - frames.shape[3])])


def _parts_folder(name: str) -> Path:
    return store_folder() / "imports" / name


def _read(reading: Reading, source: Source | SkelkitError) -> Iterator[RawClip]:
    """The clips of one file with all their columns, checked."""
    if isinstance(source, SkelkitError):
        raise source
    try:
        clips = reading.read(source)
    except OSError as error:
        raise SkelkitError(f"{source.path}: cannot be read ({error.strerror}); copy it again") from error
    for clip in clips:
        columns = {**source.columns, **clip.columns}
        if unknown := set(columns) - {*COLUMNS, "name"}:
            raise TypeError(f"the reader of {reading.name} gives the unknown column {min(unknown)!r}")
        shape, place = clip.frames.shape, f"{source.path}, clip {columns['name']}"
        if len(shape) != 4 or shape[1:3] != (3, len(reading.skeleton)) or not shape[0] or not shape[3]:
            raise SkelkitError(f"{place}: its frames have the shape {shape}; leave it out")
        finite = np.isfinite(clip.frames).all(axis=(1, 2, 3))
        if not finite.all():
            raise SkelkitError(f"{place}, frame {finite.argmin() + 1}: NaN or infinity; mend it or leave it out")
        yield RawClip(clip.frames.astype(np.float32, copy=False), columns)


def _make_part(reading: Reading, sources: Sequence[Source | SkelkitError], path: Path) -> _Part:
    """Read a batch, or find it as an earlier import left it."""
    if not path.exists():
        frames, columns, lengths, faults = [], [], [], []
        for source in sources:
            try:
                clips = list(_read(reading, source))
            except SkelkitError as fault:
                faults.append(str(fault))
                continue
            frames += [clip.frames for clip in clips]
            columns += [dict(clip.columns) for clip in clips]
            lengths += [len(clip.frames) for clip in clips]
        persons = max((f.shape[3] for f in frames), default=1)
        frames = [np.zeros((0, 3, len(reading.skeleton), 1), np.float32), *frames]
        record = json.dumps({"columns": columns, "faults": faults})
        with whole_file(path) as part, open(part, "wb") as file:
            together = np.concatenate([_padded(f, persons) for f in frames])
            np.savez(file, frames=together, lengths=np.array(lengths, np.int64), record=np.array(record))
    with np.load(path, allow_pickle=False) as arrays:
        record = json.loads(str(arrays["record"]))
        shape = (int(arrays["lengths"].sum()), 3, len(reading.skeleton), _persons(arrays))
        return _Part(path, shape, arrays["lengths"], record["columns"], record["faults"])


def _persons(arrays: Any) -> int:
    """The last axis of `frames`, from the array's header alone."""
    with arrays.zip.open("frames.npy") as file:
        np.lib.format.read_magic(file)
        return int(np.lib.format.read_array_header_1_0(file)[0][3])


def _key(reading: Reading, sources: Sequence[Source | SkelkitError]) -> str:
    """The same for the same files, unchanged, read in the same way."""

    def stamp(path: Path) -> tuple[str, int, int]:
        try:
            status = path.stat()
        except OSError:
            return str(path), -1, -1
        return str(path), status.st_size, status.st_mtime_ns

    files = [
        str(s) if isinstance(s, SkelkitError) else [stamp(s.path), *map(stamp, s.beside), dict(s.columns)]
        for s in sources
    ]
    said = [reading.name, reading.version, dict(reading.options), reading.skeleton.as_dict(), files]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _read_all(
    reading: Reading, processes: int | None, skip_bad: bool, progress: bool | None
) -> tuple[list[_Part], list[str]]:
    batches = [reading.sources[i : i + BATCH] for i in range(0, len(reading.sources), BATCH)]
    work = [(batch, _parts_folder(reading.name) / f"{_key(reading, batch)}.npz") for batch in batches]
    if processes is None:  # a process takes two seconds to start: not worth it for a few files
        processes = min(os.cpu_count() or 1, len(batches) // 4 or 1)
    parts: list[_Part] = []
    faults: list[str] = []
    hidden = None if progress is None else not progress
    bare = Reading(**{**vars(reading), "sources": ()})  # what travels to the processes
    with tqdm(total=len(reading.sources), desc=reading.name, unit="file", disable=hidden) as bar:
        for (batch, _), part in zip(work, _in_order(partial(_make_part, bare), work, processes), strict=True):
            if part.faults and not skip_bad:
                raise SkelkitError(part.faults[0])
            parts.append(part)
            faults += part.faults
            bar.update(len(batch))
    return parts, faults


def _in_order(make: Callable[..., _Part], work: Sequence[tuple[Any, Path]], processes: int) -> Iterator[_Part]:
    """`make(*each)` in order, in so many processes, with a bounded number under way."""
    if processes == 1:
        yield from (make(*each) for each in work)
        return
    waiting, todo = list[Future[_Part]](), iter(work)
    # Not forked: torch's threads do not survive that.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            waiting += [pool.submit(make, *each) for each in islice(todo, AT_ONCE * processes)]
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(make, *each) for each in islice(todo, 1)]
        except BrokenProcessPool as error:
            raise SkelkitError(
                "import: a reading process was killed (out of memory?); start again, it reads on where it stopped"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _table(reading: Reading, parts: Sequence[_Part]) -> pd.DataFrame:
    columns = pd.DataFrame([each for part in parts for each in part.columns])
    if columns.empty:
        return columns
    table = pd.DataFrame({c: columns[c].fillna(-1) if c in columns else -1 for c in COLUMNS}, index=columns.index)
    table = table.astype(np.int64)
    table["name"] = columns["name"].astype(str)
    if (twice := table["name"].duplicated()).any():
        name = table["name"][int(twice.to_numpy().argmax())]
        raise SkelkitError(f"{reading.name}: two files hold the clip {name}; take one of them away")
    return table
