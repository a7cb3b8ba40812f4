"""Nearest neighbours by cosine: the kNN evaluation (with k = 1 action retrieval), and the neighbours themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from skelkit.evaluate.metrics import Result, result
from skelkit.files import SkelkitError

MOST_PRODUCTS = 10**8
"""So many similarities are held at once, and no more."""


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
    labels = train[1]
    voters = labels[neighbours(test[0], train[0], protocol.k)]  # (q k), nearest first
    # A neighbour's nearness is below 1, the weight of a vote: the nearest of a class breaks ties and nothing else.
    nearness = torch.arange(protocol.k, 0, -1, device=labels.device) / (protocol.k + 1)
    none = torch.zeros(len(voters), classes, device=labels.device)
    votes = none.scatter_add(1, voters, torch.ones_like(nearness).expand(voters.shape))
    scores = votes + none.scatter_reduce(1, voters, nearness.expand(voters.shape), "amax")
    return result(scores, test[1], [], "kNN")


def neighbours(query: Float[Tensor, "q d"], gallery: Float[Tensor, "n d"], k: int) -> Int[Tensor, "q k"]:
    """The k gallery clips most cosine-similar to each query, nearest first.

    Raises SkelkitError where k is not between 1 and the number of gallery clips.
    """
    n = len(gallery)
    if not 1 <= k <= n:
        raise SkelkitError(f"kNN: k = {k} with {n} training clips; choose k from 1 to their number")
    keys = F.normalize(gallery, dim=1).T
    parts = F.normalize(query, dim=1).split(max(1, min(1024, MOST_PRODUCTS // n)))  # never the whole matrix
    return torch.cat([(part @ keys).topk(k, dim=1).indices for part in parts])


def beside_own(points: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether each point's nearest other point, by Euclidean distance, has its label; labels of any kind.

    The share of them says how well a map, or the features behind it, keep classes together.
    """
    places = torch.from_numpy(points).double()
    apart = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    return np.asarray(labels == labels[apart.argmin(1).numpy()])
