"""The Berkeley MHAD reader, on files written to the letter of the format."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap_files import bvh_text, put
from raw_files import refused_by

from skelkit.data.clips import Clips
from skelkit.data.datasets import import_raw, mhad
from skelkit.data.formats import bvh
from skelkit.data.importing import read_clips
from skelkit.data.protocols import split
from skelkit.files import SkelkitError

LIMBS = [
    *(("RightShoulder", "RightArm", "RightArmRoll", "RightForeArm", "RightForeArmRoll", "RightHand"),),
    *(("LeftShoulder", "LeftArm", "LeftArmRoll", "LeftForeArm", "LeftForeArmRoll", "LeftHand"),),
    *(("RightUpLeg", "RightUpLegRoll", "RightLeg", "RightLegRoll", "RightFoot", "RightToeBase"),),
    *(("LeftUpLeg", "LeftUpLegRoll", "LeftLeg", "LeftLegRoll", "LeftFoot", "LeftToeBase"),),
]


def joints() -> list[tuple[str, int]]:
    """Thirty joints; their five end sites make 35."""
    made = [("Hips", -1), ("Spine", 0), ("Spine1", 1), ("Spine2", 2), ("Neck", 3), ("Head", 4)]
    for limb, root in zip(LIMBS, (3, 3, 0, 0), strict=True):
        for k, name in enumerate(limb):
            made.append((name, len(made) - 1 if k else root))
    return made


NAME = "skl_s01_a01_r01"
WHOLE = bvh_text(joints(), frames=2, scale=13)


def put_clip(folder: Path, name: str = NAME, frames: int = 2, scale: float = 13, seed: int = 0) -> Path:
    return put(folder / f"{name}.bvh", bvh_text(joints(), frames, seed, scale))


refusal = partial(refused_by, mhad.reading)


def test_a_clip_holds_35_joints_in_metres(tmp_path: Path) -> None:
    path = put_clip(tmp_path, frames=3)
    clips = read_clips(mhad.reading(tmp_path))
    assert clips[0].shape == (3, 3, 35, 1)
    expected = bvh.joint_places_by_frame(bvh.read_bvh(path)) / 100
    np.testing.assert_allclose(clips[0][..., 0], expected.transpose(2, 1, 0), atol=1e-6)
    assert clips.units == "metres"


def test_the_name_gives_subject_action_and_repetition(tmp_path: Path) -> None:
    names = ["skl_s01_a01_r01", "skl_s07_a11_r05", "skl_s08_a04_r02", "skl_s12_a09_r03"]
    for name in names:
        put_clip(tmp_path / name[4:7], name)
    clips = read_clips(mhad.reading(tmp_path))
    assert list(clips.table["name"]) == names
    assert clips.labels.tolist() == [0, 10, 3, 8]
    assert clips.column("subject").tolist() == [1, 7, 8, 12]
    assert clips.column("replicate").tolist() == [1, 5, 2, 3]
    assert (len(clips.classes), clips.classes[8]) == (11, "sit down then stand up")
    halves = split(clips, "xsub")
    assert (halves.train.tolist(), halves.test.tolist()) == ([0, 1], [2, 3])


def test_the_skeleton_is_the_hierarchy_of_the_files(tmp_path: Path) -> None:
    put_clip(tmp_path)
    skeleton = mhad.reading(tmp_path).skeleton
    assert len(skeleton) == 35
    assert [j for j in skeleton.joints if j.endswith("_end")] == [
        f"{j}_end" for j in ("Head", "RightHand", "LeftHand", "RightToeBase", "LeftToeBase")
    ]
    assert skeleton.joints[skeleton.centre] == "Spine1"
    assert len(skeleton.mirror) == 14
    for left, right in skeleton.mirror:
        assert skeleton.joints[left] == skeleton.joints[right].replace("Right", "Left")
    assert {part: len(members) for part, members in skeleton.parts.items()} == {
        "trunk": 7,
        "left arm": 7,
        "left leg": 7,
        "right arm": 7,
        "right leg": 7,
    }
    assert skeleton.bones[1] == (skeleton.joints.index("Spine1"), skeleton.joints.index("Spine"))


@pytest.mark.parametrize(("scale", "unit"), [(130, "mm"), (13, "cm"), (0.13, "m"), (5.1, "inch")])
def test_the_unit_is_the_one_that_makes_a_person(tmp_path: Path, scale: float, unit: str) -> None:
    path = put_clip(tmp_path, scale=scale)
    given_one = read_clips(mhad.reading(tmp_path, unit=unit)).frames
    bones = bvh.read_bvh(path).joints
    offset = np.linalg.norm(given_one[0, :, 1, 0] - given_one[0, :, 0, 0])
    np.testing.assert_allclose(offset, np.linalg.norm(bones[1].offset) * mhad.UNITS[unit], rtol=1e-3)
    if unit == "inch":  # which nothing but the user can know
        assert "a person's in none of mm, cm, m; give -o unit" in refusal(tmp_path)
        return
    np.testing.assert_array_equal(read_clips(mhad.reading(tmp_path)).frames, given_one)
    other = {"mm": "cm", "cm": "mm", "m": "cm"}[unit]
    assert f"{path}, line 1: its skeleton reaches" in refusal(tmp_path, unit=other)
    assert "is unknown; give auto, mm" in refusal(tmp_path, unit="yard")


def test_the_rate_is_the_files_and_a_file_of_another_is_refused(tmp_path: Path) -> None:
    first = put_clip(tmp_path)
    assert "BVH files of 120 frames a second; 1 of 659 clips" in read_clips(mhad.reading(tmp_path)).source
    second = put(tmp_path / "skl_s01_a01_r02.bvh", WHOLE.replace(".0083333", ".00833"))
    assert len(read_clips(mhad.reading(tmp_path))) == 2
    put(second, WHOLE.replace(".0083333", ".0166667"))
    assert f"{second}: has 60 frames a second, and {first} 120" in refusal(tmp_path)


def test_a_file_of_another_hierarchy_or_size_is_refused(tmp_path: Path) -> None:
    first = put_clip(tmp_path)
    second = put(tmp_path / "skl_s01_a01_r02.bvh", WHOLE.replace("Neck", "Nape"))
    assert f"{second}, line 1: its hierarchy is not that of {first}" in refusal(tmp_path)
    put(second, bvh_text(joints(), scale=13, order="Yrotation Xrotation Zrotation"))
    assert f"{second}, line 1: its hierarchy is not that of {first}" in refusal(tmp_path)
    put_clip(tmp_path, "skl_s01_a01_r02", scale=130)
    assert f"{second}, line 1: its skeleton reaches 13" in refusal(tmp_path)
    put(first, bvh_text(joints()[:6], scale=13))
    second.unlink()
    assert f"{first}, line 1: has 7 joints and end sites, not 35" in refusal(tmp_path)


def test_the_skeleton_comes_from_the_first_file_that_has_one(tmp_path: Path) -> None:
    put(tmp_path / "raw/skl_s01_a01_r01.bvh", WHOLE[:100])
    put_clip(tmp_path / "raw", "skl_s01_a01_r02")
    done = import_raw("mhad", tmp_path / "raw", tmp_path / "data", skip_bad=True)
    done.clips.verify()
    assert list(Clips.open(tmp_path / "data/mhad").table["name"]) == ["skl_s01_a01_r02"]
    assert "skl_s01_a01_r01.bvh, line " in done.left_out[0]
    assert "1 of 659 clips" in done.clips.source


def test_a_t_pose_is_left_out_and_named(tmp_path: Path) -> None:
    put_clip(tmp_path / "raw", "skl_s01_a01_r02")
    pose = put_clip(tmp_path / "raw", "skl_s01_tpose")
    found = import_raw("mhad", tmp_path / "raw", tmp_path / "data")
    assert found.flaws == (f"{pose}: is a T-pose, no clip; left out",)
    assert len(found.clips) == 1
    assert (found.clips.folder / "left_out.txt").read_text().splitlines() == list(found.flaws)


@pytest.mark.parametrize(
    "name",
    [
        "skl_s13_a01_r01.bvh",
        "skl_s00_a01_r01.bvh",
        "skl_s01_a12_r01.bvh",
        "skl_s01_a01_r06.bvh",
        "skl_s1_a1_r1.bvh",
        "skl_s01_a01_r01.BVH",
        "skl_s01_a01_r01.bvh.part",
        "pose.bvh",
    ],
)
def test_a_misnamed_file_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    put_clip(tmp_path, "skl_s01_a01_r02")
    put(tmp_path / name, WHOLE)
    assert f"{tmp_path / name}: is not named skl_sSS_aAA_rRR.bvh" in refusal(tmp_path)


def test_an_empty_folder_is_refused_and_hidden_files_are_no_clips(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "holds no skl_sSS_aAA_rRR.bvh file" in refusal(tmp_path)
    put_clip(tmp_path)
    put(tmp_path / f"._{NAME}.bvh", b"\x00")
    put(tmp_path / "README.txt", b"\x00")
    assert len(read_clips(mhad.reading(tmp_path))) == 1


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_by_name_or_its_clip_is_sound(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    put_clip(folder, "skl_s01_a01_r02")
    at = data.draw(st.integers(0, len(WHOLE) - 1))
    kind = data.draw(st.sampled_from(["", "9", "nan", "1000000000", "\n", "{", "}", "-", "\u00e9"]))
    path = put(folder / "skl_s01_a01_r03.bvh", WHOLE[:at] + (kind + WHOLE[at + 1 :] if kind else ""))
    try:
        clips = read_clips(mhad.reading(folder))
    except SkelkitError as error:
        assert str(error).startswith(f"{path}, ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert kind, "a file that is cut is refused"
        assert clips.frames.shape[1:] == (3, 35, 1)
        assert (np.abs(clips.frames) <= 100).all()
