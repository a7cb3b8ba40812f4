"""Tables of numbers as text, so many columns in each line, and lines of words; a file that is cut short is neither."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skelkit.data.formats.text import AGAIN, Fields
from skelkit.files import SkelkitError

_MOST_BYTES = 1 << 26  # of a file; the longest real one takes some megabytes


def numbers(path: Path, columns: int) -> Float64[np.ndarray, "n columns"]:
    """The whole table. Raises SkelkitError that names file and line for anything but finite numbers."""
    check_file(path)
    fields = Fields(path)
    _check_end(path)
    wrong = np.flatnonzero(fields.counts != columns)
    if len(wrong):
        raise fields.fault(int(wrong[0]), f"has {fields.counts[wrong[0]]} columns, not {columns}")
    return fields.numbers(np.arange(len(fields) * columns)).reshape(-1, columns)


def lines(path: Path) -> list[str]:
    """The lines of an ASCII file, without their ends. Raises SkelkitError that names file and line."""
    check_file(path)
    try:
        text = path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        place = error.object.count(b"\n", 0, error.start) + 1
        raise SkelkitError(f"{path}, line {place}: holds a byte that is no text; {AGAIN}") from error
    if not text:
        raise SkelkitError(f"{path}, line 1: is missing: the file is empty; {AGAIN}")
    _check_end(path)
    return [line.rstrip("\r") for line in text.split("\n")[:-1]]


def check_file(path: Path) -> None:
    """Raise SkelkitError for what would be read for ever, or without a bound."""
    if path.exists() and not path.is_file():  # a folder, or a pipe
        raise SkelkitError(f"{path}: is no file; move it away")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise SkelkitError(f"{path}: takes {size:,} bytes, too many for one recording; {AGAIN}")


def _check_end(path: Path) -> None:
    """A number that was cut short is still a number: only the end of the last line shows that it is whole."""
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            line = path.read_bytes().count(b"\n") + 1
            raise SkelkitError(f"{path}, line {line}: does not end, so the file is cut short; {AGAIN}")
