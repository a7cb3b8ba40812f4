"""The SBU reader: files written to the letter of the format, damaged files, and the real samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import assert_clips_are_in, raw_folder, refused_by

from skelkit.data.clips import Clips
from skelkit.data.datasets import READERS, import_raw, sbu
from skelkit.data.importing import read_clips
from skelkit.data.skeleton import SBU
from skelkit.files import SkelkitError


def values(frames: int, seed: int = 0) -> np.ndarray:
    """(t, 2 persons, 15 joints, 3), as normalised values with the files' five decimals."""
    return np.random.default_rng(seed).uniform(0.1, 1.0, (frames, 2, 15, 3)).round(5)


def text_of(persons: np.ndarray, first: int = 55) -> str:
    """The content of a skeleton_pos.txt, as the official files have it: commas, and \\r\\n after every line."""
    lines = [",".join([str(first + i), *map(str, frame.ravel())]) for i, frame in enumerate(persons)]
    return "".join(line + "\r\n" for line in lines)


def put(folder: Path, place: str = "s01s02/01/001", content: str | bytes | None = None) -> Path:
    """Write one sequence into a raw folder."""
    path = folder / place / "skeleton_pos.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text_of(values(4)) if content is None else content
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


refusal = partial(refused_by, sbu.reading)


def test_a_line_becomes_two_persons_of_fifteen_joints(tmp_path: Path) -> None:
    # The numbers of the second line count up: person 2's third joint (torso) is 1000 + 45 + 6, 7, 8, over 1000.
    counted = (np.arange(2 * 15 * 3).reshape(2, 15, 3) + 1) / 1000
    put(tmp_path, content=text_of(np.stack([values(1)[0], counted])))
    clip = read_clips(sbu.reading(tmp_path))[0]
    assert clip.shape == (2, 3, 15, 2)
    np.testing.assert_array_equal(clip[1, :, SBU.joints.index("torso"), 1], np.float32([0.052, 0.053, 0.054]))


def test_the_folders_names_give_label_persons_fold_and_order(tmp_path: Path) -> None:
    for place in ("s06s03/08/002", "s02s07/05/001", "s01s02/01/003"):
        put(tmp_path, place)
    clips = read_clips(sbu.reading(tmp_path))
    assert list(clips.table["name"]) == ["s01s02_01_003", "s02s07_05_001", "s06s03_08_002"]
    assert clips.labels.tolist() == [0, 4, 7]
    assert clips.column("subject").tolist() == [1, 2, 6]
    assert clips.column("fold").tolist() == [0, 1, 4]
    assert clips.column("replicate").tolist() == [3, 1, 2]
    assert clips.column("camera").tolist() == [-1, -1, -1]
    assert clips.units == "normalised"
    assert "3 of 282 clips" in clips.source


def test_reading_is_quiet_where_nobody_watches(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(tmp_path)
    read_clips(sbu.reading(tmp_path))
    assert capfd.readouterr() == ("", "")


def test_the_folds_share_no_set_and_hold_all_twenty_one() -> None:
    sets = [name for fold in sbu.FOLDS for name in fold]
    assert len(sets) == len(set(sets)) == 21


def test_other_files_of_a_recording_are_no_clips(tmp_path: Path) -> None:
    path = put(tmp_path)
    for other in ("rgb_000055.png", "depth_000055.png", "._skeleton_pos.txt"):
        (path.parent / other).write_bytes(b"\x00")
    (tmp_path / "README.txt").write_text("SBU Kinect Interaction")
    assert len(read_clips(sbu.reading(tmp_path))) == 1


def test_unix_line_ends_and_exponents_are_read_as_well(tmp_path: Path) -> None:
    persons = values(2)
    put(tmp_path, content=text_of(persons).replace("\r\n", "\n"))
    np.testing.assert_array_equal(
        read_clips(sbu.reading(tmp_path))[0], persons.transpose(0, 3, 2, 1).astype(np.float32)
    )
    persons[0, 0, 0] = 1e-5, 0.5, 1.0
    put(tmp_path, content=text_of(persons))
    assert read_clips(sbu.reading(tmp_path))[0][0, 0, 0, 0] == np.float32(1e-5)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: "", "line 1: is missing: the file is empty"),
        (lambda text: text[:-2], "line 4: does not end, so the file is cut short"),
        (lambda text: text[: len(text) * 5 // 8], "line 3: does not end, so the file is cut short"),
        (lambda text: text.replace("\n57,", "\n57,0.5,", 1), "line 3: has 92 columns, not 91"),
        (lambda text: text.replace("\r\n56,", ",", 1), "line 1: has 181 columns, not 91"),
        (lambda text: text + "\r\n", "line 5: has 1 columns, not 91"),
        (lambda text: text.replace("\n57,", "\n58,", 1), "line 3: frame number 58 after 56 is out of sequence"),
        (lambda text: "55.5" + text[2:], "line 1: frame number 55.5 is out of sequence"),
        (lambda text: text.replace("\n58,0", "\n58,nan #", 1), "line 4: 'nan #"),
        (lambda text: text.replace("\n58,0", "\n58,1_0", 1), "line 4: '1_0"),
        (lambda text: text.replace("\n58,0", "\n58,1e9990", 1), "line 4: '1e9990"),
        (lambda text: text.replace("\n58,0.", "\n58,250.", 1), "line 4: person 1 has head x = 250"),
        (lambda text: text.replace("\n58,0.", "\n58,é.", 1), "line 4: holds a byte that is no text"),
    ],
)
def test_a_damaged_file_is_refused_with_file_line_and_mend(
    tmp_path: Path, damage: Callable[[str], str], said: str
) -> None:
    path = put(tmp_path, content=damage(text_of(values(4))))
    assert f"{path}, {said}" in refusal(tmp_path)


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-Infinity", "", "1e999"])
def test_what_is_no_finite_number_is_refused(tmp_path: Path, word: str) -> None:
    lines = text_of(values(3)).split("\r\n")
    fields = lines[1].split(",")
    fields[90] = word
    lines[1] = ",".join(fields)
    path = put(tmp_path, content="\r\n".join(lines))
    assert f"{path}, line 2: " in refusal(tmp_path)


def test_an_absent_person_is_refused_for_the_clean_set_has_none(tmp_path: Path) -> None:
    persons = values(3)
    persons[2, 1] = 0
    path = put(tmp_path, content=text_of(persons))
    assert f"{path}, line 3: person 2 is absent (all zeros)" in refusal(tmp_path)


def test_a_file_in_millimetres_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, content=text_of(values(2) * 1000))
    assert f"{path}, line 1: person 1 has head" in refusal(tmp_path)


@pytest.mark.parametrize(
    "place",
    ["s01s02/09/001", "s01s02/1/001", "s01s02/01/1", "s08s09/01/001", "s01s02/01", "raw/s01s02/01/001"],
)
def test_a_misnamed_folder_is_refused_and_not_passed_over(tmp_path: Path, place: str) -> None:
    put(tmp_path)
    assert str(put(tmp_path, place)) in refusal(tmp_path)


@pytest.mark.parametrize("name", ["skeleton.txt", "skeleton_pos.txt.part", "Skeleton_pos.TXT", "pos.txt"])
def test_a_misnamed_file_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    path = put(tmp_path, "s01s02/01/002")
    path.rename(path.with_name(name))
    assert str(path.parent) in refusal(tmp_path)


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    assert "holds no SET/CLASS/SEQUENCE/skeleton_pos.txt" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "s01s02/01/001").mkdir(parents=True)
    assert f"{tmp_path / 's01s02/01/001'}: holds no skeleton_pos.txt" in refusal(tmp_path)


def test_a_set_folder_that_is_a_link_is_read(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere")
    (tmp_path / "raw").mkdir()
    try:
        (tmp_path / "raw/s01s02").symlink_to(tmp_path / "elsewhere/s01s02", target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    assert len(read_clips(sbu.reading(tmp_path / "raw"))) == 1


WHOLE = text_of(values(3)).encode()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_within_a_line_is_refused(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    folder = tmp_path_factory.mktemp("raw")
    path = put(folder, content=WHOLE[:end])
    if end and WHOLE[end - 1 : end] == b"\n":
        assert len(read_clips(sbu.reading(folder))[0]) == WHOLE[:end].count(b"\n")
    else:
        assert str(path) in refusal(folder)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_one_number(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    path = put(folder, content=WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    try:
        clip = read_clips(sbu.reading(folder))[0]
    except SkelkitError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        original = values(3).transpose(0, 3, 2, 1).astype(np.float32)
        assert clip.shape == original.shape
        assert (clip != original).sum() <= 1


def test_to_metres_follows_the_readme_by_hand() -> None:
    # x = 0.25: 1280 - 640 = 640 mm; y = 0.5: 960 - 960 = 0 mm; z = 1.5625: 15625 / 7.8125 = 2000 mm.
    frames = np.zeros((1, 3, 15, 2), np.float32)
    frames[:] = np.float32([0.25, 0.5, 1.5625])[None, :, None, None]
    metres = sbu.to_metres(frames)
    assert metres.dtype == np.float32
    assert metres.shape == frames.shape
    np.testing.assert_allclose(metres[0, :, 7, 1], [0.64, 0.0, 2.0], atol=1e-7)


def test_to_metres_takes_depth_from_z_alone_and_leaves_its_input() -> None:
    frames = values(2).transpose(0, 3, 2, 1).astype(np.float32)
    before = frames.copy()
    moved = frames.copy()
    moved[:, 1] += 0.25  # a quarter of y is 480 mm
    step = sbu.to_metres(moved) - sbu.to_metres(frames)
    np.testing.assert_allclose(step, np.broadcast_to(np.reshape([0, -0.48, 0], (3, 1, 1)), step.shape), atol=1e-6)
    np.testing.assert_array_equal(frames, before)


def test_official_units_keep_the_released_codes_slip_by_hand() -> None:
    # Depth from y = 0.5: 5000 / 7.8125 = 640 mm, whatever z is.
    frames = np.zeros((1, 3, 15, 2), np.float32)
    frames[:] = np.float32([0.25, 0.5, 1.5625])[None, :, None, None]
    np.testing.assert_allclose(sbu.official_units(frames)[0, :, 0, 0], [640.0, 0.0, 640.0])


def test_official_units_are_to_metres_but_for_depth_and_the_thousand() -> None:
    frames = values(2).transpose(0, 3, 2, 1).astype(np.float32)
    official, metres = sbu.official_units(frames), sbu.to_metres(frames)
    np.testing.assert_allclose(official[:, :2], metres[:, :2] * 1000, rtol=1e-5, atol=1e-3)
    assert not np.allclose(official[:, 2], metres[:, 2] * 1000)


def test_import_raw_saves_a_folder_that_opens_and_verifies(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    clips = import_raw("sbu", tmp_path / "raw", tmp_path / "data").clips
    clips.verify()
    assert clips.folder == tmp_path / "data" / "sbu"
    np.testing.assert_array_equal(
        Clips.open(tmp_path / "data/sbu").frames, read_clips(sbu.reading(tmp_path / "raw")).frames
    )


def test_import_raw_leaves_nothing_behind_where_a_file_is_at_fault(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    put(tmp_path / "raw", "s01s02/01/002", "55,0.1\r\n")
    with pytest.raises(SkelkitError):
        import_raw("sbu", tmp_path / "raw", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_import_raw_does_not_write_over_the_raw_files(tmp_path: Path) -> None:
    path = put(tmp_path / "sbu")
    with pytest.raises(SkelkitError, match="no clips folder"):
        import_raw("sbu", tmp_path / "sbu", tmp_path)
    assert path.exists()


def test_import_raw_of_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SkelkitError, match=r"sbuu: no reader .* known are .*sbu") as caught:
        import_raw("sbuu", tmp_path, tmp_path)
    assert all(name in str(caught.value) for name in READERS)


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    assert_clips_are_in(read_clips(sbu.reading(raw_folder("sbu"))), real_data("sbu"))


def test_all_real_clips_written_as_raw_files_are_read_back(tmp_path: Path, sbu_data: Clips) -> None:
    for i, name in enumerate(sbu_data.table["name"]):
        persons = sbu_data[i].transpose(0, 3, 2, 1)  # float32's shortest decimals, as str() writes them, are exact
        put(tmp_path, name.replace("_", "/"), text_of(persons, first=100 + i))
    clips = read_clips(sbu.reading(tmp_path))
    assert (len(clips), len(clips.frames)) == (sbu.CLIPS, sbu.FRAMES)
    assert np.bincount(clips.column("fold")).tolist() == [55, 52, 56, 54, 65]
    assert_clips_are_in(clips, sbu_data)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = put(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert refusal(tmp_path) == f"{path}: is no file; move it away"
