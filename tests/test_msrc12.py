"""The MSRC-12 reader: sequences to the letter of the format, the cut about their tags, damage, the real samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import assert_clips_are_in, raw_folder, refused_by

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, msrc12, reading
from skelkit.data.importing import read_clips
from skelkit.data.skeleton import KINECT_V1
from skelkit.files import SkelkitError

NAME = "P2_2_2_p05"
START = 15_797_707_284  # microseconds


def values(frames: int) -> np.ndarray:
    """(t, 20 joints, 3), metres, with the six decimals of the files."""
    return np.random.default_rng(0).uniform(-1.0, 3.0, (frames, 20, 3)).round(6)


def sequence(joints: np.ndarray) -> str:
    """What a csv file holds, at 30 frames a second: a line a frame, `x y z state` a joint, zeros where nobody is."""
    lines = []
    for number, frame in enumerate(joints):
        rest = " ".join(f"{x:f} {y:f} {z:f} {1:f}" if (x, y, z) != (0, 0, 0) else "0 0 0 0" for x, y, z in frame)
        lines.append(f"{START + number * 33_333} {rest}\r\n")
    return "".join(lines)


def tagstream(tags: Sequence[float], gesture: int = 2) -> str:
    """What a tagstream file holds, for action points at these frames."""
    ticks = [round((START + tag * 33_333) * 49_875 / 1000) for tag in tags]
    return "".join(["XQPCTick;Tag\r\n", *(f"{tick};G{gesture}  Duck\r\n" for tick in ticks)])


def put(folder: Path, csv: str | bytes, tags: str | bytes, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in ((".csv", csv), (".tagstream", tags)):
        (folder / f"{name}{suffix}").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / f"{name}.csv"


refusal = partial(refused_by, msrc12.reading)


def frames_of(joints: np.ndarray) -> np.ndarray:
    """(t, 3, 20, 1) float32, as the reader gives them."""
    return joints.transpose(0, 2, 1)[..., None].astype(np.float32)


def test_a_sequence_is_cut_midway_between_its_tags_and_three_seconds_about_them(tmp_path: Path) -> None:
    joints = values(500)
    put(tmp_path, sequence(joints), tagstream([30, 61, 350]))
    clips = read_clips(msrc12.reading(tmp_path))
    cuts = [(0, 45), (45, 61 + 90), (350 - 90, 350 + 90)]  # (30 + 61) // 2 = 45; 205, the next middle, is farther
    for i, (start, end) in enumerate(cuts):
        np.testing.assert_array_equal(clips[i], frames_of(joints[start:end]))
    assert clips.lengths.tolist() == [45, 106, 180]


def test_an_action_point_is_the_nearest_frame(tmp_path: Path) -> None:
    joints = values(100)
    put(tmp_path, sequence(joints), tagstream([20.4, 59.7]))  # frames 20 and 60
    assert read_clips(msrc12.reading(tmp_path)).lengths.tolist() == [40, 60]


def test_frames_before_the_person_is_found_are_dropped_and_later_gaps_stay(tmp_path: Path) -> None:
    joints = values(60)
    joints[:7] = joints[12:15] = 0
    put(tmp_path, sequence(joints), tagstream([30]))
    clip = read_clips(msrc12.reading(tmp_path))[0]
    np.testing.assert_array_equal(clip, frames_of(joints[7:]))


def test_fifteen_frames_a_second_are_every_second_one_of_each_clip(tmp_path: Path) -> None:
    joints = values(120)
    put(tmp_path, sequence(joints), tagstream([30, 61]))
    clips = read_clips(reading("msrc12", tmp_path, fps="15"))
    np.testing.assert_array_equal(clips[0], frames_of(joints[0:45:2]))
    np.testing.assert_array_equal(clips[1], frames_of(joints[45:120:2]))
    assert "fps is '25'; give 30 or 15" in refusal(tmp_path, fps="25")


def test_the_name_gives_label_subject_and_instruction_and_the_tag_the_rest(tmp_path: Path) -> None:
    put(tmp_path, sequence(values(60)), tagstream([10, 40], gesture=12), "P3_1_12A_p30")
    put(tmp_path, sequence(values(60)), tagstream([10], gesture=3), "P1_2_3_p01")
    clips = read_clips(msrc12.reading(tmp_path))
    assert list(clips.table["name"]) == ["P1_2_3_p01#00", "P3_1_12A_p30#00", "P3_1_12A_p30#01"]
    assert clips.labels.tolist() == [2, 11, 11]
    assert clips.column("subject").tolist() == [1, 30, 30]
    assert clips.column("setup").tolist() == [12, 31, 31]
    assert clips.column("replicate").tolist() == [0, 0, 1]
    for column in ("camera", "action", "fold"):
        assert set(clips.column(column)) == {-1}
    assert clips.skeleton == KINECT_V1


@pytest.mark.parametrize("name", ["P4_1_2_p05", "P1_3_2_p05", "P1_1_13_p05", "P1_1_0_p05", "P1_1_2_p31", "P1_1_2B_p05"])
def test_a_name_that_lies_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, sequence(values(60)), tagstream([10]), name)
    assert f"{path}: is not named Pa_b_G_pSS.csv" in refusal(tmp_path)


def test_a_sequence_under_another_gestures_name_is_refused(tmp_path: Path) -> None:
    put(tmp_path, sequence(values(60)), tagstream([10], gesture=2), "P2_2_3_p05")
    assert f"{tmp_path / 'P2_2_3_p05.tagstream'}, line 2: is gesture 2, and the name says 3" in refusal(tmp_path)


@pytest.mark.parametrize(("there", "missing"), [(".csv", ".tagstream"), (".tagstream", ".csv")])
def test_half_a_sequence_is_refused(tmp_path: Path, there: str, missing: str) -> None:
    put(tmp_path, sequence(values(60)), tagstream([10]))
    (tmp_path / f"{NAME}{missing}").unlink()
    assert f"{tmp_path / NAME}{there}: there is no {NAME}{missing} beside it" in refusal(tmp_path)


def test_a_folder_without_sequences_or_with_sequences_below_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"._{NAME}.csv").write_bytes(b"\x00")
    (tmp_path / "README.txt").write_bytes(b"\x00")
    assert "holds no Pa_b_G_pSS.csv file" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    path = put(tmp_path / "data", sequence(values(60)), tagstream([10]))
    assert f"{path}: lies below {tmp_path}" in refusal(tmp_path)


LINES = sequence(values(60)).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("", "line 1: is missing: the file is empty"),
        ("".join(LINES)[:-2], "line 60: does not end, so the file is cut short"),
        ("".join(LINES[:9]) + "1 2 3\r\n", "line 10: has 3 columns, not 81"),
        ("".join(LINES).replace("1.000000\r\n", "nan\r\n", 1), "line 1: 'nan' is no number"),
        ("".join(LINES).replace("1.000000\r\n", "1e999\r\n", 1), "line 1: '1e999' is no number"),
        ("".join([LINES[1], LINES[0], *LINES[2:]]), "line 2: its time is before the last line's"),
        (sequence(values(60) * 100), "line 1: reaches beyond 10 metres"),
        ("".join(LINES).encode("utf-16"), "line 1: holds a byte that is no text"),
    ],
)
def test_a_wrong_line_of_a_sequence_is_named(tmp_path: Path, csv: str | bytes, said: str) -> None:
    path = put(tmp_path, csv, tagstream([10]))
    assert f"{path}, {said}" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("", "line 1: is missing: the file is empty"),
        (tagstream([]), "line 2: is missing: there is no tag"),
        (tagstream([10]).replace("XQPC", ""), "line 1: is 'Tick;Tag', not XQPCTick;Tag"),
        (tagstream([10, 20])[:-1], "line 3: does not end"),
        (tagstream([10]) + "\r\n", "line 3: is '', not a tick and a tag"),
        (tagstream([10]) + "-5;G2  Duck\r\n", "line 3: is '-5;G2  Duck', not a tick and a tag"),
        (tagstream([10]) + f"{10**30};G2  Duck\r\n", "line 3: is '1000"),
        (tagstream([20, 10]), "line 3: is no later than the tag before"),
        (tagstream([20, 20]), "line 3: is no later than the tag before"),
        (tagstream([20, 900]), "line 3: lies outside of the recording"),
        (tagstream([-91]), "line 2: lies outside of the recording"),
        (tagstream([10]).replace("G2", "G20"), "line 2: is gesture 20, and the name says 2"),
        (tagstream([10]).encode("utf-16"), "line 1: holds a byte that is no text"),
    ],
)
def test_a_wrong_line_of_the_tags_is_named(tmp_path: Path, tags: str | bytes, said: str) -> None:
    put(tmp_path, sequence(values(60)), tags)
    assert f"{tmp_path / NAME}.tagstream, {said}" in refusal(tmp_path)


def test_a_sequence_or_a_tag_with_nobody_is_refused(tmp_path: Path) -> None:
    joints = values(400)
    joints[200:] = 0
    path = put(tmp_path, sequence(joints), tagstream([30, 350]))
    assert f"{path}: nobody is tracked about the tag of line 3 of {NAME}.tagstream" in refusal(tmp_path)
    put(tmp_path, sequence(joints * 0), tagstream([30, 350]))
    assert f"{path}: holds nothing but zeros" in refusal(tmp_path)


SHORT, TAGS = sequence(values(12)).encode(), tagstream([3, 8]).encode()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True), of_tags=st.booleans())
def test_a_file_cut_anywhere_is_refused_or_ends_earlier(
    tmp_path_factory: pytest.TempPathFactory, part: float, of_tags: bool
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    end = int(part * len(TAGS if of_tags else SHORT))
    put(folder, SHORT if of_tags else SHORT[:end], TAGS[:end] if of_tags else TAGS)
    try:
        clips = read_clips(msrc12.reading(folder))
    except SkelkitError as error:
        assert f"{folder / NAME}." in str(error)  # noqa: PT017
        assert ", line " in str(error)  # noqa: PT017
    else:
        assert len(clips) == (TAGS[:end] if of_tags else TAGS).count(b"\n") - 1
        whole = frames_of(values(12))
        np.testing.assert_array_equal(clips.frames, whole[: len(clips.frames)])


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255) | st.sampled_from(b" \n\r-+.e0123456789"))
def test_a_changed_byte_is_refused_by_line_or_changes_one_number(
    tmp_path_factory: pytest.TempPathFactory, part: float, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    at = int(part * len(SHORT))
    path = put(folder, SHORT[:at] + bytes([byte]) + SHORT[at + 1 :], TAGS)
    try:
        clips = read_clips(msrc12.reading(folder))
    except SkelkitError as error:
        # The time of the first or the last line decides what lies in the recording.
        assert f"{path}, line " in str(error) or f"{path.with_suffix('.tagstream')}, line " in str(error)  # noqa: PT017
    else:
        assert (clips.frames != frames_of(values(12))).sum() <= 1


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(order=st.permutations(range(5)))
def test_lines_out_of_their_order_are_refused(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    folder = tmp_path_factory.mktemp("raw")
    lines = sequence(values(5)).splitlines(keepends=True)
    put(folder, "".join(lines[i] for i in order), tagstream([2]))
    if order == sorted(order):
        assert len(read_clips(msrc12.reading(folder))) == 1
    else:
        assert "its time is before the last line's" in refusal(folder)


def test_import_raw_saves_a_folder_that_opens_and_verifies(tmp_path: Path) -> None:
    put(tmp_path / "raw", sequence(values(60)), tagstream([10, 40]))
    put(tmp_path / "raw", sequence(values(60) * 0), tagstream([10, 40]), "P1_1_2_p01")
    found = import_raw("msrc12", tmp_path / "raw", tmp_path / "data", skip_bad=True, half=True, options={"fps": "15"})
    found.clips.verify()
    assert len(found.left_out) == 1
    clips = Clips.open(tmp_path / "data/msrc12")
    assert list(clips.table["name"]) == [f"{NAME}#00", f"{NAME}#01"]
    assert clips.frames.dtype == np.float16


def test_the_sequence_that_is_empty_as_distributed_is_left_out_and_named(tmp_path: Path) -> None:
    put(tmp_path / "raw", sequence(values(60)), tagstream([10, 40]))
    empty = put(tmp_path / "raw", sequence(values(60) * 0), tagstream([10, 40]).replace("G2", "G12"), msrc12.EMPTY)
    found = import_raw("msrc12", tmp_path / "raw", tmp_path / "data")
    assert found.flaws == (f"{empty}: holds nothing but zeros, as distributed; left out",)
    assert (found.left_out, len(found.clips)) == ((), 2)


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    whole, clips = real_data("msrc12"), read_clips(msrc12.reading(raw_folder("msrc12"), fps="15"))
    assert list(clips.table["name"]) == [name for name in whole.table["name"] if name.startswith(f"{NAME}#")]
    assert_clips_are_in(clips, whole)
