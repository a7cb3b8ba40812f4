"""One file an official format; each reads the raw files as they are distributed into `Clips`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from skelkit.data.clips import Clips
from skelkit.files import SkelkitError


def _sbu(folder: Path) -> Clips:
    from skelkit.data.datasets import sbu

    return sbu.read(folder)


def _nw_ucla(folder: Path) -> Clips:
    from skelkit.data.datasets import nw_ucla

    return nw_ucla.read(folder)


READERS: dict[str, Callable[[Path], Clips]] = {"sbu": _sbu, "nw_ucla": _nw_ucla}
"""Readers of raw folders, by the name that `load` takes."""


def import_raw(name: str, folder: Path | str, destination: Path | str) -> Clips:
    """Read the raw files in `folder` and save them as the clips folder `destination/name`, opened.

    Nothing is written where a file is at fault. Raises SkelkitError that names the file, the place and the mend.
    """
    if name not in READERS:
        raise SkelkitError(f"{name}: no reader of raw files has this name; known are {', '.join(sorted(READERS))}")
    return READERS[name](Path(folder)).save(Path(destination) / name)
