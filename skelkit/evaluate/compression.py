"""Features compressed by an auto-encoder before the nearest neighbours are sought: +AEC of Predict & Cluster."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.metrics import Result
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class CompressedKNN:
    """Train an auto-encoder on the frozen features of the training clips, without labels, and let its code vote.

    Su et al. 2020 (+AEC). The defaults are those of its released TensorFlow code, whose dropout is never switched on;
    its PyTorch port has a code of 125 numbers, a squared loss and 400 epochs.
    """

    k: int = 1
    """Neighbours; 1 is that paper's."""
    parts: tuple[int, ...] = (2, 4, 8)
    """What the layers' widths are as divisors of the features' dimension, the code last: 2048, 1024, 512, 256."""
    epochs: int = 100
    """How often the training features are gone through."""
    batch: int = 64
    """Features a step."""
    lr: float = 0.001
    """Adam's learning rate."""


class Compressor(nn.Module):
    """(b d) -> (b c): linear layers with a tanh between two of them; `returned` leads back to d."""

    def __init__(self, dim: int, parts: tuple[int, ...]):
        """Raises SkelkitError where a layer would have no unit."""
        super().__init__()
        if not parts or min(parts) < 1 or max(parts) > dim:
            raise SkelkitError(f"compression: parts {parts} of {dim} dimensions leave nothing; give 1 to {dim}")
        widths = [dim, *(dim // part for part in parts)]
        self.down = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(reversed(widths)))

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The code, before its tanh."""
        code = self.down[0](features)
        for layer in self.down[1:]:
            code = layer(code.tanh())
        return code

    def returned(self, code: Float[Tensor, "b c"]) -> Float[Tensor, "b d"]:
        """The features again."""
        for layer in self.up:
            code = layer(code.tanh())
        return code


def compressor(protocol: CompressedKNN, features: Float[Tensor, "n d"], rng: Generator) -> Compressor:
    """An auto-encoder trained on features to give them back, by the mean L1 distance; rng draws the order.

    Initialised from torch's global generator.
    """
    module = Compressor(features.shape[1], protocol.parts).to(features.device)
    optimiser = torch.optim.Adam(module.parameters(), protocol.lr)
    for _ in range(protocol.epochs):
        for chosen in torch.randperm(len(features), device=features.device, generator=rng).split(protocol.batch):
            given = features[chosen]
            optimiser.zero_grad()
            (module.returned(module(given)) - given).abs().mean().backward()
            optimiser.step()
    return module


def compressed_knn(
    protocol: CompressedKNN,
    train: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
    rng: Generator,
) -> Result:
    """Classify the codes of test features by their neighbours among those of the training features.

    Raises SkelkitError where k is not between 1 and the number of training clips.
    """
    module = compressor(protocol, train[0], rng)
    with torch.no_grad():
        ours, theirs = module(train[0]), module(test[0])
    return knn(KNN(protocol.k), (ours, train[1]), (theirs, test[1]), classes)
