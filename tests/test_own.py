"""A user's own clips: a folder of CSV files with a manifest, skeletons as TOML, and the template of both."""

from __future__ import annotations

import pickle
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import refused

from skelkit.batch import run_notebooks
from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, own, template
from skelkit.data.importing import read_clips
from skelkit.data.library import load
from skelkit.data.protocols import split
from skelkit.data.skeleton import KINECT_V2, Skeleton
from skelkit.files import SkelkitError, project_root, store_folder
from skelkit.recipes import PAPERS, ascal
from skelkit.report import results

THREE = 'joints = ["hip", "knee", "foot"]\nbones = [["knee", "hip"], ["foot", "knee"]]\ncentre = "hip"\n'
HEADER = "hip_x,hip_y,hip_z,knee_x,knee_y,knee_z,foot_x,foot_y,foot_z"
ROWS = ["0,1,2,3,4,5,6,7,8", "-0.5,1e-1,2.,.3,4,5,6,7,+8"]


def folder_of(
    folder: Path, table: str = "file,label\na.csv,walk\n", manifest: str = "", skeleton: str = THREE, **files: str
) -> Path:
    """An own data set of three joints; files: a=... writes a.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.toml").write_text(manifest or 'skeleton = "three.toml"\nclasses = ["sit", "walk"]\n')
    (folder / "three.toml").write_text(skeleton)
    (folder / "clips.csv").write_text(table)
    for name, text in ({"a": "\n".join([HEADER, *ROWS]) + "\n"} | files).items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def refusal(folder: Path) -> str:
    message = refused(lambda: read_clips(own.reading(folder)))
    assert str(folder) in message
    return message


# ── clips ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_is_a_frame_and_a_line_of_the_table_a_clip(tmp_path: Path) -> None:
    swapped = "foot_x,foot_y,foot_z,knee_x,knee_y,knee_z,hip_x,hip_y,hip_z\n6,7,8,3,4,5,0,1,2\n"
    table = "label,file,subject,fold,name,camera\n,b.csv,7,1,second,\nwalk,a.csv,3,,,2\n0,c.csv,-1,,,\n"
    folder = folder_of(tmp_path, table, b=swapped, c=f"{HEADER}\r\n{ROWS[0]}\r\n\r\n")
    clips = read_clips(own.reading(folder))
    assert list(clips.table["name"]) == ["second", "a", "c"]
    assert (clips.labels.tolist(), clips.classes, clips.units) == ([-1, 1, 0], ("sit", "walk"), "metres")
    assert clips.column("subject").tolist() == [7, 3, -1]
    assert clips.column("camera").tolist() == [-1, 2, -1]
    assert clips.column("fold").tolist() == [1, -1, -1]
    np.testing.assert_array_equal(clips[1][0, :, :, 0].T, np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(clips[1][1, :, :, 0].T, np.float32([[-0.5, 0.1, 2], [0.3, 4, 5], [6, 7, 8]]))
    np.testing.assert_array_equal(clips[0], clips[1][:1])
    np.testing.assert_array_equal(clips[0], clips[2])


def test_a_row_may_be_a_frame_and_person(tmp_path: Path) -> None:
    lines = [f"frame,person,{HEADER}", f"5,1,{ROWS[0]}", f"5,3,{ROWS[1]}", f"6,2,{ROWS[1]}"]
    clip = read_clips(own.reading(folder_of(tmp_path, a="\n".join(lines))))[0]
    assert clip.shape == (2, 3, 3, 3)
    there = clip.any(axis=(1, 2))
    assert there.tolist() == [[True, False, True], [False, True, False]]
    np.testing.assert_array_equal(clip[0, :, :, 2], clip[1, :, :, 1])
    np.testing.assert_array_equal(clip[0, :, :, 0].T, np.arange(9.0).reshape(3, 3))


def test_the_reader_travels_to_another_process(tmp_path: Path) -> None:
    given = own.reading(folder_of(tmp_path))
    there = pickle.loads(pickle.dumps((given.read, given.sources[0])))
    np.testing.assert_array_equal(there[0](there[1])[0].frames, read_clips(given).frames)


def test_a_known_skeleton_is_taken_by_its_name(tmp_path: Path) -> None:
    columns = ",".join(f"{joint}_{axis}" for joint in KINECT_V2.joints for axis in "xyz")
    manifest = 'skeleton = "kinect-v2"\nclasses = ["sit", "walk"]\nunits = "feet"\nclips = "table.csv"\n'
    folder = folder_of(tmp_path, "", manifest, a=f"{columns}\n{','.join(map(str, range(1, 76)))}\n")
    (folder / "clips.csv").rename(folder / "table.csv")
    (folder / "table.csv").write_text("file\na.csv\n")
    clips = read_clips(own.reading(folder))
    assert (clips.skeleton, clips.units, clips.labels.tolist()) == (KINECT_V2, "feet", [-1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a.csv, line 1: has no column hip_x"),
        (HEADER, "a.csv, line 2: no frame below"),
        (f"{HEADER},hip_w\n{ROWS[0]},1", "a.csv, line 1: has 'hip_w'"),
        (f"{HEADER},hip_x\n{ROWS[0]},1", "a.csv, line 1: names one twice"),
        (f"person,{HEADER}\n1,{ROWS[0]}", "a.csv, line 1: has no column frame"),
        (f"{HEADER}\n{ROWS[0]}\n1,2,3", "a.csv, line 3: has 3 columns, not 9"),
        (f"{HEADER}\n{ROWS[0]},9", "a.csv, line 2: has 10 columns, not 9"),
        (f"{HEADER}\n{ROWS[0][:-1]}nan", "a.csv, line 2: foot_z is 'nan', no number"),
        (f"{HEADER}\n{ROWS[0][:-1]}inf", "foot_z is 'inf', no number"),
        (f"{HEADER}\n{ROWS[0][:-1]}1_0", "foot_z is '1_0', no number"),
        (f"{HEADER}\n{ROWS[0][:-1]}", "foot_z is '', no number"),
        (f"{HEADER}\n{ROWS[0][:-1]}1e999", "holds a number beyond 1e30"),
        (f"frame,{HEADER}\n1,{ROWS[0]}\n3,{ROWS[1]}", "a.csv, line 3: frame 3 (person 1) follows frame 1"),
        (f"frame,{HEADER}\n1,{ROWS[0]}\n1,{ROWS[1]}", "a.csv, line 3: frame 1 (person 1) follows frame 1"),
        (f"frame,person,{HEADER}\n1,2,{ROWS[0]}\n1,2,{ROWS[1]}", "frame 1 (person 2) follows frame 1"),
        (f"frame,person,{HEADER}\n1,1000000000,{ROWS[0]}", "person is '1000000000', no whole number"),
        (f"frame,person,{HEADER}\n1,100000000,{ROWS[0]}", "person 100000000 is not 1 to 32"),
        (f"frame,person,{HEADER}\n1,0,{ROWS[0]}", "person 0 is not 1 to 32"),
        (f"{HEADER}\n0,0,0,0,0,0,0,0,0", "a.csv: nobody is in it"),
        (f"frame,{HEADER}\n1.5,{ROWS[0]}", "frame is '1.5', no whole number"),
    ],
)
def test_a_clip_that_is_wrong_is_refused_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(folder_of(tmp_path, a=text))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "clips.csv, line 1: has no file"),
        ("file,label\n", "a.csv: is in no line of"),
        ("file,colour\na.csv,red\n", "clips.csv, line 1: has 'colour'"),
        ("file,label,label\na.csv,0,0\n", "clips.csv, line 1: names one twice"),
        ("file,label\na.csv\n", "clips.csv, line 2: has 1 columns, not 2"),
        (
            "file,label\na.csv,run\n",
            "clips.csv, line 2: label is 'run', no whole number from 0, nor a class (sit, walk)",
        ),
        ("file,label\na.csv,2\n", "clips.csv, line 2: label is 2, and there are 2 classes"),
        ("file,label\na.csv,-2\n", "label is '-2'"),
        ("file,subject\na.csv,1.5\n", "subject is '1.5'"),
        ("file\nb.csv\n", "clips.csv, line 2: there is no file 'b.csv'"),
        ("file\na\0.csv\n", "there is no file 'a\\x00.csv'"),
        (f"file\n{'a' * 999}.csv\n", "there is no file 'aaa"),
        ("file,name\na.csv,b\x1bc\n", "clips.csv, line 2: name is 'b\\x1bc', which cannot be printed"),
        ("file\nloop.csv\n", "there is no file 'loop.csv'"),
        ("file\nsub\n", "there is no file 'sub'"),
        ("file\n../a.csv\n", "'../a.csv' lies outside of"),
        ("file\n/etc/passwd\n", "'/etc/passwd' lies outside of"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(tmp_path: Path, table: str, said: str) -> None:
    folder = folder_of(tmp_path, table)
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "sub").mkdir()
    assert said in refusal(folder)


def test_a_file_that_no_line_names_is_refused_and_can_be_left_out(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "raw", b="x", **{"._a": "x"})
    assert f"{folder / 'b.csv'}: is in no line of" in refusal(folder)
    done = import_raw("mine", folder, tmp_path / "data", skip_bad=True)
    assert len(done.clips) == 1
    assert "b.csv: is in no line of" in done.left_out[0]


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "raw", "file\nlink.csv\na.csv\n")
    (tmp_path / "secret.csv").write_text("x")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert "lies outside of" in refusal(folder)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("x", "manifest.toml: is not TOML (Expected '=' after a key"),
        ("classes = []\nskeleton = 3", "key classes: is no list of names"),
        ('classes = ["a"]', "key skeleton: is missing"),
        ('classes = ["a"]\nskeleton = 3', "key skeleton: 3 is no text"),
        ('classes = ["a"]\nskeleton = "none.toml"', "there is no file 'none.toml'"),
        ('classes = ["a"]\nskeleton = "../three.toml"', "lies outside of"),
        ('classes = ["a", "a"]\nskeleton = "three.toml"', "key classes: 'a' is there twice"),
        ('classes = ["a", 1]\nskeleton = "three.toml"', "key classes: 1 is no text"),
        ('classes = ["a"]\nskeleton = "three.toml"\ncolour = 1', "key 'colour': is unknown"),
        ('classes = ["a"]\nskeleton = "three.toml"\nunits = "normalised"', 'key units: "normalised" means SBU\'s'),
        ("a = " + "[" * 5000, "is not TOML"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_by_its_key(tmp_path: Path, manifest: str, said: str) -> None:
    assert said in refusal(folder_of(tmp_path, manifest=manifest))


WHOLE = "\n".join([f"frame,person,{HEADER}", f"5,1,{ROWS[0]}", f"5,2,{ROWS[1]}", f"6,1,{ROWS[1]}", ""]).encode()


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(-1, 255))
def test_a_clip_cut_or_changed_anywhere_is_refused_by_line_or_says_what_its_text_says(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    folder = folder_of(tmp_path_factory.mktemp("raw"))
    content = WHOLE[:at] if byte < 0 else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    (folder / "a.csv").write_bytes(content)
    try:
        clip = read_clips(own.reading(folder))[0]
    except SkelkitError as error:
        assert f"{folder / 'a.csv'}, line " in str(error)  # noqa: PT017
    else:
        rows = [line.split(",") for line in content.decode().splitlines()[1:] if line.strip()]
        for row in rows:
            person = clip[int(row[0]) - int(rows[0][0]), :, :, int(row[1]) - 1]
            np.testing.assert_array_equal(person.T.ravel(), np.array(row[2:], np.float64).astype(np.float32))


# ── skeletons ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_skeleton_is_read_by_the_names_of_its_joints(tmp_path: Path) -> None:
    path = tmp_path / "three.toml"
    path.write_text(f'name = "leg"\n{THREE}mirror = [["knee", "foot"]]\n[parts]\n"left leg" = ["foot", "knee"]\n')
    found = own.skeleton_from_toml(path)
    assert found == Skeleton("leg", ("hip", "knee", "foot"), ((1, 0), (2, 1)), 0, ((1, 2),), {"left leg": (2, 1)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (THREE.replace('["foot", "knee"]', '["foot", "toe"]'), "key bones: 'toe' is none of the joints"),
        (THREE.replace('["foot", "knee"]', '["foot"]'), "key bones: is no list of pairs"),
        (THREE.replace('["foot", "knee"]', "2"), "key bones: is no list of pairs"),
        (THREE.replace('["foot", "knee"]', '["foot", "foot"]'), "three.toml: skeleton three: its bones are no tree"),
        (THREE.replace('centre = "hip"', "centre = 0"), "key centre: 0 is none of the joints"),
        (THREE.replace('"knee", "foot"]\n', '"knee", "knee"]\n'), "key joints: 'knee' is there twice"),
        (THREE.replace('joints = ["hip"', 'joints = ["a,b"'), "key joints: 'a,b' is no name"),
        (THREE + 'mirror = [["knee", "foot"], ["foot", "hip"]]', "a joint has two mirror images"),
        (THREE + "parts = 1", "key parts: is no table"),
        (THREE + '[parts]\nleg = "knee"', "key parts.leg: is no list of names"),
        (THREE + '[parts]\nleg = ["toe"]', "key parts.leg: 'toe' is none of the joints"),
        (THREE + "colour = 1", "key 'colour': is unknown"),
        ("", "key joints: is missing"),
        (THREE + "centre = 1", "is not TOML (Cannot overwrite a value"),
    ],
)
def test_a_skeleton_that_is_wrong_is_refused_by_its_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "three.toml"
    path.write_text(text)
    with pytest.raises(SkelkitError) as caught:
        own.skeleton_from_toml(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_an_interchange_npz_may_bring_mirror_pairs_and_parts(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "frames": np.ones((2, 1, 3, 3), np.float32),
        "offsets": [0, 2],
        "label": [0],
        "class_names": ["a"],
        "joint_names": ["hip", "knee", "foot"],
        "bones": [[1, 0], [2, 1]],
    }
    np.savez(tmp_path / "x.npz", **arrays, mirror=[[1, 2]], part=["", "leg", "leg"])
    skeleton = Clips.from_npz(tmp_path / "x.npz").skeleton
    assert (skeleton.mirror, skeleton.parts) == (((1, 2),), {"leg": (1, 2)})
    for wrong, said in ({"mirror": [1, 2]}, "mirror has shape"), ({"part": ["a"]}, "part has shape"):
        np.savez(tmp_path / "x.npz", **arrays, **wrong)
        with pytest.raises(SkelkitError, match=f"x.npz: {said}"):
            Clips.from_npz(tmp_path / "x.npz")


# ── the template, and the way through the notebooks ─────────────────────────────────────────────────────────────────


def test_the_template_imports_as_it_is_and_its_values_are_the_files(tmp_path: Path) -> None:
    files = template.write(tmp_path / "mine")
    assert {"README.md", "clips.csv", "manifest.toml", "skeleton.toml"} <= {path.name for path in files}
    done = import_raw("mine", tmp_path / "mine", tmp_path / "data")
    clips = done.clips
    clips.verify()
    assert (clips.name, len(clips), len(clips.skeleton), clips.classes) == ("mine", 24, 13, ("wave", "squat", "walk"))
    assert sorted(j for part in clips.skeleton.parts.values() for j in part) == list(range(13))
    assert len(clips.skeleton.mirror) == 5
    names = list(clips.table["name"])
    for name in names:
        written = np.loadtxt(tmp_path / f"mine/{name}.csv", delimiter=",", skiprows=1)
        clip = clips[names.index(name)]
        np.testing.assert_array_equal(clip[..., 0].swapaxes(1, 2).reshape(len(clip), -1), written.astype(np.float32))
    assert len(split(clips, "xsub").train) == len(split(clips, "xsub").test) == 12
    assert len(split(clips, "folds", 3).test) == 6


def test_the_template_explains_itself_and_replaces_nothing(tmp_path: Path) -> None:
    template.write(tmp_path / "mine")
    for name in ("manifest.toml", "skeleton.toml"):
        text = (tmp_path / "mine" / name).read_text()
        assert text.count("# ") >= 4
        assert tomllib.loads(text)
    with pytest.raises(SkelkitError, match="is there already"):
        template.write(tmp_path / "mine")
    with pytest.raises(SkelkitError, match="is there already"):
        template.write(tmp_path / "mine/manifest.toml")


def test_options_are_refused_for_an_own_folder(tmp_path: Path) -> None:
    with pytest.raises(SkelkitError, match="no option 'split'; it takes none"):
        import_raw("mine", folder_of(tmp_path / "raw"), tmp_path / "data", options={"split": "x"})


def test_an_own_data_set_stands_for_itself_at_tier_smoke_and_a_known_one_is_replaced() -> None:
    for dataset, used in (("mine", "mine"), ("sbu", "synthetic"), ("ntu60", "synthetic"), ("synthetic", "synthetic")):
        data = [e.evaluation.weights.data for e in ascal.elsewhere(dataset, tier="smoke")]
        assert {d.name for d in data} == {used}
        assert {d.clips for d in data} == {40}


NOTEBOOKS = project_root() / "notebooks"
FOR_OWN = {path for paper in PAPERS for path in (NOTEBOOKS / paper).glob("tables.ipynb")}
"""Of every paper the one whose rows say which clips were measured, and of the paper with most encoders all."""
FOR_OWN |= set((NOTEBOOKS / "interskeleton").glob("*.ipynb"))


def test_own_clips_of_thirteen_joints_go_through_a_notebook_of_every_paper_and_all_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path / "data"))
    template.write(tmp_path / "raw")
    import_raw("mine", tmp_path / "raw", tmp_path / "data")
    assert len(load("mine").skeleton) == 13
    outcomes = run_notebooks(
        sorted(FOR_OWN), parameters={"tier": "smoke", "dataset": "mine"}, out=tmp_path / "out", timeout=600, jobs=2
    )
    for outcome in outcomes:
        assert outcome.status == "passed", f"{outcome.notebook}, cell {outcome.cell}: {outcome.error}"
    for paper in sorted({path.parent.name for path in FOR_OWN}):
        rows = results.read(paper, store_folder() / "rows")
        assert rows
        theirs = {("interskeleton", "Table 4"), ("byol", "Table 6")}  # transfers to PKU-MMD II, whatever the data set
        used = {row.dataset for row in rows if (row.paper, row.table) not in theirs}
        assert used == {"mine"}, "no other clips stood in for the user's own"
