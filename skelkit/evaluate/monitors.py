"""What is watched while a method trains: numbers that join an epoch's record, and change and choose nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skelkit.data.views import Resident
from skelkit.evaluate.features import extract
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.metrics import top_k
from skelkit.train import Callback

TIMES = 10
"""About so often a pretraining is looked at."""
CLIPS = 4000
"""At most so many training clips are looked at."""


def watch_neighbours(data: Resident, train: np.ndarray, classes: int, epochs: int) -> Callback:
    """Top-1 of the nearest neighbour within the training clips: every second one of an action asks, the others answer.

    It tells when pretraining levels off, without a look at a test clip. train: their numbers; unlabelled ones are left
    out. The record's name for it is "kNN top-1".
    """
    known = torch.from_numpy(train).to(data.device)
    known = known[data.labels[known] >= 0]
    # By action first: in a set whose clips run through all actions again and again, every second has half the actions.
    known = known[data.labels[known].argsort(stable=True)]
    known = known[:: max(1, -(-len(known) // CLIPS))]
    gallery, asked, every = known[::2], known[1::2], max(1, epochs // TIMES)

    def look(epoch: int, method: Any) -> dict[str, float]:
        if epoch % every or not len(asked):
            return {}
        encoder = next(iter(method.encoders.values()))
        ours, theirs = ((extract(encoder, data, part), data.labels[part]) for part in (gallery, asked))
        return knn(KNN(), ours, theirs, classes).scores

    return look


def watch_test_clips(data: Resident, test: np.ndarray) -> Callback:
    """Top-1 of a supervised method's own classifier on the test clips after each epoch: it makes rows of the best test
    epoch possible. The record's name for it is "test top-1"."""
    asked = torch.from_numpy(test).to(data.device)

    def look(epoch: int, method: Any) -> dict[str, float]:
        return {"test top-1": top_k(extract(method, data, asked), data.labels[asked], 1)}

    return look
