"""One array of numbers from a MATLAB file, v5 to v7 (SciPy) or v7.3 (HDF5, with h5py), never more than was asked for.

A `.mat` file may claim any size, and inflate to any: sizes are compared before anything is allocated, and nothing but
plain numbers is read: no object, no link to another file, no function.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skelkit.files import SkelkitError

AGAIN = "download or copy it again"
_MOST_BYTES = 1 << 26  # of a file; a real clip takes less than 100 kB
_SLACK = 1 << 16  # bytes that headers and names take beside the numbers
_HDF5 = b"\x89HDF\r\n\x1a\n"
_COMPRESSED = 15  # miCOMPRESSED, a v7 file's element that holds another one


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
        raise SkelkitError(f"{path}: is a MATLAB v7.3 file, which takes h5py to read; pip install h5py") from error
    except Exception as error:  # a changed byte makes SciPy and h5py raise nearly anything
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


def _check(name: str, kind: str, shape: tuple[int, ...], most: int) -> None:
    if math.prod(shape) > most:
        raise _WrongError(f"{name} claims {' x '.join(map(str, shape))} numbers, more than the {most:,} of any clip")
    if kind not in ("double", "single") and not kind.startswith(("int", "uint", "float")):
        raise _WrongError(f"{name} holds {kind}, not numbers")


# ── v5 to v7 ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _version_5(data: bytes, name: str, most: int) -> np.ndarray:
    from scipy.io import loadmat, whosmat

    plain = _inflated(data, 8 * most + _SLACK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # SciPy only warns of a variable that it cannot read
        there = [(shape, kind) for variable, shape, kind in whosmat(io.BytesIO(plain)) if variable == name]
        if len(there) != 1:
            raise _WrongError(f"holds {len(there)} variables {name}, not one")
        shape, kind = there[0]
        _check(name, kind, shape, most)
        array: np.ndarray = loadmat(io.BytesIO(plain), variable_names=[name])[name]
    if array.dtype.kind not in "fiu" or array.shape != shape:
        raise _WrongError(f"{name} is {array.dtype} of the shape {array.shape}, not plain numbers")
    return array


def _inflated(data: bytes, most: int) -> bytes:
    """The same file with its compressed elements inflated, each to `most` bytes at the most."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise _WrongError("does not begin as a MATLAB file does" if data else "is empty")
    parts, at = [data[:128]], 128
    while at < len(data):
        if len(data) < at + 8:
            raise _WrongError("is cut short")
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        end = at + 8 + size
        if end > len(data):
            raise _WrongError("is cut short")
        if kind == _COMPRESSED:
            inflater = zlib.decompressobj()
            parts.append(inflater.decompress(data[at + 8 : end], most))
            if not inflater.eof:
                raise _WrongError("inflates to more bytes than a clip takes, or is cut short")
        else:
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


# ── v7.3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _version_73(data: bytes, name: str, most: int) -> np.ndarray:
    h5py: Any = import_module("h5py")
    with h5py.File(io.BytesIO(data), "r") as file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):  # not followed out of the file
            raise _WrongError(f"holds no variable {name}")
        found = file[name]
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise _WrongError(f"{name} is no array")
        _check(name, str(found.dtype.newbyteorder("=")), found.shape[::-1], most)
        if found.is_virtual or found.external:
            raise _WrongError(f"{name} points to another file")
        if found.chunks and math.prod(found.chunks) > most:
            raise _WrongError(f"{name} is stored in pieces of {math.prod(found.chunks):,} numbers, more than any clip")
        # Deflated bytes are never many more than the bytes they stand for: more would inflate without an end.
        if found.id.get_storage_size() > found.size * found.dtype.itemsize + _SLACK:
            raise _WrongError(f"{name} takes more bytes than its numbers need")
        array: np.ndarray = found[()].T  # HDF5 counts the axes the other way round
    return array
