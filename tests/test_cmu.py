"""The CMU reader: files written to the letter of the format, the user's table of classes, and the real samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap_files import amc_text, asf_text, put
from raw_files import raw_folder, refused_by

from skelkit.data.clips import Clips
from skelkit.data.datasets import cmu, import_raw
from skelkit.data.importing import read_clips
from skelkit.data.protocols import split
from skelkit.data.skeleton import ACCLAIM
from skelkit.files import SkelkitError, data_folders

NAMES = ("02_01", "02_02", "02_03", "105_01", "105_02", "105_03")


def put_clips(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    for seed, name in enumerate(names):
        subject = name.split("_")[0]
        put(folder / f"subjects/{subject}/{subject}.asf", asf_text(seed=int(subject)))
        put(folder / f"subjects/{subject}/{name}.amc", amc_text(2, seed, end="\n"))


def table(folder: Path, text: str) -> str:
    return str(put(folder / "classes.csv", text))


refusal = partial(refused_by, cmu.reading)


def test_without_classes_every_motion_is_there_unlabelled(tmp_path: Path) -> None:
    put_clips(tmp_path)
    clips = read_clips(cmu.reading(tmp_path))
    assert list(clips.table["name"]) == list(NAMES)
    assert clips.column("subject").tolist() == [2, 2, 2, 105, 105, 105]
    assert clips.column("replicate").tolist() == [1, 2, 3, 1, 2, 3]
    assert (clips.labels == -1).all()
    assert (clips.column("fold") == -1).all()
    assert (clips.classes, clips.skeleton, clips.units) == ((), ACCLAIM, "metres")
    assert "120 frames a second; 6 motions, unlabelled" in clips.source
    assert "60 frames a second" in cmu.reading(tmp_path, fps="60").source
    saved = import_raw("cmu", tmp_path, tmp_path / "data").clips
    saved.verify()
    np.testing.assert_array_equal(saved.frames, clips.frames)


def test_the_table_gives_classes_and_folds_and_leaves_out_what_it_does_not_name(tmp_path: Path) -> None:
    put_clips(tmp_path)
    own = table(tmp_path, "name,class,fold\n105_02,walk,1\n02_01,run,0\n02_02,walk,0\n105_01,,\n105_03, run ,1\n")
    clips = read_clips(cmu.reading(tmp_path, classes=own))
    assert list(clips.table["name"]) == ["02_01", "02_02", "105_02", "105_03"]
    assert clips.classes == ("run", "walk")
    assert clips.labels.tolist() == [0, 1, 1, 0]
    assert clips.column("fold").tolist() == [0, 0, 1, 1]
    assert split(clips, "folds", fold=1).test.tolist() == [2, 3]
    assert "labelled by classes.csv, 2 classes" in clips.source


def test_without_a_column_fold_folds_are_drawn_within_classes(tmp_path: Path) -> None:
    put_clips(tmp_path)
    own = table(tmp_path, "name,class\n" + "".join(f"{name},{name[-1]}\n" for name in NAMES))
    by_default = read_clips(cmu.reading(tmp_path, classes=own)).column("fold")
    assert sorted(by_default.tolist()) == [0, 0, 1, 1, 2, 3]
    two = read_clips(cmu.reading(tmp_path, classes=own, folds="2"))
    for label in range(3):
        assert sorted(two.column("fold")[two.labels == label].tolist()) == [0, 1]
    assert "whole number" in refusal(tmp_path, classes=own, folds="two")
    assert "folds are drawn within classes" in refusal(tmp_path, folds="3")


def test_the_template_lists_every_motion_and_is_read_back(tmp_path: Path) -> None:
    put_clips(tmp_path)
    text = cmu.template(tmp_path)
    assert text.startswith("# ")
    assert [line for line in text.splitlines() if line[0] != "#"] == ["name,class,fold", *(f"{n},," for n in NAMES)]
    assert "no motion has a class" in refusal(tmp_path, classes=table(tmp_path, text))
    filled = table(tmp_path, text.replace(",,", ",walk,"))
    assert len(read_clips(cmu.reading(tmp_path, classes=filled, folds="2"))) == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,class\n02_01,walk\n99_01,walk\n", "line 3: no file 99_01.amc was found"),
        ("name,class\n02_01,walk\n02_01,run\n", "line 3: 02_01 stands in line 2 already"),
        ("name,class\n02_01,walk,3\n", "line 2: has 3 values, not 2"),
        ("name,label\n02_01,walk\n", "line 1: its columns are 'name,label'; give name,class,[fold]"),
        ("name,class,class\n02_01,walk,walk\n", "line 1: its columns are"),
        ("name,class,fold\n02_01,walk,1\n02_02,walk,2\n", "its folds are [1, 2]; count two or more from 0"),
        ("name,class,fold\n02_01,walk,0\n02_02,walk,0\n", "its folds are [0]; count two or more from 0"),
        ("name,class,fold\n02_01,walk,0\n02_02,walk,\n", "line 3: fold '' is no number"),
        ("name,class,fold\n02_01,walk,0\n02_02,walk,1000000000\n", "line 3: fold '1000000000' is no number"),
        ("", "line 1: holds no row"),
        (b"name,class\n02_01,\xe4\n", "line 2: is not UTF-8"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    put_clips(tmp_path)
    own = str(put(tmp_path / "classes.csv", text))
    message = refusal(tmp_path, classes=own)
    assert message.startswith(own)
    assert said in message


def test_folds_of_the_table_and_of_the_option_do_not_go_together(tmp_path: Path) -> None:
    put_clips(tmp_path)
    own = table(tmp_path, "name,class,fold\n02_01,walk,0\n02_02,walk,1\n")
    assert "has folds of its own, and -o folds 3 asks for others" in refusal(tmp_path, classes=own, folds="3")
    assert "cannot be read" in refusal(tmp_path, classes=str(tmp_path / "nowhere.csv"))


def test_a_motion_that_the_table_names_and_the_folder_lacks_can_be_skipped(tmp_path: Path) -> None:
    put_clips(tmp_path / "raw")
    own = table(tmp_path, "name,class\n02_01,walk\n99_01,walk\n")
    done = import_raw("cmu", tmp_path / "raw", tmp_path / "data", options={"classes": own}, skip_bad=True)
    assert list(done.clips.table["name"]) == ["02_01"]
    assert "99_01.amc" in done.left_out[0]


@pytest.mark.parametrize("name", ["2_1.amc", "02_01.AMC", "02_01.amc.part", "02_01 (1).amc", "walk.amc", "0002_01.amc"])
def test_a_misnamed_file_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put_clips(tmp_path)
    put(tmp_path / name, amc_text())
    assert f"{tmp_path / name}: is not named NN_TT.amc" in refusal(tmp_path)


def test_a_file_in_another_subjects_folder_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "holds no NN_TT.amc file" in refusal(tmp_path)
    put_clips(tmp_path)
    put(tmp_path / "subjects/02/._02_01.amc", b"\x00")
    assert len(read_clips(cmu.reading(tmp_path))) == 6
    path = put(tmp_path / "subjects/02/03_01.amc", amc_text())
    assert f"{path}: the skeleton of subject 03 is not beside it; put 03.asf there" in refusal(tmp_path)


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(content=st.one_of(st.binary(max_size=60), st.text('name,clsfod"\n#01_2\u00e9\x00', max_size=60)))
def test_any_table_is_refused_or_labels_the_motions_that_it_names(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    put_clips(folder, ("02_01",))
    own = put(folder / "classes.csv", content)
    with pytest.raises(SkelkitError) as caught:
        read_clips(cmu.reading(folder, classes=str(own)))
    assert str(own) in str(caught.value)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(rest=st.text('walkrun,"\n #01_2', max_size=30))
def test_a_table_with_damaged_rows_is_refused_or_labels_what_it_names(
    tmp_path_factory: pytest.TempPathFactory, rest: str
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    put_clips(folder, ("02_01", "02_02"))
    own = put(folder / "classes.csv", f"name,class\n02_01,walk\n{rest}")
    try:
        clips = read_clips(cmu.reading(folder, classes=str(own)))
    except SkelkitError as error:
        assert str(own) in str(error)  # noqa: PT017
    else:
        assert clips.classes[clips.labels[0]] == "walk"
        assert set(clips.table["name"]) <= {"02_01", "02_02"}


def test_the_real_samples_equal_the_published_arrays(real_data: Callable[[str], Clips]) -> None:
    raw = raw_folder("cmu")
    clips = read_clips(cmu.reading(raw))
    names = list(clips.table["name"])
    assert names == ["02_01", "35_01", "86_01"]
    path = next(folder / "cmu_small.npz" for folder in data_folders() if (folder / "cmu_small.npz").exists())
    with np.load(path) as arrays:  # every fourth frame
        offsets, frames, listed = arrays["offsets"], arrays["frames"], arrays["name"].tolist()
    for name in names[:2]:
        i = listed.index(name)
        theirs = frames[offsets[i] : offsets[i + 1]].transpose(0, 3, 2, 1)
        np.testing.assert_allclose(clips[names.index(name)][::4], theirs, rtol=0, atol=1e-6)
    assert clips.skeleton.joints == real_data("cmu_small").skeleton.joints
