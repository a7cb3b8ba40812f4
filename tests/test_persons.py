"""Choosing persons, striking off noise, replaying and dropping frames: naive twins and values by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bodies import blank, each, ragged, rigidly_moved, rotation

from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.steps.persons import Denoise, DropEmpty, Replay, SelectPersons, present


def moved(clip: np.ndarray, person: int, deviations: bool) -> float:
    """Over x, y, z, the sum of the deviations (or variances) of one person's joints where it is there."""
    there = [frame[..., person] for frame in clip if frame[..., person].any()]
    if not there:
        return 0.0
    each_axis = [np.concatenate([body[axis] for body in there]) for axis in range(3)]
    return sum(float(axis.std() if deviations else axis.var()) for axis in each_axis)


def bustling(persons: int = 4, dtype: Any = np.float32) -> Clips:
    """Clips in which the later listed persons move more, and the third of four least."""
    clips = ragged(persons=persons, dtype=dtype)
    there = present(clips)
    clips.frames[...] += (
        np.random.default_rng(5).normal(size=clips.frames.shape) * np.array([0.2, 0.5, 0.05, 0.8])[:persons]
    ).astype(dtype)
    clips.frames.transpose(0, 3, 1, 2)[~there] = 0
    return clips


def test_presence_equals_looking_at_every_number() -> None:
    clips = ragged(persons=3)
    clips.frames[7, :, :, 0] = 0
    clips.frames[7, 2, 20, 0] = 1e-3  # a single number is enough
    expected = [[bool(frame[..., m].any()) for m in range(3)] for frame in clips.frames]
    assert present(clips).tolist() == expected


@pytest.mark.parametrize("by", ["energy", "motion"])
@pytest.mark.parametrize("keep", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_most_moving_persons_equal_those_of_a_plain_sort(by: Any, keep: int, dtype: Any) -> None:
    clips = bustling(dtype=dtype)
    found = SelectPersons(keep, by)(clips)
    assert found.frames.dtype == dtype
    for i, clip in enumerate(each(clips)):
        order = sorted(range(4), key=lambda m: (-moved(clip, m, by == "energy"), m))[:keep]
        np.testing.assert_array_equal(found[i], clip[..., order])


def test_the_first_listed_persons_are_kept_as_they_are() -> None:
    clips = bustling()
    np.testing.assert_array_equal(SelectPersons()(clips).frames, clips.frames[..., :2])
    np.testing.assert_array_equal(SelectPersons(9)(clips).frames, clips.frames)


def test_energy_and_motion_by_hand() -> None:
    """Variances 1, 1, 1 (deviations 3, sum 3) against 4, 0.01, 0.01 (deviations 2.2, sum 4.02): they disagree."""
    clips = blank(frames=2, persons=3)
    clips.frames[0], clips.frames[1] = 5, 5
    clips.frames[0, ..., 1], clips.frames[1, ..., 1] = 6, 4
    clips.frames[0, ..., 2] = np.array([7, 5.1, 5.1])[:, None]
    clips.frames[1, ..., 2] = np.array([3, 4.9, 4.9])[:, None]
    assert SelectPersons(3, "energy")(clips).frames[0, 0, 0].tolist() == [6, 7, 5]
    assert SelectPersons(3, "motion")(clips).frames[0, 0, 0].tolist() == [7, 6, 5]


def test_persons_who_move_alike_stay_as_they_are_listed() -> None:
    clips = ragged(persons=4, absences=False)
    clips.frames[...] = clips.frames[..., :1]
    clips.frames[..., 1] += 2.0  # another place, the same motion
    clips.frames[...] = np.round(clips.frames * 1024) / 1024  # so that the shift is exact
    np.testing.assert_array_equal(SelectPersons(4, "energy")(clips).frames[:, 0, 0], clips.frames[:, 0, 0])


def test_energy_does_not_see_where_the_camera_stands() -> None:
    clips = bustling()
    shift = rigidly_moved(clips, np.eye(3))
    chosen = SelectPersons(2, "energy")
    np.testing.assert_array_equal(chosen(shift).frames, rigidly_moved(chosen(clips), np.eye(3)).frames)
    turned = rigidly_moved(clips, rotation(3))  # the sum of variances does not see a turn either
    chosen = SelectPersons(2, "motion")
    np.testing.assert_array_equal(chosen(turned).frames, rigidly_moved(chosen(clips), rotation(3)).frames)


def test_padding_adds_persons_of_zeros() -> None:
    clips = ragged(persons=1)
    assert SelectPersons()(clips).persons == 1
    found = SelectPersons(2, pad=True)(clips)
    np.testing.assert_array_equal(found.frames[..., :1], clips.frames)
    assert not found.frames[..., 1].any()


# ── noise ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def cleaned(clip: np.ndarray, step: Denoise) -> np.ndarray:
    """One clip (t, 3, v, m), person by person."""
    stays = [m for m in range(clip.shape[3]) if clip[..., m].any()]
    frames = {m: [frame[..., m] for frame in clip if frame[..., m].any()] for m in stays}

    def strike(noise: Callable[[int], bool]) -> None:
        for m in list(stays):
            if len(stays) > 1 and noise(m):
                stays.remove(m)

    def is_wide(body: np.ndarray) -> bool:
        return body[0].max() - body[0].min() > step.ratio * (body[1].max() - body[1].min())

    strike(lambda m: len(frames[m]) <= step.frames)
    strike(lambda m: np.mean([is_wide(body) for body in frames[m]]) >= step.share)
    if step.motion is not None and stays:
        least, most = step.motion
        lead = max(stays, key=lambda m: moved(clip, m, False))
        strike(lambda m: m != lead and not least <= moved(clip, m, False) <= most)
    return clip * np.isin(np.arange(clip.shape[3]), stays)


@pytest.mark.parametrize(
    "step", [Denoise(), Denoise(3), Denoise(5, 1.2, 0.5), Denoise(0, motion=(0.5, 1.0)), Denoise(2, 9.0, 0.1)], ids=str
)
@pytest.mark.parametrize("persons", [1, 2, 4])
def test_denoising_equals_each_person_looked_at_by_itself(step: Denoise, persons: int) -> None:
    clips = bustling(persons)
    expected = np.concatenate([cleaned(clip, step) for clip in each(clips)])
    np.testing.assert_array_equal(step(clips).frames, expected)
    if persons == 4 and step != Denoise(2, 9.0, 0.1):
        assert (step(clips).frames != clips.frames).any(), "else this shows nothing"


def crowd() -> Clips:
    """Twenty frames: an upright person, one who is there for eleven frames, a wide one, an upright still one."""
    clips = blank(frames=20, persons=4)
    x = clips.frames
    x[:, 0, :, 0], x[:, 1, :, 0] = np.linspace(0, 0.5, 25), np.linspace(0, 1.7, 25)
    x[:, 0, :, 0] += np.linspace(0, 3, 20)[:, None]
    x[:11, :, :, 1] = x[:11, :, :, 0]
    x[:, 0, :, 2], x[:, 1, :, 2] = np.linspace(0, 0.9, 25), np.linspace(0, 1, 25)
    x[:, 1, :, 3] = np.linspace(0, 0.5, 25)
    return clips


def test_denoising_by_hand() -> None:
    def left(step: Denoise, clips: Clips) -> list[bool]:
        return step(clips).frames.any((0, 1, 2)).tolist()

    assert left(Denoise(), crowd()) == [True, False, False, True]
    assert left(Denoise(frames=10), crowd()) == [True, True, False, True]
    assert left(Denoise(ratio=0.91), crowd()) == [True, False, True, True]
    assert left(Denoise(motion=(0.089925, 2.0)), crowd()) == [True, False, False, False]  # 0.02: it hardly moves
    half = crowd()
    half.frames[:7, 1, :, 2] *= 2  # thirteen of twenty frames are wide: less than 69.754 %
    assert left(Denoise(), half) == [True, False, True, True]
    half.frames[6, 1, :, 2] /= 2
    assert left(Denoise(), half) == [True, False, False, True]


def test_the_last_person_left_stays_however_short_or_wide() -> None:
    clips = crowd()
    clips.frames[..., [0, 1, 3]] = 0
    np.testing.assert_array_equal(Denoise()(clips).frames, clips.frames)
    clips.frames[11:] = 0
    np.testing.assert_array_equal(Denoise(motion=(5, 6))(clips).frames, clips.frames)


def test_denoising_does_not_see_where_a_person_stands_and_may_be_repeated() -> None:
    clips, step = crowd(), Denoise(motion=(0.089925, 2.0))
    found = step(clips)
    np.testing.assert_array_equal(step(found).frames, found.frames)
    shift = rigidly_moved(clips, np.eye(3))
    np.testing.assert_array_equal(step(shift).frames, rigidly_moved(found, np.eye(3)).frames)


# ── frames without a person ─────────────────────────────────────────────────────────────────────────────────────────


def replayed(clip: np.ndarray) -> np.ndarray:
    """One clip, person by person, as `pre_normalization` goes about it."""
    found = clip.copy()
    for m in range(clip.shape[3]):
        person = clip[..., m]
        if not person.any():
            continue
        if not person[0].any():
            there = [frame for frame in person if frame.any()]
            person = np.concatenate([there, np.zeros((len(person) - len(there), *person.shape[1:]))])
        end = max(t for t in range(len(person)) if person[t].any()) + 1
        found[..., m] = np.stack([person[t % end] for t in range(len(person))])
    return found


@pytest.mark.parametrize("persons", [1, 2, 4])
def test_replaying_equals_each_person_replayed_by_itself(persons: int) -> None:
    clips = ragged(persons=persons)
    clips.frames[-4:, ..., 0] = 0  # the last clip's first person leaves as well
    expected = np.concatenate([replayed(clip) for clip in each(clips)])
    np.testing.assert_array_equal(Replay()(clips).frames, expected)


def test_replaying_by_hand() -> None:
    """Empty at the start: to the front, and again; empty at the end: again, a gap with it; a gap alone stays."""
    clips = blank(frames=6, persons=4)
    for person, numbers in enumerate(([0, 0, 1, 2, 0, 3], [1, 2, 0, 3, 0, 0], [1, 0, 0, 0, 0, 2], [0] * 6)):
        clips.frames[..., person] = np.array(numbers)[:, None, None]
    found = Replay()(clips).frames[:, 0, 0].T
    assert found.tolist() == [[1, 2, 3, 1, 2, 3], [1, 2, 0, 3, 1, 2], [1, 0, 0, 0, 0, 2], [0] * 6]


def test_replaying_again_changes_nothing_where_there_are_no_gaps() -> None:
    once = Replay()(ragged(persons=2))
    again = Replay()(once)
    np.testing.assert_array_equal(again.frames, once.frames)


@pytest.mark.parametrize("which", ["leading", "all"])
def test_dropping_empty_frames_equals_a_walk_through_each_clip(which: Any) -> None:
    clips = ragged(persons=1)
    clips.frames[7:9] = 0  # the third clip starts late, too
    clips.frames[6] = 0  # nobody ever is in the second
    found = DropEmpty(which)(clips)
    for i, clip in enumerate(each(clips)):
        kept: list[np.ndarray] = []
        for frame in clip:
            if frame.any() or (which == "leading" and kept):
                kept.append(frame)
        np.testing.assert_array_equal(found[i], np.stack(kept) if kept else clip)


def test_dropping_empty_frames_by_hand() -> None:
    clips = blank(frames=7, persons=2)
    clips.frames[[2, 5], ..., 0] = np.array([1, 2])[:, None, None]
    clips.frames[3, ..., 1] = 7  # someone is there
    assert DropEmpty()(clips).frames[:, 0, 0].tolist() == [[1, 0], [0, 7], [0, 0], [2, 0], [0, 0]]
    assert DropEmpty("all")(clips).frames[:, 0, 0].tolist() == [[1, 0], [0, 7], [2, 0]]


@pytest.mark.parametrize("which", ["leading", "all"])
def test_full_clips_lose_no_frame_and_a_second_time_nothing(which: Any) -> None:
    full = ragged(absences=False)
    np.testing.assert_array_equal(DropEmpty(which)(full).frames, full.frames)
    once = DropEmpty(which)(ragged(persons=1))
    np.testing.assert_array_equal(DropEmpty(which)(once).frames, once.frames)


def test_sbu_s_two_persons_are_both_kept_and_never_noise_by_length(sbu_data: Clips) -> None:
    assert sbu_data.skeleton == SBU
    both = SelectPersons(2, "energy")(sbu_data)
    np.testing.assert_array_equal(np.sort(both.frames, axis=3), np.sort(sbu_data.frames, axis=3))
    np.testing.assert_array_equal(Replay()(sbu_data).frames, sbu_data.frames)
    clean = Denoise(ratio=100.0)(sbu_data)  # both fill a clip, so that both are short or neither
    one_left = sbu_data.lengths <= 11
    struck = ~clean.frames[clean.offsets[:-1], ..., 0].any((1, 2))
    assert struck.tolist() == one_left.tolist()
