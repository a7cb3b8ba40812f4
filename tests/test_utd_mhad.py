"""The UTD-MHAD reader, and MATLAB v5 files: written by SciPy, damaged, hostile, and the real samples."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import assert_clips_are_in, raw_folder, refused_by
from scipy.io import loadmat, savemat

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, utd_mhad
from skelkit.data.formats import mat
from skelkit.data.importing import read_clips
from skelkit.files import SkelkitError

NAME = "a13_s5_t2"


def values(frames: int = 4) -> np.ndarray:
    """(20 joints, 3, t), metres."""
    return np.random.default_rng(0).uniform(-1.0, 3.0, (20, 3, frames))


def matlab(array: object, name: str = "d_skel", compressed: bool = True) -> bytes:
    """What MATLAB's save writes."""
    file = BytesIO()
    savemat(file, {name: array}, do_compression=compressed)
    return file.getvalue()


def put(folder: Path, content: bytes | None = None, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_skeleton.mat"
    path.write_bytes(matlab(values()) if content is None else content)
    return path


refusal = partial(refused_by, utd_mhad.reading)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_becomes_a_clip_with_the_axes_in_order(tmp_path: Path, compressed: bool) -> None:
    array = values()
    array[0, :, 2] = [0.1, 1, -2.5]  # the head in the third frame
    put(tmp_path, matlab(array, compressed=compressed))
    clip = read_clips(utd_mhad.reading(tmp_path))[0]
    assert clip.shape == (4, 3, 20, 1)
    np.testing.assert_array_equal(clip[2, :, utd_mhad.SKELETON.joints.index("head"), 0], np.float32([0.1, 1, -2.5]))
    np.testing.assert_array_equal(clip[..., 0], array.transpose(2, 1, 0).astype(np.float32))


def test_names_give_the_columns_and_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("a10_s1_t1", "a2_s8_t4", "a27_s3_t1", "a1_s1_t1"):
        put(tmp_path, name=name)
    clips = read_clips(utd_mhad.reading(tmp_path))
    assert list(clips.table["name"]) == ["a1_s1_t1", "a2_s8_t4", "a10_s1_t1", "a27_s3_t1"]
    assert clips.labels.tolist() == [0, 1, 9, 26]
    assert clips.column("subject").tolist() == [1, 8, 1, 3]
    assert clips.column("replicate").tolist() == [1, 4, 1, 1]
    for column in ("camera", "setup", "action", "fold"):
        assert set(clips.column(column)) == {-1}


@pytest.mark.parametrize(
    "name", ["a28_s1_t1_skeleton", "a1_s9_t1_skeleton", "a1_s1_t5_skeleton", "a01_s1_t1_skeleton", "a1_s1_t1", "b"]
)
def test_a_name_that_lies_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    (tmp_path / f"{name}.mat").write_bytes(matlab(values()))
    assert f"{tmp_path / name}.mat: is not named aA_sS_tT_skeleton.mat" in refusal(tmp_path)


def test_other_files_are_no_clips(tmp_path: Path) -> None:
    put(tmp_path)
    for other in ("Skeleton_joint_order.txt", "a1_s1_t1_inertial.mat", "a1_s1_t1_depth.mat", f"._{NAME}_skeleton.mat"):
        (tmp_path / other).write_bytes(b"\x00")
    assert len(read_clips(utd_mhad.reading(tmp_path))) == 1


def test_a_folder_without_clips_or_with_clips_below_is_refused(tmp_path: Path) -> None:
    assert "holds no aA_sS_tT_skeleton.mat file" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    path = put(tmp_path / "Skeleton")
    assert f"{path}: lies below {tmp_path}" in refusal(tmp_path)
    (tmp_path / "Skeleton" / "a1_s1_t1_skeleton.mat").mkdir()
    assert "is no file; move it away" in refusal(tmp_path / "Skeleton")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (matlab(values(), name="d_iner"), "holds 0 variables d_skel"),
        (matlab(values()) + matlab(values())[128:], "holds 2 variables d_skel"),
        (matlab(values().transpose(1, 0, 2)), "d_skel is 3 x 20 x 4, not 20 joints x 3 x frames"),
        (matlab(values()[..., 0]), "d_skel is 20 x 3, not"),
        (matlab(values() + 1j), "holds no real numbers"),
        (matlab("words"), "no array of numbers"),
        (matlab({"a": 1.0}), "no array of numbers"),
        (matlab(np.zeros((20, 3, 3))), "holds nothing but zeros"),
        (matlab(np.where(values() > 2.9, np.nan, values())), "holds no x, y, z in metres"),
        (matlab(np.where(values() > 2.9, np.inf, values())), "holds no x, y, z in metres"),
        (matlab(values() * 1000), "frame 1 of 4: holds no x, y, z in metres"),
        (matlab(np.ones((20, 3, 10_001))), "d_skel claims 20 x 3 x 10001 numbers, more than"),
        (b"", "is empty"),
        (b"PK\x03\x04" + bytes(200), "does not begin as a MATLAB file does"),
    ],
)
def test_what_is_no_skeleton_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = put(tmp_path, content)
    message = refusal(tmp_path)
    assert message.startswith(str(path))
    assert said in message


def test_a_count_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    plain = matlab(values(), compressed=False)
    place = plain.index(struct.pack("<3i", 20, 3, 4))
    for frames, said in ((10**9, "more than the"), (5, "and holds 240"), (-4, "and holds 240"), (0, "and holds 240")):
        put(tmp_path, plain[:place] + struct.pack("<3i", 20, 3, frames) + plain[place + 12 :])
        assert said in refusal(tmp_path)


def test_bytes_that_inflate_without_end_are_refused(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    element = struct.pack("<II", 15, len(bomb)) + bomb
    put(tmp_path, matlab(values())[:128] + element)
    assert "inflates to more bytes than a clip takes" in refusal(tmp_path)


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint8, np.int64, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 2), (3, 4, 5)])
def test_arrays_of_every_kind_and_size_are_those_that_scipy_reads(
    tmp_path: Path, kind: type, shape: tuple[int, ...]
) -> None:
    array = np.random.default_rng(0).uniform(0, 99, shape).astype(kind)
    path = tmp_path / "x.mat"
    for compressed in (False, True):
        savemat(path, {"other": "word", "x": array, "last": {"a": [1, 2]}}, do_compression=compressed)
        np.testing.assert_array_equal(mat.numbers(path, "x", 60), loadmat(path)["x"])


FILES = {compressed: matlab(values(), compressed=compressed) for compressed in (False, True)}


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True), compressed=st.booleans())
def test_a_file_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, part: float, compressed: bool
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    whole = FILES[compressed]
    path = put(folder, whole[: int(part * len(whole))])
    assert refusal(folder).startswith(str(path))


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True), head=st.booleans(), byte=st.integers(0, 255), compressed=st.booleans())
def test_a_changed_byte_is_refused_or_changes_one_number(
    tmp_path_factory: pytest.TempPathFactory, part: float, head: bool, byte: int, compressed: bool
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    whole = FILES[compressed]
    at = 124 + int(part * 80) if head else int(part * len(whole))
    path = put(folder, whole[:at] + bytes([byte]) + whole[at + 1 :])
    try:
        clip = read_clips(utd_mhad.reading(folder))[0]
    except SkelkitError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert clip.shape == (4, 3, 20, 1)
        assert (clip[..., 0] != values().transpose(2, 1, 0).astype(np.float32)).sum() <= 1


def test_import_raw_saves_a_folder_that_opens_and_verifies(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    import_raw("utd_mhad", tmp_path / "raw", tmp_path / "data").clips.verify()
    found = Clips.open(tmp_path / "data/utd_mhad")
    np.testing.assert_array_equal(found.frames, read_clips(utd_mhad.reading(tmp_path / "raw")).frames)
    assert "1 of 861 clips" in found.source


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    assert_clips_are_in(read_clips(utd_mhad.reading(raw_folder("utd_mhad"))), real_data("utd_mhad"))


def test_the_published_arrays_are_the_whole_data_set_in_the_readers_order(
    tmp_path: Path, real_data: Callable[[str], Clips]
) -> None:
    whole = real_data("utd_mhad")
    assert len(whole) == utd_mhad.CLIPS
    content = matlab(values(1)[..., [0, 0]])
    for name in whole.table["name"]:
        put(tmp_path, content, name)
    clips = read_clips(utd_mhad.reading(tmp_path))
    assert list(clips.table["name"]) == list(whole.table["name"])
    np.testing.assert_array_equal(clips.labels, whole.labels)
    np.testing.assert_array_equal(clips.column("subject"), whole.column("subject"))
