"""Pickles of strangers: NumPy arrays and plain containers are read, anything else that a pickle asks for is refused.

A pickle is a program that names functions and calls them. Here a name stands for one of the stand-ins below or for
nothing, and NumPy itself is never called with what the file says: `ndarray.__setstate__` sees only checked sizes.
"""

from __future__ import annotations

import math
import pickle
import re
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from skelkit.files import SkelkitError

_KIND = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQefd]|b1|[iu][1248]|f[248]|[US][1-9]\d{0,5}|O8?)")  # no dates, no records
_UNUSED = {
    *(pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.PERSID),
    *(pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
}


def load(path: Path) -> Any:
    """What the pickle holds: None, numbers, text, bytes, lists, tuples, dicts, and NumPy arrays of numbers or text.

    Any protocol, Python 2's as well. Raises SkelkitError, one line, that names the file and what was asked for; memory
    stays in proportion to the file.
    """
    try:
        with open(path, "rb") as file:
            found = _Unpickler(_Bounded(file, path.stat().st_size), encoding="latin1").load()
            if file.read(1):
                raise pickle.UnpicklingError("it goes on after its end")
            return found
    except _Refused as error:
        raise SkelkitError(
            f"{path}: {error}; skelkit reads only pickles of NumPy arrays, lists, tuples and dicts: get the file from "
            "its authors again, or save it without this"
        ) from error
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); copy it again") from error
    except Exception as error:  # a changed byte makes an unpickler raise nearly anything
        said = " ".join(str(error).split())[:120]
        raise SkelkitError(
            f"{path}: is no whole pickle ({type(error).__name__}: {said or 'no more said'}); copy or download it again"
        ) from error


class _Refused(Exception):
    """The pickle asks for what a data file has no need of."""


class _Bounded:
    """The file, but that no more can be asked of it than it holds: a length of 10**12 must not become memory."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size = file, size
        self.readline = file.readline

    def read(self, n: int) -> bytes:
        if not 0 <= n <= self.size - self.file.tell():
            raise EOFError(f"{n} bytes are announced, and the file ends before")
        return self.file.read(n)


class _DType:
    """A dtype as its pickle builds it; None stands for objects, which are refused when their members are known."""

    def __init__(self, code: object, align: object = False, copy: object = False):
        if not isinstance(code, str) or not _KIND.fullmatch(code):
            raise _Refused(f"holds an array of {_said(code)}")
        self.real = None if "O" in code else np.dtype(code)

    def set_state(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "=") or any(field is not None for field in state[2:5]):
            raise _Refused("holds a dtype with fields or a foreign byte order")
        self.real = self.real and self.real.newbyteorder(order)


class _Array(np.ndarray):
    """An array that was made empty, and whose numbers come with its state."""

    def set_state(self, state: Any) -> None:
        _, shape, dtype, by_columns, data = state
        data = data.encode("latin1") if isinstance(data, str) else data  # Python 2's bytes
        _check(data, dtype, shape)
        checked: Any = (1, shape, dtype.real, bool(by_columns), data)
        self.__setstate__(checked)


def _check(data: Any, dtype: Any, shape: Any) -> None:
    """Sizes that agree, before NumPy sees any of them."""
    if type(data) not in (bytes, bytearray) or not isinstance(dtype, _DType) or dtype.real is None:
        raise _Refused("holds an array of objects")
    counts = isinstance(shape, tuple) and len(shape) <= 32 and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    if not counts or math.prod(shape) * dtype.real.itemsize != len(data):
        raise ValueError(f"an array's {len(data)} bytes do not fill its shape")


def _reconstruct(kind: object, shape: object, code: object) -> np.ndarray:
    if kind is not _NDARRAY or shape != (0,):
        raise _Refused("builds an array in a way that numpy does not")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _scalar(dtype: Any, data: Any) -> Any:
    data = data.encode("latin1") if isinstance(data, str) else data
    _check(data, dtype, ())
    return np.frombuffer(data, dtype.real)[0]


def _from_buffer(data: Any, dtype: Any, shape: Any, order: object) -> np.ndarray:
    _check(data, dtype, shape)
    return np.frombuffer(data, dtype.real).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: object, encoding: object) -> bytes:
    """`_codecs.encode`: how the protocols 0 to 2 of Python 3 write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise _Refused(f"calls _codecs.encode for {_said(encoding)}")
    return text.encode("latin1")


def _said(value: object) -> str:
    """A word or a number as it is; of a container the kind, for its members can be each other without end."""
    return repr(value)[:60] if isinstance(value, str | int) else f"a {type(value).__name__}"


class _Allowed:
    """A stand-in on the pickle's stack: it can be called and, having no attributes, not be changed."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]):
        self.call = call


_NDARRAY = object()
_ALLOWED: dict[str, Any] = {"numpy.ndarray": _NDARRAY, "numpy.dtype": _DType, "_codecs.encode": _encode}
_ALLOWED["builtins.bytes"] = lambda: b""  # how those protocols write no bytes at all
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and 2
    _ALLOWED[f"{_core}.multiarray._reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.multiarray.scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric._frombuffer"] = _from_buffer


_PYTHONS: Any = pickle._Unpickler  # the one that is written in Python, which the stubs do not know


class _Unpickler(_PYTHONS):
    """In C it would be faster, but there a memo of 2**32 places is made where a pickle names the last of them."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        code: step for code, step in _PYTHONS.dispatch.items() if bytes([code]) not in _UNUSED
    }

    def load(self) -> Any:
        try:
            return super().load()
        except KeyError as error:
            raise pickle.UnpicklingError(f"the code {error} is none that a data file needs") from error

    def find_class(self, module: str, name: str) -> Any:
        if self.proto < 3:  # where Python 3 writes what Python 2 would read
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        place = f"{module}.{name}"
        if place not in _ALLOWED:
            raise _Refused(f"asks for {place[:80]!r}")
        allowed = _ALLOWED[place]
        return allowed if allowed is _NDARRAY else _Allowed(allowed)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        if not isinstance(self.stack[-1], _Allowed) or not isinstance(arguments, tuple):
            raise _Refused(f"calls a {type(self.stack[-1]).__name__}")
        self.stack[-1] = self.stack[-1].call(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _DType):
            raise _Refused(f"changes the inside of a {type(self.stack[-1]).__name__}")
        self.stack[-1].set_state(state)

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        self._set(self.pop_mark())

    def _set(self, items: list[Any]) -> None:
        """Plain keys only: the hash of tuples within tuples, a million deep, would end the process."""
        if type(self.stack[-1]) is not dict or any(type(key) not in (str, int, bytes) for key in items[::2]):
            raise _Refused("holds a dict whose keys are not text or whole numbers")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.DICT[0]: load_dict,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }
