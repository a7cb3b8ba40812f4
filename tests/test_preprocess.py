"""Deterministic preprocessing: centring each actor, units, scale, and what is true of every step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from bodies import blank, each, ragged

from skelkit import run, store
from skelkit.data.clips import Clips
from skelkit.data.library import load
from skelkit.data.preprocess import (
    STEPS,
    AtMost,
    CanonicalRotation,
    CentreActors,
    Denoise,
    DropEmpty,
    FrameRate,
    MinMax,
    Replay,
    SelectPersons,
    Subsequences,
    Units,
    ViewInvariant,
    preprocess,
)
from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU, Skeleton
from skelkit.data.views import Resample, View
from skelkit.files import SkelkitError
from skelkit.recipes.experiment import Data


def some_clips(skeleton: Skeleton = SBU, units: str = "metres", dtype: Any = np.float32, persons: int = 2) -> Clips:
    frames = np.random.default_rng(0).uniform(-1, 1, (6, 3, len(skeleton), persons)).astype(dtype)
    return Clips.from_arrays(
        frames, [0, 4, 6], skeleton=skeleton, classes=["a"], name="two", columns={"label": [0, 0]}, units=units
    )


@pytest.mark.parametrize("chosen", [None, 0, 1, 14])
@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, SBU], ids=lambda s: s.name)
def test_centring_equals_a_loop_over_frames_and_actors(skeleton: Skeleton, chosen: int | None) -> None:
    """The middle spine is joint 1 on both Kinects; on SBU it is the torso, joint 2."""
    clips = some_clips(skeleton)
    centre = {"sbu": 2}.get(skeleton.name, 1) if chosen is None else chosen
    expected = clips.frames.copy()
    for t, person in np.ndindex(6, 2):
        for joint in range(len(skeleton)):
            expected[t, :, joint, person] = clips.frames[t, :, joint, person] - clips.frames[t, :, centre, person]
    np.testing.assert_array_equal(preprocess(clips, [CentreActors(chosen)]).frames, expected)


def test_centring_by_hand() -> None:
    clips = some_clips()
    clips.frames[0, :, 2, 1] = [1, 2, 3]  # the torso of person 1
    clips.frames[0, :, 5, 1] = [1.5, 0, 3]
    found = preprocess(clips, [CentreActors()]).frames
    assert found[0, :, 5, 1].tolist() == [0.5, -2, 0]
    assert not found[:, :, 2].any(), "every torso is the origin"


def test_centring_on_the_neck_by_hand() -> None:
    clips = some_clips()
    clips.frames[0, :, SBU.joints.index("neck"), 1] = [1, 2, 3]
    clips.frames[0, :, 5, 1] = [1.5, 0, 3]
    found = preprocess(clips, [CentreActors(1)]).frames
    assert found[0, :, 5, 1].tolist() == [0.5, -2, 0]
    assert not found[:, :, 1].any(), "every neck is the origin"


@pytest.mark.parametrize("joint", [-1, 15])
def test_a_joint_that_the_skeleton_lacks_is_named(joint: int) -> None:
    with pytest.raises(SkelkitError, match=f"sbu has no joint {joint}; give 0 to 14"):
        preprocess(some_clips(), [CentreActors(joint)])


def test_centring_does_not_see_where_an_actor_stands() -> None:
    """Each actor may be moved by itself, in each frame by itself: the relative position of two people is lost."""
    clips = some_clips()
    before = preprocess(clips, [CentreActors()]).frames
    clips.frames[...] += np.random.default_rng(1).normal(size=(6, 3, 1, 2)).astype(np.float32)
    np.testing.assert_allclose(preprocess(clips, [CentreActors()]).frames, before, atol=1e-6)


def test_an_absent_person_stays_zero() -> None:
    clips = some_clips(KINECT_V2)
    clips.frames[2:, ..., 1] = 0
    assert not preprocess(clips, [CentreActors()]).frames[2:, ..., 1].any()


@pytest.mark.parametrize("to", ["metres", "normalised", "official"])
def test_data_in_metres_pass_every_unit_unchanged(to: Any) -> None:
    clips = some_clips()
    np.testing.assert_array_equal(preprocess(clips, [Units(to)]).frames, clips.frames)


def test_normalised_units_by_hand() -> None:
    """The README's formula at (.5, .25, 4): x 0, y .48, z 5.12 metres; the released code: z from y, millimetres."""
    clips = some_clips(units="normalised")
    clips.frames[0, :, 7, 0] = [0.5, 0.25, 4]
    np.testing.assert_allclose(preprocess(clips, [Units()]).frames[0, :, 7, 0], [0, 0.48, 5.12], rtol=1e-6)
    np.testing.assert_allclose(preprocess(clips, [Units("official")]).frames[0, :, 7, 0], [0, 480, 320], rtol=1e-6)


def test_normalised_numbers_may_stay_as_they_are() -> None:
    clips = some_clips(units="normalised")
    np.testing.assert_array_equal(preprocess(clips, [Units("normalised")]).frames, clips.frames)


def test_units_equal_the_formula_number_by_number() -> None:
    clips = some_clips(units="normalised")
    found = preprocess(clips, [Units()]).frames
    for t, joint, person in np.ndindex(6, 15, 2):
        x, y, z = clips.frames[t, :, joint, person].tolist()
        expected = [(1280 - 2560 * x) / 1000, (960 - 1920 * y) / 1000, z * 10 / 7.8125]
        np.testing.assert_allclose(found[t, :, joint, person], expected, rtol=1e-5, atol=1e-6)


def test_steps_run_in_their_order() -> None:
    clips = some_clips(units="normalised")
    found = preprocess(clips, [Units(), CentreActors()]).frames
    np.testing.assert_array_equal(found, CentreActors()(Units()(clips)).frames)
    assert not np.allclose(found, preprocess(clips, [CentreActors(), Units()]).frames)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_clips_keep_their_frames_and_their_precision(dtype: Any) -> None:
    clips = some_clips(units="normalised", dtype=dtype)
    before = clips.frames.copy()
    found = preprocess(clips, [Units(), CentreActors()]).frames
    assert found.dtype == dtype
    assert found.shape == before.shape
    np.testing.assert_array_equal(clips.frames, before)
    np.testing.assert_array_equal(preprocess(clips, []).frames, before)


# ── scale ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def stretched(clip: np.ndarray, over: str) -> np.ndarray:
    """One clip (t, 3, v, m), number by number."""
    there = [(t, m) for t in range(len(clip)) for m in range(clip.shape[3]) if clip[t, ..., m].any()]
    found = np.zeros_like(clip)
    seen = [[clip[t, axis, :, m] for t, m in there] for axis in range(3)]
    extents = [np.max(numbers) - np.min(numbers) for numbers in seen] if there else []
    for axis in range(3):
        for t, m in there:
            low, high = np.min(seen[axis]), np.max(seen[axis])
            extent = extents[axis] if over == "axis" else max(extents)
            found[t, axis, :, m] = (clip[t, axis, :, m] - (low + high) / 2) / (extent / 2)
    return found


@pytest.mark.parametrize("over", ["axis", "clip"])
@pytest.mark.parametrize("persons", [1, 2])
def test_min_max_equals_each_clip_stretched_number_by_number(over: Any, persons: int) -> None:
    clips = ragged(persons=persons)
    expected = np.concatenate([stretched(clip, over) for clip in each(clips)])
    np.testing.assert_allclose(MinMax(over)(clips).frames, expected, atol=2e-6)


def test_min_max_by_hand() -> None:
    """x from 1 to 5, y from 0 to 1, z does not change: by axis all fill [-1, 1]; over the clip y is a quarter of x."""
    clips = blank(frames=2)
    clips.frames[0, 0, :], clips.frames[1, 0, :] = 1, 5
    clips.frames[1, 1, 3] = 1
    clips.frames[:, 2] = 7
    by_axis, by_clip = MinMax()(clips).frames, MinMax("clip")(clips).frames
    assert by_axis[:, :, 3, 0].tolist() == [[-1, -1, 0], [1, 1, 0]]
    assert by_clip[:, :, 3, 0].tolist() == [[-1, -0.25, 0], [1, 0.25, 0]]


@pytest.mark.parametrize("over", ["axis", "clip"])
def test_min_max_sees_neither_place_nor_size_and_may_be_repeated(over: Any) -> None:
    clips = ragged(absences=False)
    found = MinMax(over)(clips)
    frames = found.frames
    assert frames.max() == pytest.approx(1)
    assert frames.min() == pytest.approx(-1)
    larger = clips.with_frames(clips.frames * 3 + np.array([1, -2, 0.5], np.float32)[:, None, None])
    np.testing.assert_allclose(MinMax(over)(larger).frames, frames, atol=1e-5)
    np.testing.assert_allclose(MinMax(over)(found).frames, frames, atol=1e-6)


# ── every step ──────────────────────────────────────────────────────────────────────────────────────────────────────

CHOICES: list[Any] = [
    Units(),
    Units("normalised"),
    Units("official"),
    CentreActors(),
    CentreActors(1),
    CanonicalRotation(),
    CanonicalRotation("first frame"),
    CanonicalRotation(turn="two turns"),
    ViewInvariant(),
    ViewInvariant(mirrored=True),
    MinMax(),
    MinMax("clip"),
    FrameRate(),
    FrameRate(15, 120),
    AtMost(5),
    AtMost(5, "stride"),
    Subsequences(n=3, shortest=2, longest=4),
    SelectPersons(),
    SelectPersons(1, "energy"),
    SelectPersons(2, "motion", pad=True),
    Denoise(),
    Denoise(frames=3, motion=(0.089925, 2.0)),
    Replay(),
    DropEmpty(),
    DropEmpty("all"),
]
every_choice = pytest.mark.parametrize("step", CHOICES, ids=str)


def test_the_choices_leave_out_no_step() -> None:
    assert {type(step) for step in CHOICES} == set(STEPS)


@every_choice
@pytest.mark.parametrize("persons", [1, 2, 4])
@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, SBU], ids=lambda s: s.name)
def test_a_step_makes_whole_clips_and_changes_none_it_was_given(step: Any, persons: int, skeleton: Skeleton) -> None:
    clips = ragged(skeleton, persons, units="normalised" if skeleton is SBU else "metres")
    before, table = clips.frames.copy(), clips.table.copy()
    found = step(clips)
    assert found.offsets[0] == 0
    assert found.offsets[-1] == len(found.frames)
    assert (found.lengths > 0).all()
    assert len(found.table) == len(found)
    assert found.folder is None
    assert np.isfinite(found.frames).all()
    assert found.frames.dtype == before.dtype
    np.testing.assert_array_equal(clips.frames, before)
    assert clips.table.equals(table)


@every_choice
def test_the_absent_stay_absent_and_nobody_else_becomes_so(step: Any) -> None:
    """Persons a clip, before and after; a step may strike persons off, or leave out the frames that show one."""
    clips = ragged(persons=4)
    found = step(clips)
    if isinstance(step, Subsequences):
        assert not found.frames[np.repeat(found.table["name"].str.startswith("clip 3"), found.lengths), ..., 0].any()
        return
    known, left = ([int(clip.any((0, 1, 2)).sum()) for clip in each(side)] for side in (clips, found))
    if isinstance(step, SelectPersons):
        known = [min(n, step.keep) for n in known] if step.by != "first" else [2, 1, 2, 0, 2]
    if isinstance(step, Denoise | FrameRate | AtMost):
        assert all(1 <= a <= b for a, b in zip(left, known, strict=True))
    else:
        assert left == known


@every_choice
def test_16_bit_clips_come_near_their_32_bit_twins(step: Any) -> None:
    fine, coarse = ragged(), ragged(dtype=np.float16)
    fine = fine.with_frames(coarse.frames.astype(np.float32))
    found = step(coarse)
    assert found.frames.dtype == np.float16
    np.testing.assert_allclose(found.frames.astype(np.float32), step(fine).frames, atol=4e-3)


@every_choice
def test_a_clip_is_treated_alike_in_any_company(step: Any) -> None:
    if isinstance(step, Subsequences):
        return  # its draws follow one another
    clips = ragged()
    whole = step(clips)
    for i in range(len(clips)):
        alone = step(clips.subset(np.array([i])))
        np.testing.assert_allclose(alone.frames, whole[i], atol=1e-6)


@every_choice
def test_every_step_may_stand_in_an_experiment_s_data(step: Any) -> None:
    data = Data("synthetic", "xsub", steps=(step,), view=Resample(8))
    assert json.loads(json.dumps(store.canonical(data)))["steps"][0]["type"] == type(step).__name__
    keys = [store.key(Data("synthetic", "xsub", steps=(other,), view=Resample(8))) for other in CHOICES]
    assert keys.count(store.key(data)) == 1, "no other choice has this key"


def test_a_new_choice_orphans_no_old_key() -> None:
    """The default steps and view are left out of a key, and the names of those in use stand as they stood."""
    assert store.canonical(Data("ntu60", "xsub")) == {"type": "Data", "name": "ntu60", "split": "xsub"}
    old = Data("sbu", "folds", steps=(Units("official"), CentreActors()), view=View(40))
    assert store.canonical(old)["steps"] == [{"type": "Units", "to": "official"}, {"type": "CentreActors"}]
    assert store.canonical(old)["view"] == {"type": "View", "frames": 40}


# ── chains, as the papers have them ─────────────────────────────────────────────────────────────────────────────────

CHAINS: dict[str, tuple[tuple[Any, ...], View | Resample]] = {
    "AS-CAL": ((Units(), CentreActors()), View(150)),
    "Thoker": ((SelectPersons(2, "energy", pad=True), Replay(), CanonicalRotation(turn="two turns")), Resample(64)),
    "Moliner": ((SelectPersons(), DropEmpty(), CanonicalRotation()), View(150, "loop")),
    "SESAR": ((DropEmpty("all"), SelectPersons(1), ViewInvariant(), MinMax(), AtMost(50, "stride")), View(50)),
    "LongT GAN": ((SelectPersons(1), FrameRate(), AtMost(35), MinMax()), View(35)),
}


@pytest.mark.parametrize("paper", CHAINS)
def test_each_paper_s_chain_prepares_the_synthetic_clips(paper: str) -> None:
    steps, view = CHAINS[paper]
    prepared = run.prepare(Data("synthetic", "xsub", view=view, steps=steps, clips=12))
    batch = prepared.resident.clips(torch.from_numpy(prepared.split.test))
    assert batch.shape == (12, 3, view.frames, len(prepared.clips.skeleton), prepared.spec.persons)
    assert prepared.spec.persons == (1 if paper in ("SESAR", "LongT GAN") else 2)
    assert batch.isfinite().all()
    assert batch.flatten(1).any(1).all()


@pytest.mark.parametrize("paper", CHAINS)
@pytest.mark.parametrize("name", ["nw_ucla", "sbu"])
def test_each_paper_s_chain_prepares_real_clips(paper: str, name: str, real_data: Callable[[str], Clips]) -> None:
    clips = real_data(name)
    found = preprocess(clips, CHAINS[paper][0])
    assert len(found) == len(clips)
    assert np.isfinite(found.frames).all()
    assert found.labels.tolist() == clips.labels.tolist()
    if paper in ("SESAR", "LongT GAN"):
        assert np.abs(found.frames).max() == pytest.approx(1, abs=1e-5)
        assert found.persons == 1


def test_persons_come_from_the_preprocessed_clips() -> None:
    raw = load("synthetic")
    prepared = run.prepare(Data("synthetic", "xsub", steps=(SelectPersons(4, pad=True),), clips=8))
    assert prepared.clips.persons == raw.persons
    assert prepared.spec.persons == prepared.resident.persons == 4


def test_a_step_that_makes_other_clips_is_refused_before_the_split_is_used() -> None:
    with pytest.raises(SkelkitError, match=r"synthetic: preprocessing made \d+ clips of \d+; leave such a step"):
        run.prepare(Data("synthetic", "xsub", steps=(Subsequences(n=2),)))


def test_frames_that_do_not_fit_their_clips_are_refused() -> None:
    clips = ragged()
    with pytest.raises(SkelkitError, match="offsets must rise from 0 to the 3 frames"):
        clips.with_frames(clips.frames[:3])
    with pytest.raises(SkelkitError, match="offsets of 1 clips, and there are 5"):
        clips.with_frames(clips.frames, np.array([0, len(clips.frames)]))
