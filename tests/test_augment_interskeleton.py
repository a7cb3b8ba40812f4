"""The transformations of Thoker et al. 2021, Sec. 3.1: sampled ranges, twins, values by hand, invariances."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import crop_resize, jitter
from scipy import stats
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from skelkit.augment import Augmentation, CropResize, JointJitter, OneOf, Shear, augment
from skelkit.data.views import Resample, View
from skelkit.files import SkelkitError

NTU = torch.Size([2000, 3, 64, 25, 2])
"""Enough clips of the paper's shape to see a distribution."""
EITHER = OneOf((Shear(), JointJitter()))
STEPS: tuple[Augmentation, ...] = (JointJitter(), JointJitter(zero=0.5), CropResize(), CropResize(least=9), EITHER)
every_step = pytest.mark.parametrize("step", STEPS, ids=repr)


def some_clips(b: int = 4, t: int = 12, v: int = 25, m: int = 2) -> Tensor:
    return torch.randn(b, 3, t, v, m, generator=Generator().manual_seed(1))


def of_clips(parameters: Any, index: Any) -> Any:
    """The parameters of some clips of the batch."""
    if isinstance(parameters, Tensor):
        return parameters[index]
    return type(parameters)(of_clips(part, index) for part in parameters)


def copied(parameters: Any) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        return [parameters.clone()]
    return [tensor for part in parameters for tensor in copied(part)]


def is_uniform(values: Tensor, low: float, high: float) -> bool:
    """Whether the values could be draws of U[low, high], to the ends and nothing beyond."""
    flat = values.flatten().double().numpy()
    inside = low - 1e-6 <= flat.min() and flat.max() <= high + 1e-6
    return bool(inside and stats.kstest(flat, stats.uniform(low, high - low).cdf).pvalue > 1e-3)


# ---- every transformation


@every_step
def test_one_generator_state_gives_one_result(step: Augmentation) -> None:
    x = some_clips()
    first, again, other = (augment(x, [step], Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_step
def test_no_global_generator_is_read_or_moved(step: Augmentation) -> None:
    x, results = some_clips(), []
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
    found = augment(some_clips(1).expand(16, -1, -1, -1, -1), [step], rng)
    assert len({clip.numpy().tobytes() for clip in found}) > 4


@every_step
def test_a_batch_is_transformed_as_its_clips_one_by_one(step: Augmentation, rng: Generator) -> None:
    x = some_clips(6)
    parameters = step.sample(x.shape, rng)
    single = [step.apply(x[i : i + 1], of_clips(parameters, slice(i, i + 1))) for i in range(6)]
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
    before = x.clone(), copied(parameters)
    step.apply(x, parameters).add_(1)  # nor is the result a view of the input
    assert torch.equal(x, before[0])
    assert all(torch.equal(*pair) for pair in zip(copied(parameters), before[1], strict=True))


@every_step
@pytest.mark.parametrize(("t", "v", "m"), [(40, 15, 2), (9, 20, 1), (2, 31, 1), (1, 6, 3)])
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
def test_a_person_who_is_not_there_stays_zero(step: Augmentation, rng: Generator) -> None:
    x = some_clips()
    x[..., 1] = 0
    found = augment(x, [step], rng)
    assert not found[..., 1].any()
    assert found[..., 0].any()


# ---- joint jitter (Eq. 2)


def test_jitter_matrices_are_uniform_in_minus_one_to_one_the_diagonal_too(rng: Generator) -> None:
    matrix, _ = JointJitter().sample(NTU, rng)
    assert is_uniform(matrix, -1, 1)
    assert is_uniform(matrix.diagonal(dim1=1, dim2=2), -1, 1)


def test_jitter_moves_15_of_25_joints_each_as_often_and_the_same_in_both_persons(rng: Generator) -> None:
    _, chosen = JointJitter().sample(NTU, rng)
    assert torch.equal(chosen[..., 0], chosen[..., 1])
    joints = chosen[:, 0, 0, :, 0]
    assert set(joints.sum(1).tolist()) == {15}
    # Drawn without replacement: counts vary by (1 - 15/25) 24/25 of what independent draws would give.
    spread = ((joints.sum(0) - 1200.0) ** 2).sum() / (2000 * 0.6 * 0.4) * 24 / 25
    assert stats.chi2(24).sf(spread.item()) > 1e-3


def test_jitter_equals_the_plain_product_joint_by_joint(rng: Generator) -> None:
    x = some_clips()
    matrix, chosen = JointJitter(limit=2.0).sample(x.shape, rng)
    joints = chosen[:, 0, 0, :, 0].numpy()
    expected = [jitter(clip, j, r) for clip, j, r in zip(x.numpy(), joints, matrix.numpy(), strict=True)]
    assert_close(JointJitter().apply(x, (matrix, chosen)), torch.from_numpy(np.stack(expected)))


def test_jitter_by_hand() -> None:
    """Of two joints at (1, 2, 3) the second is moved: x and y change places, z is turned over."""
    x = torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1, 1).repeat(1, 1, 2, 2, 1)
    matrix = torch.tensor([[[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]])
    found = JointJitter().apply(x, (matrix, torch.tensor([False, True]).view(1, 1, 1, 2, 1)))
    assert found[0, :, :, 0, 0].T.tolist() == [[1, 2, 3]] * 2
    assert found[0, :, :, 1, 0].T.tolist() == [[2, 1, -3]] * 2


def test_joints_that_are_not_chosen_keep_every_bit(rng: Generator) -> None:
    x = some_clips()
    matrix, chosen = JointJitter().sample(x.shape, rng)
    moved = (JointJitter().apply(x, (matrix, chosen)) != x).any(1, keepdim=True)  # (b 1 t v m)
    assert torch.equal(moved, chosen.expand_as(moved))


def test_jitter_scales_with_the_clip_and_leaves_the_origin(rng: Generator) -> None:
    x = some_clips()
    parameters = JointJitter().sample(x.shape, rng)
    assert_close(JointJitter().apply(3 * x, parameters), 3 * JointJitter().apply(x, parameters))


@pytest.mark.parametrize(("zero", "share"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_the_zeroing_coin_zeroes_all_chosen_joints_of_its_share_of_clips(
    zero: float, share: float, rng: Generator
) -> None:
    x = some_clips().repeat(500, 1, 1, 1, 1)
    matrix, chosen = JointJitter(zero=zero).sample(x.shape, rng)
    found = JointJitter().apply(x, (matrix, chosen))
    gone = torch.where(chosen, found == 0, True).flatten(1).all(1)
    assert gone.float().mean().item() == pytest.approx(share, abs=0.05)
    assert torch.equal(gone, ~matrix.flatten(1).any(1))
    assert torch.equal(found[gone], torch.where(chosen, 0.0, x)[gone])


@pytest.mark.parametrize(("share", "v", "moved"), [(1.0, 25, 25), (0.98, 25, 24), (3 / 5, 1, 1), (1.4, 15, 21)])
def test_as_many_joints_as_there_are_cannot_be_jittered(share: float, v: int, moved: int, rng: Generator) -> None:
    step, shape = JointJitter(joints=share), torch.Size([2, 3, 4, v, 1])
    if moved < v:
        assert step.sample(shape, rng)[1].sum() == 2 * moved
        return
    with pytest.raises(SkelkitError, match=rf"moves {moved} of {v} joints.*\|j\| < J") as caught:
        step.sample(shape, rng)
    assert "\n" not in str(caught.value)


def test_no_joint_jittered_is_the_clip_itself(rng: Generator) -> None:
    x = some_clips()
    assert torch.equal(augment(x, [JointJitter(joints=0.0)], rng), x)


# ---- temporal crop-resize (Eq. 3)


def crops(step: CropResize, frames: int, rng: Generator, clips: int = 4000) -> tuple[Tensor, Tensor]:
    """First frame and length of many crops: with one new frame for each old one at least, the ends are met."""
    place = CropResize(step.shortest, step.least, frames=4 * frames).sample(torch.Size([clips, 3, frames, 5, 1]), rng)
    return place[:, 0], place[:, -1] - place[:, 0] + 1


def test_the_crops_share_is_uniform_from_l_min_to_1(rng: Generator) -> None:
    start, length = crops(CropResize(shortest=0.2), 1000, rng)
    assert is_uniform(length / 1000, 0.199, 1)
    assert (start + length <= 1000).all()


def test_the_start_is_uniform_over_what_the_crop_leaves(rng: Generator) -> None:
    start, length = crops(CropResize(shortest=0.5), 10, rng)
    for frames in range(5, 10):
        counts = torch.bincount(start[length == frames].long(), minlength=11 - frames)
        assert len(counts) == 11 - frames
        assert stats.chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize(("least", "frames", "shortest"), [(64, 150, 64), (64, 64, 64), (64, 40, 40), (1, 150, 15)])
def test_a_crop_has_at_least_its_least_frames_where_the_clip_has_them(
    least: int, frames: int, shortest: int, rng: Generator
) -> None:
    _, length = crops(CropResize(least=least), frames, rng)
    assert length.min() == shortest
    assert length.max() <= frames


@settings(max_examples=25, deadline=None)
@given(t=st.integers(1, 40), frames=st.integers(1, 70), shortest=st.floats(0.01, 1.0), seed=st.integers(0, 99))
def test_crop_resize_equals_each_frame_blended_by_itself(t: int, frames: int, shortest: float, seed: int) -> None:
    x, step = some_clips(3, t, 4, 2), CropResize(shortest, frames=frames)
    found = augment(x, [step], Generator().manual_seed(seed))
    draws = Generator().manual_seed(seed)
    shares, starts = (torch.rand(3, generator=draws) for _ in range(2))
    for clip, share, start, ours in zip(x.numpy(), shares, starts, found, strict=True):
        length = max(1, int(t * (share * (1 - shortest) + shortest)))
        first = int(start * (t - length + 1))
        assert_close(ours, torch.from_numpy(crop_resize(clip, first, length, frames)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("shortest", "frames"), [(0.1, 64), (0.5, 150), (1.0, 16)])
def test_crop_resize_equals_torchs_bilinear_interpolation_of_the_crop(
    shortest: float, frames: int, rng: Generator
) -> None:
    x, step = some_clips(5, 150), CropResize(shortest, frames=frames)
    place = step.sample(x.shape, rng)
    found = step.apply(x, place)
    for clip, ends, ours in zip(x, crops_of(place, frames, 150), found, strict=True):
        crop = clip[:, slice(*ends)].flatten(2)[None]  # (1 3 t vm)
        expected = F.interpolate(crop, size=(frames, crop.shape[3]), mode="bilinear", align_corners=False)
        assert_close(ours, expected[0].view_as(ours), atol=1e-4, rtol=1e-4)


def crops_of(place: Tensor, frames: int, t: int) -> list[tuple[int, int]]:
    """First frame and end of each clip's crop, read off where its new frames lie in the middle, which none clamps."""
    step = (place[:, frames // 2] - place[:, frames // 2 - 1]).double()
    length = (step * frames).round()
    first = (place[:, frames // 2] + 0.5 - (frames // 2 + 0.5) * step).round()
    assert ((first >= 0) & (first + length <= t)).all()
    return [(int(a), int(a + b)) for a, b in zip(first, length, strict=True)]


def test_crop_resize_by_hand() -> None:
    """Frames 2 and 3 of 0..4 over four new ones lie at 1.75, 2.25, 2.75 and 3.25; outside the crop its ends hold."""
    x = torch.arange(5.0).view(1, 1, 5, 1, 1).expand(1, 3, 5, 1, 1)
    place = CropResize(shortest=1.0, frames=4).sample(torch.Size([1, 3, 2, 1, 1]), Generator())
    assert place.tolist() == [[0.0, 0.25, 0.75, 1.0]]
    assert CropResize().apply(x, 2 + place)[0, 0, :, 0, 0].tolist() == [2.0, 2.25, 2.75, 3.0]


def test_the_whole_clip_at_its_own_length_is_the_clip_itself(rng: Generator) -> None:
    x = some_clips()
    assert torch.equal(augment(x, [CropResize(shortest=1.0)], rng), x)


def test_crop_resize_keeps_straight_motion_straight_and_a_still_pose_still(rng: Generator) -> None:
    still = some_clips(t=1).expand(-1, -1, 20, -1, -1)
    assert_close(augment(still, [CropResize(0.3)], rng), still)
    x = torch.arange(100.0).view(1, 1, 100, 1, 1).expand(8, 3, 100, 2, 1)
    found = augment(x, [CropResize(0.5, frames=30)], rng)
    steps = found.diff(dim=2)[:, :, 1:-1]  # at the ends the crop's first and last frame hold
    assert_close(steps, steps[:, :, :1].expand_as(steps), atol=1e-4, rtol=1e-4)
    assert steps.min() > 1


@pytest.mark.parametrize("shortest", [0.0, -0.1, 1.1])
def test_an_l_min_that_is_no_share_is_refused(shortest: float, rng: Generator) -> None:
    with pytest.raises(SkelkitError, match=r"shortest = .*is no share.*\(0, 1\]"):
        CropResize(shortest).sample(NTU, rng)


def test_a_clip_shorter_than_the_crop_goes_on_in_a_loop_first(rng: Generator) -> None:
    """Five frames shown in a loop over 64: a crop of at least 64 holds every frame of the clip, again and again."""
    positions = View(64, fill="loop").positions(torch.tensor([5]))
    looped = positions.float().view(1, 1, 64, 1, 1).expand(1, 3, 64, 1, 1)
    found = augment(looped, [CropResize(least=64)], rng)
    assert found[0, 0, :, 0, 0].tolist() == [float(k % 5) for k in range(64)]


def test_a_crop_of_padded_clips_is_one_of_each_clips_own_frames(rng: Generator) -> None:
    """Of 200 frames a crop of 64 to 200, of 70 one of 64 to 70, of 30 all: the released code's length, clip by clip."""
    lengths = torch.tensor([200, 70, 30]).repeat(2000)
    step = CropResize(least=64, frames=800)
    place = step.sample(torch.Size([6000, 3, 300, 5, 1]), rng, lengths)
    start, length = place[:, 0], (place[:, -1] - place[:, 0] + 1).round()
    assert (start + length <= lengths).all()
    for own, least in ((200, 64), (70, 64), (30, 30)):
        assert (length[lengths == own].min(), length[lengths == own].max()) == (least, max(own - 1, least))
    assert not start[lengths == 30].any()


def test_padding_never_gets_into_a_crop_and_its_amount_decides_nothing(rng: Generator) -> None:
    x, lengths = some_clips(4, 90), torch.tensor([90, 64, 20, 1])
    padded = torch.where(torch.arange(90) < lengths[:, None], 1.0, 0.0)[:, None, :, None, None] * x.abs().clamp(min=1)
    steps = (CropResize(least=8, frames=16), Shear(limit=0.0))
    found = augment(padded, steps, Generator().manual_seed(3), lengths)
    assert found.shape[2] == 16
    assert (found >= 1).all()
    longer = torch.cat([padded, torch.zeros_like(padded)], 2)
    assert torch.equal(augment(longer, steps, Generator().manual_seed(3), lengths), found)
    short = augment(padded[:, :, :90], (CropResize(least=8, frames=16),), Generator().manual_seed(3))
    assert (short == 0).any()  # who is not told the lengths crops the padding as well


def test_clips_without_padding_are_cropped_as_if_no_lengths_were_given() -> None:
    x, step = some_clips(5, 40), CropResize(0.2, least=9, frames=12)
    told = augment(x, (step,), Generator().manual_seed(0), torch.full((5,), 40))
    assert torch.equal(told, augment(x, (step,), Generator().manual_seed(0)))


def test_the_middle_crop_of_the_test_clips_is_resample() -> None:
    """By hand: 95 % of 100 frames from the second on; crop-resize draws what `Resample` fixes."""
    place = CropResize(shortest=1.0, frames=64).sample(torch.Size([1, 3, 95, 1, 1]), Generator())
    assert_close(2 + place, Resample(64, share=0.95).positions(torch.tensor([100])))


# ---- one of several (Eq. 4)


@pytest.mark.parametrize(("p", "share"), [((), 0.5), ((1.0, 3.0), 0.75), ((1.0, 0.0), 0.0)])
def test_each_step_is_drawn_with_its_chance(p: tuple[float, ...], share: float, rng: Generator) -> None:
    choice, _ = OneOf((Shear(), JointJitter()), p).sample(NTU, rng)
    assert choice.float().mean().item() == pytest.approx(share, abs=0.05)


def test_each_clip_goes_through_the_step_that_was_drawn_for_it(rng: Generator) -> None:
    x = some_clips(12)
    choice, (matrices, jitters) = parameters = EITHER.sample(x.shape, rng)
    found = EITHER.apply(x, parameters)
    assert 0 < choice.sum() < 12
    for i, which in enumerate(choice.tolist()):
        one, own = (JointJitter(), jitters) if which else (Shear(), matrices)
        assert_close(found[i : i + 1], one.apply(x[i : i + 1], of_clips(own, slice(i, i + 1))))


def test_one_of_three_by_hand() -> None:
    """Clips of ones through -1 times, 2 times and 3 times themselves."""
    steps = tuple(Shear() for _ in range(3))
    drawn = [f * torch.eye(3).expand(3, 3, 3) for f in (-1, 2, 3)]
    found = OneOf(steps).apply(torch.ones(3, 3, 2, 2, 1), (torch.tensor([2, 0, 1]), drawn))
    assert found[:, 0, 0, 0, 0].tolist() == [3, -1, 2]


def test_one_of_one_is_that_step() -> None:
    x = some_clips()
    step = OneOf((Shear(),))
    choice, (matrix,) = step.sample(x.shape, Generator().manual_seed(2))
    assert torch.equal(step.apply(x, (choice, [matrix])), Shear().apply(x, matrix))


def test_no_steps_or_chances_of_other_steps_are_refused() -> None:
    with pytest.raises(SkelkitError, match="OneOf has no steps"):
        OneOf(())
    for p in ((1.0,), (1.0, -1.0), (0.0, 0.0)):
        with pytest.raises(SkelkitError, match="for 2 steps; give one chance for each"):
            OneOf((Shear(), JointJitter()), p)


def test_the_composition_of_eq_4_equals_crop_then_pose_or_jitter_clip_by_clip() -> None:
    x = some_clips(8, 40)
    found = augment(x, (CropResize(frames=16), EITHER), Generator().manual_seed(5))
    draws = Generator().manual_seed(5)
    cropped = CropResize(frames=16).apply(x, CropResize(frames=16).sample(x.shape, draws))
    choice, (shears, (matrices, chosen)) = EITHER.sample(cropped.shape, draws)
    for i, clip in enumerate(cropped.numpy()):
        joints = chosen[i, 0, 0, :, 0].numpy() if choice[i] else np.ones(25, bool)
        matrix = (matrices if choice[i] else shears)[i].numpy()
        assert_close(found[i], torch.from_numpy(jitter(clip, joints, matrix)))
