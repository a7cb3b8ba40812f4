"""Deterministic preprocessing: centring each actor, and units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skelkit.data.clips import Clips
from skelkit.data.preprocess import CentreActors, Units, preprocess
from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU, Skeleton


def some_clips(skeleton: Skeleton = SBU, units: str = "metres", dtype: Any = np.float32, persons: int = 2) -> Clips:
    frames = np.random.default_rng(0).uniform(-1, 1, (6, 3, len(skeleton), persons)).astype(dtype)
    return Clips.from_arrays(
        frames, [0, 4, 6], skeleton=skeleton, classes=["a"], name="two", columns={"label": [0, 0]}, units=units
    )


@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, SBU], ids=lambda s: s.name)
def test_centring_equals_a_loop_over_frames_and_actors(skeleton: Skeleton) -> None:
    """The middle spine is joint 1 on both Kinects; on SBU it is the torso, joint 2."""
    clips = some_clips(skeleton)
    centre = {"sbu": 2}.get(skeleton.name, 1)
    expected = clips.frames.copy()
    for t, person in np.ndindex(6, 2):
        for joint in range(len(skeleton)):
            expected[t, :, joint, person] = clips.frames[t, :, joint, person] - clips.frames[t, :, centre, person]
    np.testing.assert_array_equal(preprocess(clips, [CentreActors()]), expected)


def test_centring_by_hand() -> None:
    clips = some_clips()
    clips.frames[0, :, 2, 1] = [1, 2, 3]  # the torso of person 1
    clips.frames[0, :, 5, 1] = [1.5, 0, 3]
    found = preprocess(clips, [CentreActors()])
    assert found[0, :, 5, 1].tolist() == [0.5, -2, 0]
    assert not found[:, :, 2].any(), "every torso is the origin"


def test_centring_does_not_see_where_an_actor_stands() -> None:
    """Each actor may be moved by itself, in each frame by itself: the relative position of two people is lost."""
    clips = some_clips()
    before = preprocess(clips, [CentreActors()])
    clips.frames[...] += np.random.default_rng(1).normal(size=(6, 3, 1, 2)).astype(np.float32)
    np.testing.assert_allclose(preprocess(clips, [CentreActors()]), before, atol=1e-6)


def test_an_absent_person_stays_zero() -> None:
    clips = some_clips(KINECT_V2)
    clips.frames[2:, ..., 1] = 0
    assert not preprocess(clips, [CentreActors()])[2:, ..., 1].any()


@pytest.mark.parametrize("to", ["metres", "official"])
def test_data_in_metres_pass_every_unit_unchanged(to: Any) -> None:
    clips = some_clips()
    np.testing.assert_array_equal(preprocess(clips, [Units(to)]), clips.frames)


def test_normalised_units_by_hand() -> None:
    """The README's formula at (.5, .25, 4): x 0, y .48, z 5.12 metres; the released code: z from y, millimetres."""
    clips = some_clips(units="normalised")
    clips.frames[0, :, 7, 0] = [0.5, 0.25, 4]
    np.testing.assert_allclose(preprocess(clips, [Units()])[0, :, 7, 0], [0, 0.48, 5.12], rtol=1e-6)
    np.testing.assert_allclose(preprocess(clips, [Units("official")])[0, :, 7, 0], [0, 480, 320], rtol=1e-6)


def test_units_equal_the_formula_number_by_number() -> None:
    clips = some_clips(units="normalised")
    found = preprocess(clips, [Units()])
    for t, joint, person in np.ndindex(6, 15, 2):
        x, y, z = clips.frames[t, :, joint, person].tolist()
        expected = [(1280 - 2560 * x) / 1000, (960 - 1920 * y) / 1000, z * 10 / 7.8125]
        np.testing.assert_allclose(found[t, :, joint, person], expected, rtol=1e-5, atol=1e-6)


def test_steps_run_in_their_order() -> None:
    clips = some_clips(units="normalised")
    found = preprocess(clips, [Units(), CentreActors()])
    by_hand = Units()(clips.frames, clips)
    np.testing.assert_array_equal(found, CentreActors()(by_hand, clips))
    assert not np.allclose(found, preprocess(clips, [CentreActors(), Units()]))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_clips_keep_their_frames_and_their_precision(dtype: Any) -> None:
    clips = some_clips(units="normalised", dtype=dtype)
    before = clips.frames.copy()
    found = preprocess(clips, [Units(), CentreActors()])
    assert found.dtype == dtype
    assert found.shape == before.shape
    np.testing.assert_array_equal(clips.frames, before)
    np.testing.assert_array_equal(preprocess(clips, []), before)
