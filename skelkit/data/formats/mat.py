"""One array of numbers from a MATLAB file: v5 to v7, or v7.3, which is HDF5 and takes h5py.

A `.mat` file may claim any size, and inflate to any: sizes are compared before anything is allocated, and nothing but
plain numbers is read: no object, no link to another file, no function.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skelkit.data.formats.text import AGAIN
from skelkit.files import SkelkitError

_MOST_BYTES = 1 << 24  # of a file; a real clip takes less than 100 kB
_SLACK = 1 << 16  # bytes that headers and names take beside the numbers
_HDF5 = b"\x89HDF\r\n\x1a\n"


class _WrongError(Exception):
    """What is wrong with a file, in words."""


def numbers(path: Path, name: str, most: int) -> np.ndarray:
    """The variable `name` as float64, with the shape that MATLAB gives it.

    most: numbers it may hold. Raises SkelkitError that names the file for anything else than a full array of numbers.
    """
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise SkelkitError(f"{path}: takes {size:,} bytes, too many for one clip; {AGAIN}")
    data = path.read_bytes()
    try:
        new = _HDF5 in (data[:8], data[512:520])  # MATLAB puts 512 bytes of its own before it
        array = (_version_73 if new else _version_5)(data, name, most)
    except _WrongError as error:
        raise SkelkitError(f"{path}: {error}; {AGAIN}") from error
    except ModuleNotFoundError as error:
        raise SkelkitError(f"{path}: is MATLAB v7.3, which takes h5py to read; pip install 'skelkit[data]'") from error
    except Exception as error:  # a changed byte makes h5py raise nearly anything
        said = " ".join(str(error).split())[:80] or type(error).__name__
        raise SkelkitError(f"{path}: cannot be read as a MATLAB file ({said}); {AGAIN}") from error
    return np.asarray(array, np.float64)


def check_metres(path: Path, frames: Float[np.ndarray, "t 3 v 1"], reach: float) -> None:
    """Raise SkelkitError that names the frame where there is no number within `reach`, or nobody in any frame."""
    near = (np.abs(frames) <= reach).all(axis=(1, 2, 3))  # NaN is not
    if not near.all():
        said = f"frame {near.argmin() + 1} of {len(frames)}: holds no x, y, z in metres (within {reach:g})"
        raise SkelkitError(f"{path}, {said}; {AGAIN}")
    if not frames.any():
        raise SkelkitError(f"{path}: holds nothing but zeros, so nobody is there; leave it out")


def _check(name: str, numeric: bool, shape: tuple[int, ...], most: int) -> None:
    if not numeric:
        raise _WrongError(f"{name} is no array of numbers")
    if math.prod(shape) > most:
        raise _WrongError(f"{name} claims {' x '.join(map(str, shape))} numbers, more than the {most:,} of any clip")


# ── v5 to v7 ────────────────────────────────────────────────────────────────────────────────────────────────────────
# Read here, and not by SciPy, which dies of a single changed byte (1.17: of an unknown type number) and takes the
# import with it. The format is MathWorks' "MAT-File Format", Level 5.

_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMBERS = range(6, 16)  # classes of arrays: double, single, and integers of 8 to 64 bits
_COMPLEX = 0x800


def _version_5(data: bytes, name: str, most: int) -> np.ndarray:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise _WrongError("does not begin as a MATLAB file does" if data else "is empty")
    found, left = [], 8 * most + _SLACK  # bytes that may still inflate
    for kind, content in _elements(data[128:], order):
        inside = [(kind, content)]
        if kind == _COMPRESSED:
            plain = _inflated(content, left)
            inside, left = list(_elements(plain, order)), left - len(plain)
        arrays = [_matrix(body, order, name, most) for what, body in inside if what == _MATRIX]
        found += [array for array in arrays if array is not None]
    if len(found) != 1:
        raise _WrongError(f"holds {len(found)} variables {name}, not one")
    return found[0]


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of the elements that follow one another."""
    at = 0
    while at < len(data):
        if len(data) < at + 8:
            raise _WrongError("is cut short")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, step = at + 8, 8 + size + (-size % 8 if kind != _COMPRESSED else 0)  # whole units of eight bytes
        if kind > 0xFFFF:  # a short one: type, size and at most four bytes in one unit
            kind, size, start, step = kind & 0xFFFF, kind >> 16, at + 4, 8
        if start + size > min(len(data), at + step):
            raise _WrongError("is cut short")
        yield kind, data[start : start + size]
        at += step


def _inflated(content: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(content, max(1, most))  # 0 would be no bound
    if not inflater.eof:
        raise _WrongError("inflates to more bytes than a clip takes, or is cut short")
    return plain


def _matrix(content: bytes, order: str, name: str, most: int) -> np.ndarray | None:
    """The array, or None where the variable has another name."""
    parts = _elements(content, order)
    (_, flags), (_, sizes), (_, label) = islice(parts, 3)
    if label != name.encode():
        return None
    (word,) = struct.unpack_from(f"{order}I", flags)
    shape = tuple(np.frombuffer(sizes, f"{order}i4").tolist())
    _check(name, (word & 0xFF) in _NUMBERS, shape, most)
    kind, numbers = next(parts)
    if word & _COMPLEX or kind not in _TYPES:
        raise _WrongError(f"{name} holds no real numbers")
    array = np.frombuffer(numbers, order + _TYPES[kind])
    if min(shape) < 0 or array.size != math.prod(shape):
        raise _WrongError(f"{name} claims {' x '.join(map(str, shape))} numbers and holds {array.size}")
    return array.reshape(shape, order="F")


# ── v7.3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _version_73(data: bytes, name: str, most: int) -> np.ndarray:
    h5py: Any = import_module("h5py")
    with h5py.File(io.BytesIO(data), "r") as file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):  # not followed out of the file
            raise _WrongError(f"holds no variable {name}")
        found = file[name]
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise _WrongError(f"{name} is no array")
        _check(name, found.dtype.kind in "fiu", found.shape[::-1], most)
        if found.is_virtual or found.external:
            raise _WrongError(f"{name} points to another file")
        if found.chunks and math.prod(found.chunks) > most:
            raise _WrongError(f"{name} is stored in pieces of {math.prod(found.chunks):,} numbers, more than any clip")
        # Deflated bytes are never many more than the bytes they stand for: more would inflate without an end.
        if found.id.get_storage_size() > found.size * found.dtype.itemsize + _SLACK:
            raise _WrongError(f"{name} takes more bytes than its numbers need")
        return np.asarray(found[()]).T  # HDF5 counts the axes the other way round
