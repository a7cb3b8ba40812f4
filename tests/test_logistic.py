"""Logistic regression on frozen features: scikit-learn's, its strength chosen on the training clips alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Generator, Tensor

from skelkit.evaluate.logistic import Logistic, logistic
from skelkit.files import SkelkitError

Side = tuple[Tensor, Tensor]


def clouds(n: int, rng: Generator, d: int = 6, classes: int = 3, noise: float = 1.5) -> Side:
    labels = torch.arange(n) % classes
    centres = 2 * torch.eye(classes, d)
    return centres[labels] + noise * torch.randn(n, d, generator=rng), labels


def standardised(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    return [(each - train.mean(0)) / train.std(0) for each in (train, *others)]


def test_it_equals_the_written_out_choice_of_strength(rng: Generator) -> None:
    train, test = clouds(60, rng), clouds(90, rng)
    protocol = Logistic(strengths=(1e-3, 0.1, 10.0), folds=4)
    x, y = train[0].double().numpy(), train[1].numpy()
    folds, accuracy = StratifiedKFold(4, shuffle=True, random_state=7), dict.fromkeys(protocol.strengths, 0.0)
    for c in protocol.strengths:
        for inner, held in folds.split(x, y):
            ours, theirs = standardised(x[inner], x[held])
            accuracy[c] += LogisticRegression(C=c, max_iter=500).fit(ours, y[inner]).score(theirs, y[held]) / 4
    best = max(accuracy, key=lambda c: accuracy[c])
    ours, theirs = standardised(x, test[0].double().numpy())
    expected = LogisticRegression(C=best, max_iter=500).fit(ours, y).predict(theirs)
    found = logistic(protocol, train, test, 3, 7)
    assert found.predicted == expected.tolist()
    assert found.scores["logistic top-1"] == pytest.approx(100 * (expected == test[1].numpy()).mean())
    assert set(found.scores) == {"logistic top-1", "logistic balanced accuracy"}


def test_clouds_far_apart_are_told_without_a_fault(rng: Generator) -> None:
    found = logistic(Logistic(), clouds(30, rng, noise=0.01), clouds(30, rng, noise=0.01), 3, 0)
    assert found.scores["logistic top-1"] == 100


def test_the_test_clips_choose_nothing(rng: Generator) -> None:
    train, test = clouds(45, rng), clouds(45, rng)
    alone = [logistic(Logistic(), train, (test[0][i : i + 1], test[1][i : i + 1]), 3, 0).predicted[0] for i in range(5)]
    assert logistic(Logistic(), train, test, 3, 0).predicted[:5] == alone


@pytest.mark.parametrize("factor", [2.0**-40, 1e-7, 1e7])
def test_the_scale_of_the_features_decides_nothing(rng: Generator, factor: float) -> None:
    train, test = clouds(45, rng), clouds(45, rng)
    scaled = logistic(Logistic(), (factor * train[0], train[1]), (factor * test[0], test[1]), 3, 0)
    assert scaled.predicted == logistic(Logistic(), train, test, 3, 0).predicted


def test_a_class_without_a_training_clip_is_never_predicted(rng: Generator) -> None:
    found = logistic(Logistic(), clouds(30, rng), clouds(30, rng), 5, 0)
    assert max(found.predicted) == 2
    assert len(found.confusion) == 5


def test_a_single_class_is_refused_in_one_line(rng: Generator) -> None:
    features, labels = clouds(30, rng)
    with pytest.raises(SkelkitError, match="one class; choose a split"):
        logistic(Logistic(), (features, labels * 0), clouds(9, rng), 3, 0)


def test_fewer_clips_than_folds_are_refused_in_one_line(rng: Generator) -> None:
    with pytest.raises(SkelkitError, match="5 folds of 6 training clips, of which no class has more than 2"):
        logistic(Logistic(), clouds(6, rng), clouds(9, rng), 3, 0)


@pytest.mark.parametrize("side", [0, 1])
def test_features_that_are_not_finite_are_refused_in_one_line(rng: Generator, side: int) -> None:
    sides = [clouds(30, rng), clouds(30, rng)]
    sides[side][0][3, 1] = float("nan")
    with pytest.raises(SkelkitError, match="hold NaN or infinity"):
        logistic(Logistic(), sides[0], sides[1], 3, 0)
