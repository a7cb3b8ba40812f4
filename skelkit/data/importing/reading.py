"""What a reader of official files says: which files there are, and what one of them holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skelkit.data.clips import COLUMNS
from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError


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
class Flaw:
    """Known damage of the data set as everybody gets it: no fault of this copy, so that it stops no import."""

    said: str
    """Where it is and what became of it, in one line."""


@dataclass(frozen=True)
class Reading:
    """What a reader makes of a folder: everything that an import needs."""

    name: str
    """The data set, as `load` will take it."""
    skeleton: Skeleton
    classes: Sequence[str]
    sources: Sequence[Source | SkelkitError]
    """Every file, in the order of the clips; a file that cannot be one (a name that lies) is its fault instead."""
    read: Callable[[Source], Sequence[RawClip | Flaw]]
    """Reads one file, and says what its official damage cost; raises SkelkitError that names file, place and mend. A
    module's function, or a `partial` of one whose arguments `options` or the sources tell as well, for parts are found
    again by those."""
    source: str
    """Where the clips come from, in words; the number of clips is added."""
    units: str = "metres"
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the user chose (JSON values); parts read with other choices are not taken."""
    version: int = 1
    """Raised when the same files come to mean other clips."""
    flaws: Sequence[Flaw] = ()
    """Of files that are known to be no clips and are not among the sources."""
    expected: int | None = None
    """Clips of the whole published data set."""


def read(reading: Reading, source: Source | SkelkitError) -> Iterator[RawClip | Flaw]:
    """The clips of one file with all their columns, checked, and its flaws."""
    if isinstance(source, SkelkitError):
        raise source
    try:
        found = reading.read(source)
        yield from [f if isinstance(f, Flaw) else _checked(reading, source, f) for f in found]
    except SkelkitError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise SkelkitError(f"{source.path}: cannot be read ({reason}); copy it again") from error
    except MemoryError as error:
        raise SkelkitError(f"{source.path}: does not fit into memory; leave it out, or use another machine") from error
    except Exception as error:  # one file of a hundred thousand shall not end in a traceback
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise SkelkitError(f"{source.path}: the reader failed ({said}); leave it out, and report this") from error


def _checked(reading: Reading, source: Source, clip: RawClip) -> RawClip:
    """A clip with all its columns, as numbers that can be stored."""
    columns = {**source.columns, **clip.columns}
    if unknown := set(columns) - {*COLUMNS, "name"}:
        raise TypeError(f"unknown column {min(unknown)!r}")
    shape, place = clip.frames.shape, f"{source.path}, clip {columns['name']}"
    if len(shape) != 4 or shape[1:3] != (3, len(reading.skeleton)) or not shape[0] or not shape[3]:
        raise SkelkitError(f"{place}: its frames have the shape {shape}; leave it out")
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is named below
        frames = clip.frames.astype(np.float32, copy=False)
    finite = np.isfinite(frames).all(axis=(1, 2, 3))
    if not finite.all():
        raise SkelkitError(f"{place}, frame {finite.argmin() + 1}: NaN or infinity; mend it or leave it out")
    return RawClip(frames, columns)
