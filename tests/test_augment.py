"""The seven transformations of Rao et al. 2021, Sec. III-A: sampled ranges, twins, values by hand, invariances.

What holds for every transformation is tested for those of Moliner et al. 2022 as well.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import reverse, shear, sheared_reversals
from scipy import stats
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import (
    Augmentation,
    ChannelMask,
    GaussianBlur,
    GaussianNoise,
    JointMask,
    LeftRightDrop,
    Resampling,
    Reverse,
    Rotation,
    SavitzkyGolay,
    Shear,
    TemporalShift,
    augment,
    rotation_matrix,
)

NTU = torch.Size([2000, 3, 150, 25, 2])
"""Enough clips of the paper's shape to see a distribution."""
STEPS: tuple[Augmentation, ...] = (
    Rotation(),
    Shear(),
    Reverse(),
    GaussianNoise(),
    GaussianBlur(),
    JointMask(),
    ChannelMask(),
    LeftRightDrop(left=(0, 2), right=(1, 3)),
    Resampling(),
    SavitzkyGolay(),
    TemporalShift(),
)
every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)


def some_clips(b: int = 4, t: int = 12, v: int = 25, m: int = 2) -> Tensor:
    return torch.randn(b, 3, t, v, m, generator=Generator().manual_seed(1))


def is_uniform(values: Tensor, low: float, high: float) -> bool:
    """Whether the values could be draws of U[low, high], to the ends and nothing beyond."""
    flat = values.flatten().double().numpy()
    inside = low - 1e-6 <= flat.min() and flat.max() <= high + 1e-6
    return bool(inside and stats.kstest(flat, stats.uniform(low, high - low).cdf).pvalue > 1e-3)


def is_fair(counts: Tensor) -> bool:
    """Whether the counts could come from equally likely outcomes."""
    return bool(stats.chisquare(counts.numpy()).pvalue > 1e-3)


# ---- every transformation


@every_step
def test_one_generator_state_gives_one_result(step: Augmentation) -> None:
    x = some_clips(16)  # so many that no two draws of a few coins are the same
    first, again, other = (augment(x, [step], Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_step
def test_no_global_generator_is_read_or_moved(step: Augmentation) -> None:
    x = some_clips()
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)  # the tests' type checker moves it
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        results.append(augment(x, [step], Generator().manual_seed(3)))
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])
    assert torch.equal(*results)


@every_step
def test_clips_of_a_batch_get_their_own_parameters(step: Augmentation, rng: Generator) -> None:
    x = some_clips(1).expand(16, -1, -1, -1, -1)
    found = augment(x, [step], rng)
    assert len({clip.numpy().tobytes() for clip in found}) > 1


@every_step
def test_a_batch_is_transformed_as_its_clips_one_by_one(step: Augmentation, rng: Generator) -> None:
    x = some_clips(6)
    parameters = step.sample(x.shape, rng)
    single = [step.apply(x[i : i + 1], parameters[i : i + 1]) for i in range(6)]
    assert_close(step.apply(x, parameters), torch.cat(single))


@every_step
def test_another_clip_of_the_batch_changes_nothing(step: Augmentation, rng: Generator) -> None:
    x = some_clips()
    parameters = step.sample(x.shape, rng)
    disturbed = x.clone()
    disturbed[1] *= 7
    assert_close(step.apply(x, parameters)[[0, 2, 3]], step.apply(disturbed, parameters)[[0, 2, 3]], rtol=0, atol=0)


@every_step
def test_input_and_parameters_are_not_modified(step: Augmentation, rng: Generator) -> None:
    x = some_clips()
    parameters = step.sample(x.shape, rng)
    before = x.clone(), parameters.clone()
    step.apply(x, parameters).add_(1)  # nor is the result a view of the input
    assert torch.equal(x, before[0])
    assert torch.equal(parameters, before[1])


@every_step
@pytest.mark.parametrize(("t", "v", "m"), [(40, 15, 2), (9, 20, 1), (2, 31, 1), (7, 6, 3)])
def test_other_skeletons_keep_their_shape_and_float32(
    step: Augmentation, t: int, v: int, m: int, rng: Generator
) -> None:
    x = some_clips(3, t, v, m)
    found = augment(x, [step], rng)
    assert found.shape == x.shape
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@every_step
def test_the_memory_layout_of_the_input_does_not_matter(step: Augmentation, rng: Generator) -> None:
    x = some_clips()
    scattered = x.permute(0, 2, 4, 3, 1).contiguous().permute(0, 4, 1, 3, 2)
    parameters = step.sample(x.shape, rng)
    assert not scattered.is_contiguous()
    assert_close(step.apply(scattered, parameters), step.apply(x, parameters))


@every_step
def test_an_all_zero_clip_stays_zero_but_under_noise(step: Augmentation, rng: Generator) -> None:
    found = augment(torch.zeros(8, 3, 12, 25, 2), [step], rng)
    assert bool(found.any()) == isinstance(step, GaussianNoise)


# ---- (1) rotation


def test_rotation_angles_are_a_main_axis_to_30_degrees_and_two_to_1(rng: Generator) -> None:
    degrees = Rotation().sample(NTU, rng).rad2deg()
    clear = degrees[degrees.max(1).values > 1]  # where the main axis shows
    assert is_uniform(clear.max(1).values, 1, 30)
    others = clear.scatter(1, clear.argmax(1, keepdim=True), torch.nan)
    assert is_uniform(others[~others.isnan()], 0, 1)
    assert is_fair(torch.bincount(clear.argmax(1), minlength=3))
    assert len(clear) / len(degrees) == pytest.approx(29 / 30, abs=0.02)


def test_rotation_equals_the_written_out_matrices(rng: Generator) -> None:
    x = some_clips()
    angles = Rotation(main=180.0, others=90.0).sample(x.shape, rng)
    points = x.double().numpy()
    expected = np.empty(x.shape)
    for i, (alpha, beta, gamma) in enumerate(angles.double().numpy()):
        about_x = [[1, 0, 0], [0, np.cos(alpha), np.sin(alpha)], [0, -np.sin(alpha), np.cos(alpha)]]  # Eq. 1
        about_y = [[np.cos(beta), 0, -np.sin(beta)], [0, 1, 0], [np.sin(beta), 0, np.cos(beta)]]  # Eq. 2
        about_z = [[np.cos(gamma), np.sin(gamma), 0], [-np.sin(gamma), np.cos(gamma), 0], [0, 0, 1]]  # Eq. 3
        rotation = np.array(about_z) @ np.array(about_y) @ np.array(about_x)  # Eq. 4
        for t, joint, person in np.ndindex(*x.shape[2:]):
            expected[i, :, t, joint, person] = rotation @ points[i, :, t, joint, person]
    assert_close(Rotation().apply(x, angles), torch.from_numpy(expected).float())


@pytest.mark.parametrize(
    ("degrees", "point", "turned"),
    [
        ((90, 0, 0), (0, 1, 0), (0, 0, -1)),
        ((0, 90, 0), (1, 0, 0), (0, 0, 1)),
        ((0, 0, 90), (1, 0, 0), (0, -1, 0)),
        ((90, 90, 0), (0, 1, 0), (1, 0, 0)),  # about X first, then Y
        ((90, 90, 90), (0, 1, 0), (0, -1, 0)),  # and Z last
    ],
)
def test_quarter_turns_by_hand(degrees: Any, point: Any, turned: Any) -> None:
    x = torch.tensor(point).float().view(1, 3, 1, 1, 1)
    found = Rotation().apply(x, torch.tensor([degrees]).float().deg2rad())
    assert_close(found.flatten(), torch.tensor(turned).float(), atol=1e-6, rtol=0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-7, 7, width=32), min_size=3, max_size=3))
def test_rotation_keeps_lengths_and_handedness(angles: list[float]) -> None:
    matrix = rotation_matrix(torch.tensor([angles]))[0]
    assert_close(matrix @ matrix.T, torch.eye(3), atol=1e-6, rtol=0)
    assert_close(torch.linalg.det(matrix), torch.tensor(1.0))


# ---- (2) shear


def test_shear_factors_lie_in_minus_one_to_one_around_a_diagonal_of_ones(rng: Generator) -> None:
    matrix = Shear().sample(NTU, rng)
    off = ~torch.eye(3, dtype=torch.bool)
    assert torch.equal(matrix[:, ~off], torch.ones(len(matrix), 3))
    for row, column in off.nonzero().tolist():
        assert is_uniform(matrix[:, row, column], -1, 1)
    correlation = np.corrcoef(matrix[:, off].T.numpy())
    assert np.abs(correlation - np.eye(6)).max() < 0.08, "six independent factors"


def test_shear_equals_the_plain_product_joint_by_joint(rng: Generator) -> None:
    x = some_clips()
    matrix = Shear().sample(x.shape, rng)
    expected = np.stack([shear(clip, s) for clip, s in zip(x.numpy(), matrix.numpy(), strict=True)])
    assert_close(Shear().apply(x, matrix), torch.from_numpy(expected))


def test_shear_by_hand() -> None:
    """x' = x + y/2 - z, y' = y, z' = z + x."""
    matrix = torch.tensor([[[1, 0.5, -1], [0, 1, 0], [1, 0, 1]]])
    x = torch.tensor([2.0, 4.0, 1.0]).view(1, 3, 1, 1, 1)
    assert Shear().apply(x, matrix).flatten().tolist() == [3, 4, 3]


def test_shear_keeps_the_origin_and_the_middle_of_two_joints(rng: Generator) -> None:
    x = some_clips(v=3)
    x[:, :, :, 1] = (x[:, :, :, 0] + x[:, :, :, 2]) / 2
    found = augment(x, [Shear()], rng)
    assert_close(found[:, :, :, 1], (found[:, :, :, 0] + found[:, :, :, 2]) / 2)
    assert torch.equal(augment(x, [Shear(limit=0.0)], rng), x)


# ---- (3) reverse


def test_half_of_the_clips_are_reversed(rng: Generator) -> None:
    flags = Reverse().sample(NTU, rng)
    assert flags.float().mean() == pytest.approx(0.5, abs=0.03)
    assert not Reverse(p=0.0).sample(NTU, rng).any()
    assert Reverse(p=1.0).sample(NTU, rng).all()


def test_reverse_equals_the_flipped_clips() -> None:
    x, flags = some_clips(), torch.tensor([True, False, True, False])
    expected = np.stack([reverse(clip, bool(flag)) for clip, flag in zip(x.numpy(), flags, strict=True)])
    assert torch.equal(Reverse().apply(x, flags), torch.from_numpy(expected))


def test_reverse_by_hand_moves_the_padding_to_the_front() -> None:
    x = torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0]).view(1, 1, 5, 1, 1).expand(1, 3, 5, 1, 1)
    assert Reverse().apply(x, torch.tensor([True]))[0, 1].flatten().tolist() == [0, 0, 3, 2, 1]


def test_reversing_twice_is_nothing() -> None:
    x, flags = some_clips(), torch.tensor([True, False, True, True])
    assert torch.equal(Reverse().apply(Reverse().apply(x, flags), flags), x)


# ---- (4) Gaussian noise


def test_noise_has_a_standard_deviation_of_5_hundredths(rng: Generator) -> None:
    noise = GaussianNoise().sample(torch.Size([40, 3, 50, 25, 2]), rng)
    assert stats.kstest(noise.flatten().numpy(), stats.norm(0, 0.05).cdf).pvalue > 1e-3


def test_noise_is_independent_in_every_coordinate(rng: Generator) -> None:
    noise = GaussianNoise().sample(torch.Size([2000, 3, 2, 2, 2]), rng).flatten(1)
    correlation = np.corrcoef(noise.T.numpy())
    assert np.abs(correlation - np.eye(24)).max() < 0.1


def test_noise_by_hand_is_added_padding_included() -> None:
    x = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1, 1).expand(1, 3, 2, 1, 1)
    noise = torch.tensor([0.5, -0.25]).view(1, 1, 2, 1, 1).expand(1, 3, 2, 1, 1)
    assert GaussianNoise().apply(x, noise)[0, 2].flatten().tolist() == [1.5, -0.25]


def test_noise_equals_the_sum_coordinate_by_coordinate(rng: Generator) -> None:
    x = some_clips(2, 3, 4, 1)
    noise = GaussianNoise().sample(x.shape, rng)
    expected = [a + b for a, b in zip(x.flatten().tolist(), noise.flatten().tolist(), strict=True)]
    assert_close(GaussianNoise().apply(x, noise).flatten(), torch.tensor(expected))


def test_noise_does_not_depend_on_the_clip() -> None:
    x, shift = some_clips(), some_clips() * 0 + 2
    with_shift, without = (augment(c, [GaussianNoise()], Generator().manual_seed(5)) for c in (x + shift, x))
    assert_close(with_shift - shift, without)


# ---- (5) Gaussian blur


def test_blur_draws_sigma_from_a_tenth_to_2_for_half_of_the_clips(rng: Generator) -> None:
    kernel = GaussianBlur().sample(NTU, rng)
    assert kernel.shape == (2000, 15)
    assert torch.equal(kernel[:, 7], torch.ones(2000)), "Eq. 6 is not normalised: G(0) = 1"
    blurred = kernel[:, 8] > 0  # G(1) of sigma 0.1 is exp(-50), still a 32-bit number
    assert blurred.float().mean() == pytest.approx(0.5, abs=0.03)
    sigma = (-1 / (2 * kernel[blurred, 8].double().log())).sqrt()
    assert is_uniform(sigma, 0.1, 2)
    left = torch.eye(15)[7].expand(int((~blurred).sum()), 15)
    assert torch.equal(kernel[~blurred], left), "an unblurred clip's kernel is a single tap"


def test_blur_equals_numpys_convolution_with_zeros_outside(rng: Generator) -> None:
    x = some_clips(4, 40, 5, 2)
    kernel = GaussianBlur(p=1.0).sample(x.shape, rng)
    expected = np.empty(x.shape)
    for i, axis, joint, person in np.ndindex(4, 3, 5, 2):
        track = x[i, axis, :, joint, person].double().numpy()
        expected[i, axis, :, joint, person] = np.convolve(track, kernel[i].double().numpy(), "same")
    assert_close(GaussianBlur().apply(x, kernel), torch.from_numpy(expected).float())


def test_blur_of_one_frame_by_hand_spreads_eq_6_over_fifteen() -> None:
    sigma = 1.5
    step = GaussianBlur(low=sigma, high=sigma, p=1.0)
    x = torch.zeros(1, 3, 31, 1, 1)
    x[:, :, 15] = 2
    found = augment(x, [step], Generator())[0, 0].flatten()
    by_hand = [2 * np.exp(-((t - 15) ** 2) / (2 * sigma**2)) if abs(t - 15) <= 7 else 0 for t in range(31)]
    assert_close(found, torch.tensor(by_hand).float())


@pytest.mark.parametrize(("sigma", "gain"), [(0.1, 1.0), (1.0, 2.5066), (2.0, 5.01)])
def test_the_unnormalised_kernels_gain_grows_with_sigma(sigma: float, gain: float) -> None:
    """By hand: the sum of exp(-t^2 / 2 sigma^2) is about sigma sqrt(2 pi)."""
    still = torch.ones(1, 3, 31, 1, 1)
    found = augment(still, [GaussianBlur(low=sigma, high=sigma, p=1.0)], Generator())
    assert found[0, 0, 15].item() == pytest.approx(gain, abs=0.01)
    normalised = augment(still, [GaussianBlur(low=sigma, high=sigma, p=1.0, normalise=True)], Generator())
    assert normalised[0, 0, 15].item() == pytest.approx(1)


def test_blur_does_not_care_for_the_direction_of_time(rng: Generator) -> None:
    x = some_clips(t=30)
    kernel = GaussianBlur().sample(x.shape, rng)
    blur = GaussianBlur().apply
    assert_close(blur(x.flip(2), kernel), blur(x, kernel).flip(2))


# ---- (6) joint mask


def test_joint_mask_hides_5_to_15_of_25_joints_in_50_to_100_of_150_frames(rng: Generator) -> None:
    hidden = ~JointMask().sample(NTU, rng)
    assert hidden.shape == (2000, 1, 150, 25, 1)
    frames, joints = hidden.any(3).flatten(1).sum(1), hidden.any(2).flatten(1).sum(1)
    assert set(joints.tolist()) == set(range(5, 16))
    assert set(frames.tolist()) == set(range(50, 101))
    assert is_fair(torch.bincount(joints)[5:])
    assert is_fair(torch.bincount(frames)[50:])


def test_joint_mask_hides_the_same_joints_in_every_chosen_frame(rng: Generator) -> None:
    hidden = ~JointMask().sample(torch.Size([50, 3, 150, 25, 2]), rng)
    assert torch.equal(hidden, hidden.any(2, keepdim=True) & hidden.any(3, keepdim=True))


def test_joint_mask_chooses_any_frames_and_any_joints_alike(rng: Generator) -> None:
    hidden = ~JointMask().sample(NTU, rng)
    for dim, share in ((3, 1 / 2), (2, 2 / 5)):  # mean shares: 75 of 150 frames, 10 of 25 joints
        often = hidden.any(dim).flatten(1).float().mean(0)
        assert (often - share).abs().max() < 0.05
    chosen = hidden.any(3).flatten(1).byte()
    assert (chosen.diff(dim=1) == 1).sum(1).float().mean() > 20, "scattered frames, not one block"


def test_joint_mask_equals_a_loop_over_everything(rng: Generator) -> None:
    x = some_clips(3, 15, 10, 2)
    keep = JointMask().sample(x.shape, rng)
    expected = x.clone()
    for i, axis, t, joint, person in np.ndindex(*x.shape):
        if not keep[i, 0, t, joint, 0]:
            expected[i, axis, t, joint, person] = 0  # x, y and z, both persons
    assert torch.equal(JointMask().apply(x, keep), expected)


def test_joint_mask_by_hand() -> None:
    x = torch.ones(1, 3, 2, 3, 2)
    keep = torch.ones(1, 1, 2, 3, 1, dtype=torch.bool)
    keep[0, 0, 1, 2] = False  # joint 2 in frame 1
    found = JointMask().apply(x, keep)
    assert found.sum() == x.sum() - 3 * 2
    assert not found[:, :, 1, 2].any()


@settings(max_examples=30, deadline=None)
@given(t=st.integers(1, 160), v=st.integers(1, 40))
def test_joint_mask_keeps_the_papers_shares_on_any_skeleton_and_length(t: int, v: int) -> None:
    hidden = ~JointMask().sample(torch.Size([20, 3, t, v, 1]), Generator().manual_seed(t * 41 + v))
    for dim, n, (low, high) in ((3, t, (1 / 3, 2 / 3)), (2, v, (1 / 5, 3 / 5))):
        counts = hidden.any(dim).flatten(1).sum(1)
        counts = counts[hidden.flatten(1).any(1)]  # a share may round to none
        assert ((counts >= round(low * n)) & (counts <= round(high * n))).all()


def test_masking_twice_with_one_mask_is_masking_once(rng: Generator) -> None:
    x = some_clips()
    for step in (JointMask(), ChannelMask()):
        keep = step.sample(x.shape, rng)
        once = step.apply(x, keep)
        assert torch.equal(step.apply(once, keep), once)


# ---- (7) channel mask


def test_channel_mask_hides_exactly_one_axis_each_as_often(rng: Generator) -> None:
    hidden = ~ChannelMask().sample(NTU, rng).flatten(1)
    assert torch.equal(hidden.sum(1), torch.ones(2000, dtype=torch.long))
    assert is_fair(hidden.sum(0))


def test_channel_mask_equals_a_loop_and_keeps_the_other_axes(rng: Generator) -> None:
    x = some_clips()
    keep = ChannelMask().sample(x.shape, rng)
    expected = x.clone()
    for i in range(len(x)):
        for axis in range(3):
            if not keep[i, axis]:
                expected[i, axis] = 0
    assert torch.equal(ChannelMask().apply(x, keep), expected)


def test_channel_mask_by_hand_projects_to_a_plane() -> None:
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1, 1)
    keep = torch.tensor([True, False, True]).view(1, 3, 1, 1, 1)
    assert ChannelMask().apply(x, keep).flatten().tolist() == [1, 0, 3]


# ---- compositions


def test_augment_applies_the_steps_in_their_order(rng: Generator) -> None:
    x = some_clips()
    steps = [GaussianNoise(), Shear(), ChannelMask(), GaussianBlur()]
    found = augment(x, steps, Generator().manual_seed(9))
    stream, expected = Generator().manual_seed(9), x
    for step in steps:
        expected = step.apply(expected, step.sample(expected.shape, stream))
    assert torch.equal(found, expected)
    assert not torch.equal(found, augment(x, steps[::-1], Generator().manual_seed(9)))


def test_no_steps_leave_the_clips_as_they_are(rng: Generator) -> None:
    x = some_clips()
    assert torch.equal(augment(x, (), rng), x)


def test_the_default_views_equal_the_plain_numpy_reference() -> None:
    x = some_clips(16, 30)
    rng, stream = Generator().manual_seed(2), Generator().manual_seed(2)
    views = []
    for _ in range(2):  # query, then key
        views.append(augment(x, (Reverse(), Shear()), rng))
        flags, matrices = Reverse().sample(x.shape, stream), Shear().sample(x.shape, stream)
        expected = sheared_reversals(x.numpy(), flags.tolist(), matrices.numpy())
        assert_close(views[-1], torch.from_numpy(expected), atol=1e-5, rtol=1e-5)
    assert not torch.equal(*views), "query and key are two draws"


def test_reverse_and_shear_commute(rng: Generator) -> None:
    x = some_clips()
    flags, matrix = Reverse().sample(x.shape, rng), Shear().sample(x.shape, rng)
    one = Shear().apply(Reverse().apply(x, flags), matrix)
    assert_close(one, Reverse().apply(Shear().apply(x, matrix), flags))
