"""InfoNCE: the written-out sum, values by hand, invariances, and 32-bit logits whatever comes in."""

from __future__ import annotations

import math

import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.losses import in_batch_info_nce, info_nce


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(b=st.integers(1, 5), d=st.integers(1, 9), k=st.integers(1, 12), tau=st.floats(0.1, 2.0), seed=st.integers(0, 99))
def test_info_nce_equals_the_written_out_sum(b: int, d: int, k: int, tau: float, seed: int) -> None:
    query, positive, negatives = features(b, d, seed=seed), features(b, d, seed=seed + 1), features(k, d, seed=seed + 2)
    expected = reference.info_nce(query.numpy(), positive.numpy(), negatives.numpy(), tau)
    assert info_nce(query, positive, negatives, tau).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_info_nce_of_equal_logits_is_the_log_of_their_number() -> None:
    zero = torch.zeros(2, 5)
    assert_close(info_nce(zero, zero, torch.zeros(3, 5), 0.06), torch.tensor(math.log(4)))


def test_info_nce_by_hand() -> None:
    """q.k+ = 1, q.k- = 0 and -1, tau = 1/2: log(1 + e^-2 + e^-4)."""
    query, negatives = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0], [-1.0, 5.0]])
    expected = math.log(1 + math.exp(-2) + math.exp(-4))
    assert_close(info_nce(query, torch.tensor([[1.0, 7.0]]), negatives, 0.5), torch.tensor(expected))


def test_each_query_s_own_negatives_equal_one_query_at_a_time() -> None:
    query, positive, negatives = features(4, 8), features(4, 8, seed=1), features(4, 6, 8, seed=2)
    alone = [info_nce(query[i : i + 1], positive[i : i + 1], negatives[i], 0.5) for i in range(4)]
    assert_close(info_nce(query, positive, negatives, 0.5), torch.stack(alone).mean())


def test_info_nce_pulls_the_query_to_the_positive_and_from_each_negative_by_its_share() -> None:
    """By hand: dL/dq = (sum_i p_i k_i - k+) / tau, p the softmax over all keys."""
    query, positive, negatives = features(1, 4).requires_grad_(), features(1, 4, seed=1), features(6, 4, seed=2)
    info_nce(query, positive, negatives, 0.3).backward()
    keys = torch.cat([positive, negatives])
    share = torch.softmax(keys @ query.detach()[0] / 0.3, 0)
    assert_close(query.grad, (share @ keys - positive) / 0.3)


def test_info_nce_ignores_the_order_of_the_negatives_and_of_the_clips() -> None:
    query, positive, negatives = features(4, 8), features(4, 8, seed=1), features(10, 8, seed=2)
    loss = info_nce(query, positive, negatives, 0.5)
    assert_close(info_nce(query, positive, negatives.flip(0), 0.5), loss)
    assert_close(info_nce(query.flip(0), positive.flip(0), negatives, 0.5), loss)


def test_info_nce_ignores_a_rotation_of_the_feature_space() -> None:
    query, positive, negatives = features(4, 8), features(4, 8, seed=1), features(10, 8, seed=2)
    turn = torch.linalg.qr(features(8, 8, seed=3)).Q
    turned = info_nce(query @ turn, positive @ turn, negatives @ turn, 0.5)
    assert_close(turned, info_nce(query, positive, negatives, 0.5))


def test_features_are_not_normalised() -> None:
    """A longer query is a lower temperature, as with raw dot products; with cosines it would change nothing."""
    query, positive, negatives = features(4, 8), features(4, 8, seed=1), features(10, 8, seed=2)
    longer = info_nce(3 * query, positive, negatives, 0.6)
    assert_close(longer, info_nce(query, positive, negatives, 0.2))
    assert not torch.isclose(longer, info_nce(query, positive, negatives, 0.6))


def test_in_batch_info_nce_equals_info_nce_against_the_other_keys() -> None:
    query, key = features(5, 8), features(5, 8, seed=1)
    alone = [
        info_nce(query[i : i + 1], key[i : i + 1], key[[j for j in range(5) if j != i]], 0.4) for i in range(len(key))
    ]
    assert_close(in_batch_info_nce(query, key, 0.4), torch.stack(alone).mean())


def test_in_batch_info_nce_by_hand() -> None:
    """Two clips, unit keys, tau = 1: each has the logits 1 and 0, so log(1 + 1/e)."""
    assert_close(in_batch_info_nce(torch.eye(2), torch.eye(2), 1.0), torch.tensor(math.log(1 + math.exp(-1))))


def test_in_batch_info_nce_ignores_the_order_of_the_clips() -> None:
    query, key = features(5, 8), features(5, 8, seed=1)
    assert_close(in_batch_info_nce(query.flip(0), key.flip(0), 0.4), in_batch_info_nce(query, key, 0.4))


def test_in_batch_info_nce_sends_gradients_to_both_sides() -> None:
    query, key = features(3, 4).requires_grad_(), features(3, 4, seed=1).requires_grad_()
    in_batch_info_nce(query, key, 0.5).backward()
    assert query.grad is not None
    assert key.grad is not None
    assert query.grad.abs().min() > 0
    assert key.grad.abs().min() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_logits_are_32_bit_whatever_the_features_are(dtype: torch.dtype) -> None:
    """Dot products in 16 bit would be off by per cents after / 0.06, and overflow at 65504."""
    query, positive, negatives = (features(4, 64, seed=s).to(dtype) * 8 for s in range(3))
    exact = info_nce(query.float(), positive.float(), negatives.float(), 0.06)
    for loss in (info_nce(query, positive, negatives, 0.06), info_nce(query, positive, negatives.float(), 0.06)):
        assert loss.dtype == torch.float32
        assert_close(loss, exact)
    assert_close(in_batch_info_nce(query, negatives, 0.06), in_batch_info_nce(query.float(), negatives.float(), 0.06))


def test_autocast_does_not_reach_the_logits() -> None:
    query, positive, negatives = features(4, 64), features(4, 64, seed=1), features(9, 64, seed=2)
    with torch.autocast("cpu", torch.bfloat16):
        cast = info_nce(query, positive, negatives, 0.06), in_batch_info_nce(query, positive, 0.06)
    plain = info_nce(query, positive, negatives, 0.06), in_batch_info_nce(query, positive, 0.06)
    assert_close(cast, plain, rtol=0, atol=0)
