"""Pickles of strangers: arrays and plain containers come through, everything else is refused by name."""

from __future__ import annotations

import builtins
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skelkit.data.formats.unpickle import load
from skelkit.files import SkelkitError

ROOT = Path(__file__).parents[1]
PLAIN = {
    "split": {"train": ["a", "b"], "val": []},
    "annotations": [
        {"frame_dir": "a", "label": 3, "keypoint": np.arange(12, dtype=np.float16).reshape(1, 2, 2, 3)},
        {"frame_dir": "bü", "label": np.int64(-1), "keypoint": np.asfortranarray(np.ones((2, 3)))},
    ],
    "rest": (None, True, 1.5, b"\xff\x00", 2**70, np.array(["x", "yz"]), np.arange(3, dtype=">i4"), np.zeros((0, 4))),
}


def put(folder: Path, content: bytes) -> Path:
    path = folder / "x.pkl"
    path.write_bytes(content)
    return path


def refusal(folder: Path, content: bytes) -> str:
    """What is said against the pickle, on one line, in little memory."""
    path = put(folder, content)
    tracemalloc.start()
    with pytest.raises(SkelkitError) as caught:
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert ";" in message, "a mend follows the fault"
    assert peak < 2_000_000 + 60 * len(content)
    return message


def same(one: Any, other: Any) -> bool:
    if isinstance(other, np.ndarray):
        return (
            one.dtype.newbyteorder("=") == other.dtype.newbyteorder("=")
            and one.shape == other.shape
            and bool((one == other).all())
        )
    if isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in other)
    if isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_come_through_at_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = put(tmp_path, pickle.dumps(PLAIN, protocol))
    assert same(load(path), PLAIN)


def test_pickles_of_numpy_1_and_numpy_2_are_both_read(tmp_path: Path) -> None:
    content = pickle.dumps(np.arange(4.0), 2)
    assert b"numpy._core.multiarray" in content or b"numpy.core.multiarray" in content
    for there in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        names = content.replace(b"numpy._core.multiarray", there).replace(b"numpy.core.multiarray", there)
        np.testing.assert_array_equal(load(put(tmp_path, names)), np.arange(4.0))


def test_a_python_2_pickle_of_an_array_is_read(tmp_path: Path) -> None:
    """Text and an array's bytes are SHORT_BINSTRING there, and the module is __builtin__'s time."""
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08" + np.float32([1.5, -2]).tobytes() + b"tb."
    )
    np.testing.assert_array_equal(load(put(tmp_path, content)), np.float32([1.5, -2]))


class Calling:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.reduced


def hidden(call: Calling) -> list[Any]:
    """The call, and places to hide it."""
    objects = np.empty(2, object)
    objects[:] = [1, call]
    return [call, [[(call,)]], {"a": {"b": [1, call]}}, objects, {"annotations": [{"keypoint": objects}]}]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {mark}",), f"{os.name}.system"),
        (builtins.eval, ("open({mark!r}, 'w')",), "builtins.eval"),
        (builtins.exec, ("open({mark!r}, 'w')",), "builtins.exec"),
        (builtins.getattr, ("", "join"), "builtins.getattr"),
        (builtins.bytearray, (10**12,), "builtins.bytearray"),
        (subprocess.run, (["touch", "{mark}"],), "subprocess.run"),
        (partial, (print,), "functools.partial"),
        (np.load, ("{mark}",), "numpy.load"),
        (np.ones, (10**12,), "ones"),
        (OrderedDict, (), "collections.OrderedDict"),
    ],
)
def test_a_pickle_that_calls_anything_else_is_refused_by_name(
    tmp_path: Path, function: Any, arguments: tuple[Any, ...], name: str, protocol: int
) -> None:
    mark = tmp_path / "mark"
    given = [a.format(mark=str(mark)) if isinstance(a, str) else a for a in arguments]
    for content in hidden(Calling(function, *given)):
        message = refusal(tmp_path, pickle.dumps(content, protocol))
        assert "asks for" in message
        assert name in message
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x02cos\nsystem\n)\x81.",
    ],
)
def test_every_way_to_name_a_function_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "asks for 'os.system'" in refusal(tmp_path, content)


RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n"
ARRAY = RECONSTRUCT + b"(cnumpy\nndarray\n(I0\ntS'b'\ntR"
DTYPE = b"cnumpy\ndtype\n(S'%s'\nI0\nI1\ntR"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (RECONSTRUCT + b"(cnumpy\nndarray\n(I1000000000000\ntS'f8'\ntR.", "in a way that numpy does not"),
        (ARRAY + b"(I1\n(I9\ntNI00\n(ltb.", "array of objects"),
        (ARRAY + b"(I1\n(I1000000000000\nt" + DTYPE % b"O8" + b"I00\n(ltb.", "array of objects"),
        (ARRAY + b"(I1\n(I1\nt" + DTYPE % b"O8" + b"I00\nS'12345678'\ntb.", "array of objects"),
        (DTYPE % b"M8[ns]" + b".", "holds an array of 'M8[ns]'"),
        (DTYPE % b"f8,O" + b".", "holds an array of 'f8,O'"),
        (DTYPE % b"V1000000000000" + b".", "holds an array of 'V1000000000000'"),
        (DTYPE % b"U99999999999999999999" + b".", "holds an array of 'U9999"),
        (DTYPE % b"(100000,100000)f8" + b".", "holds an array of '(100000"),
        (DTYPE % b"f8" + b"(I3\nS'<'\nNS'x'\nNI-1\nI-1\nI0\ntb.", "dtype with fields"),
        (ARRAY + b"(I1\n(I1000000000000\nt" + DTYPE % b"f8" + b"I00\nS''\ntb.", "do not fill its shape"),
        (ARRAY + b"(I1\n(I-1\nt" + DTYPE % b"f8" + b"I00\nS'12345678'\ntb.", "do not fill its shape"),
        (ARRAY + b"(I1\n(I4294967296\nI4294967296\nt" + DTYPE % b"f8" + b"I00\nS''\ntb.", "do not fill its shape"),
        (ARRAY + b"(dS'__class__'\nI1\nstb.", "is no whole pickle"),
        (ARRAY + b"S'shape'\nI1\ns.", "whose keys are not text"),
        (RECONSTRUCT + b"}S'call'\nI1\nsb.", "changes the inside of a _Allowed"),
        (b"cnumpy\ndtype\n(NN}S'__init__'\nI1\nstb.", "changes the inside of a _Allowed"),
        (b"cnumpy\nndarray\n(I1000000000000\ntR.", "calls a object"),
        (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", "calls _codecs.encode for 'rot13'"),
        (b"S'abc'\n(tR.", "calls a str"),
        (b"cnumpy._core.multiarray\nscalar\n(S'f8'\nS'12345678'\ntR.", "array of objects"),
        (b"cnumpy._core.multiarray\nscalar\n(" + DTYPE % b"f8" + b"S'1'\ntR.", "do not fill its shape"),
        (b"cnumpy\nobject_\n.", "asks for 'numpy.object_'"),
        (b"\x8f(K\x01\x90.", "is none that a data file needs"),
        (b"Pname\n.", "is none that a data file needs"),
        (b"\x82\x01.", "is none that a data file needs"),
    ],
)
def test_odd_arguments_to_what_is_allowed_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refusal(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        b"B\xff\xff\xff\x7f12",  # BINBYTES of 2 GB
        b"\x8e" + struct.pack("<Q", 10**12) + b"12",  # BINBYTES8
        b"\x96" + struct.pack("<Q", 10**12) + b"12",  # BYTEARRAY8
        b"\x8d" + struct.pack("<Q", 10**12) + b"12",  # BINUNICODE8
        b"X\xff\xff\xff\xff12",
        b"\x8b\xff\xff\xff\x7f12",  # LONG4
        b"\x8b\xff\xff\xff\xff12",  # of a negative length
        b"\x80\x04\x95" + struct.pack("<Q", 10**12) + b"N.",  # FRAME
        b"\x80\x04\x95" + struct.pack("<Q", 2**64 - 1) + b"N.",
        b"I" + b"9" * 5000 + b"\n.",
        b"\x80\xff.",
        b"",
        b".",
        b"0",
        b"N",
        b"N.N.",
        b"\xff" * 100,
        b"j\xff\xff\xff\xff.",
    ],
)
def test_a_length_that_the_file_does_not_hold_becomes_no_memory(tmp_path: Path, content: bytes) -> None:
    assert "is no whole pickle" in refusal(tmp_path, content)


def test_a_memo_with_a_far_place_takes_no_memory(tmp_path: Path) -> None:
    path = put(tmp_path, b"K\x07r\xff\xff\xff\xff0p99999999999999\nj\xff\xff\xff\xff."[:9] + b".")
    tracemalloc.start()
    with pytest.raises(SkelkitError):
        load(path)
    path = put(tmp_path, b"K\x07r\xff\xff\xff\xff.")
    assert load(path) == 7
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


DEEP = """
import sys
from pathlib import Path
from skelkit.data.formats.unpickle import load
from skelkit.files import SkelkitError
for path in sys.argv[1:]:
    try:
        load(Path(path))
    except SkelkitError as error:
        print(error)
"""


def test_members_within_each_other_do_not_hang_or_end_the_process(tmp_path: Path) -> None:
    doubling = b"]q\x000" + b"".join(b"(h%ch%clq%c0" % (i, i, i + 1) for i in range(60)) + b"h%c" % 60
    assert "holds an array of a list" in refusal(tmp_path, b"cnumpy\ndtype\n(" + doubling + b"tR.")
    deep = b")" + b"\x85" * 200_000
    (tmp_path / "key.pkl").write_bytes(b"}" + deep + b"K\x01s.")
    (tmp_path / "word.pkl").write_bytes(b"c_codecs\nencode\n(S'x'\n" + deep + b"tR.")
    words = [sys.executable, "-c", DEEP, str(tmp_path / "key.pkl"), str(tmp_path / "word.pkl")]
    found = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert re.findall("whose keys are not text|calls _codecs.encode for a tuple", found.stdout) == [
        "whose keys are not text",
        "calls _codecs.encode for a tuple",
    ]


WHOLE = pickle.dumps(PLAIN, 4)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_a_pickle_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    assert "is no whole pickle" in refusal(tmp_path_factory.mktemp("cut"), WHOLE[:end])


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), protocol=st.integers(0, 5))
def test_a_changed_byte_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, protocol: int
) -> None:
    content = pickle.dumps(PLAIN, protocol)
    at %= len(content)
    path = put(tmp_path_factory.mktemp("changed"), content[:at] + bytes([byte]) + content[at + 1 :])
    try:
        load(path)
    except SkelkitError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SkelkitError, match=r"none\.pkl: cannot be read"):
        load(tmp_path / "none.pkl")
