"""The canonical rotation and the view-invariant transform: naive twins, values by hand, and no trace of the camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bodies import blank, each, ragged, rigidly_moved, rotation

from skelkit.data.clips import Clips
from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU, SKELETONS, Skeleton
from skelkit.data.steps.canonical import CanonicalRotation, ViewInvariant, axes, landmarks, shortest
from skelkit.files import SkelkitError

JOINTS = {  # left shoulder, right shoulder, left hip, right hip, base of the spine, the next joint up, centre
    "kinect-v2": (4, 8, 12, 16, 0, 1, 1),
    "kinect-v1": (4, 8, 12, 16, 0, 1, 1),
    "sbu": (3, 6, 9, 12, 2, 1, 2),
}
every_skeleton = pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, SBU], ids=lambda s: s.name)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def turned_to(vector: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The rotation matrix by the angle between two vectors, about their cross product."""
    a, angle = unit(np.cross(vector, to)), np.arccos(unit(vector) @ to)
    cross = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def written_out(clip: np.ndarray, step: CanonicalRotation | ViewInvariant, skeleton: Skeleton) -> np.ndarray:
    """One clip (t, 3, v, m), frame by frame and joint by joint."""
    ls, rs, lh, rh, base, above, centre = JOINTS[skeleton.name]
    first, lead = next((t, m) for m in range(clip.shape[3]) for t in range(len(clip)) if clip[t, ..., m].any())
    pose = clip[first, ..., lead].T  # (v 3)
    spine = pose[above] - pose[base]
    if isinstance(step, ViewInvariant):
        v1, v2 = unit(spine), pose[lh] - pose[rh]
        v2 = unit(v2 - (v1 @ v2) * v1)
        v3 = np.cross(v2, v1) if step.mirrored else np.cross(v1, v2)
        matrix = np.linalg.inv(np.column_stack([v2, v3, v1]))
    elif step.turn == "two turns":
        matrix = turned_to(spine, np.array([0, 0, 1]))
        matrix = turned_to(matrix @ (pose[rs] - pose[ls]), np.array([1, 0, 0])) @ matrix
    else:
        z, x = unit(spine), pose[rs] - pose[ls]
        x = unit(x - (x @ z) * z)
        matrix = np.stack([x, np.cross(z, x), z])
    found, origin = np.zeros_like(clip), pose[base if isinstance(step, ViewInvariant) else centre]
    for t in range(len(clip)):
        if isinstance(step, CanonicalRotation) and step.origin == "every frame" and clip[t, ..., lead].any():
            origin = clip[t, :, centre, lead]
        for m in range(clip.shape[3]):
            for joint in range(clip.shape[2]):
                if clip[t, ..., m].any():
                    found[t, :, joint, m] = matrix @ (clip[t, :, joint, m] - origin)
    return found


CHOICES: list[Any] = [
    CanonicalRotation(),
    CanonicalRotation("first frame"),
    CanonicalRotation(turn="two turns"),
    ViewInvariant(),
    ViewInvariant(mirrored=True),
]
every_choice = pytest.mark.parametrize("step", CHOICES, ids=str)


@every_choice
@every_skeleton
@pytest.mark.parametrize("persons", [1, 3])
def test_a_turned_clip_equals_its_joints_turned_one_by_one(step: Any, skeleton: Skeleton, persons: int) -> None:
    """Persons come late, go, and never are: the first listed who is there at all gives the axes."""
    clips = ragged(skeleton, persons)
    expected = np.concatenate([written_out(clip, step, skeleton) for clip in each(clips)])
    np.testing.assert_allclose(step(clips).frames, expected, atol=2e-6)


@pytest.mark.parametrize("step", [c for c in CHOICES if c != CanonicalRotation(turn="two turns")], ids=str)
@every_skeleton
def test_no_rigid_motion_changes_the_result(step: Any, skeleton: Skeleton) -> None:
    clips = ragged(skeleton)
    found = step(clips).frames
    for seed in range(3):
        np.testing.assert_allclose(step(rigidly_moved(clips, rotation(seed))).frames, found, atol=5e-6)


def test_two_turns_do_not_see_where_a_clip_stands_but_how_it_is_turned() -> None:
    """What the released code leaves of the view: square shoulders none, others a tilt."""
    step, clips = CanonicalRotation(turn="two turns"), ragged()
    found = step(clips).frames
    np.testing.assert_allclose(step(rigidly_moved(clips, np.eye(3))).frames, found, atol=5e-6)
    assert np.abs(step(rigidly_moved(clips, rotation(0))).frames - found).max() > 0.01
    for clip in range(len(clips)):  # shoulders that are square to the spine, in every first pose
        pose = clips.frames[clips.offsets[clip] : clips.offsets[clip + 1]]
        spine, across = pose[:, :, 1] - pose[:, :, 0], pose[:, :, 8] - pose[:, :, 4]
        along = (spine * across).sum(1, keepdims=True) / np.maximum((spine**2).sum(1, keepdims=True), 1e-9)
        pose[:, :, 8] -= along * spine
    found = step(clips).frames
    np.testing.assert_allclose(step(rigidly_moved(clips, rotation(0))).frames, found, atol=5e-6)
    np.testing.assert_allclose(CanonicalRotation()(clips).frames, found, atol=5e-6)


def standing() -> Clips:
    """Upright as a Kinect sees someone who looks at it: y is up, x to the person's right; base at (1, 2, 3)."""
    clips = blank(frames=2)
    pose = clips.frames[0, :, :, 0]
    pose[:, 0], pose[:, 1] = [1, 2, 3], [1, 2.5, 3]
    pose[:, 4], pose[:, 8] = [0.8, 3, 3], [1.2, 3, 3]
    pose[:, 12], pose[:, 16] = [0.9, 1.9, 3], [1.1, 1.9, 3]
    pose[:, 15] = [0.9, 1, 2.8]  # the left foot, 20 cm towards the camera
    clips.frames[1] = clips.frames[0] + np.array([0, 0, -0.5], np.float32)[:, None, None]  # and walks half a metre
    return clips


def test_the_canonical_rotation_by_hand() -> None:
    """z is up, x to the right, so that y is forward; the spine joint is the origin, in both frames or in the first."""
    for turn in ("exact", "two turns"):
        found = CanonicalRotation(turn=turn)(standing()).frames
        np.testing.assert_allclose(
            found[0, :, [0, 1, 8, 15], 0], [[0, 0, -0.5], [0, 0, 0], [0.2, 0, 0.5], [-0.1, 0.2, -1.5]], atol=1e-6
        )
        np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    walks = CanonicalRotation("first frame")(standing()).frames
    np.testing.assert_allclose(walks[1, :, 1, 0], [0, 0.5, 0], atol=1e-6)


def test_the_view_invariant_transform_by_hand() -> None:
    """x is to the left, z up, the base of the first pose the origin; y is back, and forward where it is mirrored."""
    for mirrored, forward in ((False, -1), (True, 1)):
        found = ViewInvariant(mirrored)(standing()).frames
        np.testing.assert_allclose(
            found[0, :, [0, 1, 16, 15], 0],
            [[0, 0, 0], [0, 0, 0.5], [-0.1, 0, -0.1], [0.1, 0.2 * forward, -1]],
            atol=1e-6,
        )
        np.testing.assert_allclose(found[1, :, 0, 0], [0, 0.5 * forward, 0], atol=1e-6)


@every_choice
def test_distances_between_joints_and_persons_stay(step: Any) -> None:
    clips = ragged(absences=False)
    for before, after in zip(each(clips), each(step(clips)), strict=True):
        before, after = (x.transpose(0, 2, 3, 1).reshape(len(x), -1, 3) for x in (before, after))
        gaps = [np.linalg.norm(x[:, :, None] - x[:, None], axis=3) for x in (before, after)]
        np.testing.assert_allclose(gaps[1], gaps[0], atol=5e-6)


@pytest.mark.parametrize("step", [CanonicalRotation(), CanonicalRotation("first frame"), ViewInvariant()], ids=str)
def test_a_second_time_changes_nothing(step: Any) -> None:
    once = step(ragged(absences=False))
    np.testing.assert_allclose(step(once).frames, once.frames, atol=2e-6)


@every_choice
def test_a_pose_without_direction_is_only_shifted(step: Any) -> None:
    """All joints in one place, or a clip of nobody."""
    clips = blank(frames=3, persons=2)
    assert not step(clips).frames.any()
    clips.frames[:, 2, :, 0] = 4
    assert not step(clips).frames.any()


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_turn_is_a_rotation_that_leaves_what_is_square_to_it(seed: int) -> None:
    vector, to = np.random.default_rng(seed).normal(size=3), rotation(seed)[0]
    turn = shortest(vector[None], to)[0]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(turn @ unit(vector), to, atol=1e-12)
    axis = np.cross(vector, to)
    np.testing.assert_allclose(turn @ axis, axis, atol=1e-12)


def test_the_shortest_turn_of_special_vectors_by_hand() -> None:
    """Nothing for the direction itself and for no direction; half a turn for the opposite one."""
    z = np.array([0.0, 0.0, 1.0])
    turns = shortest(np.array([[0, 0, 2.0], [0, 0, 0], [0, 0, -3], [1, 0, 0]]), z)
    np.testing.assert_allclose(turns[:2], [np.eye(3)] * 2)
    np.testing.assert_allclose(turns[2] @ [0, 0, -1], z)
    assert np.linalg.det(turns[2]) == pytest.approx(1)
    np.testing.assert_allclose(turns[3], [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-12)


def test_axes_of_parallel_vectors_are_those_that_were() -> None:
    np.testing.assert_array_equal(axes(np.array([[0, 1.0, 0]]), np.array([[0, -2.0, 0]])), np.eye(3)[None])


@every_skeleton
def test_landmarks_by_hand(skeleton: Skeleton) -> None:
    *pairs, base, above, _ = JOINTS[skeleton.name]
    found = landmarks(skeleton)
    assert [*found.shoulders, *found.hips] == pairs
    assert (found.base, found.above) == (base, (above,))


def test_every_known_skeleton_has_landmarks() -> None:
    for skeleton in SKELETONS.values():
        found = landmarks(skeleton)
        assert len({*found.shoulders, *found.hips}) == 4
        assert {found.shoulders, found.hips} <= set(skeleton.mirror)


def test_landmarks_come_from_the_parts_where_no_joint_is_named_so() -> None:
    """And the middle of the shoulders is the next place up, where they hang from the same joint as the hips."""
    star = Skeleton(
        "star",
        ("body", "l_arm", "l_fist", "r_arm", "r_fist", "l_leg", "r_leg"),
        ((1, 0), (2, 1), (3, 0), (4, 3), (5, 0), (6, 0)),
        centre=0,
        mirror=((2, 4), (1, 3), (5, 6)),
        parts={"left arm": (1, 2), "right arm": (3, 4), "left leg": (5,), "right leg": (6,)},
    )
    found = landmarks(star)
    assert found == ((1, 3), (5, 6), 0, (1, 3))
    clips = rigidly_moved(ragged(star), rotation(1))
    result = CanonicalRotation("first frame")(clips)
    middle = result.frames[2, :, [1, 3], 0].mean(0)  # the first frame of clip 0 with a body
    np.testing.assert_allclose(middle[:2], [0, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("joints", "missing"),
    [("head neck left_shoulder right_shoulder", "hips"), ("head neck left_hip right_hip", "shoulders")],
)
def test_a_skeleton_that_cannot_be_turned_is_refused_on_one_line(joints: str, missing: str) -> None:
    half = Skeleton("half", tuple(joints.split()), ((0, 1), (2, 1), (3, 1)), 1, mirror=((2, 3),))
    for step in (CanonicalRotation(), ViewInvariant()):
        with pytest.raises(
            SkelkitError, match=f"^skeleton half: has no {missing} to turn it by; name a mirror pair.*$"
        ):
            step(ragged(half))


@pytest.mark.parametrize("name", ["nw_ucla", "sbu"])
def test_real_clips_stand_upright_and_square_in_their_first_pose(name: str, real_data: Callable[[str], Clips]) -> None:
    clips = real_data(name)
    ls, rs, lh, rh, base, above, centre = JOINTS[clips.skeleton.name]
    first = CanonicalRotation()(clips).frames[clips.offsets[:-1], ..., 0]
    assert np.abs(first[:, :, centre]).max() < 1e-5
    spine, shoulders = first[:, :, above] - first[:, :, base], first[:, :, rs] - first[:, :, ls]
    assert np.abs(spine[:, :2]).max() < 1e-5
    assert (spine[:, 2] > 0).all()
    assert np.abs(shoulders[:, 1]).max() < 1e-5
    assert (shoulders[:, 0] > 0).all()
    first = ViewInvariant()(clips).frames[clips.offsets[:-1], ..., 0]
    hips = first[:, :, lh] - first[:, :, rh]
    assert np.abs(hips[:, 1]).max() < 1e-5
    assert (hips[:, 0] >= 0).all()
