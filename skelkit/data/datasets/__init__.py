"""One file an official format: each says which files there are and what one of them holds (`importing.Reading`)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from skelkit.data.importing import Imported, Reading, import_clips
from skelkit.files import SkelkitError

READERS = {
    "cmu": "cmu:reading",
    "hdm05": "hdm05:reading",
    "mhad": "mhad:reading",
    "msr_action3d": "msr_action3d:reading",
    "msrc12": "msrc12:reading",
    "ntu60": "ntu:ntu60",
    "ntu120": "ntu:ntu120",
    "nw_ucla": "nw_ucla:reading",
    "pku_mmd1": "pku_mmd:part1",
    "pku_mmd2": "pku_mmd:part2",
    "sbu": "sbu:reading",
    "utd_mhad": "utd_mhad:reading",
    "uwa3d": "uwa3d:reading",
}
"""Where the reader of each data set is, `module:function`; `function(folder, *, option=...)` returns a `Reading`."""

PARTS = ("cmu_small", "cmu_subset", "hdm05_11")
"""Parts of data sets which recipes know under names of their own."""


def reading(name: str, folder: Path | str, **options: str) -> Reading:
    """What the data set's own reader makes of a folder of official files.

    options: the reader's keyword arguments, as the command line gives them. Raises SkelkitError for a data set or an
    option that there is not.
    """
    if name not in READERS:
        raise SkelkitError(
            f"{name}: no reader of raw files has this name; known are {', '.join(sorted(READERS))}, and under any name "
            "a processed file (.pkl, .npz), a folder with train_data.npy and train_label.pkl, or one with a "
            "manifest.toml (skelkit data template writes one)"
        )
    module, function = READERS[name].split(":")
    reader = getattr(import_module(f"skelkit.data.datasets.{module}"), function)
    _check_options(name, reader, options)
    if Path(folder).is_file():
        raise SkelkitError(f"{folder}: is a file; give the folder of the official files (unpack an archive first)")
    found: Reading = reader(Path(folder), **options)
    return found


def _check_options(name: str, reader: Callable[..., Any], options: Mapping[str, str]) -> None:
    known = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if unknown := sorted(set(options) - set(known)):
        raise SkelkitError(f"{name}: no option {unknown[0]!r}; it takes {', '.join(known) or 'none'}")


def import_raw(
    name: str, folder: Path | str, destination: Path | str, *, options: dict[str, str] | None = None, **how: Any
) -> Imported:
    """Read the official files in `folder` and save them as the clips folder `destination/name`.

    Under any name: own clips (`own.reading`) and processed files (`processed.read`), where `folder` is that.
    how: what `importing.import_clips` takes. Nothing is written where a file is at fault. Raises SkelkitError that
    names the file, the place and the mend.
    """
    from skelkit.data.datasets import own, processed
    from skelkit.data.download import provenance

    path, to, options = Path(folder), Path(destination) / name, options or {}
    if own.is_own(path) or processed.is_processed(path):
        if not re.fullmatch(r"\w[\w.-]*", name) or name == "synthetic":
            raise SkelkitError(f"{name}: is no name for a data set; choose one of letters, digits, _, - and .")
        if own.is_own(path):
            _check_options(name, own.reading, options)
            return import_clips(replace(own.reading(path), name=name), to, **how)
        _check_options(name, processed.read, options)
        return processed.save(path, name, to, **{**options, **how})
    found = reading(name, path, **options)
    return import_clips(replace(found, source=found.source + provenance(path)), to, **how)
