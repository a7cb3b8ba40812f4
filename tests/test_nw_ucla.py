"""The NW-UCLA reader: files written to the letter of the format, damaged files, and the real samples."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import assert_clips_are_in, raw_folder, refused_by

from skelkit.data.clips import COLUMNS, Clips
from skelkit.data.datasets import import_raw, nw_ucla
from skelkit.data.importing import read_clips
from skelkit.data.library import load
from skelkit.data.skeleton import KINECT_V1
from skelkit.files import SkelkitError

NAME = "a05_s04_e02_v02"


def values(frames: int, seed: int = 0) -> np.ndarray:
    """(t, 20 joints, 3), metres."""
    return np.random.default_rng(seed).uniform(-1.0, 3.0, (frames, 20, 3)).round(6)


def record(name: str = NAME, frames: int = 3) -> dict[str, Any]:
    """The content of a file."""
    label = list(nw_ucla.CLASSES).index(int(name[1:3])) + 1
    return {"file_name": name, "skeletons": values(frames).tolist(), "label": label}


def put(folder: Path, content: Any = None, name: str = NAME) -> Path:
    """Write one file into a raw folder: a record as JSON, text or bytes as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = record(name) if content is None else content
    text = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
    path.write_bytes(json.dumps(content).encode() if text is None else text)
    return path


refusal = partial(refused_by, nw_ucla.reading)


def test_a_file_becomes_a_clip_of_one_person_and_twenty_joints(tmp_path: Path) -> None:
    content = record()
    content["skeletons"][1][3] = [0.1, 1, -2.5]  # the head in the second frame; JSON writes 1 for 1.0
    put(tmp_path, content)
    clip = read_clips(nw_ucla.reading(tmp_path))[0]
    assert clip.shape == (3, 3, 20, 1)
    np.testing.assert_array_equal(clip[1, :, KINECT_V1.joints.index("head"), 0], np.float32([0.1, 1, -2.5]))


def test_the_name_gives_label_subject_camera_and_repetition(tmp_path: Path) -> None:
    for name in ("a12_s10_e10_v01", "a08_s02_e01_v03", "a01_s01_e00_v01"):
        put(tmp_path, name=name)
    clips = read_clips(nw_ucla.reading(tmp_path))
    assert list(clips.table["name"]) == ["a01_s01_e00_v01", "a08_s02_e01_v03", "a12_s10_e10_v01"]
    assert clips.labels.tolist() == [0, 6, 9]
    assert clips.column("subject").tolist() == [1, 2, 10]
    assert clips.column("camera").tolist() == [1, 3, 1]
    assert clips.column("replicate").tolist() == [0, 1, 10]
    assert clips.column("fold").tolist() == [-1, -1, -1]
    assert clips.units == "metres"
    assert "3 of 1,484 clips" in clips.source


def test_files_share_an_action_when_only_the_camera_differs(tmp_path: Path) -> None:
    same = [f"a01_s01_e00_v0{camera}" for camera in (1, 2, 3)]
    for name in (*same, "a01_s01_e01_v01", "a01_s02_e00_v01", "a02_s01_e00_v01"):
        put(tmp_path, name=name)
    clips = read_clips(nw_ucla.reading(tmp_path))
    action = dict(zip(clips.table["name"], clips.column("action").tolist(), strict=True))
    assert len({action[name] for name in same}) == 1
    assert len(set(action.values())) == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file_name": "a05_s04_e02_v01"}, "calls itself 'a05_s04_e02_v01' inside"),
        ({"file_name": None}, "calls itself None inside"),
        ({"label": 6}, "has label 6 inside, and its name says 5"),
        ({"label": 5.0}, "has label 5.0 inside, and its name says 5"),
        ({"label": "5"}, "has label '5' inside, and its name says 5"),
        ({"skeletons": []}, "has no list of frames named skeletons"),
        ({"skeletons": None}, "has no list of frames named skeletons"),
        ({"skeletons": [[]]}, "frame 1 of 1: has not 20 joints"),
        ({"skeletons": [[[0.1, 0.2, 0.3]] * 20, [[0.1, 0.2, 0.3]] * 19]}, "frame 2 of 2: has not 20 joints"),
        ({"skeletons": [[[0.1, 0.2, 0.3]] * 19 + [[0.1, 0.2]]]}, "frame 1 of 1: foot_right is [0.1, 0.2], not x, y, z"),
        ({"skeletons": [[[0.0, 0.0, 0.0]] * 20]}, "frame 1 of 1: all zeros"),
    ],
)
def test_content_that_disagrees_is_refused_by_name(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = put(tmp_path, record() | change)
    message = refusal(tmp_path)
    assert message.startswith(str(path))
    assert said in message


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "1e400", '"0.5"', "null", "true", "812.5"])
def test_what_is_no_length_in_metres_is_refused(tmp_path: Path, word: str) -> None:
    content = record()
    content["skeletons"][2][1][0] = "HERE"
    path = put(tmp_path, json.dumps(content).replace('"HERE"', word))
    assert f"{path}, frame 3 of 3: spine is [" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: is not JSON (the file is empty)"),
        (" \n ", "line 2: is not JSON (the file is empty)"),
        (json.dumps(record())[:-1], "line 1: is not JSON (Expecting ',' delimiter, column"),
        (json.dumps(record(), indent=1)[:400], "is not JSON ("),
        (json.dumps(record()) + "x", "line 1: is not JSON (Extra data"),
        ("[" * 100_000, "line 1: is not JSON ("),
        (b"\xff\xfe{}", "line 1: is not JSON ("),
        (b'{"label": ' + b"1" * 5000 + b"}", "line 1: is not JSON ("),
        ("[]", "has no list of frames named skeletons"),
        ("{}", "has no list of frames named skeletons"),
    ],
)
def test_what_is_no_json_is_refused_with_file_and_line(tmp_path: Path, content: Any, said: str) -> None:
    path = put(tmp_path, content)
    message = refusal(tmp_path)
    assert message.startswith(str(path))
    assert said in message


@pytest.mark.parametrize(
    "name",
    [
        "a07_s01_e00_v01.json",  # there is no action 7
        "a01_s11_e00_v01.json",
        "a01_s01_e00_v04.json",
        "a1_s1_e0_v1.json",
        "A01_S01_E00_V01.json",
        "a01_s01_e00_v01.JSON",
        "a01_s01_e00_v01.json.part",
        "a01_s01_e00_v01 (1).json",
        "a01_s01_e00_v01",
        "labels.json",
    ],
)
def test_a_misnamed_file_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    (tmp_path / name).write_text(json.dumps(record()))
    assert f"{tmp_path / name}: is not named aAA_sSS_eEE_vVV.json" in refusal(tmp_path)


def test_a_renamed_file_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path)
    path.rename(tmp_path / "a05_s04_e02_v03.json")
    assert f"{tmp_path / 'a05_s04_e02_v03.json'}: calls itself 'a05_s04_e02_v02' inside" in refusal(tmp_path)


def test_other_files_are_no_clips(tmp_path: Path) -> None:
    put(tmp_path)
    for other in ("README.md", ".DS_Store", "._a05_s04_e02_v02.json"):
        (tmp_path / other).write_bytes(b"\x00")
    assert len(read_clips(nw_ucla.reading(tmp_path))) == 1


def test_a_folder_without_clips_or_with_clips_below_is_refused(tmp_path: Path) -> None:
    assert "holds no aAA_sSS_eEE_vVV.json file" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")
    path = put(tmp_path / "all_sqe")
    assert f"{path}: lies below {tmp_path}" in refusal(tmp_path)


WHOLE = json.dumps(record(frames=2)).encode()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    folder = tmp_path_factory.mktemp("raw")
    assert str(put(folder, WHOLE[:end])) in refusal(folder)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_one_number(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    path = put(folder, WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    try:
        clip = read_clips(nw_ucla.reading(folder))[0]
    except SkelkitError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        original = values(2).transpose(0, 2, 1)[..., None].astype(np.float32)
        assert clip.shape == original.shape
        assert (clip != original).sum() <= 1


def test_import_raw_saves_a_folder_that_opens_and_verifies(tmp_path: Path) -> None:
    put(tmp_path / "raw")
    clips = import_raw("nw_ucla", tmp_path / "raw", tmp_path / "data").clips
    clips.verify()
    np.testing.assert_array_equal(
        Clips.open(tmp_path / "data/nw_ucla").frames, read_clips(nw_ucla.reading(tmp_path / "raw")).frames
    )


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    assert_clips_are_in(read_clips(nw_ucla.reading(raw_folder("nw_ucla"))), real_data("nw_ucla"))


def test_real_names_give_the_published_labels_subjects_and_cameras(
    tmp_path: Path, real_data: Callable[[str], Clips]
) -> None:
    whole = real_data("nw_ucla")
    for name in whole.table["name"]:
        put(tmp_path, record(name, frames=1), name)
    clips = read_clips(nw_ucla.reading(tmp_path))
    assert list(clips.table["name"]) == list(whole.table["name"])
    for column in ("label", "subject", "camera", "fold", "replicate", "action"):
        np.testing.assert_array_equal(clips.column(column), whole.column(column))


def interchange(folder: Path, names: list[str]) -> Clips:
    """Clips of two frames each under these names, loaded from a file that knows neither repetition nor performance."""
    n = len(names)
    arrays = {"frames": np.ones((2 * n, 1, 20, 3), np.float32), "offsets": np.arange(0, 2 * n + 1, 2), "name": names}
    classes = list(nw_ucla.CLASSES.values())
    np.savez(folder / "nw_ucla.npz", **arrays, label=[0] * n, class_names=classes, joint_names=KINECT_V1.joints)
    return load("nw_ucla")


def test_an_interchange_file_gets_the_performances_that_its_names_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    clips = interchange(tmp_path, ["a01_s02_e03_v01", "a01_s02_e03_v02", "a12_s10_e00_v02"])
    assert clips.column("action").tolist() == [10203, 10203, 121000]
    assert clips.column("replicate").tolist() == [3, 3, 0]
    assert clips.table.columns.tolist() == [*COLUMNS, "name"]


def test_an_interchange_file_with_other_names_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    assert interchange(tmp_path, ["a01_s02_e03_v01", "wave"]).column("action").tolist() == [-1, -1]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = put(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert refusal(tmp_path) == f"{path}: is no file; move it away"
