"""The PKU-MMD reader: videos, labels and split files written to the letter of the format, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import refused

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, pku_mmd, reading
from skelkit.data.importing import Reading, Source, read_clips
from skelkit.data.protocols import split
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError

LABELS = "8,3,6,2\n16,8,8,2\n51,10,12,1\n"
"""Three actions of a video of twelve frames, the first and last frame of each."""


def people(frames: int = 12, seed: int = 0) -> np.ndarray:
    """(t, 2 persons, 25 joints, 3), metres; the second is there from the eighth frame on."""
    values = np.random.default_rng(seed).normal([0, 0, 3], 1.0, (frames, 2, 25, 3)).round(6)
    values[:7, 1] = 0
    return values


def rows(values: np.ndarray) -> str:
    """A video's text: one line of 150 numbers a frame."""
    return "".join(" ".join(f"{number:.6f}" for number in row) + "\n" for row in values.reshape(len(values), -1))


def put(folder: Path, name: str = "0002-L", labels: str | bytes = LABELS, video: str | bytes | None = None) -> Path:
    """Write one video and its labels; returns the label file."""
    for kind, content in (("Skeleton", rows(people()) if video is None else video), ("Label", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        path = folder / kind / f"{name}.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def put_split(folder: Path, train: str, test: str, name: str = "cross-subject.txt") -> Path:
    path = folder / name
    path.write_text(f"Training videos:\n{train}\nValidation videos:\n{test}\n")
    return path


def names(found: Reading) -> list[str]:
    """The videos that a reading would read."""
    return [source.path.stem for source in found.sources if isinstance(source, Source)]


def refusal(folder: Path, reader: Callable[..., Reading] = pku_mmd.part1, **options: str) -> str:
    """What the reader says against the folder, on one line."""
    return refused(lambda: read_clips(reader(folder, **options)))


def test_a_video_becomes_a_clip_for_each_label(tmp_path: Path) -> None:
    put(tmp_path)
    clips = read_clips(pku_mmd.part1(tmp_path))
    assert list(clips.table["name"]) == ["0002-L_001", "0002-L_002", "0002-L_003"]
    assert clips.labels.tolist() == [7, 15, 50]
    assert [clips.classes[label] for label in clips.labels] == ["drink water", "hugging other person", "writing"]
    assert clips.lengths.tolist() == [4, 1, 3]
    assert clips.column("replicate").tolist() == [1, 2, 3]
    assert clips.column("camera").tolist() == [1, 1, 1]
    assert clips.column("fold").tolist() == [-1, -1, -1]
    assert (clips.skeleton, clips.units, clips.persons) == (KINECT_V2, "metres", 2)
    assert "3 of 21,545 clips" in clips.source


def test_the_values_are_persons_then_joints_then_axes(tmp_path: Path) -> None:
    put(tmp_path)
    text = (tmp_path / "Skeleton/0002-L.txt").read_text().splitlines()
    clip = read_clips(pku_mmd.part1(tmp_path))[2]
    head = KINECT_V2.joints.index("head")
    second = text[10].split()[75 + 3 * head : 75 + 3 * head + 3]  # frame 11, the second person
    np.testing.assert_array_equal(clip[1, :, head, 1], np.float32([float(word) for word in second]))
    np.testing.assert_array_equal(clip, people()[9:12].transpose(0, 3, 2, 1).astype(np.float32))


def test_the_two_cuts_differ_in_the_first_frame(tmp_path: Path) -> None:
    put(tmp_path, labels="8,3,6,2\n")
    closed, later = (read_clips(reading("pku_mmd1", tmp_path, cut=cut)) for cut in ("closed", "from-start"))
    whole = people().transpose(0, 3, 2, 1).astype(np.float32)
    np.testing.assert_array_equal(closed[0], whole[2:6])  # frames 3 to 6, counted from 1
    np.testing.assert_array_equal(later[0], whole[3:6])


def test_only_150_numbers_of_a_longer_row_are_read(tmp_path: Path) -> None:
    longer = rows(people()).replace("\n", " 9.9 9.9 9.9\n")
    put(tmp_path / "a")
    put(tmp_path / "b", video=longer)
    a, b = (read_clips(pku_mmd.part1(tmp_path / part)).frames for part in "ab")
    np.testing.assert_array_equal(a, b)


def test_each_part_reads_its_own_videos_wherever_they_lie(tmp_path: Path) -> None:
    put(tmp_path / "Data/one", "0364-R")
    put(tmp_path / "Data/two", "A26N07-M")
    (tmp_path / "Data/one/Skeleton").rename(tmp_path / "Data/PKU_Skeleton_Renew")
    (tmp_path / "Data/one/Label").rename(tmp_path / "Data/Train_Label_PKU_final")
    (tmp_path / "readme.txt").write_text("words")
    (tmp_path / "Data/PKU_Skeleton_Renew/._0364-R.txt").write_bytes(b"\x00")
    for part, video, camera in (("pku_mmd1", "0364-R", 3), ("pku_mmd2", "A26N07-M", 2)):
        clips = read_clips(reading(part, tmp_path))
        assert [name.rpartition("_")[0] for name in clips.table["name"]] == 3 * [video]
        assert set(clips.column("camera").tolist()) == {camera}


def test_cross_subject_is_what_the_split_file_says(tmp_path: Path) -> None:
    for name in ("0002-L", "0002-R", "0291-L"):
        put(tmp_path, name)
    put_split(tmp_path, "0002-L, 0002-R, 0003-L, ", "0291-L,0292-M")
    clips = read_clips(pku_mmd.part1(tmp_path))
    found = split(clips, "xsub")
    assert {clips.table["name"][i][:6] for i in found.train} == {"0002-L", "0002-R"}
    assert {clips.table["name"][i][:6] for i in found.test} == {"0291-L"}


def test_cross_subject_without_a_split_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(SkelkitError, match="needs the column fold"):
        split(read_clips(pku_mmd.part1(tmp_path)), "xsub")


def test_each_part_takes_its_own_split_files(tmp_path: Path) -> None:
    for name in ("A01N01-L", "A01N02-R"):
        put(tmp_path, name)
    put_split(tmp_path, "0002-L", "0003-L")
    put_split(tmp_path, "A01N02-R", "A01N01-L", "cross_subject_v2.txt")
    assert read_clips(pku_mmd.part2(tmp_path)).column("fold").tolist() == [1, 1, 1, 0, 0, 0]


def test_cross_view_tests_camera_l_as_its_file_must(tmp_path: Path) -> None:
    for name in ("0002-L", "0002-M", "0002-R"):
        put(tmp_path, name, "8,3,6,2\n")
    path = put_split(tmp_path, "0002-M,0002-R", "0002-L", "cross_view.txt")
    clips = read_clips(pku_mmd.part1(tmp_path))
    found = split(clips, "xview")
    assert (found.train.tolist(), found.test.tolist()) == ([1, 2], [0])
    put_split(tmp_path, "0002-L,0002-M", "0002-R", path.name)
    assert f"{path}, line 2: trains 0002-L, and split xview tests camera L alone" in refusal(tmp_path)
    put_split(tmp_path, "0002-M", "0002-L,0002-R", path.name)
    assert f"{path}, line 4: tests 0002-R, and split xview tests camera L alone" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 2: '' is no video's name"),
        ("title\n0002-L\n", "line 4: '' is no video's name"),
        ("title\n0002-L\ntitle\n\n", "line 4: '' is no video's name"),
        ("title\n0002\ntitle\n0003-L\n", "line 2: '0002' is no video's name"),
        ("title\n0002-L 0003-L\ntitle\n0004-L\n", "line 2: '0002-L 0003-L' is no video's name"),
        ("title\n0002-L\ntitle\n0003-L,0002-L\n", "line 4: '0002-L' trains and is tested"),
    ],
)
def test_a_split_file_that_is_none_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    put(tmp_path)
    path = tmp_path / "cross_subject.txt"
    path.write_text(text)
    assert f"{path}, {said}" in refusal(tmp_path)


def test_two_split_files_and_a_video_in_none_are_refused(tmp_path: Path) -> None:
    put(tmp_path)
    first = put_split(tmp_path, "0003-L", "0004-L")
    assert f"{tmp_path / 'Skeleton/0002-L.txt'}: is in neither part of the cross-subject file" in refusal(tmp_path)
    put_split(tmp_path, "0002-L", "0004-L", "cross_subject.txt")
    assert refusal(tmp_path).startswith(f"{first}: there is {tmp_path / 'cross_subject.txt'} as well")


# ---- faults


@pytest.mark.parametrize(
    ("line", "cut", "said"),
    [
        ("8,0,6,2", "closed", "frames 0 to 6 are not all in the video, which has 12"),
        ("8,10,13,2", "closed", "frames 10 to 13 are not all in the video"),
        ("8,13,20,2", "closed", "frames 13 to 20 are not all in the video"),
        ("8,999999999,999999999,2", "closed", "are not all in the video"),
        ("8,6,5,2", "closed", "frames 6 to 5 are not all in the video"),
        ("8,5,5,2", "from-start", "frames 5 to 5 are not all in the video"),
        ("8,10,13,2", "from-start", "frames 10 to 13 are not all in the video"),
        ("0,3,6,2", "closed", "there is no action 0"),
        ("52,3,6,2", "closed", "there is no action 52"),
        ("8,3", "closed", "'8,3' is not action,first frame,last frame,confidence"),
        ("8,3,6,2,1", "closed", "'8,3,6,2,1' is not action"),
        ("8,3.0,6,2", "closed", "is not action"),
        ("8,-3,6,2", "closed", "is not action"),
        ("8,3,1000000000000,2", "closed", "is not action"),
        ("8;3;6;2", "closed", "is not action"),
        ("8,3,nan,2", "closed", "is not action"),
    ],
)
def test_a_label_that_is_wrong_is_named(tmp_path: Path, line: str, cut: str, said: str) -> None:
    path = put(tmp_path, labels=f"8,3,6,2\n{line}\n")
    message = refusal(tmp_path, cut=cut, instances="all")
    assert f"{path}, line 2: " in message
    assert said in message


def test_an_action_without_anybody_is_a_fault_or_left_out(tmp_path: Path) -> None:
    values = people()
    values[2:6] = 0
    path = put(tmp_path, video=rows(values))
    assert f"{path}, line 1: nobody is there in the frames 3 to 6" in refusal(tmp_path, instances="all")
    clips = read_clips(pku_mmd.part1(tmp_path))
    assert list(clips.table["name"]) == ["0002-L_002", "0002-L_003"]


def test_instances_are_cut_to_the_frames_there_are_and_named(tmp_path: Path) -> None:
    path = put(tmp_path / "raw", labels="8,0,2,2\n9,11,15,2\n10,13,15,2\n11,6,5,2\n12,3,4,2\n")
    found = import_raw("pku_mmd1", tmp_path / "raw", tmp_path / "data")
    clips, outside = found.clips, "are not all in the video, which has 12"
    assert found.flaws == (
        f"{path}, line 1: frames 0 to 2 {outside}; the 2 there are taken",
        f"{path}, line 2: frames 11 to 15 {outside}; the 2 there are taken",
        f"{path}, line 3: frames 13 to 15 {outside}; left out",
        f"{path}, line 4: frames 6 to 5 {outside}; left out",
    )
    whole = people().transpose(0, 3, 2, 1).astype(np.float32)
    assert list(clips.table["name"]) == ["0002-L_001", "0002-L_002", "0002-L_005"]
    for clip, (a, b) in zip((clips[i] for i in range(3)), ((0, 2), (10, 12), (2, 4)), strict=True):
        np.testing.assert_array_equal(clip, whole[a:b])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "", "line 1: is missing: the file is empty"),
        (lambda text: text.replace("\n", " 1\n").replace(" ", "", 1), "line 1: '"),
        (lambda text: text.replace(text.split()[200], "NaN"), "line 2: 'NaN' is no number"),
        (lambda text: text.replace(text.split()[200], "inf"), "line 2: 'inf' is no number"),
        (lambda text: text.replace(text.split()[200], "x"), "line 2: 'x' is no number"),
        (lambda text: text.replace(" ", ","), "line 1: has 1 numbers, not 150"),
        (lambda text: text.split("\n", 1)[0].rpartition(" ")[0] + "\n" + text, "line 1: has 149 numbers, not 150"),
        (lambda text: text.split("\n", 1)[0] + "\n\n" + text, "line 2: has 1 numbers, not 150"),
        (lambda text: text.encode("utf-16"), "line 1: holds a byte that is no text"),
    ],
)
def test_a_video_that_is_wrong_is_named(tmp_path: Path, change: Callable[[str], str | bytes], said: str) -> None:
    put(tmp_path, video=change(rows(people())))
    assert f"{tmp_path / 'Skeleton/0002-L.txt'}, {said}" in refusal(tmp_path)


def test_a_file_without_its_partner_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path, "0003-L").unlink()
    put(tmp_path, "0004-L")
    (tmp_path / "Skeleton/0004-L.txt").unlink()
    faults = [str(fault) for fault in pku_mmd.part1(tmp_path).sources if isinstance(fault, SkelkitError)]
    assert faults[0].startswith(f"{tmp_path / 'Skeleton/0003-L.txt'}: its video has no labels")
    assert faults[1].startswith(f"{tmp_path / 'Label/0004-L.txt'}: its video has no skeletons")
    assert names(pku_mmd.part1(tmp_path)) == ["0002-L"]


@pytest.mark.parametrize("name", ["0002-X", "2-L", "0002-L (1)", "A1N1-L", "0002"])
def test_a_misnamed_video_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    (tmp_path / f"Skeleton/{name}.txt").write_text(rows(people()))
    assert f"{tmp_path / f'Skeleton/{name}.txt'}: is not named as a video" in refusal(tmp_path)


def test_a_video_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path / "copy")
    assert f"{tmp_path / 'copy/Label/0002-L.txt'}: is there twice, also as" in refusal(tmp_path)


def test_a_folder_without_videos_and_unknown_options_are_refused(tmp_path: Path) -> None:
    assert "holds no video of this part" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    put(tmp_path)
    assert "holds no video of this part" in refusal(tmp_path, pku_mmd.part2)
    assert "no cut 'open'; give closed or from-start" in refusal(tmp_path, cut="open")
    assert "no instances 'some'; give all or usable" in refusal(tmp_path, instances="some")


VIDEO = rows(people(4)).encode()


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(at=st.integers(0, len(VIDEO) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_video_is_refused_or_changes_little(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    label = put(folder, labels="8,1,4,2\n", video=VIDEO[:at] if cut else VIDEO[:at] + bytes([byte]) + VIDEO[at + 1 :])
    try:
        clip = read_clips(pku_mmd.part1(folder))[0]
    except SkelkitError as error:
        assert any(f"{path}, line " in str(error) for path in (label, folder / "Skeleton/0002-L.txt"))  # noqa: PT017
    else:
        original = people(4).transpose(0, 3, 2, 1).astype(np.float32)
        assert clip.shape == original.shape
        assert (clip != original).sum() <= 1


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(at=st.integers(0, len(LABELS) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_labels_are_refused_or_say_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    folder, whole = tmp_path_factory.mktemp("raw"), LABELS.encode()
    text = whole[:at] if cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
    label = put(folder, labels=text)
    try:
        clips = read_clips(pku_mmd.part1(folder, instances="all"))
    except SkelkitError as error:
        assert f"{label}, line " in str(error) or "no clip in 1 files" in str(error)  # noqa: PT017
    else:
        said = [[int(word) for word in line.split(",")[:3]] for line in text.decode().split("\n") if line.strip()]
        assert clips.labels.tolist() == [action - 1 for action, _, _ in said]
        assert clips.lengths.tolist() == [last - first + 1 for _, first, last in said]


def test_import_raw_saves_the_clips_and_lists_the_bad_videos(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    bad = put(tmp_path / "raw", "0002-M", "99,10,13,2\n")
    found = import_raw("pku_mmd1", tmp_path / "raw", tmp_path / "data", skip_bad=True, progress=False)
    assert [line.split(",")[0] for line in found.left_out] == [str(bad)]
    clips = Clips.open(tmp_path / "data/pku_mmd1")
    clips.verify()
    assert len(clips) == 3


def test_the_classes_of_two_persons_stand_at_their_published_numbers() -> None:
    assert len(set(pku_mmd.CLASSES)) == 51
    two = [number for number, name in enumerate(pku_mmd.CLASSES, 1) if "other" in name or name == "handshaking"]
    assert two == [12, 14, 16, 18, 21, 24, 26, 27]


def test_berkeley_mhad_trains_on_the_first_seven_subjects() -> None:
    subjects = list(range(1, 13))
    clips = Clips.from_arrays(
        np.zeros((12, 3, 25, 1), np.float32),
        range(13),
        skeleton=KINECT_V2,
        classes=["a"],
        name="mhad",
        columns={"label": [0] * 12, "subject": subjects},
    )
    assert split(clips, "xsub").train.tolist() == [0, 1, 2, 3, 4, 5, 6]
