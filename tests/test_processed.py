"""Processed files: pyskl's pickles, CTR-GCN's npz, ST-GCN's npy with pickles; written to the letter, damaged, mixed."""

from __future__ import annotations

import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import refused

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, nw_ucla, processed
from skelkit.data.formats import rows
from skelkit.data.protocols import split
from skelkit.data.skeleton import COCO, KINECT_V2, OPENPOSE
from skelkit.files import SkelkitError

NTU = ("S001C001P001R001A001", "S001C002P003R002A060", "S017C003P040R001A002", "S005C001P035R001A060")


def keypoint(t: int = 4, m: int = 1, v: int = 25, c: int = 3, dtype: type = np.float32, seed: int = 0) -> np.ndarray:
    """(m, t, v, c), no zero among them."""
    return np.random.default_rng(seed + t).uniform(0.5, 3.0, (m, t, v, c)).astype(dtype)


def annotation(name: str, label: int, t: int = 4, **options: Any) -> dict[str, Any]:
    found = keypoint(t, **options)
    return {"frame_dir": name, "label": label, "total_frames": t, "img_shape": (1080, 1920), "keypoint": found}


def ntu_annotations() -> list[dict[str, Any]]:
    return [annotation(name, int(name[-3:]) - 1, t, m=1 + (t == 5)) for t, name in enumerate(NTU, 3)]


def put(folder: Path, content: Any, name: str = "clips.pkl", protocol: int = 4) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


def refusal(path: Path, **options: str) -> str:
    message = refused(lambda: processed.read(path, "mine", **options))
    assert str(path) in message
    return message


# ── pyskl ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pyskl_pickle_of_ntu_gives_frames_and_the_columns_of_the_names(tmp_path: Path, protocol: int) -> None:
    annotations = ntu_annotations()
    splits = {"xsub_train": [NTU[0], NTU[3]], "xsub_val": [NTU[1], NTU[2]], "xview_train": [*NTU[1:3]]}
    splits["xview_val"] = [NTU[0], NTU[3]]
    clips = processed.read(put(tmp_path, {"split": splits, "annotations": annotations}, protocol=protocol), "ntu60")
    assert (clips.skeleton, clips.units, clips.persons, len(clips)) == (KINECT_V2, "metres", 2, 4)
    for i, one in enumerate(annotations):
        whole = one["keypoint"].transpose(1, 3, 2, 0)  # (m, t, v, 3) -> (t, 3, v, m)
        np.testing.assert_array_equal(clips[i][..., : whole.shape[3]], whole)
        assert not clips[i][..., whole.shape[3] :].any()
    assert list(clips.table["name"]) == list(NTU)
    assert clips.labels.tolist() == [0, 59, 1, 59]
    assert clips.column("subject").tolist() == [1, 3, 40, 35]
    assert clips.column("camera").tolist() == [1, 2, 3, 1]
    assert clips.column("setup").tolist() == [1, 1, 17, 5]
    assert clips.column("replicate").tolist() == [1, 2, 1, 1]
    assert clips.column("fold").tolist() == [-1] * 4
    assert len(clips.classes) == 60
    for name, test in (("xsub", splits["xsub_val"]), ("xview", splits["xview_val"])):
        assert [clips.table["name"][i] for i in split(clips, name).test] == test


def test_two_dimensional_joints_get_z_zero_and_pixels_and_no_score(tmp_path: Path) -> None:
    one = {**annotation("a", 0, m=2, v=17, c=2, dtype=np.float16), "keypoint_score": np.ones((2, 4, 17), np.float16)}
    clips = processed.read(put(tmp_path, {"split": {"train": ["a"], "val": []}, "annotations": [one]}), "gym")
    assert (clips.skeleton, clips.units, clips.frames.dtype) == (COCO, "pixels", np.float16)
    np.testing.assert_array_equal(clips[0][:, :2], one["keypoint"].transpose(1, 3, 2, 0))
    assert not clips[0][:, 2].any()


def test_the_lists_of_a_file_become_folds(tmp_path: Path) -> None:
    annotations = [annotation(name, i % 2) for i, name in enumerate("abcde")]
    lists = {"train1": ["a", "b"], "test1": ["c"], "train2": ["c", "d"], "test2": ["a"], "val2": ["e"]}
    path = put(tmp_path, {"split": lists, "annotations": annotations})
    assert "has several splits; choose one of 1, 2 (-o split NAME)" in refusal(path)
    assert "has no split '3'; it has 1, 2" in refusal(path, split="3")
    first = processed.read(path, "ucf101", split="1")
    assert (list(first.table["name"]), first.column("fold").tolist()) == (["a", "b", "c"], [0, 0, 1])
    assert "2 clips in no list left out" in first.source
    second = processed.read(path, "ucf101", split="2")
    assert (list(second.table["name"]), second.column("fold").tolist()) == (["a", "c", "d", "e"], [1, 0, 0, 2])
    chosen = split(first, "folds", 1)
    assert [first.table["name"][i] for i in chosen.test] == ["c"]


def test_one_split_needs_no_choice_and_names_absent_clips(tmp_path: Path) -> None:
    content = {"split": {"train": ["a", "gone"], "val": ["b"]}, "annotations": [annotation(n, 0) for n in "ab"]}
    clips = processed.read(put(tmp_path, content), "gym")
    assert clips.column("fold").tolist() == [0, 1]
    assert "1 listed clips are not in the file" in clips.source


def test_the_older_form_is_a_list_of_annotations(tmp_path: Path) -> None:
    clips = processed.read(put(tmp_path, ntu_annotations()), "ntu60")
    assert clips.column("subject").tolist() == [1, 3, 40, 35]
    assert clips.column("fold").tolist() == [-1] * 4


def test_names_of_nw_ucla_give_their_columns_and_classes(tmp_path: Path) -> None:
    content = [annotation("a12_s10_e03_v02", 9, v=20), annotation("a01_s02_e00_v01", 0, v=20)]
    clips = processed.read(put(tmp_path, content), "nw_ucla")
    assert clips.classes == tuple(nw_ucla.CLASSES.values())
    assert clips.column("camera").tolist() == [2, 1]
    assert clips.column("action").tolist() == [121003, 10200]


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (
            {"xsub_train": [NTU[1]], "xsub_val": [NTU[0]]},
            f"{NTU[1]} is in the training list of xsub, and the published",
        ),
        ({"xview_train": [NTU[0]], "xview_val": []}, f"{NTU[0]} is in the training list of xview"),
        ({"xset_train": [], "xset_val": ["S002C001P001R001A001"]}, "is in the test list of xset"),
        ({"mine_train": [NTU[0]], "mine_val": [NTU[0]]}, f"clip {NTU[0]} is in two lists"),
        ({"train": "abc"}, "split 'train' is no list of names"),
        ({"train": [1]}, "split 'train' is no list of names"),
        ({1: []}, "split '1' is no list of names"),
        ([], "its split is no dict"),
    ],
)
def test_lists_that_disagree_with_the_names_are_refused(tmp_path: Path, lists: Any, said: str) -> None:
    assert said in refusal(put(tmp_path, {"split": lists, "annotations": ntu_annotations()}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"frame_dir": None}, "annotation 2: has no text frame_dir"),
        ({"frame_dir": "a\nb"}, "annotation 2: has no text frame_dir"),
        ({"frame_dir": NTU[0]}, f"annotation 2 ({NTU[0]}): is there twice"),
        ({"label": 3}, "has label 3, and the name S001C002P003R002A060 says 59"),
        ({"label": 59.0}, "its label is no whole number"),
        ({"label": True}, "its label is no whole number"),
        ({"label": 10**9}, "its label is no whole number"),
        ({"total_frames": 5}, "its total_frames are not its keypoint's 4"),
        ({"keypoint": None}, "its keypoint is no array"),
        ({"keypoint": np.zeros((1, 4, 25))}, "its keypoint is no array"),
        ({"keypoint": np.array([[[["1.0"] * 3] * 25] * 4])}, "its keypoint is no array"),
        ({"keypoint": np.zeros((1, 0, 25, 3))}, "has the shape (1, 0, 25, 3)"),
        ({"keypoint": np.ones((1, 4, 25, 4))}, "has the shape (1, 4, 25, 4)"),
        ({"keypoint": np.ones((1, 4, 24, 3))}, "has 24 joints, the first 25"),
        ({"keypoint": np.zeros((1, 4, 25, 3))}, "nobody is in it"),
        ({"keypoint": np.full((1, 4, 25, 3), np.nan)}, "frame 1: NaN or infinity"),
        ({"keypoint": np.full((1, 4, 25, 3), 1e300)}, "frame 1: NaN or infinity"),
    ],
)
def test_an_annotation_that_is_wrong_is_refused_by_number_or_left_out(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    annotations = ntu_annotations()
    annotations[1] = annotations[1] | change
    path = put(tmp_path, annotations)
    message = refusal(path)
    assert said in message
    assert "annotation 2" in message
    done = import_raw("mine", path, tmp_path / "data", skip_bad=True)
    assert list(done.clips.table["name"]) == [NTU[0], *NTU[2:]]
    assert done.left_out == (message,)
    assert (tmp_path / "data/mine/left_out.txt").read_text() == f"{message}\n"


def test_the_oldest_names_are_read_and_keypoints_elsewhere_are_refused(tmp_path: Path) -> None:
    old = [{("filename" if key == "frame_dir" else key): value for key, value in a.items()} for a in ntu_annotations()]
    assert list(processed.read(put(tmp_path, old), "ntu60").table["name"]) == list(NTU)
    elsewhere = [{"frame_dir": "a", "raw_file": "kp.pkl", "label": 0, "frame_inds": np.arange(3)}]
    assert "its keypoints are in a file of their own, raw_file" in refusal(put(tmp_path, elsewhere))


def test_coordinates_that_16_bits_do_not_hold_are_refused_at_half(tmp_path: Path) -> None:
    path = put(tmp_path, [annotation("a", 0) | {"keypoint": np.full((1, 4, 25, 3), 70000.0)}])
    with pytest.raises(SkelkitError, match="beyond 65504 does not fit into 16 bits"):
        import_raw("mine", path, tmp_path / "data", half=True)
    assert not (tmp_path / "data/mine").exists()
    assert import_raw("mine", path, tmp_path / "data").clips.frames.max() == 70000


@pytest.mark.parametrize("content", [{}, {"annotations": 3}, [], 3, "x", {"annotations": []}, {"split": {}}])
def test_a_pickle_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    assert 'is neither {"split", "annotations"} nor a list' in refusal(put(tmp_path, content))


def test_annotations_that_are_none_are_refused(tmp_path: Path) -> None:
    assert "none of its 2 annotations is whole; first: " in refusal(put(tmp_path, [3, None]))


def test_a_hostile_pickle_is_refused_by_the_name_of_what_it_calls(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'mark'}",)

    annotations = [*ntu_annotations(), {"frame_dir": Hostile()}]
    assert f"'{os.name}.system'" in refusal(put(tmp_path, {"split": {}, "annotations": annotations}))
    assert not (tmp_path / "mark").exists()


def test_an_unknown_number_of_joints_needs_a_skeleton_file(tmp_path: Path) -> None:
    path = put(tmp_path, [annotation("a", 0, v=3)])
    assert "has 3 joints of 3 coordinates, and no known skeleton does; give its own as a TOML file" in refusal(path)
    three = tmp_path / "three.toml"
    three.write_text('joints = ["a", "b", "c"]\nbones = [["b", "a"], ["c", "b"]]\ncentre = "a"\n')
    assert processed.read(path, "mine", skeleton=str(three)).skeleton.name == "three"
    ntu = put(tmp_path, ntu_annotations(), "ntu.pkl")
    assert "has 25 joints of 3 coordinates, and three has 3" in refusal(ntu, skeleton=str(three))


WHOLE = pickle.dumps({"split": {"train": [NTU[0]], "val": [NTU[1]]}, "annotations": ntu_annotations()[:2]}, 4)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(-1, 255))
def test_a_pickle_cut_or_changed_anywhere_is_refused_or_keeps_its_shape(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    content = WHOLE[:at] if byte < 0 else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    path = put(tmp_path_factory.mktemp("raw"), content)
    try:
        clips = processed.read(path, "mine")
    except SkelkitError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert byte >= 0
        assert clips.frames.shape[1:3] == (3, 25)


# ── CTR-GCN ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def ctrgcn_arrays(lengths: tuple[int, ...] = (3, 7, 5), frames: int = 8) -> dict[str, np.ndarray]:
    """x (n, t, 150), padded with zeros; the second person is there in the first clip only."""
    rng = np.random.default_rng(0)
    found = {}
    for side in ("train", "test"):
        x = rng.uniform(0.5, 2, (len(lengths), frames, 2, 25, 3)).astype(np.float32)
        x[1:, :, 1] = 0
        for clip, length in zip(x, lengths, strict=True):
            clip[length:] = 0
        found[f"x_{side}"] = x.reshape(len(lengths), frames, 150)
        found[f"y_{side}"] = np.eye(60)[[0, 59, 7]]
    return found


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("block", [1, 1 << 24])
def test_ctr_gcns_padding_is_cut_off(
    tmp_path: Path, save: Callable[..., None], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", block)
    arrays = ctrgcn_arrays()
    arrays["x_train"][1, 2] = 0  # a frame of nobody between others is no padding
    save(tmp_path / "NTU60_CS.npz", **arrays)
    clips = processed.read(tmp_path / "NTU60_CS.npz", "ntu60")
    assert clips.lengths.tolist() == [3, 7, 5] * 2
    assert (clips.labels.tolist(), clips.column("fold").tolist()) == ([0, 59, 7] * 2, [0] * 3 + [1] * 3)
    assert (clips.persons, len(clips.classes), clips.skeleton) == (2, 60, KINECT_V2)
    x = arrays["x_test"].reshape(3, 8, 2, 25, 3)
    np.testing.assert_array_equal(clips[3], x[0, :3].transpose(0, 3, 2, 1))
    np.testing.assert_array_equal(
        clips[1][:, :, :, 0], arrays["x_train"].reshape(3, 8, 2, 25, 3)[1, :7, 0].swapaxes(1, 2)
    )
    assert [clips.table["name"][i] for i in split(clips, "folds", 1).test] == [f"test_{i}" for i in range(3)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x_train": np.zeros((3, 8, 150), np.float32)}, "clip 0 (train_0): nobody is in it"),
        ({"x_train": np.full((3, 8, 150), np.nan)}, "clip 0 (train_0), frame 1: NaN or infinity"),
        ({"x_train": np.ones((3, 8, 149))}, "has the shape (3, 8, 149)"),
        ({"x_train": np.ones((2, 8, 150))}, "holds 2 clips for 3 labels"),
        ({"x_train": np.ones((3, 9, 150))}, "have the shapes"),
        ({"x_train": np.array(["x"])}, "an array of <U1"),
        ({"x_train": np.asfortranarray(np.ones((3, 8, 150)))}, "by columns"),
        ({"y_train": np.ones((3, 60))}, "row 0: is not all 0 but for one 1"),
        ({"y_train": np.arange(3)}, "has the shape (3,)"),
    ],
)
def test_arrays_that_are_wrong_are_refused_by_name(tmp_path: Path, change: dict[str, np.ndarray], said: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **(ctrgcn_arrays() | change))
    assert said in refusal(path)


def test_an_npz_without_an_array_and_one_of_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x_train=np.ones(3))
    assert "array 'y_train' is missing (it holds x_train)" in refusal(path)
    np.savez(path, **(ctrgcn_arrays() | {"x_train": np.array([{}])}))
    assert "an array of object" in refusal(path)


def test_a_shape_that_the_file_does_not_hold_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **ctrgcn_arrays())
    header = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 300, 150)}".ljust(118)
    )
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "y.npz", "w") as new:
        for name in old.namelist():
            new.writestr(name, header if name == "x_train.npy" else old.read(name))
    tracemalloc.start()
    assert "asks for 180,000,000,000,000 bytes, and 0 are there" in refusal(tmp_path / "y.npz")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_the_interchange_npz_is_imported_as_well(tmp_path: Path) -> None:
    joints = np.array(KINECT_V2.joints)
    frames = np.random.default_rng(0).normal(size=(5, 1, 25, 3)).astype(np.float32)
    words = {"class_names": ["a", "b"], "joint_names": joints}
    np.savez(tmp_path / "x.npz", frames=frames, offsets=[0, 2, 5], label=[0, 1], **words)
    done = import_raw("mine", tmp_path / "x.npz", tmp_path / "data")
    np.testing.assert_array_equal(done.clips.frames, Clips.from_npz(tmp_path / "x.npz").frames)
    done.clips.verify()


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(part=st.floats(0, 1, exclude_max=True))
def test_an_npz_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, part: float) -> None:
    path = tmp_path_factory.mktemp("raw") / "x.npz"
    np.savez_compressed(path, **ctrgcn_arrays())
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refusal(path)


# ── ST-GCN ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def stgcn(folder: Path, v: int = 25, names: tuple[str, ...] = NTU) -> np.ndarray:
    """The four files; returns (4, 3, 8, v, 2), the training clips first."""
    folder.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(0).uniform(0.5, 2, (4, 3, 8, v, 2)).astype(np.float32)
    data[1, :, 6:] = 0
    data[3, :, 1:] = 0
    for side, part in (("train", slice(0, 2)), ("val", slice(2, 4))):
        np.save(folder / f"{side}_data.npy", data[part])
        labels = [int(n[-3:]) - 1 for n in names[part]]
        put(folder, ([f"{n}.skeleton" for n in names[part]], labels), f"{side}_label.pkl", 2)
    return data


def test_st_gcns_folder_gives_clips_without_padding_and_the_names_columns(tmp_path: Path) -> None:
    names = (NTU[0], NTU[3], NTU[1], NTU[2])
    data = stgcn(tmp_path / "xsub", names=names)
    clips = processed.read(tmp_path / "xsub", "ntu60")
    assert (list(clips.table["name"]), clips.lengths.tolist()) == (list(names), [8, 6, 8, 1])
    assert clips.column("fold").tolist() == [0, 0, 1, 1]
    assert split(clips, "xsub").test.tolist() == split(clips, "folds", 1).test.tolist() == [2, 3]
    np.testing.assert_array_equal(clips[1], data[1, :, :6].swapaxes(0, 1))


def test_saving_block_by_block_equals_reading_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stgcn(tmp_path / "ntu")
    whole = processed.read(tmp_path / "ntu", "ntu60")
    monkeypatch.setattr(rows, "BLOCK", 1)  # a clip a block
    done = import_raw("ntu60", tmp_path / "ntu", tmp_path / "data")
    done.clips.verify()
    np.testing.assert_array_equal(done.clips.frames, whole.frames)
    assert done.clips.table.equals(whole.table)
    half = import_raw("half", tmp_path / "ntu", tmp_path / "data", half=True)
    np.testing.assert_array_equal(half.clips.frames, whole.frames.astype(np.float16))


def test_a_large_array_is_never_in_memory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", 1 << 20)
    folder = tmp_path / "large"
    folder.mkdir()
    for side in ("train", "val"):
        np.save(folder / f"{side}_data.npy", np.ones((200, 3, 300, 25, 2), np.float32))  # 36 MB
        put(folder, ([f"{side}{i}" for i in range(200)], [0] * 200), f"{side}_label.pkl")
    tracemalloc.start()
    import_raw("large", folder, tmp_path / "data")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_openposes_score_is_no_coordinate(tmp_path: Path) -> None:
    stgcn(tmp_path / "kinetics", v=18)
    clips = processed.read(tmp_path / "kinetics", "kinetics")
    assert (clips.skeleton, clips.units) == (OPENPOSE, "share of the picture")
    assert clips.frames[:, :2].any()
    assert not clips.frames[:, 2].any()


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ((["a", "b"], [0]), "its labels are not a whole number from 0 for each name"),
        ((["a", "b"], [0, -1]), "its labels are not a whole number"),
        ((["a", "b"], [0, 0.5]), "its labels are not a whole number"),
        ((["a", 3], [0, 0]), "is not ([names], [labels])"),
        ((["a"], [0]), "holds 2 clips for 1 labels"),
        ((["a", "a"], [0, 0]), "clip 1 (a): is there twice"),
        ((["S001C001P001R001A002", "b"], [0, 0]), "has label 0, and the name S001C001P001R001A002 says 1"),
        ({}, "is not ([names], [labels])"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, label: Any, said: str) -> None:
    stgcn(tmp_path)
    put(tmp_path, label, "train_label.pkl")
    with pytest.raises(SkelkitError) as caught:
        processed.read(tmp_path, "mine")
    assert said in str(caught.value)
    assert "train_" in str(caught.value)


def test_a_folder_of_another_split_than_its_name_is_refused(tmp_path: Path) -> None:
    stgcn(tmp_path / "xview")  # NTU[0] is of camera 1, and trains here
    assert f"{NTU[0]} is in the training list of xview" in refusal(tmp_path / "xview")


def test_half_a_folder_and_a_lone_array_are_refused(tmp_path: Path) -> None:
    stgcn(tmp_path)
    assert "is one array without its labels" in refusal(tmp_path / "train_data.npy")
    (tmp_path / "val_data.npy").unlink()
    assert "give the folder with train_data.npy" in refusal(tmp_path)


def test_an_array_cut_short_is_refused_whatever_its_header_says(tmp_path: Path) -> None:
    stgcn(tmp_path)
    path = tmp_path / "val_data.npy"
    content = path.read_bytes()
    for end in (0, 5, 9, 60, 128, 129, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        assert str(path) in refusal(tmp_path)


# ── the command's way in ────────────────────────────────────────────────────────────────────────────────────────────


def test_any_name_but_a_path_is_taken_and_unknown_options_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, ntu_annotations())
    assert len(import_raw("my-own.2", path, tmp_path / "data").clips) == 4
    for name in ("../x", "synthetic", "", "a/b", ".x"):
        with pytest.raises(SkelkitError, match="is no name for a data set"):
            import_raw(name, path, tmp_path / "data")
    with pytest.raises(SkelkitError, match="no option 'fold'; it takes split, skeleton"):
        import_raw("mine", path, tmp_path / "data", options={"fold": "1"})


def test_a_fault_leaves_nothing_behind(tmp_path: Path) -> None:
    path = put(tmp_path, [*ntu_annotations(), 3])
    with pytest.raises(SkelkitError, match="annotation 5"):
        import_raw("mine", path, tmp_path / "data")
    assert not (tmp_path / "data").exists()
