"""Recurrent encoders, projection heads, the momentum encoder, the queue and the memory bank."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU
from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.heads import linear_classifier, projection_head
from skelkit.models.memory import MemoryBank, Queue
from skelkit.models.momentum import Momentum
from skelkit.models.rnn import Recurrent, RecurrentEncoder

SBU_PAIR = DataSpec(clips=6, classes=3, skeleton=SBU, persons=2)
every_cell = pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])


def encoder(cell: Any = "lstm", width: int = 8, layers: int = 1, pool: Any = "mean") -> RecurrentEncoder:
    torch.manual_seed(0)
    return Recurrent(cell, width, layers, pool).build(SBU_PAIR)


def some_clips(b: int = 3, t: int = 7, seed: int = 0) -> Tensor:
    return torch.randn(b, 3, t, 15, 2, generator=Generator().manual_seed(seed))


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# ---- recurrent encoders


@pytest.mark.parametrize(("layers", "count"), [(1, 417_792), (2, 944_128), (3, 1_470_464)])
def test_the_papers_lstm_has_the_official_number_of_parameters(layers: int, count: int) -> None:
    """150 inputs (25 joints, 3 axes, 2 persons), 256 units; by hand for one layer: 4 (256 (150 + 256) + 2 256)."""
    spec = DataSpec(clips=1, classes=60, skeleton=KINECT_V2, persons=2)
    assert parameters(Recurrent("lstm", width=256, layers=layers).build(spec)) == count


@pytest.mark.parametrize(
    ("cell", "spec", "count"),
    [
        ("rnn", DataSpec(1, 8, SBU, 2), 256 * (90 + 256) + 2 * 256),
        ("gru", DataSpec(1, 8, SBU, 2), 3 * (256 * (90 + 256) + 2 * 256)),
        ("lstm", DataSpec(1, 10, KINECT_V1, 1), 4 * (256 * (60 + 256) + 2 * 256)),
    ],
)
def test_the_input_is_as_wide_as_the_skeleton(cell: Any, spec: DataSpec, count: int) -> None:
    assert parameters(Recurrent(cell).build(spec)) == count


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_hidden_states_equal_a_loop_over_the_frames(cell: str, layers: int) -> None:
    model, x = encoder(cell, layers=layers), some_clips()
    weights = {name: p.detach().numpy() for name, p in model.cell.named_parameters()}
    expected = np.stack([reference.recurrent_states(cell, weights, clip) for clip in x.double().numpy()])
    assert_close(model.states(x), torch.from_numpy(expected).float())
    assert_close(model(x), torch.from_numpy(expected.mean(1)).float())  # Eq. 10
    assert_close(encoder(cell, layers=layers, pool="last")(x), torch.from_numpy(expected[:, -1]).float())


def test_pooling_can_be_asked_for_whatever_the_configuration() -> None:
    x = some_clips()
    assert_close(encoder(pool="mean")(x, "last"), encoder(pool="last")(x))
    assert_close(encoder(pool="last")(x, "mean"), encoder(pool="mean")(x))


def test_a_frame_is_read_in_the_order_axis_joint_person() -> None:
    """By hand: a cell of one unit that looks at input 70 = (axis 2, joint 5, person 0) only: 2 x 30 + 5 x 2 + 0."""
    model, x = encoder("rnn", width=1), some_clips()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        model.cell.weight_ih_l0[0, 70] = 1.0
    assert_close(model.states(x)[:, :, 0], x[:, 2, :, 5, 0].tanh())


def test_padding_counts_in_the_temporal_average() -> None:
    """By hand: a unit without memory says tanh(1) in 2 of 8 frames and 0 in the padding: tanh(1) / 4."""
    model = encoder("rnn", width=1)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        model.cell.weight_ih_l0[0, 0] = 1.0
    x = torch.zeros(1, 3, 8, 15, 2)
    x[:, :, :2] = 1
    assert model(x).item() == pytest.approx(np.tanh(1) / 4)


@every_cell
def test_a_state_does_not_know_the_frames_after_it(cell: str) -> None:
    model, x = encoder(cell, layers=2), some_clips()
    other = x.clone()
    other[:, :, 4:] = some_clips(seed=1)[:, :, 4:]
    before, after = model.states(x), model.states(other)
    assert_close(after[:, :4], before[:, :4])
    assert not torch.isclose(after[:, 4:], before[:, 4:]).any()


@every_cell
def test_a_clip_is_encoded_alike_in_any_batch(cell: str) -> None:
    model, x = encoder(cell), some_clips(5)
    assert_close(model(x)[[3, 1]], model(x[[3, 1]]))
    assert model(x).shape == (5, model.out_dim)


def test_the_global_seed_decides_the_initial_weights() -> None:
    torch.manual_seed(3)
    other = Recurrent("lstm", 8).build(SBU_PAIR)
    for a, b, c in zip(encoder().parameters(), encoder().parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


# ---- heads


@pytest.mark.parametrize("dim", [64, 128, 256, 512])
def test_heads_have_the_shapes_of_section_v_a1(dim: int) -> None:
    assert parameters(projection_head("none", 256, dim)) == 0
    assert parameters(projection_head("linear", 256, dim)) == 256 * dim + dim
    assert parameters(projection_head("nonlinear", 256, dim)) == 256 * 256 + 256 + 256 * dim + dim


def test_the_nonlinear_head_equals_its_formula() -> None:
    head, x = projection_head("nonlinear", 6, 4), torch.randn(5, 6, generator=Generator().manual_seed(0))
    w1, b1, w2, b2 = (p.detach().numpy() for p in head.parameters())
    expected = [w2 @ np.maximum(w1 @ row + b1, 0) + b2 for row in x.numpy()]
    assert_close(head(x), torch.from_numpy(np.stack(expected)))


def test_the_nonlinear_head_by_hand() -> None:
    """Weights of one and no bias: 3 inputs 1, 2, -5 sum to -2, which ReLU stops; 1, 2, 5 pass as 3 x 8."""
    head = projection_head("nonlinear", 3, 1)
    with torch.no_grad():
        for name, p in head.named_parameters():
            p.fill_(float("weight" in name))
    assert head(torch.tensor([[1.0, 2.0, -5.0], [1.0, 2.0, 5.0]])).flatten().tolist() == [0, 24]


def test_the_linear_head_is_affine_and_no_head_is_the_identity() -> None:
    head, x = projection_head("linear", 6, 4), torch.randn(2, 6, generator=Generator().manual_seed(0))
    middle = head(x.mean(0, keepdim=True))
    assert_close(middle, head(x).mean(0, keepdim=True))
    assert torch.equal(projection_head("none", 6, 4)(x), x)


def test_the_classifier_starts_at_n_0_01_and_zero_bias() -> None:
    torch.manual_seed(0)
    layer = linear_classifier(256, 60)
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
    assert not layer.bias.any()


# ---- momentum encoder


def test_eq_9_equals_the_weighted_average_number_by_number() -> None:
    torch.manual_seed(0)
    query, follower = nn.Linear(4, 3), Momentum(nn.Linear(4, 3), 0.9)
    theta_k = [p.flatten().tolist() for p in follower.module.parameters()]
    follower.follow(query)
    for ours, old, new in zip(follower.module.parameters(), theta_k, query.parameters(), strict=True):
        expected = [0.9 * k + (1 - 0.9) * q for k, q in zip(old, new.flatten().tolist(), strict=True)]
        assert_close(ours.flatten(), torch.tensor(expected))


def test_eq_9_by_hand_towards_one_from_zero() -> None:
    """From 0 towards 1 with m = .999: .001 after a step, 1 - .999^n after n."""
    query, zero = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        for p in query.parameters():
            p.fill_(1)
        for p in zero.parameters():
            p.fill_(0)
    follower = Momentum(zero, 0.999)
    follower.follow(query)
    assert follower.module.get_parameter("bias").item() == pytest.approx(0.001)
    for _ in range(99):
        follower.follow(query)
    assert follower.module.get_parameter("weight").item() == pytest.approx(1 - 0.999**100, rel=1e-4)


def test_momentum_zero_copies_and_equal_modules_stay_equal() -> None:
    torch.manual_seed(0)
    query, other = nn.Linear(4, 3), nn.Linear(4, 3)
    follower = Momentum(other, 0.0)
    follower.follow(query)
    assert_close(follower.module.state_dict(), query.state_dict())
    same = Momentum(query, 0.999)
    same.follow(query)
    assert_close(same.module.state_dict(), query.state_dict(), rtol=0, atol=0)


def test_buffers_follow_too_and_counters_are_copied() -> None:
    query = nn.BatchNorm1d(2)
    follower = Momentum(query, 0.9)
    query(torch.tensor([[1.0, 4.0], [3.0, 4.0]]))  # running mean .1 x (2, 4)
    follower.follow(query)
    assert_close(follower.module.get_buffer("running_mean"), 0.1 * torch.tensor([0.2, 0.4]))
    assert follower.module.get_buffer("num_batches_tracked").item() == 1


def test_the_momentum_encoder_is_a_copy_that_no_gradient_reaches() -> None:
    query = encoder()
    follower = Momentum(query, 0.9)
    x = some_clips().requires_grad_()
    assert not follower(x).requires_grad
    assert not any(p.requires_grad for p in follower.parameters())
    with torch.no_grad():
        next(query.parameters()).add_(1)
    assert not torch.equal(next(query.parameters()), next(follower.parameters()))
    assert all(p.requires_grad for p in query.parameters())


# ---- queue


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 9), batches=st.lists(st.integers(1, 9), max_size=8))
def test_the_queue_holds_what_a_deque_of_k_keys_holds(size: int, batches: list[int]) -> None:
    queue = Queue(size, 2, Generator().manual_seed(0))
    twin = deque(queue.keys.tolist(), maxlen=size)
    for number, b in enumerate(batches):
        keys = torch.full((min(b, size), 2), float(number)) + torch.arange(min(b, size))[:, None] / 100
        queue.push(keys)
        twin.extend(keys.tolist())
    oldest = int(queue.oldest)
    assert queue.keys.roll(-oldest, 0).tolist() == list(twin), "in order, the oldest at its mark"


def test_the_queue_by_hand_overwrites_the_oldest_batch_first() -> None:
    """K = 5, batches of 2: the third batch ends in the place where the first began."""
    queue = Queue(5, 1, Generator().manual_seed(0))
    for number in (1.0, 2.0, 3.0):
        queue.push(torch.full((2, 1), number))
    assert queue.keys.flatten().tolist() == [3, 1, 2, 2, 3]


def test_the_queue_starts_as_uniform_noise_within_0_108_for_256_dimensions(rng: Generator) -> None:
    keys = Queue(16384, 256, rng).keys
    limit = (256 / 3) ** -0.5
    assert limit == pytest.approx(0.108, abs=5e-4)
    assert 0.999 * limit < keys.abs().max() <= limit
    assert keys.std().item() == pytest.approx(limit / 3**0.5, rel=0.01)
    assert keys.square().sum(1).mean().item() == pytest.approx(1, rel=0.01), "keys of about unit length"


def test_a_batch_larger_than_the_queue_is_refused(rng: Generator) -> None:
    with pytest.raises(SkelkitError, match="a batch of 4 does not fit 3 keys; raise queue or lower batch"):
        Queue(3, 2, rng).push(torch.zeros(4, 2))


def test_a_restored_queue_goes_on_where_it_was(rng: Generator) -> None:
    queue, restored = Queue(5, 2, rng), Queue(5, 2, rng)
    queue.push(torch.ones(3, 2))
    restored.load_state_dict(queue.state_dict())
    for each in (queue, restored):
        each.push(2 * torch.ones(3, 2))
    assert_close(restored.state_dict(), queue.state_dict())
    assert not list(queue.parameters())


# ---- memory bank


@pytest.mark.parametrize("normalised", [False, True])
def test_the_memory_bank_equals_a_table_of_moving_averages(normalised: bool, rng: Generator) -> None:
    bank = MemoryBank(6, 3, 0.7, rng, normalised=normalised)
    twin = dict(enumerate(bank.keys.tolist()))
    for number in range(4):
        index, keys = torch.randperm(6, generator=rng)[:3], torch.randn(3, 3, generator=rng)
        bank.follow(index, keys)
        for i, fresh in zip(index.tolist(), keys.tolist(), strict=True):
            moved = [0.7 * old + 0.3 * new for old, new in zip(twin[i], fresh, strict=True)]
            norm = sum(x * x for x in moved) ** 0.5 if normalised else 1
            twin[i] = [x / norm for x in moved]
        assert_close(bank.keys, torch.tensor([twin[i] for i in range(6)]), msg=f"after update {number}")


def test_the_memory_bank_by_hand_moves_only_the_batchs_rows(rng: Generator) -> None:
    bank = MemoryBank(3, 1, 0.5, rng)
    bank.keys.copy_(torch.tensor([[0.0], [2.0], [4.0]]))
    bank.follow(torch.tensor([2, 0]), torch.tensor([[0.0], [1.0]]))
    assert bank.keys.flatten().tolist() == [0.5, 2, 2]


def test_a_normalised_key_by_hand_has_length_1(rng: Generator) -> None:
    """Half of (2, 0) and half of (4, 8) are (3, 4), of length 5."""
    bank = MemoryBank(1, 2, 0.5, rng, normalised=True)
    bank.keys.copy_(torch.tensor([[2.0, 0.0]]))
    bank.follow(torch.tensor([0]), torch.tensor([[4.0, 8.0]]))
    assert_close(bank.keys, torch.tensor([[0.6, 0.8]]))


def test_the_memory_bank_ignores_the_order_of_the_batch(rng: Generator) -> None:
    one, other = (MemoryBank(6, 3, 0.7, Generator().manual_seed(0)) for _ in range(2))
    keys = torch.randn(3, 3, generator=rng)
    one.follow(torch.tensor([4, 0, 2]), keys)
    other.follow(torch.tensor([2, 0, 4]), keys.flip(0))
    assert torch.equal(one.keys, other.keys)


def test_draws_are_rows_of_the_bank_all_alike_and_seeded(rng: Generator) -> None:
    bank = MemoryBank(4, 2, 0.5, rng)
    bank.keys.copy_(torch.arange(4.0)[:, None].expand(4, 2))
    drawn = bank.draw((4000,), Generator().manual_seed(1))
    counts = torch.bincount(drawn[:, 0].long(), minlength=4)
    assert (counts / 4000 - 0.25).abs().max() < 0.03
    assert torch.equal(drawn, bank.draw((4000,), Generator().manual_seed(1)))
    assert torch.equal(drawn.view(5, 800, 2), bank.draw((5, 800), Generator().manual_seed(1)))
