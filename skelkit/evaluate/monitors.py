"""What is watched while a method trains: numbers that join an epoch's record, and change and choose nothing."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from skelkit.data.views import Resident
from skelkit.evaluate.features import extract
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.metrics import top_k
from skelkit.train import Callback

TIMES = 10
"""About so often a pretraining is looked at."""
CLIPS = 4000
"""At most so many training clips are looked at."""
WON = 0.05
"""A discriminator's loss below it is called a victory: about one clip in forty is taken for what it is not. Where it
cannot tell anything, its loss is log 2 for each sequence that it judges, 1.46 with a tenth of one from z."""
COLLAPSED = 0.01
"""A spread below it is called collapse: all clips within about half a degree of one direction."""


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
        return {"kNN top-1": knn(KNN(), ours, theirs, classes).scores["kNN top-1"]}

    return look


def watch_test_clips(data: Resident, test: np.ndarray) -> Callback:
    """Top-1 of a supervised method's own classifier on the test clips after each epoch: it makes rows of the best test
    epoch possible. The record's name for it is "test top-1"."""
    asked = torch.from_numpy(test).to(data.device)

    def look(epoch: int, method: Any) -> dict[str, float]:
        return {"test top-1": top_k(extract(method, data, asked), data.labels[asked], 1)}

    return look


def watch_collapse() -> Callback:
    """Whether a method's newest `projections` still differ, after every epoch; once they do not, a warning.

    They are those of the loss, of augmented clips and with the batch norms in training mode: the running statistics of
    the first epochs would tell of a collapse that is none. The record's names are "spread" and "effective rank". What
    is not finite ends a training anyway.
    """
    said = False

    def look(epoch: int, method: Any) -> dict[str, float]:
        nonlocal said
        found = {"spread": spread(method.projections), "effective rank": effective_rank(method.projections)}
        if found["spread"] < COLLAPSED and not said:
            said = True
            warnings.warn(
                f"collapse after epoch {epoch}: the projections of {len(method.projections)} clips point one way "
                f"(spread {found['spread']:.1g}, where that of random directions is 1); stop, and lower the learning "
                "rate or raise the batch",
                stacklevel=2,
            )
        return found

    return look


def watch_discriminator() -> Callback:
    """The mean element-wise and discriminator's loss of the steps since the last look, at most `newest`'s number.

    Once the discriminator's is near zero for an epoch, a warning: it is right about every clip, and the decoder learns
    no more from it. The record's names are "element-wise loss" and, where there is one, "discriminator loss".
    """
    said = False

    def look(epoch: int, method: Any) -> dict[str, float]:
        nonlocal said
        element_wise, discriminator = torch.stack(list(method.newest)).mean(0).tolist()
        method.newest.clear()
        if math.isnan(discriminator):
            return {"element-wise loss": element_wise}
        if discriminator < WON and not said:
            said = True
            warnings.warn(
                f"the discriminator has won by epoch {epoch}: its mean loss there is {discriminator:.1g} (1.46 where "
                "it cannot tell), so that the decoder learns nothing from it; give it fewer units, or stop",
                stacklevel=2,
            )
        return {"element-wise loss": element_wise, "discriminator loss": discriminator}

    return look


def spread(z: Float[Tensor, "n d"]) -> float:
    """Standard deviation over clips of z / |z|, the mean over dimensions, times sqrt(d).

    1 for random directions, 0 where all clips have one and the same.
    """
    return float(F.normalize(z, dim=1).std(0, correction=0).mean()) * z.shape[1] ** 0.5


def effective_rank(z: Float[Tensor, "n d"]) -> float:
    """How many directions z / |z| fill: exp of the entropy of its singular values, as shares of their sum.

    From 1, where all clips have the same direction up to its sign, to the smaller of n and d (Roy and Vetterli 2007).
    """
    share = torch.linalg.svdvals(F.normalize(z, dim=1))
    share = share / share.sum()
    return float(torch.special.entr(share).sum().exp())
