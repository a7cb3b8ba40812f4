"""The HDM05 reader: files written to the letter of the format, damaged folders, and the real samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap_files import amc_text, asf_text, put
from raw_files import raw_folder, refused_by

from skelkit.data.clips import Clips
from skelkit.data.datasets import hdm05, import_raw
from skelkit.data.formats import acclaim, asf
from skelkit.data.importing import Source, read_clips
from skelkit.data.protocols import split, stratified_folds
from skelkit.data.skeleton import ACCLAIM
from skelkit.files import SkelkitError

NAME = "HDM_bd_clap5Reps_003_120"


def put_clip(folder: Path, name: str = NAME, frames: int = 2, seed: int = 0) -> Path:
    """One motion, and its actor's skeleton beside it."""
    put(folder / f"{name[:6]}.asf", asf_text())
    return put(folder / f"{name}.amc", amc_text(frames, seed))


refusal = partial(refused_by, hdm05.reading)


def test_a_clip_holds_the_bone_ends_in_metres(tmp_path: Path) -> None:
    path = put_clip(tmp_path, frames=4)
    clips = read_clips(hdm05.reading(tmp_path))
    assert clips[0].shape == (4, 3, 31, 1)
    assert (clips.skeleton, clips.units, clips.classes) == (ACCLAIM, "metres", hdm05.CLASSES)
    skeleton = asf.read_asf(tmp_path / "HDM_bd.asf")
    expected = acclaim.bone_ends_by_frame(skeleton, acclaim.read_amc(path, skeleton))
    np.testing.assert_allclose(clips[0][..., 0], expected.transpose(2, 1, 0), atol=1e-6)


def test_the_name_gives_label_subject_and_take_at_any_depth(tmp_path: Path) -> None:
    names = ["HDM_bd_clap5Reps_003_120", "HDM_dg_cartwheelLHandStart1Reps_001_120", "HDM_tr_turnLeft_012_120"]
    for depth, name in enumerate(names):
        put_clip(tmp_path.joinpath(*"abc"[:depth]), name)
    clips = read_clips(hdm05.reading(tmp_path))
    assert list(clips.table["name"]) == names
    assert [clips.classes[label] for label in clips.labels] == ["clap5Reps", "cartwheelLHandStart1Reps", "turnLeft"]
    assert clips.column("subject").tolist() == [1, 3, 5]
    assert clips.column("replicate").tolist() == [3, 1, 12]
    assert "3 of 2,337 clips" in clips.source


def test_the_skeleton_is_the_nearest_one(tmp_path: Path) -> None:
    for folder in ("far", "a"):
        put(tmp_path / folder / "HDM_bd.asf", asf_text())
    for name in ("a/b/" + NAME, "c/" + NAME.replace("003", "004")):
        put(tmp_path / f"{name}.amc", amc_text())
    beside = {s.path.parent.name: s.beside for s in hdm05.reading(tmp_path).sources if isinstance(s, Source)}
    assert beside == {"b": (tmp_path / "a/HDM_bd.asf",), "c": (tmp_path / "a/HDM_bd.asf",)}
    put(tmp_path / "c/HDM_bd.asf", asf_text())
    found = hdm05.reading(tmp_path).sources[1]
    assert isinstance(found, Source)
    assert found.beside == (tmp_path / "c/HDM_bd.asf",)


def test_there_are_130_classes_and_the_proposal_merges_them_to_65() -> None:
    assert len(set(hdm05.CLASSES)) == 130
    assert list(hdm05.CLASSES) == sorted(hdm05.CLASSES)
    merged = hdm05.class_map("65")
    assert list(merged) == list(hdm05.CLASSES)
    assert len(set(merged.values())) == 65
    assert merged["walk2StepsLstart"] == merged["walk4StepsRstart"] == "walk"
    assert merged["elbowToKnee1RepsLelbowStart"] == merged["elbowToKnee3RepsRelbowStart"]
    assert merged["kickLFront1Reps"] != merged["kickRFront1Reps"]
    assert "proposal" in hdm05.PROPOSAL.read_text()


def test_clips_take_their_labels_from_the_merged_classes(tmp_path: Path) -> None:
    for name in ("HDM_bd_clap5Reps_003_120", "HDM_bd_clap1Reps_001_120", "HDM_bd_turnLeft_001_120"):
        put_clip(tmp_path / "raw", name)
    clips = read_clips(hdm05.reading(tmp_path / "raw", classes="65"))
    assert [clips.classes[label] for label in clips.labels] == ["clap", "clap", "turnLeft"]
    table = "\ufeff# mine\nofficial_class,merged_class\n" + "".join(f"{c}, {c[0]} \n" for c in hdm05.CLASSES)
    own = put(tmp_path / "own.csv", table)
    clips = read_clips(hdm05.reading(tmp_path / "raw", classes=str(own)))
    assert [clips.classes[label] for label in clips.labels] == ["c", "c", "t"]
    assert clips.classes == tuple(dict.fromkeys(c[0] for c in hdm05.CLASSES))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("clap1Reps,clap", "clap2Reps,clap", "line 10: 'clap2Reps' is no class of HDM05"),
        ("clap1Reps,clap", "clap5Reps,clap", "line 11: 'clap5Reps' comes twice"),
        ("clap1Reps,clap", "clap1Reps,", "line 10: 'clap1Reps' has no merged class"),
        ("clap1Reps,clap\n", "", "clap1Reps is missing (1 of 130 are)"),
        ("clap1Reps,clap", "clap1Reps,clap,clap", "line 10: has 3 values, not 2"),
        ("clap1Reps,clap", '"clap1Reps"x,clap', "line 10: is no line of a CSV file"),
        ("official_class,", "class,", "its columns are 'class,merged_class'"),
    ],
)
def test_a_faulty_table_of_classes_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    put_clip(tmp_path)
    text = hdm05.PROPOSAL.read_text()
    place = text[: text.index("clap1Reps")].count("\n") + 1
    own = put(tmp_path / "own.csv", text.replace(old, new, 1))
    message = refusal(tmp_path, classes=str(own))
    assert message.startswith(str(own))
    assert said.replace("line 10", f"line {place}").replace("line 11", f"line {place + 1}") in message


def test_a_table_that_is_no_text_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    put_clip(tmp_path)
    own = put(tmp_path / "own.csv", b"official_class,merged_class\n\xff\n")
    assert f"{own}, line 2: is not UTF-8" in refusal(tmp_path, classes=str(own))
    put(own, "official_class,merged_class\n")
    assert f"{own}, line 2: holds no row" in refusal(tmp_path, classes=str(own))
    assert "is neither 130 nor 65 nor a CSV file" in refusal(tmp_path, classes="64")


def test_folds_hold_each_class_evenly_and_come_from_the_seed(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(7), [30, 12, 5, 1, 20, 9, 11]))
    fold = stratified_folds(labels.tolist(), 4, seed=0)
    counts = pd.crosstab(labels, fold).to_numpy()
    assert counts.shape == (7, 4)
    assert (np.ptp(counts, axis=1) <= 1).all()
    assert np.ptp(counts.sum(0)) <= 1
    np.testing.assert_array_equal(fold, stratified_folds(labels.tolist(), 4, seed=0))
    assert (fold != stratified_folds(labels.tolist(), 4, seed=1)).any()
    for take in range(1, 8):
        put_clip(tmp_path, f"HDM_bd_clap5Reps_{take:03}_120", frames=1, seed=take)
    clips = read_clips(hdm05.reading(tmp_path, folds="3"))
    assert np.bincount(clips.column("fold")).tolist() == [3, 2, 2]
    assert len(split(clips, "folds", fold=0).test) == 3
    assert "whole number" in refusal(tmp_path, folds="1")
    assert "whole number" in refusal(tmp_path, seed="-1")


@pytest.mark.parametrize(
    "name",
    [
        "HDM_bd_01-01_01_120.amc",  # uncut
        "HDM_xx_clap5Reps_003_120.amc",
        "HDM_bd_clap2Reps_003_120.amc",
        "HDM_bd_clap5Reps_3_120.amc",
        "HDM_bd_clap5Reps_003_60.amc",
        "HDM_bd_clap5Reps_003_120.AMC",
        "HDM_bd_clap5Reps_003_120.amc.part",
        "HDM_bd_clap5Reps_003_120 (1).amc",
        "walk.amc",
    ],
)
def test_a_misnamed_file_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put_clip(tmp_path)
    put(tmp_path / name, amc_text())
    assert f"{tmp_path / name}: is not named HDM_ACTOR_CLASS_TAKE_120.amc" in refusal(tmp_path)


def test_other_files_are_no_clips(tmp_path: Path) -> None:
    put_clip(tmp_path)
    for other in ("README.txt", f"._{NAME}.amc", f"{NAME}.amc.mat", f"{NAME}.c3d"):
        put(tmp_path / other, b"\x00")
    assert len(read_clips(hdm05.reading(tmp_path))) == 1


def test_a_missing_or_foreign_skeleton_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "holds no HDM_*.amc file" in refusal(tmp_path)
    path = put(tmp_path / f"{NAME}.amc", amc_text())
    assert f"{path}: no HDM_bd.asf lies below" in refusal(tmp_path)
    foreign = put(tmp_path / "HDM_bd.asf", asf_text().replace("head", "hat"))
    assert f"{foreign}: bone 16 is hat" in refusal(tmp_path)


def test_two_takes_of_one_name_are_refused(tmp_path: Path) -> None:
    put_clip(tmp_path / "raw/a")
    put_clip(tmp_path / "raw/b")
    with pytest.raises(SkelkitError, match="two files hold the clip"):
        import_raw("hdm05", tmp_path / "raw", tmp_path / "data")


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_folder_is_refused_by_file_or_its_clip_is_sound(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    put_clip(folder)
    path = folder / data.draw(st.sampled_from([f"{NAME}.amc", "HDM_bd.asf"]))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from([b"", b"\xff", b"9", b"nan", b"1000000000", b"\n", b"\x00", b"-"]))
    path.write_bytes(content[:at] + (kind + content[at + 1 :] if kind else b""))
    try:
        clips = read_clips(hdm05.reading(folder))
    except SkelkitError as error:
        assert str(path) in str(error) or str(folder / f"{NAME}.amc") in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert clips.frames.shape[1:] == (3, 31, 1)
        assert (np.abs(clips.frames) <= 100).all()


def test_import_raw_saves_a_folder_that_opens_and_verifies(tmp_path: Path) -> None:
    put_clip(tmp_path / "raw")
    put(tmp_path / "raw/walk.amc", amc_text())
    done = import_raw("hdm05", tmp_path / "raw", tmp_path / "data", options={"classes": "65"}, skip_bad=True)
    done.clips.verify()
    assert len(done.left_out) == 1
    assert "walk.amc" in done.left_out[0]
    assert "65 classes; 1 of 2,337 clips, 1 files left out" in Clips.open(tmp_path / "data/hdm05").source


def test_a_t_pose_is_left_out_and_named(tmp_path: Path) -> None:
    put_clip(tmp_path / "raw")
    put(tmp_path / "raw/HDM_bd_T-pose_001_120.amc", amc_text())
    found = import_raw("hdm05", tmp_path / "raw", tmp_path / "data")
    assert found.flaws == (f"{tmp_path}/raw/HDM_bd_T-pose_001_120.amc: is a T-pose, no clip; left out",)
    assert len(found.clips) == 1


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    whole = real_data("hdm05_11")
    clips = read_clips(hdm05.reading(raw_folder("hdm05")))
    assert len(clips) == 3
    assert clips.skeleton.joints == whole.skeleton.joints
    for i, name in enumerate(clips.table["name"]):
        j = list(whole.table["name"]).index(name)
        np.testing.assert_allclose(clips[i], whole[j], rtol=0, atol=1e-6)
        assert clips.column("subject")[i] == whole.column("subject")[j]
        assert clips.classes[clips.labels[i]] == whole.classes[whole.labels[j]]
