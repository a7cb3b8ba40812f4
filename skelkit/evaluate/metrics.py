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
    """Named percentages of the last epoch: "top-1", and "top-5" where there are more than five classes."""
    curve: list[float] = field(default_factory=list)
    """Top-1 on the test clips after each epoch of the classifier; empty where nothing was trained."""

    def per_class(self) -> list[float]:
        """Top-1 of each class in percent; NaN for a class without a test clip."""
        return [100 * row[i] / sum(row) if sum(row) else float("nan") for i, row in enumerate(self.confusion)]


def top_k(scores: Float[Tensor, "n c"], labels: Int[Tensor, " n"], k: int) -> float:
    """Percentage of clips whose true class is among the k best scores."""
    hit = (scores.topk(k, dim=1).indices == labels[:, None]).any(1)
    return 100 * float(hit.float().mean())


def confusion(predicted: Int[Tensor, " n"], labels: Int[Tensor, " n"], classes: int) -> list[list[int]]:
    """Counts, true class by predicted class."""
    counts = torch.bincount(labels * classes + predicted, minlength=classes**2)
    table: list[list[int]] = counts.view(classes, classes).tolist()
    return table


def result(scores: Float[Tensor, "n c"], labels: Int[Tensor, " n"], curve: list[float]) -> Result:
    """The result of class scores on the test clips."""
    classes = scores.shape[1]
    named = {"top-1": top_k(scores, labels, 1)}
    if classes > 5:
        named["top-5"] = top_k(scores, labels, 5)
    return Result(confusion(scores.argmax(1), labels, classes), named, curve)
