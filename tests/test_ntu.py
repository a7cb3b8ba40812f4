"""The NTU RGB+D reader: files written to the letter of the format, damaged files, and the published lists."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import refused_by

from skelkit.bench import reading as bench_reading
from skelkit.bench.reading import plain_reader, skeleton_text
from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, ntu, reading
from skelkit.data.datasets.ntu_missing import MISSING
from skelkit.data.importing import Reading, Source, read_clips
from skelkit.data.protocols import split
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError, data_folders

NAME = "S001C001P001R001A001"


def bodies(frames: int, people: int, seed: int = 0) -> np.ndarray:
    """(t, people, 25 joints, 3), metres."""
    return np.random.default_rng(seed).normal([0, 0, 3], 1.0, (frames, people, 25, 3)).astype(np.float32)


def put(folder: Path, text: str | bytes | None = None, name: str = NAME) -> Path:
    """Write one file into a raw folder: by default three frames of one body."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.skeleton"
    text = skeleton_text(list(bodies(3, 1))) if text is None else text
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(found: Reading) -> list[str]:
    """The clips that a reading would read."""
    return [str(source.columns["name"]) for source in found.sources if isinstance(source, Source)]


refusal = partial(refused_by, ntu.ntu60)


def changed(lines: dict[int, str | None], text: str | None = None) -> str:
    """A file's text with some lines, counted from 1, replaced or (None) taken out."""
    whole = (text or skeleton_text(list(bodies(3, 1)))).splitlines()
    return "".join(f"{new}\n" for n, old in enumerate(whole, 1) if (new := lines.get(n, old)) is not None)


def test_a_file_becomes_a_clip_of_what_its_text_says(tmp_path: Path) -> None:
    text = skeleton_text(list(bodies(3, 1)))
    clip = read_clips(ntu.ntu60(put(tmp_path, text).parent))[0]
    assert clip.shape == (3, 3, 25, 1)
    head = text.splitlines()[1 + 28 + 1 + 2 + KINECT_V2.joints.index("head")].split()  # of the second frame
    np.testing.assert_array_equal(clip[1, :, 3, 0], np.float32([float(word) for word in head[:3]]))


def test_the_written_values_come_back(tmp_path: Path) -> None:
    whole = bodies(5, 2)
    clip = ntu.frames(put(tmp_path, skeleton_text(list(whole))))
    np.testing.assert_allclose(clip, whole.transpose(0, 3, 2, 1), rtol=5e-7)


ODD_NUMBERS = """0 -0 5. .5 +0.25 1E-05 -1.084202E-05 0.1234567890123456789 123456789012345 2e3 16777217 007.50
0.30000001192092896 -0.00012345678 9999999999999.9 99999999999999.9 1.0E+2 340282346638528859811704183484516925440"""


@pytest.mark.parametrize("word", ODD_NUMBERS.split())
def test_a_number_is_what_python_makes_of_it(tmp_path: Path, word: str) -> None:
    clip = ntu.frames(put(tmp_path, changed({5: f"{word} 1 2" + 9 * " 0"})))
    assert clip[0, 0, 0, 0] == np.float32(float(word))
    assert np.signbit(clip[0, 0, 0, 0]) == word.startswith("-")


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False, width=32) | st.floats(-9, 9, width=32), min_size=3, max_size=3
    ),
    form=st.sampled_from([".7G", ".9g", ".6f", ".3e", ".12f", "r"]),
)
def test_any_number_in_any_form_is_what_python_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], form: str
) -> None:
    words = [repr(value) if form == "r" else f"{value:{form}}"[:39] for value in values]
    clip = ntu.frames(put(tmp_path_factory.mktemp("raw"), changed({40: " ".join(words) + 9 * " 0"})))
    assert clip[1, :, 7, 0].tolist() == [np.float32(float(word)) for word in words]


def test_the_reader_equals_the_plain_reader(tmp_path: Path) -> None:
    bench_reading.write_ntu(tmp_path, 180, different=8)
    found = sorted(tmp_path.iterdir())
    for path in found[::9]:
        np.testing.assert_array_equal(ntu.frames(path), plain_reader(path))
    assert {ntu.frames(path).shape[3] for path in found[::9]} == {1, 2}


def test_the_first_four_bodies_are_kept_and_frames_without_one_are_zeros(tmp_path: Path) -> None:
    people = bodies(4, 6)
    text = skeleton_text([list(people[0]), [], list(people[2, :1]), list(people[3, 2:4])])
    clip = ntu.frames(put(tmp_path, text))
    assert clip.shape == (4, 3, 25, 4)
    np.testing.assert_allclose(clip[0], people[0, :4].transpose(2, 1, 0), rtol=5e-7)
    assert not clip[1].any()
    assert not clip[2, ..., 1:].any()
    np.testing.assert_allclose(clip[3, ..., 0], people[3, 2].T, rtol=5e-7)
    np.testing.assert_array_equal(clip, plain_reader(tmp_path / f"{NAME}.skeleton"))


def test_the_name_gives_every_column(tmp_path: Path) -> None:
    for name in ("S017C003P040R002A060", "S001C001P001R001A001", "S018C002P106R002A120"):
        put(tmp_path, name=name)
    clips = read_clips(ntu.ntu120(tmp_path))
    assert list(clips.table["name"]) == ["S001C001P001R001A001", "S017C003P040R002A060", "S018C002P106R002A120"]
    columns = ("label", "subject", "camera", "setup", "replicate", "fold")
    rows = [[int(clips.column(column)[i]) for column in columns] for i in range(3)]
    assert rows == [[0, 1, 1, 1, 1, -1], [59, 40, 3, 17, 2, -1], [119, 106, 2, 18, 2, -1]]
    assert (clips.skeleton, clips.units, len(clips.classes)) == (KINECT_V2, "metres", 120)
    assert "3 of 113,945 clips" in clips.source


def test_cameras_share_an_action_and_nothing_else_does(tmp_path: Path) -> None:
    same = [f"S001C00{camera}P001R001A001" for camera in (1, 2, 3)]
    others = ["S002C001P001R001A001", "S001C001P002R001A001", "S001C001P001R002A001", "S001C001P001R001A002"]
    for name in (*same, *others):
        put(tmp_path, name=name)
    clips = read_clips(ntu.ntu60(tmp_path))
    action = dict(zip(clips.table["name"], clips.column("action").tolist(), strict=True))
    assert len({action[name] for name in same}) == 1
    assert len(set(action.values())) == 5


def test_files_of_the_other_half_are_not_ntu_60s(tmp_path: Path) -> None:
    put(tmp_path / "nturgbd_skeletons_s001_to_s017/nturgb+d_skeletons")
    put(tmp_path / "nturgbd_skeletons_s018_to_s032", name="S018C001P008R001A061")
    assert names(ntu.ntu60(tmp_path)) == [NAME]
    assert names(ntu.ntu120(tmp_path)) == [NAME, "S018C001P008R001A061"]
    assert len(ntu.ntu60(tmp_path).classes) == 60
    with pytest.raises(SkelkitError, match=r"holds no \.skeleton file of this data set"):
        ntu.ntu60(tmp_path / "nturgbd_skeletons_s018_to_s032")


def test_the_official_missing_clips_are_not_read(tmp_path: Path) -> None:
    assert (len(MISSING), sum(int(name[1:4]) <= 17 for name in MISSING)) == (535, 302)
    assert ntu.CLIPS60 == 56_880 - 302
    assert ntu.CLIPS120 == 114_480 - 535
    put(tmp_path)
    for name in ("S001C002P005R002A008", "S017C003P020R001A059", "S032C003P067R002A077"):
        put(tmp_path, b"", name)
    assert names(ntu.ntu120(tmp_path)) == [NAME]
    assert names(ntu.ntu60(tmp_path)) == [NAME]


def test_a_list_of_ones_own_takes_the_place_of_the_official_one(tmp_path: Path) -> None:
    missing = "S001C002P005R002A008"
    for name in (NAME, missing):
        put(tmp_path, name=name)
    own = tmp_path / "missing.txt"
    own.write_text(f"302 samples\n\nhave no skeleton\n{NAME}.skeleton\n\n")
    assert names(reading("ntu60", tmp_path, missing=str(own))) == [missing]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "names no clip"),
        (b"a header\n", "names no clip"),
        (f"{NAME}\nS001C002P005R002\n".encode(), "line 2: 'S001C002P005R002' is no clip's name"),
        (b"\xff\xfe", "cannot be read as a list of clips (it is no ASCII text)"),
        (None, "cannot be read as a list of clips (No such file"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: bytes | None, said: str) -> None:
    put(tmp_path)
    own = tmp_path / "missing.txt"
    if text is not None:
        own.write_bytes(text)
    with pytest.raises(SkelkitError) as caught:
        ntu.ntu60(tmp_path, missing=str(own))
    assert str(caught.value).startswith(str(own))
    assert said in str(caught.value)


@pytest.mark.parametrize("data_set", ["ntu60", "ntu120"])
def test_the_missing_lists_are_the_published_ones(data_set: str) -> None:
    file = f"{data_set}_missing_skeletons.txt"
    path = next((folder / file for folder in data_folders() if (folder / file).exists()), None)
    if path is None:
        pytest.skip(f"{file} is not in $SKELKIT_DATA")
    last = 17 if data_set == "ntu60" else 32
    assert set(path.read_text().split()) == {name for name in MISSING if int(name[1:4]) <= last}


@pytest.mark.parametrize(
    "name",
    [
        "S018C001P001R001A060.skeleton",  # the added setups hold the added actions alone
        "S017C001P001R001A061.skeleton",
        "S033C001P001R001A061.skeleton",
        "S001C004P001R001A001.skeleton",
        "S001C001P041R001A001.skeleton",
        "S001C001P001R003A001.skeleton",
        "S001C001P001R001A000.skeleton",
        "S1C1P1R1A1.skeleton",
        "s001c001p001r001a001.skeleton",
        "S001C001P001R001A002.SKELETON",
        "S001C001P001R001A001.skeleton.part",
        "S001C001P001R001A001 (1).skeleton",
        "S001C001P001R001A001",
        "clip.skeleton",
    ],
)
def test_a_misnamed_file_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    (tmp_path / name).write_text(skeleton_text(list(bodies(1, 1))))
    assert f"{tmp_path / name}: is not named SsssCcccPpppRrrrAaaa.skeleton" in refusal(tmp_path)
    assert names(ntu.ntu60(tmp_path)) == [NAME]


def test_other_files_are_no_clips_and_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    assert "holds no .skeleton file of this data set; unpack its archive" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    put(tmp_path)
    for other in ("README.md", f"._{NAME}.skeleton", f"{NAME}_rgb.avi", "NTU_RGBD_samples_with_missing_skeletons.txt"):
        (tmp_path / other).write_bytes(b"\x00")
    assert len(read_clips(ntu.ntu60(tmp_path))) == 1


def test_a_clip_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    first, second = put(tmp_path / "a"), put(tmp_path / "b")
    assert refusal(tmp_path).startswith(f"{second}: is there twice, also as {first}")


# ---- content


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({1: "4"}, "line 86: is missing, not the number of bodies"),
        ({1: "2"}, "line 58: follows the last of 2 frames"),
        ({1: "1000000000"}, "line 1: is '1000000000', not the number of frames"),
        ({1: "999999999"}, "line 86: is missing"),
        ({1: "0"}, "line 1: is '0', not the number of frames"),
        ({1: "-1"}, "line 1: is '-1', not the number of frames"),
        ({1: "3.0"}, "line 1: is '3.0', not the number of frames"),
        ({1: None}, "line 2: is '7205"),
        ({2: "2"}, "line 30: has 1 fields, not 10"),
        ({2: "0"}, "line 3: is '72057594037931101 0 ', not the number of bodies"),
        ({2: "999999999"}, "line 2: says 999999999 bodies of 27 lines, and 83 lines follow"),
        ({2: "1000000000"}, "line 2: is '1000000000', not the number of bodies"),
        ({2: "one"}, "line 2: is 'one', not the number of bodies"),
        ({3: "72057594037931101 0 1 1 1 1 0 0.02764709 0.05745083"}, "line 3: has 9 fields, not 10"),
        ({4: "24"}, "line 4: is not 25, the number of joints"),
        ({4: "1000000000"}, "line 4: is not 25, the number of joints"),
        ({4: "many"}, "line 4: 'many' is no number"),
        ({5: None}, "line 29: has 1 fields, not 12"),
        ({9: ""}, "line 9: has 1 fields, not 12"),
        ({9: "0.1 0.2 0.3"}, "line 9: has 3 fields, not 12"),
        ({9: "0.1 0.2 0.3" + 10 * " 0"}, "line 9: has 13 fields, not 12"),
        ({9: "0.1 NaN 0.3" + 9 * " 0"}, "line 9: 'NaN' is no number"),
        ({9: "0.1 0.2 -Infinity" + 9 * " 0"}, "line 9: '-Infinity' is no number"),
        ({9: "1e39 0.2 0.3" + 9 * " 0"}, "line 9: '1e39' is no number"),
        ({9: "0.1 0,2 0.3" + 9 * " 0"}, "line 9: '0,2' is no number"),
        ({9: "0.1 0_2 0.3" + 9 * " 0"}, "line 9: '0_2' is no number"),
        ({9: "0.1 . 0.3" + 9 * " 0"}, "line 9: '.' is no number"),
        ({9: "0.1 1.2.3 0.3" + 9 * " 0"}, "line 9: '1.2.3' is no number"),
        ({9: "0.1 --2 0.3" + 9 * " 0"}, "line 9: '--2' is no number"),
        ({9: "0.1 \x00 0.3" + 9 * " 0"}, "line 9: holds a byte that is no text"),
        ({9: "0.1 0.2 0.3" + 8 * " 0" + " é"}, "line 9: holds a byte that is no text"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, lines: dict[int, str | None], said: str) -> None:
    path = put(tmp_path, changed(lines))
    assert f"{path}, {said}" in refusal(tmp_path)


@pytest.mark.parametrize("text", [b"", b"\n", b" \r\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: bytes) -> None:
    path = put(tmp_path, text)
    assert f"{path}, line 1: is missing: the file is empty" in refusal(tmp_path)


def test_a_clip_in_which_nobody_is_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, skeleton_text([[], []]))
    assert f"{path}: nobody is in any of its 2 frames; leave it out" in refusal(tmp_path)


def test_many_bodies_in_one_of_many_frames_take_no_memory(tmp_path: Path) -> None:
    crowd = skeleton_text([list(bodies(1, 1)[0]) * 50, *([[]] * 3000)])
    assert ntu.frames(put(tmp_path, crowd)).shape == (3001, 3, 25, 4)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path, skeleton_text(list(bodies(2, 1))).encode(encoding))
    assert f"{path}, line 1: " in refusal(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", " \n"),
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace(" ", "\t"),
        lambda text: text.removesuffix("\n"),
        lambda text: text + "\n \n",
    ],
)
def test_other_line_ends_and_spaces_say_the_same(tmp_path: Path, change: Callable[[str], str]) -> None:
    text = skeleton_text(list(bodies(3, 2)))
    np.testing.assert_array_equal(ntu.frames(put(tmp_path / "a", change(text))), ntu.frames(put(tmp_path / "b", text)))


WHOLE = skeleton_text([[], *bodies(2, 2)]).encode()
CLIP_LINES = WHOLE.decode().splitlines()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 2))  # without the last line's end it is whole
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    folder = tmp_path_factory.mktemp("raw")
    assert f"{put(folder, WHOLE[:end])}, line " in refusal(folder)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(a=st.integers(0, len(CLIP_LINES) - 1), b=st.integers(0, len(CLIP_LINES) - 1))
def test_swapped_lines_are_refused_or_say_what_the_plain_reader_reads(
    tmp_path_factory: pytest.TempPathFactory, a: int, b: int
) -> None:
    lines = CLIP_LINES.copy()
    lines[a], lines[b] = lines[b], lines[a]
    path = put(tmp_path_factory.mktemp("raw"), "\n".join(lines) + "\n")
    if len(CLIP_LINES[a].split()) != len(CLIP_LINES[b].split()):
        assert f"{path}, line " in refusal(path.parent)
    else:
        try:
            clip = ntu.frames(path)
        except SkelkitError as error:
            assert f"{path}, line " in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(clip, plain_reader(path))


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_one_number(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    path = put(tmp_path_factory.mktemp("raw"), WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    try:
        clip = ntu.frames(path)
    except SkelkitError as error:
        assert f"{path}, line " in str(error)  # noqa: PT017
    else:
        original = ntu.frames(put(path.parent / "whole", WHOLE))
        assert clip.shape == original.shape
        assert (clip != original).sum() <= 1


def test_import_raw_saves_what_is_good_and_lists_the_rest(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    bad = put(tmp_path / "raw", changed({9: "0.1"}), "S001C001P001R001A002")
    with pytest.raises(SkelkitError, match="line 9"):
        import_raw("ntu60", tmp_path / "raw", tmp_path / "data", progress=False)
    assert not (tmp_path / "data").exists()
    found = import_raw("ntu60", tmp_path / "raw", tmp_path / "data", skip_bad=True, progress=False)
    assert [line.split(",")[0] for line in found.left_out] == [str(bad)]
    clips = Clips.open(tmp_path / "data/ntu60")
    clips.verify()
    np.testing.assert_array_equal(clips[0], ntu.frames(tmp_path / f"raw/{NAME}.skeleton"))


# ---- class names and splits

XVIEW = ((37_920, 18_960), (37_646, 18_932))
"""Training and test clips of cross-view, with and without the missing ones."""


def test_the_published_class_names_stand_at_their_numbers() -> None:
    assert len(set(ntu.CLASSES)) == 120
    known = {1: "drink water", 8: "sitting down", 22: "cheer up", 43: "falling", 50: "punching/slapping other person"}
    known |= {60: "walking apart from each other", 61: "put on headphone", 80: "squat down", 105: "blow nose"}
    known |= {106: "hit other person with something", 112: "high-five", 115: "take a photo of other person"}
    assert {number: ntu.CLASSES[number - 1] for number in known} == known
    two = [n for n, name in enumerate(ntu.CLASSES, 1) if "other" in name]
    assert set(two) <= {*range(50, 61), *range(106, 121)}


def test_the_missing_clips_are_what_the_published_counts_differ_by() -> None:
    """Of NTU RGB+D 60, with (Shahroudy et al. 2016) and without them; the names of the others are not derivable."""
    missing = [name for name in MISSING if int(name[1:4]) <= 17]
    subjects, cameras = np.array([[int(name[9:12]), int(name[5:8])] for name in missing]).T
    clips = Clips.from_arrays(
        np.zeros((len(missing), 3, 25, 1), np.float32),
        range(len(missing) + 1),
        skeleton=KINECT_V2,
        classes=["any"],
        name="ntu60",
        columns={"label": np.zeros_like(subjects), "subject": subjects, "camera": cameras},
    )
    for name, with_them, without in (("xsub", (40_320, 16_560), (40_091, 16_487)), ("xview", *XVIEW)):
        found = split(clips, name)
        assert (with_them[0] - len(found.train), with_them[1] - len(found.test)) == without


# ---- the benchmark


def test_the_benchmark_writes_official_names_with_one_body_or_two(tmp_path: Path) -> None:
    bench_reading.write_ntu(tmp_path, 200, different=4)
    found = ntu.ntu60(tmp_path).sources
    assert len(found) == len(list(tmp_path.iterdir())) == 200
    assert not any(isinstance(source, SkelkitError) for source in found)
    last = {path.stem[-3:]: ntu.frames(path).shape for path in tmp_path.iterdir()}
    assert {shape[3] for action, shape in last.items() if int(action) < 50} == {1}
    assert {shape[3] for action, shape in last.items() if int(action) >= 50} == {2}
    assert all(60 <= shape[0] <= 140 for shape in last.values())


def test_the_benchmark_fills_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def imported(call: str, module: str, **environment: str) -> tuple[float, float]:
        assert call.startswith("imported(")
        assert module == "skelkit.bench.reading"
        assert "SKELKIT_STORE" in environment
        return 1.0, 500.0

    monkeypatch.setattr(bench_reading, "in_a_process", imported)
    monkeypatch.setattr(bench_reading, "ProcessPoolExecutor", lambda n, context: ThreadPoolExecutor(n))  # at once
    monkeypatch.setattr(bench_reading, "_count", range)  # in no time
    ratio, processes, minutes, memory = bench_reading.data(files=40, rounds=1)
    assert "clips/s" in ratio.reached
    assert " to " in processes.reached
    assert minutes.reached.startswith(f"{56_880 / 40 / 60:.1f} ")
    assert (memory.reached, memory.met) == ("500 (500 to 500) MB", True)
