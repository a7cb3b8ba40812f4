"""Skeletons are trees with mirror images and parts; bones and motion are differences."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from skelkit.data.skeleton import (
    KINECT_V1,
    KINECT_V2,
    SBU,
    SKELETONS,
    Skeleton,
    bone_stream,
    motion_stream,
    skeleton_of,
)
from skelkit.files import SkelkitError

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


@every_skeleton
def test_the_bones_are_a_tree_that_reaches_every_joint_from_the_centre(skeleton: Skeleton) -> None:
    neighbours: dict[int, set[int]] = {joint: set() for joint in range(len(skeleton))}
    for child, parent in skeleton.bones:
        neighbours[child].add(parent)
        neighbours[parent].add(child)
    reached, front = {skeleton.centre}, {skeleton.centre}
    while front:
        front = set().union(*(neighbours[joint] for joint in front)) - reached
        reached |= front
    assert reached == set(range(len(skeleton)))
    assert len(skeleton.bones) == len(skeleton) - 1  # connected, and one bone less than joints: a tree


@every_skeleton
def test_mirroring_twice_changes_nothing(skeleton: Skeleton) -> None:
    order = skeleton.mirrored()
    assert sorted(order) == list(range(len(skeleton)))
    assert [order[joint] for joint in order] == list(range(len(skeleton)))


@every_skeleton
def test_mirroring_exchanges_left_and_right_in_names_bones_and_parts(skeleton: Skeleton) -> None:
    def other_side(name: str) -> str:
        if (initial := {"l": "r", "r": "l"}.get(name[0], "") + name[1:]) in skeleton.joints:  # lfoot, rfoot
            return initial
        return name.replace("left", "?").replace("right", "left").replace("?", "right")

    order = skeleton.mirrored()
    assert [skeleton.joints[joint] for joint in order] == [other_side(name) for name in skeleton.joints]
    assert {(order[child], order[parent]) for child, parent in skeleton.bones} == set(skeleton.bones)
    for part, joints in skeleton.parts.items():
        assert {order[joint] for joint in joints} == set(skeleton.parts[other_side(part)])


@every_skeleton
def test_the_parts_share_no_joint_and_miss_none(skeleton: Skeleton) -> None:
    assert list(skeleton.parts) == ["trunk", "left arm", "left leg", "right arm", "right leg"]
    assert sorted(joint for part in skeleton.parts.values() for joint in part) == list(range(len(skeleton)))


def test_the_known_skeletons_have_the_formats_joints() -> None:
    assert (len(KINECT_V2), len(KINECT_V1), len(SBU)) == (25, 20, 15)
    assert KINECT_V2.joints[1] == "spine_middle"
    assert KINECT_V2.joints[20] == "spine_shoulder"
    assert KINECT_V2.joints[KINECT_V2.centre] == "spine_middle"
    assert KINECT_V1.joints[KINECT_V1.centre] == "spine"
    assert SBU.joints[SBU.centre] == "torso"


def test_the_ntu_edges_are_the_published_ones() -> None:
    # NTU's own list, 1-based (child, parent), as ST-GCN and its successors have it.
    published = (
        "1 2 2 21 3 21 4 3 5 21 6 5 7 6 8 7 9 21 10 9 11 10 12 11 13 1 14 13 15 14 16 15 17 1 18 17 19 18 20 19 "
        "22 23 23 8 24 25 25 12"
    )
    numbers = [int(n) - 1 for n in published.split()]
    assert set(KINECT_V2.bones) == set(zip(numbers[::2], numbers[1::2], strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bones": ((1, 0), (2, 3))}, r"lies outside 0\.\.2"),
        ({"bones": ((1, 0), (2, -1))}, r"lies outside 0\.\.2"),
        ({"centre": 3}, r"lies outside 0\.\.2"),
        ({"mirror": ((1, 3),)}, r"lies outside 0\.\.2"),
        ({"parts": {"trunk": (5,)}}, r"lies outside 0\.\.2"),
        ({"bones": ((1, 0), (1, 2))}, "two parents"),
        ({"bones": ((1, 0),)}, "no tree"),
        ({"bones": ((1, 2), (2, 1))}, "no tree"),
        ({"bones": ((0, 0), (1, 0), (2, 1))}, "no tree"),  # some lists give the root a bone to itself
        ({"mirror": ((0, 1), (1, 2))}, "two mirror images"),
    ],
)
def test_what_is_no_skeleton_is_refused_by_name(change: dict, said: str) -> None:
    chain = Skeleton("chain", ("a", "b", "c"), ((1, 0), (2, 1)), 0)
    with pytest.raises(SkelkitError, match=f"skeleton chain: .*{said}.*; "):
        replace(chain, **change)


@every_skeleton
def test_a_skeleton_survives_json(skeleton: Skeleton) -> None:
    again = Skeleton.from_dict(json.loads(json.dumps(skeleton.as_dict())))
    assert again == skeleton
    assert hash(again) == hash(skeleton)


@pytest.mark.parametrize("record", [{}, {"name": "x", "joints": ["a"], "bones": [[1]], "centre": 0}, {"name": 1}])
def test_a_record_that_is_no_skeleton_is_refused(record: dict) -> None:
    with pytest.raises(SkelkitError, match="give name, joints, bones and centre"):
        Skeleton.from_dict(record)


def test_skeleton_of_knows_the_three_by_their_joint_names() -> None:
    for skeleton in SKELETONS.values():
        assert skeleton_of(skeleton.joints) == skeleton
    assert skeleton_of(("head", "tail")) is None


def test_skeleton_of_takes_side_first_or_last_and_upper_case() -> None:
    turned = tuple("_".join(reversed(name.split("_"))).upper() for name in KINECT_V1.joints)
    assert skeleton_of(turned) == KINECT_V1


def test_skeleton_of_another_order_keeps_bones_mirror_centre_and_parts_by_name() -> None:
    names = SBU.joints[::-1]
    other = skeleton_of(names)
    assert other is not None
    assert other.joints == names
    assert other.joints[other.centre] == "torso"
    for field in ("bones", "mirror"):
        assert {(names[a], names[b]) for a, b in getattr(other, field)} == {
            (SBU.joints[a], SBU.joints[b]) for a, b in getattr(SBU, field)
        }
    for part, joints in SBU.parts.items():
        assert {names[joint] for joint in other.parts[part]} == {SBU.joints[joint] for joint in joints}


def test_bone_stream_equals_the_loop_over_bones(rng: torch.Generator) -> None:
    x = torch.randn(2, 3, 4, 25, 2, generator=rng)
    expected = torch.zeros_like(x)
    for child, parent in KINECT_V2.bones:
        for axis in range(3):
            expected[:, axis, :, child] = x[:, axis, :, child] - x[:, axis, :, parent]
    torch.testing.assert_close(bone_stream(x, KINECT_V2), expected, rtol=0, atol=0)


def test_bone_stream_by_hand() -> None:
    # A chain a - b - c at 1, 3 and 7 on each axis: the bones are 0 (the root), 2 and 4.
    chain = Skeleton("chain", ("a", "b", "c"), ((1, 0), (2, 1)), 0)
    x = torch.tensor([1.0, 3.0, 7.0]).reshape(1, 1, 1, 3, 1).expand(1, 3, 1, 3, 1)
    assert bone_stream(x, chain)[0, :, 0, :, 0].tolist() == [[0.0, 2.0, 4.0]] * 3


def test_bone_stream_of_one_joint_is_zero() -> None:
    dot = Skeleton("dot", ("a",), (), 0)
    assert bone_stream(torch.ones(1, 3, 2, 1, 1), dot).abs().sum() == 0


def test_bone_stream_refuses_the_joints_of_another_skeleton() -> None:
    with pytest.raises(SkelkitError, match="sbu: has 15 joints, the clips 25"):
        bone_stream(torch.zeros(1, 3, 2, 25, 1), SBU)


@every_skeleton
def test_bone_stream_forgets_where_the_person_stands(skeleton: Skeleton, rng: torch.Generator) -> None:
    x = torch.randn(2, 3, 4, len(skeleton), 2, generator=rng, dtype=torch.float64)
    moved = x + torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64).reshape(1, 3, 1, 1, 1)
    torch.testing.assert_close(bone_stream(moved, skeleton), bone_stream(x, skeleton))


@every_skeleton
def test_the_joints_are_the_sums_of_the_bones_from_the_root(skeleton: Skeleton, rng: torch.Generator) -> None:
    x = torch.randn(1, 3, 1, len(skeleton), 1, generator=rng, dtype=torch.float64)
    bones, parent = bone_stream(x, skeleton), dict(skeleton.bones)
    for joint in range(len(skeleton)):
        total, at = torch.zeros(3, dtype=torch.float64), joint
        while at in parent:
            total += bones[0, :, 0, at, 0]
            at = parent[at]
        torch.testing.assert_close(x[0, :, 0, at, 0] + total, x[0, :, 0, joint, 0])


def test_motion_stream_equals_the_loop_over_frames_and_ends_in_zero(rng: torch.Generator) -> None:
    x = torch.randn(2, 3, 5, 15, 2, generator=rng)
    expected = torch.zeros_like(x)
    for t in range(4):
        expected[:, :, t] = x[:, :, t + 1] - x[:, :, t]
    torch.testing.assert_close(motion_stream(x), expected, rtol=0, atol=0)
    assert motion_stream(x[:, :, :1]).abs().sum() == 0


def test_motion_stream_by_hand_and_of_one_that_stands_still() -> None:
    x = torch.tensor([1.0, 4.0, 2.0]).reshape(1, 1, 3, 1, 1)
    assert motion_stream(x).flatten().tolist() == [3.0, -2.0, 0.0]
    assert motion_stream(torch.ones(1, 3, 4, 15, 2)).abs().sum() == 0


def test_streams_leave_their_input_and_its_type(rng: torch.Generator) -> None:
    x = torch.randn(1, 3, 4, 15, 2, generator=rng).to(torch.bfloat16)
    before = x.clone()
    assert bone_stream(x, SBU).dtype == motion_stream(x).dtype == torch.bfloat16
    assert torch.equal(x, before)
