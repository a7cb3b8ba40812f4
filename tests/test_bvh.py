"""BVH files: parsing, and kinematics against values by hand, a plain loop and CMU's Acclaim files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap_files import bvh_text, put
from raw_files import raw_folder, refused

from skelkit.bench import mocap as bench_mocap
from skelkit.data.formats import acclaim, asf, bvh
from skelkit.data.formats.mocap import INCH
from skelkit.files import SkelkitError

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 1 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Arm
  {
    OFFSET 0 2 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 3 0 0
    }
  }
  JOINT Leg
  {
    OFFSET 0 -1 0
    CHANNELS 1 Xrotation
    End Site
    {
      OFFSET 0 -1 0
    }
  }
}
MOTION
Frames: 2
Frame Time: .0083333
0 0 0 0 0 0 0 0 0 0
10 20 30 90 90 0 90 0 0 90
"""


def places(folder: Path, text: str = BVH) -> np.ndarray:
    return bvh.joint_places(bvh.read_bvh(put(folder / "a.bvh", text)))


def refusal(folder: Path, text: str | bytes) -> str:
    message = refused(lambda: bvh.read_bvh(put(folder / "a.bvh", text)))
    assert message.startswith(f"{folder / 'a.bvh'}, line ")
    return message


def test_joints_and_end_sites_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    motion = bvh.read_bvh(put(tmp_path / "a.bvh", BVH))
    assert [joint.name for joint in motion.joints] == ["Hips", "Arm", "Arm_end", "Leg", "Leg_end"]
    assert motion.edges == ((1, 0), (2, 1), (3, 0), (4, 3))
    assert motion.seconds == 0.0083333
    assert motion.joints[2].channels == ()


def test_the_joints_lie_where_they_do_by_hand(tmp_path: Path) -> None:
    found = places(tmp_path)
    np.testing.assert_allclose(found[:, :, 0], [[1, 0, 0], [1, 2, 0], [4, 2, 0], [1, -1, 0], [1, -2, 0]], atol=1e-12)
    # M = Rz(90) Rx(90): x -> y, y -> z, z -> x. The arm's Rz(90) takes its x to its y first, which is the world's z.
    # The leg's Rx(90) takes -y to -z first, which is the world's -x.
    expected = [[11, 20, 30], [11, 20, 32], [11, 20, 35], [11, 20, 29], [10, 20, 29]]
    np.testing.assert_allclose(found[:, :, 1], expected, atol=1e-12)


def test_all_frames_at_once_equal_the_plain_loop(tmp_path: Path) -> None:
    for motion in (bench_mocap.bvh_motion(5), bvh.read_bvh(put(tmp_path / "a.bvh", BVH))):
        np.testing.assert_allclose(bvh.joint_places(motion), bvh.joint_places_by_frame(motion), rtol=0, atol=1e-11)


def test_positions_of_other_joints_count_only_where_their_meaning_is_clear(tmp_path: Path) -> None:
    moving = BVH.replace("CHANNELS 1 Xrotation", "CHANNELS 4 Xposition Yposition Zposition Xrotation")

    def with_positions(first: str, second: str) -> str:
        text = moving.replace("0 0 0 0 0 0 0 0 0 0\n", f"0 0 0 0 0 0 0 0 0 {first} 0\n")
        return text.replace("90 0 0 90\n", f"90 0 0 {second} 90\n")

    for again in ("0 -1 0", "0 0 0"):
        np.testing.assert_allclose(places(tmp_path, with_positions(again, again)), places(tmp_path), atol=1e-12)
    assert "line 29: Leg moves, and is not the root" in refusal(tmp_path, with_positions("0 -1 0", "0 -1.5 0"))
    assert "line 28: Leg moves, and is not the root" in refusal(tmp_path, with_positions("0 -1 0", "0 0 0"))


def test_case_braces_and_line_ends_are_free(tmp_path: Path) -> None:
    other = (
        BVH.replace("JOINT Arm\n  {", "Joint Arm {").replace("Xposition", "XPOSITION").replace("End Site", "END SITE")
    )
    other = other.replace("\n", "\r\n").replace("Frames: 2", "Frames:\t2") + "\r\n"
    np.testing.assert_array_equal(places(tmp_path, other), places(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (BVH, "", "line 1: is missing: the file is empty"),
        ("HIERARCHY", "HIERACHY", "line 1: 'HIERACHY' stands where HIERARCHY should"),
        ("ROOT", "JOINT", "line 2: 'JOINT' stands where ROOT should"),
        ("OFFSET 0 2 0", "OFFSET 0 2", "line 9: 'CHANNELS' is no number"),
        ("OFFSET 0 2 0", "OFFSET 0 nan 0", "line 8: 'nan' is no number"),
        ("OFFSET 0 2 0", "OFFSET 0 1e300 0", "line 8: 1e300 lies beyond 100,000"),
        ("CHANNELS 3", "CHANNELS 1000000000", "line 9: '1000000000' is no number of channels"),
        ("CHANNELS 3", "CHANNELS 2", "line 9: 'Xrotation' stands where JOINT or End or } should"),
        ("CHANNELS 3 Z", "CHANNELS 3 X", "line 9: Arm has a channel twice"),
        ("CHANNELS 3 Z", "CHANNELS 3 W", "line 9: 'Wrotation' stands where Xposition or"),
        ("JOINT Leg", "JOINT Arm", "a second joint is called 'Arm'"),
        ("End Site", "End Stop", "line 10: 'Stop' stands where Site should"),
        ("MOTION", "}\nMOTION", "line 25: '}' stands where MOTION should"),
        ("}\nMOTION", "MOTION", "line 24: 'MOTION' stands where JOINT or End or } should"),
        ("MOTION\n", "MOTION Frames: 2\n", "line 25: MOTION does not stand on a line of its own"),
        ("Frames: 2", "Frames: 1000000000", "line 26: says 1,000,000,000 frames, and 2 are there"),
        ("Frames: 2", "Frames: 1", "line 26: says 1 frames, and 2 are there"),
        ("Frames: 2", "Frames: -2", "line 26: 'Frames: -2' is not 'Frames: ' and their number"),
        ("Frames: 2", "Frames: " + "9" * 5000, "line 26: 'Frames: 9999"),
        ("Frame Time: .0083333", "Frame Time: 0", "line 27: 0 seconds lie between two frames"),
        ("Frame Time: .0083333", "Frame Time:", "line 27: 'Frame Time:' is not"),
        ("10 20 30 90", "10 20 30", "line 29: has 9 values, and the hierarchy 10 channels"),
        ("10 20 30 90", "10 20 30 90 0", "line 29: has 11 values, and the hierarchy 10 channels"),
        ("10 20 30 90", "10 20 30 NaN", "line 29: 'NaN' is no number"),
        ("10 20 30 90", "10 20 30 inf", "line 29: 'inf' is no number"),
        ("10 20 30 90", "10 20 30 9_0", "line 29: '9_0' is no number"),
        ("10 20 30 90 90 0 90 0 0 90\n", "", "line 26: says 2 frames, and 1 are there"),
        (
            "0 0 0 0 0 0 0 0 0 0\n10 20 30 90 90 0 90 0 0 90\n",
            "",
            "line 27: the motion is cut short, or holds no frame",
        ),
        ("0 90\n", "0 90", "line 29: does not end, so the file is cut short"),
        ("JOINT Arm", "JOINT \u00e4rm", "line 6: holds a byte that is no text"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in BVH
    assert said in refusal(tmp_path, BVH.replace(old, new, 1))


def test_a_hierarchy_without_end_is_refused_and_a_deep_one_is_no_harm(tmp_path: Path) -> None:
    assert "the hierarchy does not end" in refusal(tmp_path, BVH[: BVH.index("MOTION")])
    deep = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 0\n" + "".join(
        f"JOINT a{i}\n{{\nOFFSET 0 0 0\nCHANNELS 0\n" for i in range(2000)
    )
    assert "holds more than 1000 joints" in refusal(tmp_path, deep)


def test_cmus_own_conversion_has_the_acclaim_files_root_and_legs() -> None:
    raw = raw_folder("cmu")
    motion = bvh.read_bvh(raw / "bvh/02_01.bvh")
    skeleton = asf.read_known(raw / "02/02.asf")
    ends = acclaim.bone_ends(skeleton, acclaim.read_amc(raw / "02/02_01.amc", skeleton))
    found = bvh.joint_places(motion)[:, :, 1:] * INCH / 0.45  # the first frame is a T-pose
    assert motion.edges[0] == (1, 0)
    names = [joint.name for joint in motion.joints]
    np.testing.assert_allclose(found[0], ends[0], rtol=0, atol=1e-5)
    for theirs, ours in (("LeftLeg", "lfemur"), ("RightLeg", "rfemur"), ("LeftFoot", "ltibia")):
        off = np.linalg.norm(found[names.index(theirs)] - ends[skeleton.joints.index(ours)], axis=0)
        assert off.max() < 0.1, "the conversion has a skeleton of its own, centimetres away"


WHOLE = bvh_text([("Hips", -1), ("Spine", 0), ("Head", 1), ("LeftArm", 1), ("LeftHand", 3)], frames=2)


def plainly(text: str) -> np.ndarray:
    """(t, channels): the numbers of the motion, read without any check."""
    rows = text.split("Frame Time:")[1].splitlines()[1:]
    return np.array([[float(word) for word in row.split()] for row in rows if row.strip()])


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    refusal(tmp_path_factory.mktemp("raw"), WHOLE[:end])


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_is_what_it_says(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = WHOLE.split("\n")
    if data.draw(st.booleans()):
        i, j = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines[i], lines[j] = lines[j], lines[i]
        content = "\n".join(lines).encode()
    else:
        at, byte = data.draw(st.integers(0, len(WHOLE) - 1)), data.draw(st.integers(0, 255))
        content = WHOLE.encode()[:at] + bytes([byte]) + WHOLE.encode()[at + 1 :]
    path = put(tmp_path_factory.mktemp("raw") / "a.bvh", content)
    try:
        motion = bvh.read_bvh(path)
    except SkelkitError as error:
        assert str(error).startswith(f"{path}, line ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(motion.values, plainly(content.decode("latin-1")))
        np.testing.assert_allclose(bvh.joint_places(motion), bvh.joint_places_by_frame(motion), atol=1e-9)
