"""What is watched during a training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn

from skelkit.evaluate.monitors import watch_neighbours


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
