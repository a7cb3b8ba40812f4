"""The transformations of Moliner et al. 2022, Sec. 3.2-3.3: sampled ranges, twins, values by hand, invariances.

What holds for every transformation is tested in test_augment.py, for these too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import shear
from scipy import stats
from scipy.signal import savgol_filter
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import (
    Augmentation,
    LeftRightDrop,
    OneOf,
    Resampling,
    SavitzkyGolay,
    Shear,
    TemporalShift,
    aggressive,
    augment,
    conservative,
    fitted,
)
from skelkit.data.skeleton import COCO, KINECT_V1, KINECT_V2, SBU, SKELETONS, Skeleton
from skelkit.files import SkelkitError

NTU = torch.Size([2000, 3, 150, 25, 2])
"""Enough clips of the paper's shape to see a distribution."""
DROP = LeftRightDrop().fitted(KINECT_V2)
STEPS: tuple[Augmentation, ...] = (DROP, Resampling(), SavitzkyGolay(), TemporalShift())
every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)


def some_clips(b: int = 4, t: int = 40, v: int = 25, m: int = 2) -> Tensor:
    return torch.randn(b, 3, t, v, m, generator=Generator().manual_seed(1))


def track(*values: float) -> Tensor:
    """One clip of one joint that takes these values on each axis, one a frame."""
    return torch.tensor(values).float().view(1, 1, -1, 1, 1).repeat(1, 3, 1, 1, 1)


def values(x: Tensor) -> list[float]:
    return x[0, 1, :, 0, 0].tolist()


def is_uniform(drawn: Tensor, low: float, high: float) -> bool:
    """Whether the values could be draws of U[low, high], to the ends and nothing beyond."""
    flat = drawn.flatten().double().numpy()
    inside = low - 1e-6 <= flat.min() and flat.max() <= high + 1e-6
    return bool(inside and stats.kstest(flat, stats.uniform(low, high - low).cdf).pvalue > 1e-3)


# ---- every transformation


@every_step
def test_a_person_who_is_not_there_stays_zero(step: Augmentation, rng: Generator) -> None:
    x = some_clips(16)
    x[..., 1] = 0
    found = augment(x, [step], rng)
    assert not found[..., 1].any()
    assert found[..., 0].any()


@every_step
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_clips_of_another_precision_are_transformed_alike(step: Augmentation, dtype: torch.dtype) -> None:
    x = some_clips().to(dtype)
    parameters = step.sample(x.shape, Generator().manual_seed(5))
    assert_close(step.apply(x, parameters).float(), step.apply(x.float(), parameters), atol=0.04, rtol=0.01)


@every_step
def test_autocast_takes_no_precision_away(step: Augmentation, rng: Generator) -> None:
    x = some_clips()
    parameters = step.sample(x.shape, rng)
    with torch.autocast("cpu", torch.bfloat16):
        found = step.apply(x, parameters)
    assert torch.equal(found, step.apply(x, parameters))


# ---- left/right drop


def named(skeleton: Skeleton, joints: tuple[int, ...]) -> set[str]:
    return {skeleton.joints[j] for j in joints}


def test_the_limbs_of_a_side_by_hand() -> None:
    kinect, coco = (LeftRightDrop().fitted(skeleton) for skeleton in (KINECT_V1, COCO))
    arm, leg = ("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot")
    assert named(KINECT_V1, kinect.left) == {f"{joint}_left" for joint in arm + leg}
    assert named(KINECT_V1, kinect.right) == {f"{joint}_right" for joint in arm + leg}
    assert named(COCO, coco.left) == {f"left_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
    assert {"left_hand_tip", "left_thumb"} < named(KINECT_V2, DROP.left)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_of_every_known_skeleton_the_sides_are_mirror_images_and_leave_the_trunk(skeleton: Skeleton) -> None:
    step, mirrored = LeftRightDrop().fitted(skeleton), skeleton.mirrored()
    assert {mirrored[j] for j in step.left} == set(step.right)
    assert not set(step.left) & set(step.right)
    assert set(skeleton.parts["trunk"]).isdisjoint(step.left + step.right)


def test_without_body_parts_the_mirror_pairs_say_which_joints_are_a_side() -> None:
    for parts in ({}, {"left arm": (3, 4, 5)}, {"upper": (0, 1), "lower": (2,)}):
        step = LeftRightDrop().fitted(replace(SBU, parts=parts))
        assert (set(step.left), set(step.right)) == ({3, 4, 5, 9, 10, 11}, {6, 7, 8, 12, 13, 14})


def test_a_skeleton_without_sides_is_refused_in_one_line() -> None:
    with pytest.raises(SkelkitError, match=r"skeleton snake has neither a left arm.*leave this step out") as caught:
        LeftRightDrop().fitted(Skeleton("snake", ("head", "tail"), ((1, 0),), 0))
    assert "\n" not in str(caught.value)


def test_joints_that_are_given_by_hand_stay() -> None:
    step = LeftRightDrop(left=(0,), right=(1, 2))
    assert step.fitted(KINECT_V2) == step
    assert DROP.fitted(SBU) == DROP
    with pytest.raises(SkelkitError, match="one side only; give left and right, or neither"):
        LeftRightDrop(left=(0,))


def test_a_drop_that_knows_no_skeleton_or_another_one_is_refused(rng: Generator) -> None:
    with pytest.raises(SkelkitError, match=r"knows no skeleton yet; call fitted\(steps, skeleton\) first"):
        LeftRightDrop().sample(NTU, rng)
    for joints in (15, 24):
        with pytest.raises(SkelkitError, match=f"joints 4 to 24, the clips have {joints} joints; fit it to the clips'"):
            DROP.sample(torch.Size([2, 3, 4, joints, 1]), rng)
    with pytest.raises(SkelkitError, match="joints -1 to 1"):
        LeftRightDrop(left=(-1,), right=(1,)).sample(NTU, rng)


@pytest.mark.parametrize("p", [0.0, 0.5, 0.8, 1.0])
def test_a_side_is_dropped_with_chance_p_and_both_sides_alike(p: float, rng: Generator) -> None:
    keep = replace(DROP, p=p).sample(NTU, rng)
    assert keep.shape == (2000, 1, 1, 25, 2)
    assert torch.equal(keep[..., 0], keep[..., 1]), "both persons lose the same side"
    gone = ~keep[:, 0, 0, :, 0]
    left, right = (gone[:, list(side)] for side in (DROP.left, DROP.right))
    for side in (left, right):
        assert torch.equal(side.any(1), side.all(1)), "a whole side or nothing of it"
        assert side.any(1).float().mean().item() == pytest.approx(p / 2, abs=0.035)
    assert not (left.any(1) & right.any(1)).any()
    trunk = gone.clone()
    trunk[:, list(DROP.left + DROP.right)] = False
    assert not trunk.any()


def test_drop_equals_zeroing_joint_by_joint(rng: Generator) -> None:
    x = some_clips(8)
    keep = DROP.sample(x.shape, rng)
    expected = x.clone()
    for i, j in np.ndindex(8, 25):
        if not keep[i, 0, 0, j, 0]:
            expected[i, :, :, j, :] = 0  # in every frame, of both persons
    assert torch.equal(DROP.apply(x, keep), expected)
    assert not torch.equal(expected, x)


def test_drop_by_hand() -> None:
    """Of a body of three joints, numbered left, trunk, right, one clip loses the left one, one the right one."""
    step, seen = LeftRightDrop(p=1.0, left=(0,), right=(2,)), set()
    found = augment(torch.ones(20, 3, 2, 3, 2), [step], Generator().manual_seed(0))
    for clip in found:
        assert torch.equal(clip, clip[:1, :1, :, :1].expand_as(clip))
        seen.add(tuple(clip[0, 0, :, 0].tolist()))
    assert seen == {(0, 1, 1), (1, 1, 0)}


def test_dropping_twice_is_dropping_once_and_the_mirror_image_loses_the_mirrored_side(rng: Generator) -> None:
    x = some_clips(16)
    keep = DROP.sample(x.shape, rng)
    once = DROP.apply(x, keep)
    assert torch.equal(DROP.apply(once, keep), once)
    mirrored = KINECT_V2.mirrored()
    assert torch.equal(DROP.apply(x[:, :, :, mirrored], keep[:, :, :, mirrored]), once[:, :, :, mirrored])


# ---- resampling


def resampled(clip: np.ndarray, rate: float) -> np.ndarray:
    """Each track by NumPy's interpolation of a clip (3, t, v, m) that is repeated as often as it takes."""
    t = clip.shape[1]
    times = int(rate) + 2
    looped, found = np.concatenate([clip] * times, 1), np.empty_like(clip)
    for axis, joint, person in np.ndindex(3, *clip.shape[2:]):
        place = np.arange(t) * rate
        found[axis, :, joint, person] = np.interp(place, np.arange(times * t), looped[axis, :, joint, person])
    return found


def test_the_rate_is_uniform_from_7_to_13_tenths(rng: Generator) -> None:
    assert is_uniform(Resampling().sample(NTU, rng), 0.7, 1.3)
    assert is_uniform(Resampling(2.0, 3.0).sample(NTU, rng), 2, 3)


@settings(max_examples=40, deadline=None)
@given(t=st.integers(1, 60), rate=st.floats(0.1, 4.0))
def test_resampling_equals_numpys_interpolation_of_the_looped_clip(t: int, rate: float) -> None:
    x = torch.linspace(-1, 1, t).view(1, 1, t, 1, 1).sin() * some_clips(2, 1, 3, 2)  # smooth: a place may round
    found = Resampling().apply(x, torch.tensor([rate, 1 / rate]))
    expected = [resampled(clip, r) for clip, r in zip(x.double().numpy(), (rate, 1 / rate), strict=True)]
    inner = seamless(t, rate) & seamless(t, 1 / rate)
    assert_close(found[:, :, inner], torch.from_numpy(np.stack(expected)).float()[:, :, inner], atol=1e-3, rtol=1e-3)


def seamless(t: int, rate: float) -> Tensor:
    """Where a rounding error of the place does not decide between the two ends of the clip."""
    place = torch.arange(t).double() * rate % t
    return (place > 1e-3) & (place < t - 1e-3) | (torch.arange(t) == 0)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (1.0, [0, 1, 2, 3]),
        (0.5, [0, 0.5, 1, 1.5]),  # the end is cut
        (1.5, [0, 1.5, 3, 0.5]),  # goes on in a loop: the last one lies at 4.5, half a frame after the first
        (1.25, [0, 1.25, 2.5, 0.75]),  # the last one lies at 3.75, between the last frame and the first
        (2.0, [0, 2, 0, 2]),
    ],
)
def test_resampling_by_hand(rate: float, expected: list[float]) -> None:
    assert values(Resampling().apply(track(0, 1, 2, 3), torch.tensor([rate]))) == expected


def test_a_rate_of_1_keeps_every_bit_and_a_still_pose_stays_still(rng: Generator) -> None:
    x = some_clips()
    assert torch.equal(augment(x, [Resampling(1.0, 1.0)], rng), x)
    still = some_clips(t=1).expand(-1, -1, 20, -1, -1)
    assert_close(augment(still, [Resampling()], rng), still)


def test_straight_motion_stays_straight_at_the_drawn_speed(rng: Generator) -> None:
    x = torch.arange(100.0).view(1, 1, 100, 1, 1).expand(8, 3, 100, 2, 1)
    rate = Resampling(0.7, 1.0).sample(x.shape, rng)
    steps = Resampling().apply(x, rate).diff(dim=2)
    assert_close(steps, rate[:, None, None, None, None].expand_as(steps), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (1.3, 0.7), (1.0, np.inf), (np.nan, 1.0)])
def test_rates_that_are_none_are_refused(low: float, high: float) -> None:
    with pytest.raises(SkelkitError, match=r"no rate lies in \[.*give 0 < low <= high"):
        Resampling(low, high)


# ---- Savitzky-Golay filter


@settings(max_examples=40, deadline=None)
@given(half=st.integers(1, 10), order=st.integers(0, 5), more=st.integers(0, 40))
def test_the_filter_equals_scipys_with_its_ends_interpolated(half: int, order: int, more: int) -> None:
    window = 2 * half + 1
    step = SavitzkyGolay(min(order, window - 1), window, p=1.0)
    x = some_clips(2, window + more, 4, 2)
    expected = savgol_filter(x.double().numpy(), window, step.order, axis=2, mode="interp")
    assert_close(augment(x, [step], Generator()), torch.from_numpy(expected).float(), atol=1e-5, rtol=0)


def test_the_papers_filter_equals_scipys_on_a_clip_of_the_papers_length() -> None:
    x = 4 * some_clips(t=150)  # metres, as far as a room is wide
    expected = savgol_filter(x.double().numpy(), 15, 2, axis=2, mode="interp")
    found = augment(x, [SavitzkyGolay(p=1.0)], Generator())
    assert_close(found, torch.from_numpy(expected).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("window", "weights", "over"),
    [
        (5, [-3, 12, 17, 12, -3], 35),
        (7, [-2, 3, 6, 7, 6, 3, -2], 21),
        (15, [-78, -13, 42, 87, 122, 147, 162, 167, 162, 147, 122, 87, 42, -13, -78], 1105),
    ],
)
def test_an_impulse_is_spread_over_savitzky_and_golays_published_weights(
    window: int, weights: list[int], over: int
) -> None:
    """Their Table I (Analytical Chemistry 36, 1964): quadratic smoothing."""
    x = torch.zeros(1, 3, 41, 1, 1)
    x[:, :, 20] = 1
    found = augment(x, [SavitzkyGolay(window=window, p=1.0)], Generator())[0, 0, :, 0, 0]
    half = window // 2
    assert_close(found[20 - half : 21 + half], torch.tensor(weights) / over)
    assert not found[: 20 - half].any()
    assert not found[21 + half :].any()


def test_the_end_of_a_clip_by_hand_is_the_line_through_its_last_window() -> None:
    """Order 1, window 3: through 0, 0, 6 goes the line -1, 2, 5; the middle frames take the mean of three."""
    found = augment(track(0, 0, 0, 0, 6), [SavitzkyGolay(1, 3, p=1.0)], Generator())
    assert values(found) == pytest.approx([0, 0, 0, 2, 5], abs=1e-6)


@pytest.mark.parametrize("t", [*range(1, 15), 15, 16])
def test_a_clip_shorter_than_the_window_is_smoothed_with_the_longest_odd_one_it_holds(t: int) -> None:
    x = some_clips(t=t)
    found = augment(x, [SavitzkyGolay(p=1.0)], Generator())
    held = min(15, t if t % 2 else t - 1)
    if held <= 3:  # a parabola goes through any three frames
        assert_close(found, x)
    else:
        expected = savgol_filter(x.double().numpy(), held, 2, axis=2, mode="interp")
        assert_close(found, torch.from_numpy(expected).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("t", [5, 15, 60])
def test_a_parabola_is_left_as_it_is_to_its_ends(t: int, rng: Generator) -> None:
    time = torch.linspace(-1, 1, t).view(1, 1, t, 1, 1)
    x = 1 - time * some_clips(t=1) + time**2 / 2
    assert_close(augment(x, [SavitzkyGolay(p=1.0)], rng), x, atol=1e-5, rtol=0)


def test_the_filter_does_not_care_for_the_direction_of_time_nor_for_the_place() -> None:
    x, step, flag = some_clips(), SavitzkyGolay(), torch.tensor([True, True, False, True])
    found = step.apply(x, flag)
    assert_close(step.apply(x.flip(2), flag), found.flip(2), atol=1e-5, rtol=0)
    assert_close(step.apply(x + 3, flag), found + 3, atol=1e-5, rtol=0)


def test_the_filter_takes_noise_away_and_leaves_the_motion(rng: Generator) -> None:
    motion = torch.linspace(0, 6, 150).sin().view(1, 1, 150, 1, 1).expand(8, 3, 150, 5, 1)
    noise = 0.05 * torch.randn(motion.shape, generator=rng)
    left = augment(motion + noise, [SavitzkyGolay(p=1.0)], rng) - motion
    assert left.std() / noise.std() == pytest.approx((167 / 1105) ** 0.5, abs=0.05)  # the weights' norm


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_the_share_p_of_clips_is_filtered_and_the_others_keep_every_bit(p: float, rng: Generator) -> None:
    assert SavitzkyGolay(p=p).sample(NTU, rng).float().mean().item() == pytest.approx(p, abs=0.035)
    x = some_clips(16)
    flag = SavitzkyGolay(p=p).sample(x.shape, rng)
    assert torch.equal((SavitzkyGolay().apply(x, flag) == x).flatten(1).all(1), ~flag)


@pytest.mark.parametrize(("order", "window"), [(2, 14), (15, 15), (-1, 15), (2, -3), (0, 0)])
def test_windows_and_orders_that_do_not_fit_are_refused(order: int, window: int) -> None:
    with pytest.raises(SkelkitError, match=f"order {order} in a window of {window} frames; give an odd window"):
        SavitzkyGolay(order, window)


@pytest.mark.parametrize("step", [LeftRightDrop, SavitzkyGolay])
@pytest.mark.parametrize("p", [-0.1, 1.5, np.nan])
def test_a_p_that_is_no_chance_is_refused(step: Any, p: float) -> None:
    with pytest.raises(SkelkitError, match=rf"p = {p:g} is no chance; give one in \[0, 1\]"):
        step(p=p)


# ---- temporal shift


def test_the_offset_is_drawn_from_all_frames_alike(rng: Generator) -> None:
    offset = TemporalShift().sample(torch.Size([15000, 3, 150, 25, 2]), rng)
    counts = torch.bincount(offset, minlength=150)
    assert len(counts) == 150
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_shift_equals_numpys_roll_clip_by_clip(rng: Generator) -> None:
    x = some_clips(8)
    offset = TemporalShift().sample(x.shape, rng)
    expected = np.stack([np.roll(clip, o, 1) for clip, o in zip(x.numpy(), offset.tolist(), strict=True)])
    assert torch.equal(TemporalShift().apply(x, offset), torch.from_numpy(expected))


@pytest.mark.parametrize(("offset", "expected"), [(0, [1, 2, 3, 4]), (1, [4, 1, 2, 3]), (3, [2, 3, 4, 1])])
def test_shift_by_hand(offset: int, expected: list[float]) -> None:
    assert values(TemporalShift().apply(track(1, 2, 3, 4), torch.tensor([offset]))) == expected


def test_a_shift_and_the_rest_of_the_way_round_is_nothing(rng: Generator) -> None:
    x = some_clips(8)
    offset = TemporalShift().sample(x.shape, rng)
    shifted = TemporalShift().apply(x, offset)
    assert torch.equal(TemporalShift().apply(shifted, x.shape[2] - offset), x)
    assert torch.equal(shifted.sort(2).values, x.sort(2).values), "not a frame is lost"


# ---- the pipelines (Sec. 3.3)


def test_the_aggressive_pipeline_holds_all_five_with_the_numbers_of_sec_4_2() -> None:
    assert set(aggressive()) == {
        Resampling(low=0.7, high=1.3),
        SavitzkyGolay(order=2, window=15, p=0.5),
        Shear(limit=1.0),
        TemporalShift(),
        LeftRightDrop(p=0.5),
    }
    assert conservative() == (Resampling(low=0.7, high=1.3),)


@pytest.mark.parametrize(
    ("switch", "left_out"),
    [
        ("shear", Shear),
        ("filtering", SavitzkyGolay),
        ("shift", TemporalShift),
        ("resampling", Resampling),
        ("drop", LeftRightDrop),
    ],
)
def test_each_line_of_table_2_leaves_out_its_step_and_keeps_the_order_of_the_others(
    switch: str, left_out: type
) -> None:
    expected = [step for step in aggressive() if not isinstance(step, left_out)]
    assert list(aggressive(**{switch: False})) == expected
    assert len(expected) == 4


def test_the_aggressive_view_equals_the_steps_written_out_clip_by_clip() -> None:
    x = some_clips(12, 60)
    found = augment(x, fitted(aggressive(), KINECT_V2), Generator().manual_seed(5))
    draws = Generator().manual_seed(5)
    flags, rates, matrices = (step.sample(x.shape, draws) for step in (SavitzkyGolay(), Resampling(), Shear()))
    offsets, keep = (step.sample(x.shape, draws) for step in (TemporalShift(), DROP))
    for i, clip in enumerate(x.numpy()):
        if flags[i]:
            clip = savgol_filter(clip, 15, 2, axis=1, mode="interp")
        clip = shear(resampled(clip, rates[i].item()), matrices[i].numpy())
        clip = np.roll(clip, int(offsets[i]), 1) * keep[i].numpy()
        assert_close(found[i], torch.from_numpy(clip), atol=1e-3, rtol=1e-3)
    assert 0 < flags.sum() < 12
    assert 0 < keep.flatten(1).all(1).sum() < 12


def test_an_aggressive_view_is_decided_by_its_generator_alone() -> None:
    x, steps = some_clips(), fitted(aggressive(), KINECT_V2)
    views = []
    for seed, other in ((1, 7), (1, 8), (2, 7)):
        torch.manual_seed(other)
        views.append(augment(x, steps, Generator().manual_seed(seed)))
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


@pytest.mark.parametrize("t", [1, 2, 7, 40])
def test_a_person_who_is_not_there_stays_zero_in_an_aggressive_view_of_any_length(t: int, rng: Generator) -> None:
    x = some_clips(8, t)
    x[..., 1] = 0
    found = augment(x, fitted(aggressive(), KINECT_V2), rng)
    assert found.shape == x.shape
    assert found.isfinite().all()
    assert not found[..., 1].any()
    assert found[..., 0].flatten(1).any(1).all()


# ---- telling the steps of the skeleton


def test_fitted_tells_each_step_that_asks_and_hands_on_the_others() -> None:
    steps = (Shear(), LeftRightDrop(p=0.2), OneOf((TemporalShift(), OneOf((LeftRightDrop(),)))))
    found = fitted(steps, SBU)
    drop = LeftRightDrop().fitted(SBU)
    assert found == (Shear(), replace(drop, p=0.2), OneOf((TemporalShift(), OneOf((drop,)))))
    assert found[0] is steps[0]
    assert steps[1] == LeftRightDrop(p=0.2), "a config keeps what it says"
    assert fitted(found, KINECT_V2) == found


def test_a_pipeline_is_drawn_whole_from_within_one_of_several(rng: Generator) -> None:
    x = some_clips(32)
    (step,) = fitted([OneOf((LeftRightDrop(p=1.0), TemporalShift()), (3.0, 1.0))], KINECT_V2)
    found = augment(x, [step], rng)
    dropped = ~found[:, :, :, list(DROP.left)].flatten(1).any(1) | ~found[:, :, :, list(DROP.right)].flatten(1).any(1)
    assert 12 < dropped.sum() < 32


def test_no_step_that_asks_for_sides_gets_a_skeleton_without() -> None:
    snake = Skeleton("snake", ("head", "tail"), ((1, 0),), 0)
    with pytest.raises(SkelkitError, match="skeleton snake"):
        fitted(aggressive(), snake)
    assert fitted(aggressive(drop=False), snake) == aggressive(drop=False)


def test_coordinates_stay_in_32_bit_under_autocast() -> None:
    x, steps = some_clips(), fitted(aggressive(), KINECT_V2)
    expected = augment(x, steps, Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        found = augment(x, steps, Generator().manual_seed(0))
    assert found.dtype == torch.float32
    assert_close(found, expected)
