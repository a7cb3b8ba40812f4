"""Clustering accuracy: the best names for the groups, whatever the groups are called."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from skelkit.evaluate.cluster import Cluster, _named, cluster
from skelkit.evaluate.metrics import Result
from skelkit.files import SkelkitError

ALL_RIGHT = {"clustering accuracy": 100, "clustering balanced accuracy": 100}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def numbers(n: int, most: int, seed: int) -> Tensor:
    return torch.randint(most, (n,), generator=Generator().manual_seed(seed))


def blobs(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Three groups far apart, four dimensions, a class each."""
    labels = torch.arange(n) % 3
    return 9 * torch.eye(3, 4)[labels] + draw(n, 4, seed=seed), labels


def found(
    protocol: Cluster, test: tuple[Tensor, Tensor], train: tuple[Tensor, Tensor] | None = None, seed: int = 0
) -> Result:
    return cluster(protocol, train or (test[0][:0], test[1][:0]), test, 3, seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 99))
def test_the_names_equal_the_best_of_all_permutations(n: int, classes: int, seed: int) -> None:
    groups, labels = numbers(n, classes, seed), numbers(n, classes, seed + 1)
    right = [int((torch.tensor(names)[groups] == labels).sum()) for names in permutations(range(classes))]
    named = _named(groups, labels, classes)
    assert int((named == labels).sum()) == max(right)
    names = {(g, c) for g, c in zip(groups.tolist(), named.tolist(), strict=True)}
    assert len(names) == len({g for g, _ in names}) == len({c for _, c in names})  # one name a group, each its own


def test_names_by_hand() -> None:
    """Group 0 holds classes 1, 1, 0, group 1 holds 1, 1, 1, 0: only one of them can be class 1, and so 1 + 3 are right;
    naming them the other way gives 2 + 1."""
    groups, labels = torch.tensor([0, 0, 0, 1, 1, 1, 1]), torch.tensor([1, 1, 0, 1, 1, 1, 0])
    assert _named(groups, labels, 2).tolist() == [0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("by", ["k-means", "Ward"])
def test_clustering_accuracy_by_hand(by: str) -> None:
    """Two heaps on a line, of classes 0, 0, 1 and 1, 1, 1, 0: five of seven clips are named rightly."""
    features = torch.tensor([0.0, 0.1, 0.2, 9.0, 9.1, 9.2, 9.3])[:, None]
    test = features, torch.tensor([0, 0, 1, 1, 1, 1, 0])
    got = found(Cluster(by=by), test)  # type: ignore[arg-type]
    of_each = (100 * 2 / 3, 100 * 3 / 4)  # no clip has class 2
    assert got.scores == pytest.approx(
        {"clustering accuracy": 500 / 7, "clustering balanced accuracy": sum(of_each) / 2}
    )
    assert got.confusion == [[2, 1, 0], [1, 3, 0], [0, 0, 0]]
    assert got.curve == []


@pytest.mark.parametrize("by", ["k-means", "Ward"])
def test_separate_groups_are_the_classes_and_a_change_of_their_names_order_or_scale_changes_nothing(by: str) -> None:
    protocol, (x, y) = Cluster(by=by), blobs(30)  # type: ignore[arg-type]
    assert found(protocol, (x, y)).scores == ALL_RIGHT
    other = numbers(30, 3, 1)  # labels of chance, so that the score is not the highest
    score = found(protocol, (x, other)).scores
    assert score["clustering accuracy"] < 70
    assert found(protocol, (x, (other + 1) % 3)).scores == score
    assert found(protocol, (x.flip(0), other.flip(0))).scores == score
    assert found(protocol, (5 * x - 7, other)).scores == score


def test_the_same_seed_finds_the_same_groups_and_more_starts_are_never_looser() -> None:
    noise = draw(60, 8), numbers(60, 3, 2)
    assert found(Cluster(), noise) == found(Cluster(), noise)
    one = {str(found(Cluster(starts=1), noise, seed=s).confusion) for s in range(8)}
    many = {str(found(Cluster(starts=50), noise, seed=s).confusion) for s in range(8)}
    assert len(one) > len(many)


def test_there_are_as_many_groups_as_classes_among_the_clips() -> None:
    x = blobs(30)[0]  # three heaps
    for classes in (1, 2, 3):
        confusion = found(Cluster(), (x, torch.arange(30) % classes)).confusion
        assert sum(any(column) for column in zip(*confusion, strict=True)) == classes


def test_all_clips_are_the_training_and_the_test_clips_together() -> None:
    train, test = blobs(30), blobs(12, seed=1)
    assert sum(map(sum, found(Cluster(clips="all"), test, train).confusion)) == 42
    joined = torch.cat([train[0], test[0]]), torch.cat([train[1], test[1]])
    alone, every = found(Cluster(), joined), found(Cluster(clips="all"), test, train)
    assert every == replace(alone, predicted=alone.predicted[30:])  # predictions are kept of the test clips
    assert len(every.predicted) == 12
    assert sum(map(sum, found(Cluster(), test, train).confusion)) == 12


def test_a_collapsed_encoder_scores_the_share_of_the_largest_class() -> None:
    test = torch.ones(10, 4), torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    scores = found(Cluster(), test).scores
    assert scores == pytest.approx({"clustering accuracy": 50, "clustering balanced accuracy": 100 / 3})


def test_a_class_without_a_clip_gets_no_group() -> None:
    x, y = blobs(30)
    two = y != 1
    assert found(Cluster(), (x[two], y[two])).scores == ALL_RIGHT


def test_a_single_clip_is_refused() -> None:
    with pytest.raises(SkelkitError, match="1 clip cannot be grouped"):
        found(Cluster(), (draw(1, 4), torch.tensor([0])))
