"""Large `.npy` files and members of `.npz` files, read in blocks of rows: nothing is believed before it is counted."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skelkit.files import SkelkitError

BLOCK = 1 << 24
"""Bytes that are read at once."""
_AGAIN = "copy or export it again"


@dataclass(frozen=True)
class Rows:
    """An array on disk, (n, ...)."""

    path: Path
    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, path: Path, member: str = "") -> Rows:
        """The array of an `.npy`, or the member of an `.npz`; raises SkelkitError for what is no array of numbers."""
        with _opened(path, member) as (file, size):
            shape, dtype = _header(file)
            nbytes = math.prod(shape) * dtype.itemsize
            there = size - file.tell()
            if not shape or not nbytes or there != nbytes:
                raise SkelkitError(
                    f"{_place(path, member)}: its shape {str(shape)[:100]} asks for {nbytes:,} bytes, and "
                    f"{there:,} are there; {_AGAIN}"
                )
        return cls(path, member, shape, dtype)

    def blocks(self, progress: bool | None = False) -> Iterator[np.ndarray]:
        """The rows in order, some at a time, in the machine's byte order; None shows a bar in a terminal."""
        row = math.prod(self.shape[1:])
        at_once = max(1, BLOCK // (row * self.dtype.itemsize))
        hidden = None if progress is None else not progress
        with (
            _opened(self.path, self.member) as (file, _),
            tqdm(total=self.shape[0], desc=_place(self.path.name, self.member), unit="clip", disable=hidden) as bar,
        ):
            _header(file)
            for start in range(0, self.shape[0], at_once):
                n = min(at_once, self.shape[0] - start)
                data = bytearray(file.read(n * row * self.dtype.itemsize))
                block = np.frombuffer(data, self.dtype).reshape(n, *self.shape[1:])
                yield block.astype(self.dtype.newbyteorder("="), copy=False)
                bar.update(n)


def members(path: Path) -> list[str]:
    """The names of an npz's arrays."""
    with _readable(str(path)), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def one_hot(path: Path, member: str) -> Sequence[int]:
    """The labels that the member, (n, classes), holds as rows with a single 1."""
    rows = Rows.of(path, member)
    if len(rows.shape) != 2 or rows.shape[1] > 100_000:
        raise SkelkitError(f"{_place(path, member)}: has the shape {rows.shape}; give (clips, classes), one 1 a row")
    labels: list[int] = []
    for block in rows.blocks():
        wrong = ((block != 0).sum(1) != 1) | (block.max(1) != 1)
        if wrong.any():
            raise SkelkitError(
                f"{_place(path, member)}, row {len(labels) + int(wrong.argmax())}: is not all 0 but for one 1; {_AGAIN}"
            )
        labels += block.argmax(1).tolist()
    return labels


def _place(path: Path | str, member: str) -> str:
    return f"{path}, {member}" if member else str(path)


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"npy version {version}")
    read: Any = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():  # numbers as Python 2 wrote them
        warnings.simplefilter("ignore")
        shape, by_columns, dtype = read(file)
    if dtype.kind not in "fiub" or by_columns:
        raise ValueError(f"an array of {str(dtype)[:40]}{', by columns' if by_columns else ''}")
    return shape, dtype


@contextmanager
def _opened(path: Path, member: str) -> Iterator[tuple[Any, int]]:
    """The array's bytes and how many they are."""
    with _readable(_place(path, member)), ExitStack() as stack:
        if member:
            archive = stack.enter_context(zipfile.ZipFile(path))
            yield stack.enter_context(archive.open(f"{member}.npy")), archive.getinfo(f"{member}.npy").file_size
        else:
            yield stack.enter_context(open(path, "rb")), path.stat().st_size


@contextmanager
def _readable(place: str) -> Iterator[None]:
    try:
        yield
    except SkelkitError:
        raise
    except Exception as error:  # a changed byte makes zipfile, zlib, tokenize or NumPy raise nearly anything
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise SkelkitError(f"{place}: cannot be read ({said}); {_AGAIN}") from error
