"""Acclaim files: parsing, and kinematics against values by hand, a plain loop and the official parser's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap_files import amc_text, asf_text, put
from raw_files import raw_folder, refused
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

from skelkit.bench import mocap as bench_mocap
from skelkit.data.formats import acclaim, asf, mocap
from skelkit.data.formats.mocap import INCH
from skelkit.data.skeleton import ACCLAIM
from skelkit.files import SkelkitError

ASF = """# two bones
:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
    id 1
    name upper
    direction 1 0 0
    length 2
    axis 0 0 0 XYZ
    dof rx ry rz
  end
  begin
    id 2
    name lower
    direction 0 1 0
    length 1
    axis 0 0 90 XYZ
    dof rx
    limits (-10.0 170.0)
  end
:hierarchy
  begin
    root upper
    upper lower
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 0 0 0 0 0 0
upper 0 0 0
lower 0
2
root 3 4 5 0 0 90
upper 0 0 0
lower 90
"""
UNIT = INCH / 0.5


def ends(folder: Path, skeleton: str | bytes = ASF, motion: str | bytes = AMC) -> np.ndarray:
    """(v, 3, t) in the file's units."""
    found = asf.read_asf(put(folder / "a.asf", skeleton))
    return acclaim.bone_ends(found, acclaim.read_amc(put(folder / "a.amc", motion), found)) / found.metres


def refusal(folder: Path, skeleton: str | bytes = ASF, motion: str | bytes = AMC) -> str:
    return refused(lambda: ends(folder, skeleton, motion))


def test_the_bones_end_where_they_do_by_hand(tmp_path: Path) -> None:
    found = ends(tmp_path)
    np.testing.assert_allclose(found[:, :, 0], [[0, 0, 0], [2, 0, 0], [2, 1, 0]], atol=1e-12)
    # The root turns x to y and y to -x. The lower bone's own x is the upper's y: turning about it leaves the bone.
    np.testing.assert_allclose(found[:, :, 1], [[3, 4, 5], [3, 6, 5], [2, 6, 5]], atol=1e-12)


def test_a_bone_turns_about_its_own_axes(tmp_path: Path) -> None:
    # Own x = the world's y: a bone along x goes to -z.
    found = ends(tmp_path, ASF.replace("direction 0 1 0", "direction 1 0 0"), AMC.replace("lower 0", "lower 90"))
    np.testing.assert_allclose(found[2, :, 0], [2, 0, -1], atol=1e-12)


def test_rotations_are_about_fixed_axes_in_the_order_of_the_channels(tmp_path: Path) -> None:
    motion = AMC.replace("upper 0 0 0", "upper 90 0 90")  # y goes by x to z, and stays there by z; x goes to y
    np.testing.assert_allclose(ends(tmp_path, motion=motion)[:, :, 0], [[0, 0, 0], [0, 2, 0], [0, 2, 1]], atol=1e-12)
    other = ASF.replace("dof rx ry rz", "dof rz ry rx")  # first about z: x to y; then about x: y to z
    np.testing.assert_allclose(ends(tmp_path, other, motion)[:, :, 0], [[0, 0, 0], [0, 0, 2], [-1, 0, 2]], atol=1e-12)


def test_the_roots_order_says_what_its_columns_are(tmp_path: Path) -> None:
    skeleton = ASF.replace("TX TY TZ RX RY RZ", "rz tz ry tx rx ty")
    motion = AMC.replace("root 3 4 5 0 0 90", "root 90 5 0 3 0 4")
    np.testing.assert_allclose(ends(tmp_path, skeleton, motion), ends(tmp_path), atol=1e-12)


def test_position_and_orientation_of_the_root_come_before_the_motion(tmp_path: Path) -> None:
    moved = ends(tmp_path, ASF.replace("position 0 0 0", "position 1 2 3"))
    np.testing.assert_allclose(moved - ends(tmp_path), np.broadcast_to([[1], [2], [3]], moved.shape), atol=1e-12)
    # The root's own axes are turned about x: its z is the world's -y, and x goes to z instead of y.
    turned = ends(tmp_path, ASF.replace("orientation 0 0 0", "orientation 90 0 0"))
    np.testing.assert_allclose(turned[1, :, 1], [3, 4, 7], atol=1e-12)


def test_lengths_are_inches_by_the_multiplier_and_angles_may_be_radians(tmp_path: Path) -> None:
    assert asf.read_asf(put(tmp_path / "a.asf", ASF)).metres == UNIT
    plain = ASF.replace("  length 0.5\n", "")
    assert asf.read_asf(put(tmp_path / "a.asf", plain)).metres == INCH
    radians = ASF.replace("angle deg", "angle rad").replace("axis 0 0 90", "axis 0 0 1.5707963267948966")
    np.testing.assert_allclose(ends(tmp_path, radians), ends(tmp_path), atol=1e-12)


def test_comments_commas_brackets_case_and_line_ends_are_as_the_format_allows(tmp_path: Path) -> None:
    other = ASF.replace("direction 1 0 0", "DIRECTION (1,0, 0) # along x").replace(":units", ":UNITS")
    other = other.replace(":units\n", ":documentation\n  geschrieben f\xfcr einen Test\n:units\n").replace("\n", "\r\n")
    motion = AMC.replace(":DEGREES", ":Degrees # as ever").replace("\n", "\r\n") + "\r\n"
    np.testing.assert_array_equal(ends(tmp_path, other, motion), ends(tmp_path))


def test_all_frames_at_once_equal_the_plain_loop() -> None:
    skeleton, motion = bench_mocap.acclaim_motion(7)
    np.testing.assert_allclose(
        acclaim.bone_ends(skeleton, motion), acclaim.bone_ends_by_frame(skeleton, motion), rtol=0, atol=1e-12
    )


def test_the_benchmark_has_a_line_for_each_format() -> None:
    lines = bench_mocap.kinematics(frames=2, rounds=1)
    assert [line.measured.split(",")[1] for line in lines] == [" Acclaim", " BVH"]
    assert {line.must_reach for line in lines} == {"50 x"}


def test_turning_and_axes_equal_scipys_rotations() -> None:
    rng = np.random.default_rng(0)
    matrix, angles = Rotation.random(5, random_state=0).as_matrix().transpose(1, 2, 0), rng.uniform(-4, 4, 5)
    for axis, name in enumerate("xyz"):
        expected = matrix.transpose(2, 0, 1) @ Rotation.from_euler(name, angles[:, None]).as_matrix()
        np.testing.assert_allclose(mocap.turned(matrix, axis, angles).transpose(2, 0, 1), expected, atol=1e-14)
    for order in ("XYZ", "ZXY"):
        by_name = dict(zip("XYZ", (10.0, 20.0, 30.0), strict=True))
        expected = Rotation.from_euler(order.lower(), [by_name[c] for c in order], degrees=True).as_matrix()
        np.testing.assert_allclose(asf.axes([10, 20, 30], order, np.pi / 180), expected, atol=1e-14)


def test_the_official_parsers_places_are_matched_to_a_micrometre() -> None:
    raw, name = raw_folder("hdm05"), "HDM_tr_sneak2StepsLStart_014_120.amc"
    skeleton = asf.read_known(raw / "HDM_tr.asf")
    found = acclaim.bone_ends(skeleton, acclaim.read_amc(raw / name, skeleton))
    official = loadmat(raw / f"{name}.mat", struct_as_record=False, squeeze_me=True)["mot"].jointTrajectories
    inches = np.stack(list(official))
    assert inches.shape == found.shape == (31, 3, 190)
    np.testing.assert_allclose(found, inches * INCH, rtol=0, atol=1e-6)


def test_another_skeleton_is_not_taken_for_the_31_joints(tmp_path: Path) -> None:
    path = put(tmp_path / "a.asf", asf_text())
    assert asf.read_known(path).joints == ACCLAIM.joints
    put(path, asf_text().replace("lwrist lhand lthumb", "lwrist lhand").replace("lhand lfing", "lhand lthumb lfing"))
    with pytest.raises(SkelkitError, match="do not hang together as this data set's"):
        asf.read_known(path)
    put(path, asf_text().replace("head", "hat"))
    with pytest.raises(SkelkitError, match="bone 16 is hat, and in this data set head"):
        asf.read_known(path)
    put(path, ASF)
    with pytest.raises(SkelkitError, match="bone 1 is upper, and in this data set lhipjoint"):
        asf.read_known(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ASF, "", "line 1: is missing: the file is empty"),
        ("  end\n", "", "line 20: 'begin' does not stand where"),
        ("length 0.5", "length 0", "line 5: a unit of length of 0 is none"),
        ("length 0.5", "length nan", "line 5: 'nan' is no number"),
        ("angle deg", "angle grad", "line 6: angle 'grad' is neither deg nor rad"),
        (":root", ":roof", "line 1: the section :root is missing"),
        (":bonedata", ":units", "line 12: a second section :units"),
        ("order TX TY TZ RX RY RZ", "order TX TY TZ RX RY", "line 8: the root's order has 5 channels"),
        ("order TX TY TZ RX RY RZ", "order TX TY TZ RX RY RY", "line 8: names a channel twice"),
        ("   order TX TY TZ RX RY RZ\n", "", "line 7: the root has no order"),
        ("axis XYZ", "axis XXZ", "line 9: axis order 'XXZ' is none"),
        ("position 0 0 0", "position 0 0", "line 10: has 2 values, not 3"),
        ("name upper", "name upper arm", "line 15: a bone's name is one word"),
        ("name lower", "name upper", "line 12: two bones have one name"),
        ("    name upper\n", "", "line 13: this bone has no name"),
        ("direction 1 0 0", "direction 1 1 0", "line 16: the direction is not of length 1"),
        ("length 2", "length -2", "line 16: the direction is not of length 1, or the length negative"),
        ("length 2", "length 2\n    length 3", "line 18: a second length"),
        ("length 2", "length 1e9", "line 17: 1e9 lies beyond 100,000"),
        ("length 2", "length 2_0", "line 17: '2_0' is no number"),
        ("axis 0 0 90 XYZ", "axis 0 0 90", "line 26: has 3 values, not three angles and their order"),
        ("dof rx\n", "dof rx l\n", "line 27: channel 'l' is not supported"),
        ("dof rx\n", "dof tx\n", "line 27: channel TX of a bone is not supported"),
        ("root upper", "root upper lower", "line 33: lower has a parent already"),
        ("upper lower", "lower lower", "line 30: the bone lower does not hang on the root"),
        ("upper lower", "upper leg", "line 33: 'leg' is no bone of this file"),
        ("    upper lower\n", "", "the bone lower does not hang on the root"),
        ("    root upper\n", "", "the bone upper does not hang on the root"),
        (":hierarchy\n  begin", ":hierarchy", "the hierarchy is not enclosed in begin and end"),
        ("# two bones\n", "stray\n", "line 1: 'stray' stands before the first section"),
    ],
)
def test_a_faulty_skeleton_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in ASF
    message = refusal(tmp_path, ASF.replace(old, new, 1))
    assert message.startswith(f"{tmp_path / 'a.asf'}, line ")
    assert said in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (AMC, "", "line 1: is missing: the file is empty"),
        (AMC, "#\n:FULLY-SPECIFIED\n:DEGREES\n", "line 3: holds no frame"),
        (":DEGREES\n", "", "line 3: :DEGREES was not said"),
        (":DEGREES", ":RADIANS", "line 4: :DEGREES was not said"),
        (":DEGREES\n", ":DEGREES\n:SAMPLES-PER-SECOND 120\n", "line 5: 120 is not supported"),
        ("2\nroot", "4\nroot", "line 8: frame number 4 after 1 is out of sequence"),
        ("2\nroot", "-2\nroot", "line 8: '-2' stands where the number of a frame should"),
        ("2\nroot", "9999999999\nroot", "line 8: '9999999999' stands where the number"),
        ("2\nroot", "2\nupper 0 0 0\nroot", "line 9: 'upper 0 0 0' stands where root, bone should"),
        ("lower 90\n", "", "line 10: the last frame is not whole: 2 of 3 bones"),
        ("lower 90\n", "lower 90\n3\n", "line 12: the last frame is not whole: 0 of 3 bones"),
        ("lower 0\n", "", "line 7: '2' stands where a bone should"),
        ("lower 0", "upper 0 0 0", "line 7: upper comes twice in one frame"),
        ("lower 0", "hat 0", "line 7: 'hat 0' stands where a bone should"),
        ("lower 0", "lower 0 0", "line 7: lower has 2 values, and in the skeleton 1"),
        ("upper 0 0 0\nlower 90", "lower 90\nupper 0 0 0", "line 10: 'lower 90' stands where upper, bone should"),
        ("lower 90", "lower NaN", "line 11: 'NaN' is no number"),
        ("lower 90", "lower -inf", "line 11: '-inf' is no number"),
        ("lower 90", "lower 1e999", "line 11: 1e999 lies beyond 100,000"),
        ("lower 90", "lower 9.0.0", "line 11: '9.0.0' is no number"),
        ("lower 90", "lower 1_0", "line 11: '1_0' is no number"),
        ("lower 90", "lower \u0661", "line 11: holds a byte that is no text"),
        ("lower 90\n", "lower 90", "line 11: does not end, so the file is cut short"),
        ("lower 90", "lower " + "9" * 30_000, "line 11: has 30,006 characters, more than 20,000"),
    ],
)
def test_a_faulty_motion_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in AMC
    message = refusal(tmp_path, motion=AMC.replace(old, new, 1))
    assert message.startswith(f"{tmp_path / 'a.amc'}, line ")
    assert said in message


def test_a_file_that_is_none_or_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skeleton = asf.read_asf(put(tmp_path / "a.asf", ASF))
    (tmp_path / "folder.amc").mkdir()
    with pytest.raises(SkelkitError, match="is no file; move it away"):
        acclaim.read_amc(tmp_path / "folder.amc", skeleton)
    with pytest.raises(SkelkitError, match="cannot be read"):
        acclaim.read_amc(tmp_path / "nowhere.amc", skeleton)
    path = put(tmp_path / "a.amc", AMC)
    monkeypatch.setattr(mocap, "BYTES", 50)
    with pytest.raises(SkelkitError, match="the file is larger than"):
        acclaim.read_amc(path, skeleton)


def test_more_bones_than_a_body_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asf, "JOINTS", 1)
    assert "line 29: holds more than 1 bones" in refusal(tmp_path)


def test_a_joint_far_outside_of_any_studio_is_refused(tmp_path: Path) -> None:
    skeleton = asf.read_asf(put(tmp_path / "a.asf", ASF))
    path = put(tmp_path / "a.amc", AMC.replace("root 3", "root 3000"))
    with pytest.raises(SkelkitError, match=r"a\.amc, frame 2 of 2: a joint lies more than 100 m away"):
        acclaim.clip(path, skeleton)


def plainly(skeleton: asf.Acclaim, text: str) -> np.ndarray:
    """(t, 3, v, 1): what a motion file says, read without any check."""
    motion: dict[str, list[list[float]]] = {}
    for line in text.split("\n")[3:]:
        words = line.split()
        if len(words) > 1:
            motion.setdefault(words[0], []).append([float(word) for word in words[1:]])
    channels = {bone.name: np.array([c.startswith("R") for c in bone.channels]) for bone in skeleton.bones}
    radians = {k: np.array(v) * np.where(channels[k], np.pi / 180, 1) for k, v in motion.items()}
    return acclaim.bone_ends_by_frame(skeleton, radians).transpose(2, 1, 0)[..., None]


WHOLE = amc_text(frames=2)
STARTS = [i for i, character in enumerate(WHOLE) if character == "\n"]


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_a_motion_cut_anywhere_is_refused_or_ends_with_a_whole_frame(
    tmp_path_factory: pytest.TempPathFactory, end: int
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    skeleton = asf.read_asf(put(folder / "a.asf", asf_text()))
    path = put(folder / "a.amc", WHOLE[:end])
    lines_a_frame = (WHOLE.count("\n") - 3) // 2
    if end == STARTS[2 + lines_a_frame] + 1:
        assert len(acclaim.clip(path, skeleton)) == 1
        return
    with pytest.raises(SkelkitError) as caught:
        acclaim.clip(path, skeleton)
    assert str(caught.value).startswith(f"{path}, line ")


def test_a_motion_cut_after_a_frame_holds_the_frames_before(tmp_path: Path) -> None:
    skeleton = asf.read_asf(put(tmp_path / "a.asf", asf_text()))
    lines_a_frame = (WHOLE.count("\n") - 3) // 2
    path = put(tmp_path / "a.amc", WHOLE[: STARTS[2 + lines_a_frame] + 1])
    assert len(acclaim.clip(path, skeleton)) == 1


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_motion_is_refused_or_is_what_it_says(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    skeleton = asf.read_asf(put(folder / "a.asf", asf_text()))
    lines = WHOLE.split("\n")
    if data.draw(st.booleans()):
        i, j = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines[i], lines[j] = lines[j], lines[i]
        content = "\n".join(lines).encode()
    else:
        at, byte = data.draw(st.integers(0, len(WHOLE) - 1)), data.draw(st.integers(0, 255))
        content = WHOLE.encode()[:at] + bytes([byte]) + WHOLE.encode()[at + 1 :]
    path = put(folder / "a.amc", content)
    try:
        clip = acclaim.clip(path, skeleton)
    except SkelkitError as error:
        assert str(error).startswith(str(path))  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        np.testing.assert_allclose(clip, plainly(skeleton, content.decode("latin-1")), atol=1e-5)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_skeleton_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("raw")
    kind = data.draw(st.sampled_from(["cut", "swap", "byte"]))
    lines = ASF.split("\n")
    i, j = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    at, byte = data.draw(st.integers(0, len(ASF) - 1)), data.draw(st.integers(0, 255))
    content = {"cut": ASF[:at].encode(), "byte": ASF[:at].encode() + bytes([byte]) + ASF[at + 1 :].encode()}.get(kind)
    if content is None:
        lines[i], lines[j] = lines[j], lines[i]
        content = "\n".join(lines).encode()
    path = put(folder / "a.asf", content)
    try:
        skeleton = asf.read_asf(path)
    except SkelkitError as error:
        assert str(error).startswith(f"{path}, line ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert kind != "cut", "no part of the file is a whole skeleton"
        assert sorted(skeleton.order) == list(range(len(skeleton.bones)))
        assert all(np.isfinite(bone.offset).all() and np.isfinite(bone.frame).all() for bone in skeleton.bones)
