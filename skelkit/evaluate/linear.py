"""The linear evaluation protocol: a linear classifier on frozen features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from skelkit.evaluate.metrics import Result, result, top_k
from skelkit.models.heads import linear_classifier
from skelkit.train import SGD, Steps


@dataclass(frozen=True)
class Linear:
    """AS-CAL's schedule (Rao et al. 2021, Sec. IV-B2; the batch is Sec. IV-B3's): no batch norm, no weight decay."""

    optimiser: SGD = SGD(lr=1.0, momentum=0.9, nesterov=True)  # noqa: RUF009 (frozen)
    schedule: Steps = Steps(epochs=90, drops=(15 / 90, 35 / 90, 60 / 90, 75 / 90), factor=0.5)  # noqa: RUF009 (frozen)
    batch: int = 32
    """Clips a step; the last batch of an epoch may be smaller."""


def linear(
    protocol: Linear,
    train: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
    rng: Generator,
) -> Result:
    """Train the classifier on (features, labels) and test it after every epoch; the last epoch is the result.

    rng: on the features' device; it draws the order. The classifier's start comes from torch's global generator.
    """
    features, labels = train
    classifier = linear_classifier(features.shape[1], classes).to(features.device)
    optimiser = protocol.optimiser.build(classifier.parameters())
    curve: list[float] = []
    scores = torch.empty(0)
    for epoch in range(protocol.schedule.epochs):
        for group in optimiser.param_groups:
            group["lr"] = protocol.optimiser.lr * protocol.schedule.rate(epoch)
        for index in torch.randperm(len(labels), device=features.device, generator=rng).split(protocol.batch):
            optimiser.zero_grad()
            F.cross_entropy(classifier(features[index]), labels[index]).backward()
            optimiser.step()
        scores = classifier(test[0]).detach()
        curve.append(top_k(scores, test[1], 1))
    return result(scores, test[1], curve)
