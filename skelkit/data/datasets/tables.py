"""Tables of numbers as text: so many columns in each line, checked, fast enough for millions of lines."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.files import SkelkitError

AGAIN = "download or copy it again"
_MOST_BYTES = 1 << 28  # of a file; the longest real one takes some megabytes
_FOREIGN = re.compile(r"[^-+.0-9eE \t\r\n]")  # float() would take more: nan, inf, 1_000, digits of other scripts


def lines(path: Path) -> list[str]:
    """The lines of an ASCII file, each of them ended. Raises SkelkitError that names file and line."""
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise SkelkitError(f"{path}: takes {size:,} bytes, too many for one recording; {AGAIN}")
    try:
        text = path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        place = error.object.count(b"\n", 0, error.start) + 1
        raise SkelkitError(f"{path}, line {place}: holds a byte that is no text; {AGAIN}") from error
    *ended, rest = text.split("\n")
    if not text or rest:  # a number that was cut short is still a number: only the line's end shows that it is whole
        wrong = "does not end, so the file is cut short" if rest else "is missing: the file is empty"
        raise SkelkitError(f"{path}, line {len(ended) + 1}: {wrong}; {AGAIN}")
    return ended


def numbers(path: Path, columns: int) -> Float[np.ndarray, "n columns"]:
    """The table as float64. Raises SkelkitError that names file and line for anything but finite numbers."""
    found = array("d")
    for number, line in enumerate(lines(path), 1):
        fields = line.split()
        if len(fields) != columns:
            raise SkelkitError(f"{path}, line {number}: has {len(fields)} columns, not {columns}; {AGAIN}")
        try:
            if _FOREIGN.search(line):
                raise ValueError
            found.extend(map(float, fields))
        except ValueError:
            wrong = next((field for field in fields if not _is_number(field)), line)
            raise SkelkitError(f"{path}, line {number}: {wrong[:40]!r} is no number; {AGAIN}") from None
    table = np.frombuffer(found).reshape(-1, columns)
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise SkelkitError(f"{path}, line {finite.argmin() + 1}: holds a number without bounds; {AGAIN}")
    return table


def _is_number(field: str) -> bool:
    if _FOREIGN.search(field):
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True
