"""The store of clips: what goes in comes out, and each fault is one line with place and mend."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skelkit.data import Clips, load, present
from skelkit.data.clips import COLUMNS, FILES
from skelkit.data.skeleton import KINECT_V1, SBU
from skelkit.files import SkelkitError

LENGTHS = (5, 1, 7)


def arrays(**changes: Any) -> dict[str, Any]:
    """The arrays of a flat npz with three clips of two persons, some of them exchanged; None takes one away."""
    rng = np.random.default_rng(0)
    made = {
        "frames": rng.normal(size=(sum(LENGTHS), 2, len(SBU), 3)).astype(np.float32),  # (sum of t, m, v, 3)
        "offsets": np.cumsum([0, *LENGTHS]),
        "label": np.array([1, 0, 1]),
        "subject": np.array([3, 4, 3]),
        "view": np.array([1, 2, 3]),
        "fold": np.array([0, 1, -1]),
        "name": np.array(["one", "two, with a comma", "003"]),
        "class_names": np.array(["wave", "bow"]),
        "joint_names": np.array(SBU.joints),
    } | changes
    return {key: value for key, value in made.items() if value is not None}


def npz(folder: Path, **changes: Any) -> Path:
    """The arrays as a file."""
    np.savez(folder / "mine.npz", **arrays(**changes))
    return folder / "mine.npz"


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    """Three clips in memory."""
    return Clips.from_npz(npz(tmp_path))


def refusal(call: Callable[[], object], place: Path | str) -> str:
    """What is said, on one line that begins with the place and ends with a mend."""
    with pytest.raises(SkelkitError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(place))
    assert ";" in message, "a mend follows the fault"
    return message


def assert_same(one: Clips, other: Clips) -> None:
    """Equal in everything but where they lie."""
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.offsets, other.offsets)
    pd.testing.assert_frame_equal(one.table, other.table)
    for field in ("skeleton", "classes", "name", "units", "source"):
        assert getattr(one, field) == getattr(other, field)
    assert one.frames.dtype == other.frames.dtype


# ── in memory


def test_from_npz_turns_the_frames_and_keeps_the_table(clips: Clips) -> None:
    given = arrays()
    assert (len(clips), clips.persons, clips.lengths.tolist()) == (3, 2, list(LENGTHS))
    for i, (start, end) in enumerate(zip(given["offsets"], given["offsets"][1:], strict=False)):
        np.testing.assert_array_equal(clips[i], given["frames"][start:end].transpose(0, 3, 2, 1))
    assert clips.labels.tolist() == [1, 0, 1]
    assert clips.column("camera").tolist() == [1, 2, 3], "view is the camera"
    assert clips.column("setup").tolist() == [-1, -1, -1], "what is missing does not apply"
    assert list(clips.table["name"]) == ["one", "two, with a comma", "003"]
    assert (clips.name, clips.skeleton, clips.classes) == ("mine", SBU, ("wave", "bow"))


def test_users_bring_their_own_skeleton_units_and_columns(tmp_path: Path) -> None:
    own = {
        "frames": np.ones((3, 1, 3, 3), np.float16),
        "offsets": np.array([0, 2, 3]),
        "label": np.array([0, -1]),
        "joint_names": np.array(["hip", "knee", "foot"]),
        "bones": np.array([[1, 0], [2, 1]]),
        "centre": np.array(1),
        "units": np.array("inches"),
        "source": np.array("a garage"),
        "camera": np.array([7, 8]),
        "action": np.array([5.0, 6.0]),
        "view": None,
        "subject": None,
        "fold": None,
        "name": None,
    }
    clips = Clips.from_npz(npz(tmp_path, **own), "garage")
    assert (clips.skeleton.bones, clips.skeleton.centre) == (((1, 0), (2, 1)), 1)
    assert (clips.name, clips.units, clips.source) == ("garage", "inches", "a garage")
    assert clips.frames.dtype == np.float16
    assert clips.column("camera").tolist() == [7, 8]
    assert clips.column("action").tolist() == [5, 6], "whole numbers may come as floats"
    assert list(clips.table["name"]) == ["0", "1"]


def test_clips_are_counted_from_either_end_and_end() -> None:
    clips = Clips.from_arrays(
        np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1).repeat(3, 1).repeat(15, 2),
        [0, 1, 3, 6],
        skeleton=SBU,
        classes=["a"],
        name="counted",
        columns={"label": [0, 0, 0]},
    )
    assert [clip[:, 0, 0, 0].tolist() for clip in clips] == [[0], [1, 2], [3, 4, 5]]  # type: ignore[attr-defined]
    assert clips[-1][:, 0, 0, 0].tolist() == [3, 4, 5]
    with pytest.raises(IndexError):
        clips[3]


def test_a_subset_takes_an_index_or_a_mask_in_order(clips: Clips) -> None:
    part = clips.subset(np.array([2, 0]))
    assert list(part.table["name"]) == ["003", "one"]
    assert part.lengths.tolist() == [7, 5]
    np.testing.assert_array_equal(part[1], clips[0])
    assert_same(clips.subset(np.array([True, False, True])), clips.subset(np.array([0, 2])))
    assert_same(clips.subset(np.array([-1])), clips.subset(np.array([2])))
    assert len(clips.subset(np.array([], np.int64))) == 0


# ── on disk


def test_what_is_saved_is_opened_and_verified(clips: Clips, tmp_path: Path) -> None:
    saved = clips.save(tmp_path / "deep" / "mine")
    assert_same(saved, clips)
    assert_same(Clips.open(str(tmp_path / "deep" / "mine")), clips)
    assert isinstance(saved.frames, np.memmap)
    assert saved.folder == tmp_path / "deep" / "mine"
    assert sorted(path.name for path in saved.folder.iterdir()) == sorted([*FILES, "manifest.json"])
    saved.verify()
    clips.verify()  # in memory there is nothing to compare


def test_half_precision_and_odd_names_survive_the_disk(tmp_path: Path) -> None:
    names = ["NA", "", 'quoted "a", b']
    clips = Clips.from_npz(npz(tmp_path, frames=arrays()["frames"].astype(np.float16), name=np.array(names)))
    saved = clips.save(tmp_path / "half")
    assert_same(saved, clips)
    assert list(saved.table["name"]) == names


def test_a_subset_of_none_survives_the_disk(clips: Clips, tmp_path: Path) -> None:
    assert len(clips.subset(np.array([], np.int64)).save(tmp_path / "none")) == 0


def test_saving_again_replaces_the_folder_even_from_itself(clips: Clips, tmp_path: Path) -> None:
    saved = clips.save(tmp_path / "mine")
    assert_same(saved.save(tmp_path / "mine"), clips)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "mine.npz"]


def test_saving_does_not_replace_what_is_no_clips_folder(clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    assert "no clips folder" in refusal(lambda: clips.save(tmp_path / "thesis"), tmp_path / "thesis")
    assert (tmp_path / "thesis" / "thesis.tex").exists()


def test_a_full_disk_leaves_no_folder_and_the_old_one_whole(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = clips.subset(np.array([0])).save(tmp_path / "old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for fails in ("numpy.save", "pandas.DataFrame.to_csv", "pathlib.Path.write_text"):
        with monkeypatch.context() as patch:
            patch.setattr(fails, full)
            for folder in (tmp_path / "new", tmp_path / "old"):
                assert "No space left on device" in refusal(lambda to=folder: clips.save(to), folder)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.npz", "old"]
    old.verify()
    assert len(Clips.open(tmp_path / "old")) == 1


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_verify_catches_one_changed_byte_anywhere(clips: Clips, tmp_path: Path, file: str) -> None:
    saved = clips.save(tmp_path / "mine")
    path = tmp_path / "mine" / file
    content = path.read_bytes()
    for at in np.random.default_rng(0).integers(0, len(content), 20):
        flipped = bytearray(content)
        flipped[at] ^= 1
        if file == "manifest.json" and content[at : at + 1].isspace():
            continue  # blanks between its words say nothing
        path.unlink()  # another file, so that the open memory map keeps the old one
        path.write_bytes(flipped)
        said = refusal(saved.verify, tmp_path / "mine")
        assert file in said or file == "manifest.json"  # which may wrong one of the others
    path.unlink()
    path.write_bytes(content)
    saved.verify()


def test_verify_names_a_file_that_has_gone(clips: Clips, tmp_path: Path) -> None:
    saved = clips.save(tmp_path / "mine")
    (tmp_path / "mine" / "offsets.npy").unlink()
    assert "offsets.npy: cannot be read" in refusal(saved.verify, tmp_path / "mine")


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["empty", "cut", "absent", "text"])
def test_a_damaged_folder_is_refused_at_opening(clips: Clips, tmp_path: Path, file: str, damage: str) -> None:
    clips.save(tmp_path / "mine")
    path = tmp_path / "mine" / file
    content = path.read_bytes()
    path.unlink()
    if damage != "absent":
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"hello\n"}[damage])
    refusal(lambda: Clips.open(tmp_path / "mine"), tmp_path / "mine")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("classes"), "'classes' is missing or wrong"),
        (lambda m: m.update(clips=4), "disagree on the number of clips"),
        (lambda m: m.update(frames=12), "disagree on the number of clips"),
        (lambda m: m.update(classes=["wave"]), "has label 1, and there are 1 classes"),
        (lambda m: m["skeleton"].pop("bones"), "give name, joints, bones and centre"),
        (lambda m: m["skeleton"]["joints"].append("tail"), "no tree"),
    ],
)
def test_a_manifest_that_disagrees_is_refused(
    clips: Clips, tmp_path: Path, change: Callable[[dict], object], said: str
) -> None:
    clips.save(tmp_path / "mine")
    path = tmp_path / "mine" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    assert said in refusal(lambda: Clips.open(tmp_path / "mine"), "")


def test_a_table_with_other_columns_is_refused(clips: Clips, tmp_path: Path) -> None:
    clips.save(tmp_path / "mine")
    path = tmp_path / "mine" / "clips.csv"
    path.write_text(path.read_text().replace("subject", "actor"))
    assert "its first line is not label,subject" in refusal(lambda: Clips.open(tmp_path / "mine"), tmp_path / "mine")


def test_opening_a_data_set_of_the_size_of_ntu_takes_little_memory(clips: Clips, tmp_path: Path) -> None:
    folder, n, length = tmp_path / "mine", 56_578, 84
    clips.save(folder)
    total = n * length
    # A memory map in write mode is a sparse file: 2.9 GB by its size, next to nothing on the disk.
    frames = np.lib.format.open_memmap(folder / "frames.npy", "w+", np.float16, (total, 3, len(SBU), 2))
    del frames
    np.save(folder / "offsets.npy", np.arange(0, total + 1, length))
    table = pd.DataFrame({column: np.arange(n) % 2 for column in COLUMNS})
    table["name"] = [f"S001C001P001R001A{i:06d}" for i in range(n)]
    table.to_csv(folder / "clips.csv", index=False, lineterminator="\n")
    manifest = json.loads((folder / "manifest.json").read_text()) | {"clips": n, "frames": total}
    (folder / "manifest.json").write_text(json.dumps(manifest))

    tracemalloc.start()
    try:
        opened = Clips.open(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(opened.frames, np.memmap)
    assert len(opened) == n
    assert peak < 300e6
    assert opened[n - 1].shape == (length, 3, len(SBU), 2)


# ── faults of what is given


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": None}, "array 'frames' is missing; it holds class_names, fold"),
        ({"offsets": None}, "array 'offsets' is missing"),
        ({"label": None}, "array 'label' is missing"),
        ({"class_names": None}, "array 'class_names' is missing"),
        ({"joint_names": None}, "array 'joint_names' is missing"),
        ({"frames": np.zeros((13, 15, 3))}, "frames has shape (13, 15, 3); give (sum of t, persons, 15 joints, 3)"),
        ({"frames": np.zeros((13, 2, 15, 2))}, "frames has shape (13, 2, 15, 2)"),
        ({"frames": np.zeros((13, 2, 14, 3))}, "frames has shape (13, 2, 14, 3)"),
        ({"frames": np.zeros((13, 0, 15, 3))}, "frames has shape (13, 0, 15, 3)"),
        ({"frames": np.full((13, 2, 15, 3), "1.0")}, "frames holds <U3; give numbers"),
        ({"frames": np.zeros((13, 2, 15, 3), complex)}, "frames holds complex128; give numbers"),
        ({"frames": np.full((13, 2, 15, 3), 1e300)}, "clip one, frame 0 holds NaN or infinity"),
        ({"offsets": np.array([0, 5, 6])}, "offsets must rise from 0 to the 13 frames"),
        ({"offsets": np.array([0, 6, 5, 13])}, "offsets must rise"),
        ({"offsets": np.array([0, 5, 5, 13])}, "offsets must rise"),
        ({"offsets": np.array([1, 5, 6, 13])}, "offsets must rise"),
        ({"offsets": np.array(13)}, "offsets must rise"),
        ({"offsets": np.array([], np.int64)}, "offsets must rise"),
        ({"offsets": np.array([0, 5.5, 6, 13])}, "offsets holds float64, not all of it whole numbers"),
        ({"label": np.array([0, 1])}, "label has shape (2,) for 3 clips"),
        ({"label": np.array([[0], [1], [0]])}, "label has shape (3, 1) for 3 clips"),
        ({"label": np.array(0)}, "label has shape () for 3 clips"),
        ({"label": np.array([0, 2, 1])}, "clip two, with a comma has label 2, and there are 2 classes, from 0"),
        ({"label": np.array([0, 1, -2])}, "clip 003 has label -2"),
        ({"label": np.array([0, 1.5, 1])}, "label holds float64, not all of it whole numbers"),
        ({"label": np.array([0, np.nan, 1])}, "label holds float64, not all of it whole numbers"),
        ({"label": np.array(["wave", "bow", "bow"])}, "label holds <U4, not all of it whole numbers"),
        ({"subject": np.array([1, 2])}, "subject has shape (2,) for 3 clips"),
        ({"view": np.array([1, 2])}, "camera has shape (2,) for 3 clips"),
        ({"name": np.array([b"1", b"2", b"3"])}, "name has shape (3,) of |S1; give a list of text"),
        ({"class_names": np.array("wave")}, "class_names has shape () of <U4; give a list of text"),
        ({"class_names": np.array([b"wave", b"bow"])}, "class_names has shape (2,) of |S4"),
        ({"joint_names": np.array([f"joint {i}" for i in range(15)])}, "joint_names are no known skeleton; add"),
        ({"bones": np.array([1, 0])}, "bones has shape (2,) of int64"),
        ({"bones": np.array([[1.5, 0.0]])}, "bones has shape (1, 2) of float64"),
        ({"bones": np.array([[1, 0], [1, 2]])}, "skeleton mine: a joint has two parents"),
        ({"bones": np.array([[1, 0]])}, "skeleton mine: its bones are no tree"),
        ({"bones": np.array([[1, 99]])}, "skeleton mine: a joint index lies outside 0..14"),
        ({"bones": np.array(SBU.bones), "centre": np.array([0, 1])}, "centre has shape (2,)"),
    ],
)
def test_each_fault_of_an_npz_is_named_with_its_file(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = npz(tmp_path, **changes)
    assert said in refusal(lambda: Clips.from_npz(path), path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_named_with_clip_and_frame(tmp_path: Path, value: float) -> None:
    frames = arrays()["frames"]
    frames[8, 1, 4, 2] = value  # the third clip begins at 6
    path = npz(tmp_path, frames=frames)
    assert "clip 003, frame 2 holds NaN or infinity" in refusal(lambda: Clips.from_npz(path), path)


def test_nan_is_found_in_a_late_block(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.zeros((70_000, 3, 15, 1), np.float16)
    frames[69_999, 2, 14, 0] = np.nan
    make = {"skeleton": SBU, "classes": ["a"], "name": "long", "columns": {"label": [0]}}
    assert "clip 0, frame 69999 holds NaN" in refusal(lambda: Clips.from_arrays(frames, [0, 70_000], **make), "long")


def test_from_arrays_names_the_data_set_and_the_unknown_column() -> None:
    frames = np.zeros((2, 3, 20, 1), np.float32)

    def make(**columns: Any) -> Clips:
        return Clips.from_arrays(
            frames, [0, 2], skeleton=KINECT_V1, classes=["a"], name="mine", columns={"label": [0]} | columns
        )

    assert "unknown column 'colour'; known are label, subject" in refusal(lambda: make(colour=[1]), "mine: ")
    assert "label has shape (2,) for 1 clips" in refusal(lambda: make(label=[0, 0]), "mine: ")
    with pytest.raises(SkelkitError, match=r"mine: frames has shape \(2, 3, 20, 1\); give \(sum of t, 3, 15 joints"):
        Clips.from_arrays(frames, [0, 2], skeleton=SBU, classes=["a"], name="mine", columns={"label": [0]})


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x04]\x94."])  # the last is a pickle
def test_what_is_no_npz_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    assert "not a readable npz (" in refusal(lambda: Clips.from_npz(path), path)


def test_an_absent_file_a_folder_and_a_single_array_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    assert "no such file" in refusal(lambda: Clips.from_npz(path), path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    assert "holds one array and is no npz" in refusal(lambda: Clips.from_npz(path), path)
    assert "not a readable npz" in refusal(lambda: Clips.from_npz(tmp_path), tmp_path)


def test_a_pickled_array_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("sprung").touch, ())

    path = npz(tmp_path, name=np.array([Trap(), 1, 2], object))
    assert "not a readable npz (Object arrays cannot be loaded" in refusal(lambda: Clips.from_npz(path), path)
    assert not (tmp_path / "sprung").exists()


def whole_npz(folder: Path) -> bytes:
    return npz(folder).read_bytes()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_an_npz_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    folder = tmp_path_factory.mktemp("cut")
    content = whole_npz(folder)
    (folder / "mine.npz").write_bytes(content[: int(share * len(content))])
    assert "not a readable npz" in refusal(lambda: Clips.from_npz(folder / "mine.npz"), folder)


@settings(deadline=None, max_examples=100, derandomize=True, database=None)
@given(data=st.data())
def test_an_npz_with_a_changed_byte_is_refused_or_holds_the_same_clips(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    content = bytearray(whole_npz(folder))
    expected = Clips.from_npz(folder / "mine.npz")
    headers = content.find(b"NUMPY") - 60, content.find(b"NUMPY") + 120
    at = data.draw(st.one_of(st.integers(*headers), st.integers(0, len(content) - 1)))
    content[at] = data.draw(st.integers(0, 255))
    (folder / "mine.npz").write_bytes(content)
    try:
        clips = Clips.from_npz(folder / "mine.npz")
    except SkelkitError as error:
        assert str(error).startswith(str(folder))  # noqa: PT017
    else:
        np.testing.assert_array_equal(clips.frames, expected.frames)
        np.testing.assert_array_equal(clips.labels, expected.labels)


# ── by name


def test_load_finds_a_folder_or_an_npz_in_the_first_place_that_has_it(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_DATA", os.pathsep.join([str(tmp_path / "first"), str(tmp_path)]))
    assert load("mine").folder is None  # the npz
    assert load("mine").name == "mine"
    clips.save(tmp_path / "mine")
    assert load("mine").folder == tmp_path / "mine"
    clips.save(tmp_path / "first" / "mine")
    assert load("mine").folder == tmp_path / "first" / "mine"


def test_an_unknown_data_set_is_one_line_with_places_and_what_is_there(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips.save(tmp_path / "saved")
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    message = refusal(lambda: load("mina"), "data set 'mina' is not in ")
    for expected in (str(tmp_path), "mine, saved, synthetic", "skelkit data import", "SKELKIT_DATA"):
        assert expected in message
    assert present("mine")
    assert present("saved")
    assert present("synthetic")
    assert not present("mina")


def test_what_is_no_clips_folder_is_refused_by_name(tmp_path: Path) -> None:
    assert "no manifest.json" in refusal(lambda: Clips.open(tmp_path / "nowhere"), tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert "no manifest.json" in refusal(lambda: Clips.open(tmp_path / "file"), tmp_path / "file")


@pytest.mark.parametrize(("name", "clips", "frames"), [("sbu", 282, 6822), ("nw_ucla", 1484, 58534)])
def test_the_real_data_have_the_published_counts(
    real_data: Callable[[str], Clips], name: str, clips: int, frames: int
) -> None:
    real = real_data(name)
    assert (len(real), len(real.frames)) == (clips, frames)
    assert real.units == {"sbu": "normalised", "nw_ucla": "metres"}[name]
