"""The k-nearest-neighbour evaluation: no parameter is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from skelkit.evaluate.metrics import Result, result
from skelkit.files import SkelkitError


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
    """Classify test features by their neighbours among the training features.

    Raises SkelkitError where k is not between 1 and the number of training clips.
    """
    features, labels = F.normalize(train[0], dim=1), train[1]
    if not 1 <= protocol.k <= len(labels):
        raise SkelkitError(f"kNN: k = {protocol.k} with {len(labels)} training clips; choose k from 1 to their number")
    # A neighbour's nearness is below 1, the weight of a vote: the nearest of a class breaks ties and nothing else.
    nearness = torch.arange(protocol.k, 0, -1, device=features.device) / (protocol.k + 1)
    scores = []
    for queries in F.normalize(test[0], dim=1).split(1024):  # never the whole distance matrix
        voters = labels[(queries @ features.T).topk(protocol.k, dim=1).indices]  # (q k), nearest first
        none = torch.zeros(len(queries), classes, device=features.device)
        votes = none.scatter_add(1, voters, torch.ones_like(nearness).expand(voters.shape))
        scores.append(votes + none.scatter_reduce(1, voters, nearness.expand(voters.shape), "amax"))
    top1 = result(torch.cat(scores), test[1], [])
    return Result(top1.confusion, {"kNN top-1": top1.scores["top-1"]})
