"""What the motion capture formats share: careful text, careful numbers, and rotations of many frames at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Float

from skelkit.data.formats.text import AGAIN
from skelkit.files import SkelkitError

LARGEST = 1e5
"""Of the numbers in a file: no degree, length or place of a person comes near it."""
BYTES = 64 * 2**20
"""A file beyond this size is no single motion: ten minutes of 31 joints at 120 frames a second."""
JOINTS = 1000
"""More joints than any skeleton of a body has."""
LINE = 20_000
"""More characters than any line of these formats has."""
INCH = 0.0254
REACH = 100.0
"""Metres from the origin: no capture volume is that large."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)
_WORDS = re.compile(r"[-+.\deE \t]*", re.ASCII)


def refuse(path: Path, line: int, wrong: str, mend: str = AGAIN) -> NoReturn:
    """Raise the one line that names file, place and mend. line: from 1."""
    raise SkelkitError(f"{path}, line {line}: {wrong}; {mend}")


def lines_of(path: Path, *, ascii_only: bool = True) -> list[str]:
    """The lines of a text file, without their ends. Raises SkelkitError for a file that is no whole text.

    Every official file ends its last line; one that does not was cut short, perhaps within a number. ascii_only:
    refuse other characters outside of comments.
    """
    try:
        if path.stat().st_size > BYTES:
            refuse(path, 1, f"the file is larger than {BYTES >> 20} MB", "give a file of one motion")
        if not path.is_file():  # a folder, or a pipe that would be read for ever
            refuse(path, 1, "is no file", "move it away")
        data = path.read_bytes()
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); {AGAIN}") from error
    *lines, rest = data.decode("latin-1").split("\n")  # file names in comments hold umlauts
    if not data or rest:
        wrong = "does not end, so the file is cut short" if rest else "is missing: the file is empty"
        refuse(path, len(lines) + 1, wrong)
    for number, line in enumerate(lines, 1):
        if len(line) > LINE:
            refuse(path, number, f"has {len(line):,} characters, more than {LINE:,}")
        if "\0" in line or (ascii_only and not line.isascii() and not line.split("#")[0].isascii()):
            refuse(path, number, "holds a byte that is no text")
    return [line.rstrip("\r") for line in lines]


def number(word: str, path: Path, line: int) -> float:
    """One plain decimal number. Raises SkelkitError for anything else that Python would take, NaN first of all."""
    if not _NUMBER.fullmatch(word):
        refuse(path, line, f"{word[:40]!r} is no number")
    value = float(word)
    if not abs(value) <= LARGEST:
        refuse(path, line, f"{word[:40]} lies beyond {LARGEST:,.0f}")
    return value


def numbers(rows: Sequence[Sequence[str]], path: Path, places: Sequence[int]) -> Float[np.ndarray, "rows values"]:
    """Rows of as many words each, as numbers; `places` are the rows' lines in the file.

    The plain case is read at once. Raises SkelkitError at the first word that is no plain number.
    """
    try:
        if all(_WORDS.fullmatch(" ".join(row)) for row in rows):  # no nan, no inf, no 1_000
            values = np.array(rows, np.float64)
            if (np.abs(values) <= LARGEST).all():
                return values
    except ValueError:
        pass
    return np.array([[number(word, path, place) for word in row] for row, place in zip(rows, places, strict=True)])


def turned(
    matrix: Float[np.ndarray, "3 3 t"], axis: int, angle: Float[np.ndarray, " t"] | float
) -> Float[np.ndarray, "3 3 t"]:
    """matrix @ R, where R turns about the axis 0, 1 or 2 (x, y, z) by the angle in radians.

    Frames come last, so that a step is a few sums over long rows: a product with R mixes two columns only.
    """
    second, third = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angle), np.sin(angle)
    result = matrix.copy()
    result[:, second] = cos * matrix[:, second] + sin * matrix[:, third]
    result[:, third] = cos * matrix[:, third] - sin * matrix[:, second]
    return result


def elementary(axis: int, angle: float) -> Float[np.ndarray, "3 3"]:
    """The matrix that turns about the axis 0, 1 or 2 by the angle in radians."""
    return turned(np.eye(3)[:, :, None], axis, angle)[:, :, 0]


def as_clip(places: Float[np.ndarray, "v 3 t"], path: Path) -> Float[np.ndarray, "t 3 v 1"]:
    """Joint positions in metres as a clip of one person, float32. Raises SkelkitError beyond `REACH`."""
    beyond = (np.abs(places) > REACH).any(axis=(0, 1))
    if beyond.any():
        wrong = f"frame {beyond.argmax() + 1} of {len(beyond)}: a joint lies more than {REACH:g} m away"
        raise SkelkitError(f"{path}, {wrong}; check the units, or {AGAIN}")
    return np.ascontiguousarray(places.transpose(2, 1, 0)[..., None], np.float32)
