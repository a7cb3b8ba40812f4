"""Accuracies and confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Result:
    """What an evaluation found on the test clips."""

    confusion: list[list[int]]
    """confusion[true][predicted], counts."""
    scores: dict[str, float]
    """Named percentages of the last epoch: "top-1", "balanced accuracy" (the mean over classes), and "top-5" where
    there are more than five classes. A protocol's name may stand before them: "kNN top-1"."""
    curve: list[float] = field(default_factory=list)
    """Top-1 on the test clips after each epoch of the classifier; empty where nothing was trained."""
    predicted: list[int] = field(default_factory=list)
    """The class that each test clip was given, in the order of the clips; empty where there are no classes."""


def top_k(scores: Float[Tensor, "n c"], labels: Int[Tensor, " n"], k: int) -> float:
    """Percentage of clips whose true class is among the k best scores."""
    hit = (scores.topk(k, dim=1).indices == labels[:, None]).any(1)
    return 100 * float(hit.float().mean())


def confusion(predicted: Int[Tensor, " n"], labels: Int[Tensor, " n"], classes: int) -> list[list[int]]:
    """Counts, true class by predicted class."""
    counts = torch.bincount(labels * classes + predicted, minlength=classes**2)
    table: list[list[int]] = counts.view(classes, classes).tolist()
    return table


def balanced_accuracy(table: list[list[int]]) -> float:
    """The mean over classes of the percentage of a class's clips that are right, from a confusion matrix. A class
    without a test clip does not count."""
    shares = [row[i] / sum(row) for i, row in enumerate(table) if sum(row)]
    return 100 * sum(shares) / len(shares)


def result(scores: Float[Tensor, "n c"], labels: Int[Tensor, " n"], curve: list[float], name: str = "") -> Result:
    """The result of class scores on the test clips. name: the protocol's, which stands before the names of its scores;
    a protocol without one has top-5 as well."""
    classes = scores.shape[1]
    predicted = scores.argmax(1)
    table = confusion(predicted, labels, classes)
    named = {"top-1": top_k(scores, labels, 1), "balanced accuracy": balanced_accuracy(table)}
    if classes > 5 and not name:
        named["top-5"] = top_k(scores, labels, 5)
    return Result(table, {f"{name} {key}".strip(): value for key, value in named.items()}, curve, predicted.tolist())
