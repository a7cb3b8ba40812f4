"""What is watched during a training."""

from __future__ import annotations

import math
import warnings
from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Generator, Tensor, nn

from skelkit.evaluate.monitors import effective_rank, spread, watch_collapse, watch_discriminator, watch_neighbours


class MeanPose(nn.Module):
    """Frames averaged: of the tiny clips, a feature that tells the class."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2).flatten(1)


def method(encoder: nn.Module | None = None) -> Any:
    return SimpleNamespace(encoders={"main": encoder or MeanPose(), "other": nn.Identity()})


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_separable_actions_find_their_own_also_where_the_clips_run_through_all_actions_in_turn(classes: int) -> None:
    clips = tiny.clips_of(24, classes)
    look = watch_neighbours(tiny.resident_of(clips, frames=5), np.arange(24), classes, epochs=10)
    assert look(1, method()) == {"kNN top-1": 100.0}


def test_neighbours_by_hand() -> None:
    """Every clip has the same feature, so that all nearest neighbours are one answering clip: half are right."""
    linear = nn.Linear(45, 2)
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.fill_(1.0)
    data = tiny.resident_of(tiny.clips_of(24, 2))
    assert watch_neighbours(data, np.arange(24), 2, epochs=1)(1, method(nn.Sequential(MeanPose(), linear))) == {
        "kNN top-1": 50.0
    }


def test_ten_epochs_of_a_training_are_looked_at() -> None:
    look = watch_neighbours(tiny.resident_of(tiny.clips_of(8)), np.arange(8), 2, epochs=60)
    assert [epoch for epoch in range(1, 61) if look(epoch, method())] == list(range(6, 61, 6))


def test_unlabelled_clips_neither_ask_nor_answer() -> None:
    data = tiny.resident_of(tiny.clips_of(8))
    data.labels[:] = -1
    assert watch_neighbours(data, np.arange(8), 2, epochs=1)(1, method()) == {}


# ── collapse ────────────────────────────────────────────────────────────────────────────────────────────────────────


def projections(n: int = 100, d: int = 64, scale: float = 1.0, around: float = 0.0) -> Tensor:
    return around + scale * torch.randn(n, d, generator=Generator().manual_seed(0))


def test_spread_and_rank_by_hand() -> None:
    """Two clips at right angles, four times as long or not: in both dimensions 1 and 0, a deviation of 1/2; the two
    singular values are alike. Two opposite clips: a deviation of 1 in one of two dimensions, one singular value."""
    across, opposite = torch.tensor([[4.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0], [-1.0, 0.0]])
    assert spread(across) == pytest.approx(0.5 * math.sqrt(2))
    assert effective_rank(across) == pytest.approx(2.0)
    assert spread(opposite) == pytest.approx(0.5 * math.sqrt(2))
    assert effective_rank(opposite) == pytest.approx(1.0)


def test_spread_and_rank_equal_the_written_out_sums() -> None:
    z = projections(7, 4)
    rows = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in z.tolist()]
    deviations = []
    for column in zip(*rows, strict=True):
        mean = sum(column) / 7
        deviations.append(math.sqrt(sum((x - mean) ** 2 for x in column) / 7))
    assert spread(z) == pytest.approx(sum(deviations) / 4 * math.sqrt(4), rel=1e-5)
    eigenvalues = np.linalg.eigvalsh(np.array(rows).T @ np.array(rows))
    shares = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    assert effective_rank(z) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_random_directions_have_a_spread_of_1_and_one_direction_has_0() -> None:
    assert spread(projections(4000)) == pytest.approx(1.0, abs=0.01)
    assert effective_rank(projections(4000)) > 63
    assert spread(torch.ones(9, 4)) == pytest.approx(0.0, abs=1e-6)
    assert effective_rank(torch.ones(9, 4)) == pytest.approx(1.0, abs=1e-4)


def test_spread_and_rank_ignore_lengths_and_the_order_of_clips() -> None:
    z = projections()
    longer = (z * torch.arange(1.0, 101)[:, None]).flip(0)
    assert spread(longer) == pytest.approx(spread(z), rel=1e-5)
    assert effective_rank(longer) == pytest.approx(effective_rank(z), rel=1e-4)


def test_collapse_is_said_in_words_in_its_epoch_and_once() -> None:
    look = watch_collapse()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert look(1, SimpleNamespace(projections=projections()))["spread"] > 0.9
        found = look(2, SimpleNamespace(projections=projections(around=10.0)))  # much alike, and yet not the same
    assert 0.05 < found["spread"] < 0.2
    assert 1 < found["effective rank"] < 20
    gone = SimpleNamespace(projections=projections(scale=1e-3, around=1.0))
    with pytest.warns(UserWarning, match=r"collapse after epoch 3: the projections of 100 clips .* \(spread 0\.001, "):
        found = look(3, gone)
    assert found["spread"] < 0.01
    assert found == look(4, gone)  # a second warning would be an error here


# ── the discriminator ───────────────────────────────────────────────────────────────────────────────────────────────


def adversaries(*steps: tuple[float, float]) -> Any:
    return SimpleNamespace(newest=deque(torch.tensor(step) for step in steps))


def test_both_losses_are_means_of_the_steps_since_the_last_look_by_hand() -> None:
    look, method = watch_discriminator(), adversaries((2.0, 1.0), (4.0, 2.0))
    assert look(1, method) == {"element-wise loss": 3.0, "discriminator loss": 1.5}
    method.newest.append(torch.tensor((1.0, 0.5)))
    assert look(2, method) == {"element-wise loss": 1.0, "discriminator loss": 0.5}


def test_a_discriminator_that_wins_for_an_epoch_is_told_in_words_and_once() -> None:
    look = watch_discriminator()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        look(1, adversaries((1.0, 0.0), (1.0, 0.3)))  # for a step is not for an epoch
    with pytest.warns(
        UserWarning, match=r"the discriminator has won by epoch 2: its mean loss there is 0\.02 \(1\.46 "
    ):
        look(2, adversaries((1.0, 0.01), (1.0, 0.03)))
    assert look(3, adversaries((1.0, 0.0)))["discriminator loss"] == 0.0  # a second warning would be an error here


def test_where_there_is_no_discriminator_none_is_told_of() -> None:
    assert watch_discriminator()(1, adversaries((1.0, math.nan))) == {"element-wise loss": 1.0}
