"""The k-nearest-neighbour evaluation: no parameter is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from skelkit.evaluate.metrics import Result, result


@dataclass(frozen=True)
class KNN:
    """Majority vote of the k most cosine-similar training clips; ties go to the class of the nearer neighbour."""

    k: int = 1
    """Neighbours; 1 is the field's habit (Su et al. 2020)."""


def knn(
    protocol: KNN,
    train: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
) -> Result:
    """Classify test features by their neighbours among the training features."""
    features, labels = F.normalize(train[0], dim=1), train[1]
    scores = []
    for queries in F.normalize(test[0], dim=1).split(1024):  # never the whole distance matrix
        similarity, near = (queries @ features.T).topk(protocol.k, dim=1)
        votes = torch.zeros(len(queries), classes, device=features.device)
        # A neighbour's vote is 1, and a trifle that falls with its rank, which only ever breaks a tie.
        weight = 1 + 1e-3 / (1 + torch.arange(protocol.k, device=features.device))
        scores.append(votes.scatter_add(1, labels[near], weight.expand_as(similarity).contiguous()))
    top1 = result(torch.cat(scores), test[1], [])
    return Result(top1.confusion, {"kNN top-1": top1.scores["top-1"]})
