"""The MSR-Action3D reader, and tables as text: files to the letter of the format, damaged ones, the real samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import assert_clips_are_in, raw_folder, refused_by

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, msr_action3d, reading
from skelkit.data.formats import tables
from skelkit.data.importing import read_clips
from skelkit.files import SkelkitError

NAME = "a05_s04_e02"


def values(frames: int = 3) -> np.ndarray:
    """(t, 20 joints, 3), metres, with the six decimals of the files."""
    return np.random.default_rng(0).uniform(-1.0, 3.0, (frames, 20, 3)).round(6)


def text(joints: np.ndarray) -> str:
    """What the official files hold: a line a joint, with the confidence at its end."""
    return "".join(f"{x:f} {y:f} {z:f} {1:f}\n" for x, y, z in joints.reshape(-1, 3))


def put(folder: Path, content: str | bytes | None = None, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_skeleton3D.txt"
    content = text(values()) if content is None else content
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


refusal = partial(refused_by, msr_action3d.reading)


def test_twenty_lines_become_a_frame(tmp_path: Path) -> None:
    joints = values()
    joints[1, 19] = [0.1, 1, -2.5]
    put(tmp_path, text(joints))
    clip = read_clips(msr_action3d.reading(tmp_path))[0]
    assert clip.shape == (3, 3, 20, 1)
    np.testing.assert_array_equal(clip[1, :, msr_action3d.SKELETON.joints.index("head"), 0], np.float32([0.1, 1, -2.5]))
    np.testing.assert_array_equal(clip[..., 0], joints.transpose(0, 2, 1).astype(np.float32))


def test_other_line_ends_and_spaces_change_nothing(tmp_path: Path) -> None:
    plain = text(values())
    put(tmp_path / "a", plain)
    for folder, other in (("b", plain.replace("\n", "\r\n")), ("c", plain.replace(" ", " \t "))):
        put(tmp_path / folder, other)
        np.testing.assert_array_equal(
            read_clips(msr_action3d.reading(tmp_path / folder)).frames,
            read_clips(msr_action3d.reading(tmp_path / "a")).frames,
        )


def test_the_name_gives_label_subject_and_repetition(tmp_path: Path) -> None:
    for name in ("a20_s10_e03", "a01_s01_e01", "a08_s02_e02"):
        put(tmp_path, name=name)
    clips = read_clips(msr_action3d.reading(tmp_path))
    assert list(clips.table["name"]) == ["a01_s01_e01", "a08_s02_e02", "a20_s10_e03"]
    assert clips.labels.tolist() == [0, 7, 19]
    assert clips.column("subject").tolist() == [1, 2, 10]
    assert clips.column("replicate").tolist() == [1, 2, 3]
    for column in ("camera", "setup", "action", "fold"):
        assert set(clips.column(column)) == {-1}


def test_frames_of_zeros_stay_and_a_clip_of_nothing_else_is_refused(tmp_path: Path) -> None:
    joints = values()
    joints[1] = 0
    put(tmp_path, text(joints))
    assert [bool(frame.any()) for frame in read_clips(msr_action3d.reading(tmp_path))[0]] == [True, False, True]
    path = put(tmp_path, text(np.zeros((3, 20, 3))))
    assert f"{path}: holds nothing but zeros" in refusal(tmp_path)


def test_the_list_of_557_leaves_out_ten_clips(tmp_path: Path) -> None:
    assert len(set(msr_action3d.LEFT_OUT)) == msr_action3d.CLIPS["567"] - msr_action3d.CLIPS["557"]
    for name in (NAME, *msr_action3d.LEFT_OUT):
        put(tmp_path, name=name)
    assert len(read_clips(msr_action3d.reading(tmp_path))) == 11
    assert list(read_clips(reading("msr_action3d", tmp_path, clips="557")).table["name"]) == [NAME]
    assert "clips is '500'; give 567 or 557" in refusal(tmp_path, clips="500")


@pytest.mark.parametrize(
    "name", ["a21_s01_e01_skeleton3D", "a01_s11_e01_skeleton3D", "a01_s01_e04_skeleton3D", "a1_s1_e1_skeleton3D"]
)
def test_a_name_that_lies_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    (tmp_path / f"{name}.txt").write_text(text(values()))
    assert f"{tmp_path / name}.txt: is not named aAA_sSS_eEE_skeleton3D.txt" in refusal(tmp_path)


def test_other_official_files_are_no_clips(tmp_path: Path) -> None:
    put(tmp_path)
    for other in ("a01_s01_e01_skeleton.txt", "a01_s01_e01_sdepth.bin", f"._{NAME}_skeleton3D.txt", "README.txt"):
        (tmp_path / other).write_bytes(b"\x00")
    assert len(read_clips(msr_action3d.reading(tmp_path))) == 1


def test_a_folder_without_clips_or_with_clips_below_is_refused(tmp_path: Path) -> None:
    assert "holds no aAA_sSS_eEE_skeleton3D.txt file" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    path = put(tmp_path / "below")
    assert f"{path}: lies below {tmp_path}" in refusal(tmp_path)


LINES = text(values()).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("line", "content", "said"),
    [
        (1, "0.1 0.2 0.3\n", "line 1: has 3 columns, not 4"),
        (60, "0.1 0.2 0.3 1 1\n", "line 60: has 5 columns, not 4"),
        (7, "\n", "line 7: has 1 columns, not 4"),
        (7, "", "line 60: the last frame has 19 joints, not 20"),
        (2, "0.1 nan 0.3 1\n", "line 2: 'nan' is no number"),
        (2, "0.1 inf 0.3 1\n", "line 2: 'inf' is no number"),
        (2, "0.1 1_0 0.3 1\n", "line 2: '1_0' is no number"),
        (2, "0.1 1.2.3 0.3 1\n", "line 2: '1.2.3' is no number"),
        (2, "0.1 0.2 - 1\n", "line 2: '-' is no number"),
        (2, "0,1 0.2 0.3 1\n", "line 2: '0,1' is no number"),
        (2, "0.1 0.2 0.3 0x1\n", "line 2: '0x1' is no number"),
        (2, "0.1 0.2 0.3 \x00\n", "line 2: holds a byte that is no text"),
        (3, "0.1 1e999 0.3 1\n", "line 3: '1e999' is no number"),
        (9, "231 110 895 1\n", "line 9: reaches beyond 10 metres; give the real-world skeletons"),
        (60, "0.1 0.2 0.3 1", "line 60: does not end, so the file is cut short"),
        (4, "0.1 0.2 0.3 \u0661\n", "line 4: holds a byte that is no text"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: int, content: str, said: str) -> None:
    path = put(tmp_path, "".join([*LINES[: line - 1], content, *LINES[line:]]))
    assert f"{path}, {said}" in refusal(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path, text(values()).encode(encoding))
    assert f"{path}, line 1: holds a byte that is no text" in refusal(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, b"")
    assert f"{path}, line 1: is missing: the file is empty" in refusal(tmp_path)


WHOLE = text(values(2)).encode()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused_or_has_fewer_frames(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    folder = tmp_path_factory.mktemp("raw")
    path = put(folder, WHOLE[:end])
    lines = WHOLE[:end].count(b"\n")
    if lines == 20 and WHOLE[:end].endswith(b"\n"):
        assert len(read_clips(msr_action3d.reading(folder))[0]) == 1
    else:
        assert f"{path}, line {lines + 1}: " in refusal(folder)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255) | st.sampled_from(b" \n\r-+.e0123456789"))
def test_a_changed_byte_is_refused_by_line_or_changes_one_number(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    path = put(folder, WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    try:
        clip = read_clips(msr_action3d.reading(folder))[0]
    except SkelkitError as error:
        assert f"{path}, line " in str(error)  # noqa: PT017
    else:
        original = values(2).transpose(0, 2, 1).astype(np.float32)
        assert clip.shape == (2, 3, 20, 1)
        assert (clip[..., 0] != original).sum() <= 1


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(order=st.permutations(range(20)))
def test_lines_are_joints_in_the_order_of_the_text(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    folder = tmp_path_factory.mktemp("raw")
    put(folder, text(values(1)[:, order]))
    clip = read_clips(msr_action3d.reading(folder))[0]
    np.testing.assert_array_equal(clip[0, :, :, 0], values(1)[0, order].T.astype(np.float32))


def test_a_file_of_many_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with open(path, "wb") as file:
        file.truncate(1 << 40)  # holes take no room on the disk
    with pytest.raises(SkelkitError, match="takes 1,099,511,627,776 bytes, too many"):
        tables.numbers(path, 4)


def test_import_raw_leaves_a_bad_file_out_and_says_so(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    bad = put(tmp_path / "raw", text(np.zeros((2, 20, 3))), "a13_s09_e03")
    found = import_raw("msr_action3d", tmp_path / "raw", tmp_path / "data", skip_bad=True)
    found.clips.verify()
    assert list(Clips.open(tmp_path / "data/msr_action3d").table["name"]) == [NAME]
    assert len(found.left_out) == 1
    assert str(bad) in found.left_out[0]


def test_the_clip_that_is_empty_as_distributed_is_left_out_and_named(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    empty = put(tmp_path / "raw", text(np.zeros((2, 20, 3))), "a13_s09_e02")
    found = import_raw("msr_action3d", tmp_path / "raw", tmp_path / "data")
    assert found.flaws == (f"{empty}: holds nothing but zeros, as distributed; left out",)
    assert (found.left_out, list(found.clips.table["name"])) == ((), [NAME])


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    reading = msr_action3d.reading(raw_folder("msr_action3d"))
    clips = read_clips(reading)
    assert len(clips) == len(reading.sources) - sum("a13_s09_e02" in str(s) for s in reading.sources)
    assert_clips_are_in(clips, real_data("msr_action3d"))


def test_the_published_arrays_are_the_whole_data_set_in_the_readers_order(
    tmp_path: Path, real_data: Callable[[str], Clips]
) -> None:
    whole = real_data("msr_action3d")
    for name in whole.table["name"]:
        put(tmp_path, text(values(1)), name)
    clips = read_clips(msr_action3d.reading(tmp_path))
    assert len(clips) == msr_action3d.CLIPS["567"]
    assert len(read_clips(msr_action3d.reading(tmp_path, clips="557"))) == msr_action3d.CLIPS["557"]
    assert list(clips.table["name"]) == list(whole.table["name"])
    np.testing.assert_array_equal(clips.labels, whole.labels)
    np.testing.assert_array_equal(clips.column("subject"), whole.column("subject"))
