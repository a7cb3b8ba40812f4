"""Text files of numbers, read quickly: fields and lines are found by NumPy, and so is what each number is worth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int

from skelkit.files import SkelkitError

AGAIN = "download or copy it again"

_WIDTH = 15  # digits and dot of a number that is read quickly: whole numbers of 15 digits are exact in 64 bits
_POWERS = 10.0 ** np.arange(_WIDTH + 1)
_PLACES = np.stack([np.ones(_WIDTH), np.arange(_WIDTH - 1.0, -1.0, -1.0)], 1)
_AT_ONCE = 4096  # numbers: half a megabyte of digits, which stays in the processor's cache
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SPACE, _LINE_END, _MINUS, _DOT, _ZERO, _DEL = b" \n-.0\x7f"


class Fields:
    """Where the fields of a text file are: words between spaces, lines of any number of words.

    Several spaces or tabs count as one, and blank lines at the end as none. Lines and fields are counted from 0 here,
    lines from 1 in messages.
    """

    def __init__(self, path: Path):
        """Raises SkelkitError for an empty file and for bytes that are no ASCII text, OSError as it comes."""
        self.path = path
        self._find(path.read_bytes())
        if (np.diff(self._ends) == 1).any() or not self._plain():
            lines = self._bytes[_WIDTH + 1 :].rstrip().split(b"\n")
            self._find(b"\n".join(b" ".join(line.split()) for line in lines))
        wrong = np.flatnonzero((self._buffer >= _DEL) | ((self._buffer < _SPACE) & (self._buffer != _LINE_END)))
        if len(wrong):
            line = int(np.count_nonzero(self._buffer[: wrong[0]] == _LINE_END)) - 1
            raise self.fault(line, "holds a byte that is no text")
        if len(self._bytes) == _WIDTH + 2:
            raise self.fault(0, "is missing: the file is empty")

    def _find(self, data: bytes) -> None:
        # What is put before lets every number be looked at through a window of one width.
        self._bytes = b"0" * _WIDTH + b"\n" + data + (b"" if data.endswith(b"\n") else b"\n")
        self._buffer = np.frombuffer(self._bytes, np.uint8)
        self._ends = np.flatnonzero(self._buffer <= _SPACE)  # field i lies between the ends i and i + 1
        self.first: Int[np.ndarray, " lines+1"] = np.flatnonzero(self._buffer[self._ends] == _LINE_END)
        """The first field of each line, and one past the last field."""
        self._line_ends: list[int] = self._ends[self.first].tolist()

    def _plain(self) -> bool:
        ends = self._buffer[self._ends]
        return bool(((ends == _SPACE) | (ends == _LINE_END)).all())

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.first) - 1

    @property
    def counts(self) -> Int[np.ndarray, " lines"]:
        """Fields a line; 1 in a blank line, whose one field is empty."""
        return np.diff(self.first)

    def whole(self, line: int, what: str, least: int = 0) -> int:
        """The whole number that stands alone in a line. Raises SkelkitError that says what it should be."""
        word = self._bytes[self._line_ends[line] + 1 : self._line_ends[line + 1]] if line < len(self) else b""
        if not word.isdigit() or len(word) > 9 or int(word) < least:
            has = f"is {word[:20].decode()!r}" if word else "is missing"
            raise self.fault(line, f"{has}, not {what}")
        return int(word)

    def numbers(self, fields: Int[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """What Python's float() makes of these fields. Raises SkelkitError for a word, NaN or infinity."""
        values = np.empty(len(fields))
        for i in range(0, len(fields), _AT_ONCE):
            values[i : i + _AT_ONCE] = self._numbers(fields[i : i + _AT_ONCE])
        return values

    def _numbers(self, fields: Int[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        starts, ends = self._ends[fields] + 1, self._ends[fields + 1]
        negative = self._buffer[starts] == _MINUS
        length = ends - starts - negative
        width = min(max(int(length.max()), 1), _WIDTH)
        windows = np.ndarray(len(self._bytes) - width, f"V{width}", self._bytes, strides=(1,))
        characters = windows[ends - width].view(np.uint8).reshape(-1, width)  # each number at the right
        inside = np.arange(width, dtype=np.uint8) >= (width - np.minimum(length, width)).astype(np.uint8)[:, None]
        dot = (characters == _DOT) & inside
        digits = (characters - _ZERO) * (inside & ~dot)
        dots, places = (dot.astype(np.float64) @ _PLACES[-width:]).T  # how many, and the digits after them
        quick = (length <= _WIDTH) & (dots <= 1) & (length > dots)
        wrong = digits > 9
        if wrong.any():
            quick &= ~wrong.any(1)
        # The digits with a 0 for the dot, which is then taken out; all exact, and so the quotient is rounded once.
        together = digits.astype(np.float64) @ _POWERS[width - 1 :: -1]
        power = _POWERS[(places * quick).astype(np.intp)]
        before = np.floor(together / (power * 10)) * dots
        values = (together - before * 9 * power) / power
        values[negative] *= -1
        for i in np.flatnonzero(~quick):  # exponents, many digits, and what is no number
            word = self._bytes[starts[i] : ends[i]]
            values[i] = float(word) if len(word) < 40 and _NUMBER.fullmatch(word) else np.nan
            if not np.abs(values[i]) <= np.finfo(np.float32).max:
                line = int(np.searchsorted(self.first, fields[i], side="right")) - 1
                raise self.fault(line, f"{word[:20].decode()!r} is no number")
        return values

    def fault(self, line: int, what: str, mend: str = AGAIN) -> SkelkitError:
        """The fault to raise, with its place."""
        return SkelkitError(f"{self.path}, line {line + 1}: {what}; {mend}")
