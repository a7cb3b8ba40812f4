"""From official files to a clips folder: in parallel, resumable, whatever their number, with a report of what is bad.

A reader (`datasets/`) says which files there are and what one of them holds; everything else happens here. Files are
read in batches, each batch becomes a part in the store, and an import that was interrupted reads on where it stopped.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import AcquireReturnProxy, FileLock, Timeout
from tqdm import tqdm

from skelkit.data.checks import check_labels, integers
from skelkit.data.clips import COLUMNS, Clips, refuse_other, write
from skelkit.data.importing.parts import Part, folder_of, key, make_part, padded
from skelkit.data.importing.reading import Flaw, RawClip, Reading, Source, read
from skelkit.files import SkelkitError

__all__ = ["Flaw", "Imported", "RawClip", "Reading", "Source", "import_clips", "read_clips"]

BATCH = 32
"""Files a part: a few megabytes."""
AT_ONCE = 4
"""Parts a process that may wait at most, so that memory does not grow with the number of files."""


@dataclass(frozen=True)
class Imported:
    """The clips, and one line for each file that was left out and for each known flaw of the data set."""

    clips: Clips
    left_out: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()


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
    `left_out.txt` in the folder, where the known flaws of the data set itself stand in any case. half: store 16 bits a
    number (below 2 mm within 4 metres). progress: None shows the bar in a terminal. Raises SkelkitError: the first
    fault in the order of the files.
    """
    refuse_other(Path(folder))
    if processes is not None and processes < 1:
        raise SkelkitError(f"{processes} reading processes: give 1 or more")
    try:
        with _alone(reading.name):
            return _import(reading, Path(folder), processes, skip_bad, half, progress)
    except MemoryError as error:
        raise SkelkitError(f"{reading.name}: out of memory; close other programs, or read in one process") from error


def _alone(name: str) -> AcquireReturnProxy:
    """A lock on the parts of a data set, which a finished import removes; the system lets go of a dead one's."""
    place = folder_of(name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(place.parent / f".{name}.lock").acquire(timeout=0)
    except Timeout as error:
        raise SkelkitError(f"{name}: another import of it is under way; wait until it has ended") from error
    except OSError as error:
        reason = error.strerror or error
        raise SkelkitError(f"{place.parent}: cannot be written ({reason}); set SKELKIT_STORE elsewhere") from error


def _import(
    reading: Reading, folder: Path, processes: int | None, skip_bad: bool, half: bool, progress: bool | None
) -> Imported:
    parts, faults = _read_all(reading, processes, skip_bad, progress)
    table = _table(reading, [each for part in parts for each in part.columns])
    flaws = [flaw.said for flaw in reading.flaws] + [said for part in parts for said in part.flaws]
    lines = [*flaws, *faults]
    if table.empty:
        said = f" ({[*faults, *flaws][0]})" if lines else ""
        raise SkelkitError(f"{reading.name}: no clip in {len(reading.sources)} files{said}; give another folder")
    persons = max(part.persons for part in parts)
    lengths = np.concatenate([part.lengths for part in parts])
    clips = write(
        folder,
        (part.frames(persons) for part in parts),
        np.float16 if half else np.float32,
        np.concatenate([[0], np.cumsum(lengths)]),
        table,
        reading.skeleton,
        reading.classes,
        reading.name,
        reading.units,
        _source(reading, len(table), len(faults), len(flaws)),
        {"left_out.txt": "".join(f"{line}\n" for line in lines)} if lines else {},
    )
    shutil.rmtree(folder_of(reading.name), ignore_errors=True)  # the clips are whole: the parts have served
    return Imported(clips, tuple(faults), tuple(flaws))


def read_clips(reading: Reading) -> Clips:
    """Every clip in memory, for a handful of files; raises SkelkitError at the first fault."""
    read_all = (each for source in reading.sources for each in read(reading, source))
    found = [each for each in read_all if not isinstance(each, Flaw)]
    if not found:
        raise SkelkitError(f"{reading.name}: no clip in {len(reading.sources)} files; give another folder")
    persons = max(clip.frames.shape[3] for clip in found)
    table = _table(reading, [clip.columns for clip in found])
    return Clips.from_arrays(
        np.concatenate([padded(clip.frames, persons) for clip in found]),
        np.cumsum([0, *(len(clip.frames) for clip in found)]),
        skeleton=reading.skeleton,
        classes=reading.classes,
        name=reading.name,
        columns={str(name): table[name].to_numpy() for name in table},
        units=reading.units,
        source=_source(reading, len(table)),
    )


def _source(reading: Reading, clips: int, left_out: int = 0, flaws: int = 0) -> str:
    """Where the clips come from, in words."""
    of = "" if reading.expected in (None, clips) else f" of {reading.expected:,}"
    left = f", {left_out} files left out" if left_out else ""
    known = f", {flaws} known flaws" if flaws else ""
    return f"{reading.source}; {clips:,}{of} clips{left}{known}"


def _read_all(
    reading: Reading, processes: int | None, skip_bad: bool, progress: bool | None
) -> tuple[list[Part], list[str]]:
    batches = [reading.sources[i : i + BATCH] for i in range(0, len(reading.sources), BATCH)]
    work = [(batch, folder_of(reading.name) / f"{key(reading, batch)}.npz") for batch in batches]
    if processes is None:  # a process takes two seconds to start: not worth it for a few files
        processes = min(os.cpu_count() or 1, len(batches) // 4 or 1)
    parts: list[Part] = []
    faults: list[str] = []
    hidden = None if progress is None else not progress
    make = partial(make_part, replace(reading, sources=()))  # what travels to the processes
    with (
        tqdm(total=len(reading.sources), desc=reading.name, unit="file", disable=hidden) as bar,
        closing(_in_order(make, work, processes)) as made,
    ):
        for (batch, _), part in zip(work, made, strict=True):
            if part.faults and not skip_bad:
                raise SkelkitError(part.faults[0])
            parts.append(part)
            faults += part.faults
            bar.update(len(batch))
    return parts, faults


def _in_order(
    make: Callable[..., Part], work: Sequence[tuple[Any, Path]], processes: int
) -> Generator[Part, None, None]:
    """`make(*each)` in order, in so many processes, with a bounded number under way."""
    if processes == 1:
        yield from (make(*each) for each in work)
        return
    waiting, todo = list[Future[Part]](), iter(work)
    # Not forked: torch's threads do not survive that.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=_leave_ctrl_c) as pool:
        try:
            waiting += [pool.submit(make, *each) for each in islice(todo, AT_ONCE * processes)]
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(make, *each) for each in islice(todo, 1)]
        except BrokenProcessPool as error:
            raise SkelkitError(
                "import: a reading process was killed (out of memory?); start again with fewer processes (-j 1): it "
                "reads on where it stopped"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_ctrl_c() -> None:
    """The parent stops its processes, each after the part that it is at."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _table(reading: Reading, columns: Sequence[Mapping[str, int | str]]) -> pd.DataFrame:
    """The clips' table, checked: it must not be saved and then be refused."""
    if not columns:
        return pd.DataFrame()
    names = [str(each["name"]) for each in columns]
    table = pd.DataFrame({c: integers(reading.name, c, [each.get(c, -1) for each in columns]) for c in COLUMNS})
    table["name"] = names
    if (twice := table["name"].duplicated()).any():
        name = names[int(twice.to_numpy().argmax())]
        raise SkelkitError(f"{reading.name}: two files hold the clip {name}; take one of them away")
    check_labels(reading.name, table, len(reading.classes))
    return table
