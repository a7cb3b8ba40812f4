"""The UWA3D reader, and MATLAB v7.3 files: written to the letter of the format, damaged and hostile ones."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import refused_by
from scipy.io import savemat

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, uwa3d
from skelkit.data.importing import read_clips
from skelkit.data.protocols import split
from skelkit.files import SkelkitError

h5py: Any = pytest.importorskip("h5py")

NAME = "a05_s04_e02_v03"


def values(frames: int = 4) -> np.ndarray:
    """(t, 15 joints, 3), millimetres."""
    return np.random.default_rng(0).uniform(-1000, 3000, (frames, 15, 3)).round(3)


def file_of(fill: Callable[[Any], None]) -> bytes:
    """A v7.3 file: 512 bytes that MATLAB begins with, then HDF5."""
    content = BytesIO()
    with h5py.File(content, "w", userblock_size=512) as file:
        fill(file)
    head = b"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Mon Dec 22 21:07:22 2014 HDF5 schema 1.00 ."
    return head.ljust(124) + b"\x00\x02IM" + content.getvalue()[128:]


def matlab(array: np.ndarray, **how: Any) -> bytes:
    """A v7.3 file of one variable, `A`, given with HDF5's order of axes."""

    def fill(file: Any) -> None:
        file.create_dataset("A", data=array, **how).attrs["MATLAB_class"] = np.bytes_("double")

    return file_of(fill)


def put(folder: Path, content: bytes | None = None, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mat"
    path.write_bytes(matlab(values().reshape(-1, 45)) if content is None else content)
    return path


refusal = partial(refused_by, uwa3d.reading)


def version_5(array: np.ndarray, compressed: bool) -> bytes:
    content = BytesIO()
    savemat(content, {"A": array}, do_compression=compressed)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        matlab(values().reshape(-1, 45)),
        matlab(values()),
        matlab(values().reshape(-1, 45), chunks=(2, 45), compression="gzip", shuffle=True, fletcher32=True),
        matlab(values().reshape(-1, 45).astype(">f8")),
        version_5(values().reshape(-1, 45).T, compressed=True),
        version_5(values().T, compressed=False),
    ],
    ids=["t x 45", "t x 15 x 3", "in pieces", "big-endian", "v7: 45 x t", "v5: 3 x 15 x t"],
)
def test_every_layout_of_the_array_becomes_the_same_clip_in_metres(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, content)
    clips = read_clips(uwa3d.reading(tmp_path))
    np.testing.assert_array_equal(clips[0][..., 0], (values() / 1000).transpose(0, 2, 1).astype(np.float32))
    assert clips.units == "metres"


def test_the_fifteen_joints_are_those_of_openni(tmp_path: Path) -> None:
    row = np.arange(45.0).reshape(1, 45) + 1000  # x, y, z of joint j are 1000 + 3 j, 1001 + 3 j, 1002 + 3 j
    put(tmp_path, matlab(row))
    clips = read_clips(uwa3d.reading(tmp_path))
    np.testing.assert_allclose(clips[0][0, :, clips.skeleton.joints.index("head"), 0], [1.000, 1.001, 1.002])
    np.testing.assert_allclose(clips[0][0, :, clips.skeleton.joints.index("right_foot"), 0], [1.042, 1.043, 1.044])
    assert clips.skeleton.parts["left leg"] == (9, 10, 11)


def test_a_clip_in_metres_stays_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, matlab(values() / 1000))
    np.testing.assert_array_equal(
        read_clips(uwa3d.reading(tmp_path)).frames[..., 0], (values() / 1000).transpose(0, 2, 1).astype(np.float32)
    )


def test_the_name_gives_label_subject_view_and_repetition_and_views_share_no_performance(tmp_path: Path) -> None:
    for name in ("a30_s10_e03_v04", "a01_s01_e01_v02", "a01_s01_e01_v01"):
        put(tmp_path, name=name)
    clips = read_clips(uwa3d.reading(tmp_path))
    assert list(clips.table["name"]) == ["a01_s01_e01_v01", "a01_s01_e01_v02", "a30_s10_e03_v04"]
    assert clips.labels.tolist() == [0, 0, 29]
    assert clips.column("subject").tolist() == [1, 1, 10]
    assert clips.column("camera").tolist() == [1, 2, 4]
    assert clips.column("replicate").tolist() == [1, 1, 3]
    assert clips.column("action").tolist() == [-1, -1, -1]
    assert len(uwa3d.CLASSES) == 30


def test_the_twelve_splits_train_on_two_views_and_test_on_another(tmp_path: Path) -> None:
    for view in uwa3d.VIEWS:
        for subject in (1, 2):
            put(tmp_path, name=f"a01_s{subject:02d}_e01_v{view:02d}")
    clips = read_clips(uwa3d.reading(tmp_path))
    seen = set()
    for name in uwa3d.SPLITS:
        parts = split(clips, name)
        train, test = (set(clips.column("camera")[part].tolist()) for part in (parts.train, parts.test))
        assert len(parts.train) == 4
        assert len(parts.test) == 2
        assert name == f"v{min(train)}v{max(train)}-v{min(test)}"
        assert not train & test
        seen.add((*sorted(train), *test))
    assert len(seen) == 12
    assert uwa3d.SPLITS[:3] == ("v1v2-v3", "v1v2-v4", "v1v3-v2")


@pytest.mark.parametrize(
    "name", ["a31_s01_e01_v01", "a01_s11_e01_v01", "a01_s01_e01_v05", "a1_s1_e1_v1", "a01_s01_v01_e01", "x"]
)
def test_a_name_that_lies_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    put(tmp_path, name=name)
    assert f"{tmp_path / name}.mat: is not named aAA_sSS_eEE_vVV.mat" in refusal(tmp_path)


def test_a_folder_without_clips_or_with_clips_below_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"._{NAME}.mat").write_bytes(b"\x00")
    assert "holds no aAA_sSS_eEE_vVV.mat file" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    path = put(tmp_path / "ActionsSkeleton")
    assert f"{path}: lies below {tmp_path}" in refusal(tmp_path)


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4, 45), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "A", (4, 45), "f8")
    file.create_virtual_dataset("A", layout)


def bomb(file: Any) -> None:
    found = file.create_dataset("A", (4, 45), "f8", chunks=(4, 45), compression="gzip")
    found.id.write_direct_chunk((0, 0), zlib.compress(bytes(100_000_000), 9))


def set_to(value: Any) -> Callable[[Any], None]:
    def fill(file: Any) -> None:
        file["A"] = value

    return fill


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (
            lambda file: file.create_dataset("A", (10**9, 45), "f8", chunks=(1, 45)),
            "claims 45 x 1000000000 numbers, more",
        ),
        (
            lambda file: file.create_dataset("A", (2, 45), "f8", maxshape=(None, 45), chunks=(10**5, 45)),
            "stored in pieces",
        ),
        (lambda file: file.create_dataset("A", (4, 45), "f8", external="/dev/zero"), "points to another file"),
        (virtual, "points to another file"),
        (bomb, "takes more bytes than its numbers need"),
        (set_to(h5py.ExternalLink("other.h5", "A")), "holds no variable A"),
        (set_to(h5py.SoftLink("/B")), "holds no variable A"),
        (lambda file: file.create_group("A"), "A is no array"),
        (lambda file: file.create_dataset("A", (4, 45), dtype=h5py.ref_dtype), "A is no array of numbers"),
        (lambda file: file.create_dataset("A", (4, 45), dtype=h5py.string_dtype()), "A is no array of numbers"),
        (set_to(h5py.Empty("f8")), "A is no array"),
        (set_to(values(45).reshape(45, 45)[:, :44]), "A is 44 x 45, not 45 x frames"),
        (set_to(values().reshape(-1, 45).T), "A is 4 x 45, not 45 x frames"),
        (set_to(values().transpose(0, 2, 1)), "A is 15 x 3 x 4, not"),
        (set_to(np.zeros((0, 45))), "A is 45 x 0, not"),
        (set_to(7.0), "A is one number, not"),
        (set_to(np.zeros((4, 45))), "holds nothing but zeros"),
        (set_to(np.full((4, 45), np.nan)), "frame 1 of 4: holds no x, y, z in metres"),
        (set_to(values() * 1000), "frame 1 of 4: holds no x, y, z in metres"),
        (lambda file: file.create_dataset("B", data=values()), "holds no variable A"),
    ],
)
def test_what_is_no_skeleton_is_refused(tmp_path: Path, fill: Callable[[Any], None], said: str) -> None:
    path = put(tmp_path, file_of(fill))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["A"] = values().reshape(-1, 45)
    message = refusal(tmp_path)
    assert message.startswith(str(path))
    assert said in message


def test_without_h5py_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert f"{path}: is MATLAB v7.3, which takes h5py to read; pip install 'skelkit[data]'" in refusal(tmp_path)


FILES = (matlab(values()), matlab(values(), chunks=(2, 15, 3), compression="gzip"))


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True), whole=st.sampled_from(FILES))
def test_a_file_cut_anywhere_is_refused_or_whole(
    tmp_path_factory: pytest.TempPathFactory, part: float, whole: bytes
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    path = put(folder, whole[: int(part * len(whole))])
    assert refusal(folder).startswith(str(path))


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), whole=st.sampled_from(FILES))
def test_a_changed_byte_leaves_a_clip_of_people_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, part: float, byte: int, whole: bytes
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    at = int(part * len(whole))
    path = put(folder, whole[:at] + bytes([byte]) + whole[at + 1 :])
    try:
        clip = read_clips(uwa3d.reading(folder))[0]
    except SkelkitError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert clip.shape[1:] == (3, 15, 1)
        assert np.abs(clip).max() <= 10


def test_import_raw_saves_a_folder_that_opens_and_verifies(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    put(tmp_path / "raw", matlab(np.zeros((4, 45))), "a06_s04_e02_v03")
    found = import_raw("uwa3d", tmp_path / "raw", tmp_path / "data", skip_bad=True)
    found.clips.verify()
    assert len(found.left_out) == 1
    assert list(Clips.open(tmp_path / "data/uwa3d").table["name"]) == [NAME]
