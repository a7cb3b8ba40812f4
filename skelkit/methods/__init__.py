"""The methods: a frozen config and a module each, and the one table that pairs them.

A method is any module with the members of `Method`; there is no base class.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Generator, nn

from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses
from skelkit.methods.ascal import ASCAL, ASCALConfig
from skelkit.methods.autoencoder import Autoencoder, AutoencoderConfig
from skelkit.methods.byol import BYOL, BYOLConfig
from skelkit.methods.distillation import Distillation, DistillationConfig
from skelkit.methods.interskeleton import InterSkeleton, InterSkeletonConfig
from skelkit.methods.longt_gan import LongTGAN, LongTGANConfig
from skelkit.methods.predict_cluster import PredictCluster, PredictClusterConfig
from skelkit.methods.sesar import SESAR, SESARConfig
from skelkit.methods.supervised import Supervised, SupervisedConfig


class Method(Protocol):
    """What the training loop and the evaluations call.

    Some methods have more: `rates(done)` gives submodules a learning rate of their own (`Supervised`), `projections`
    are the newest embeddings (n d), whose spread is watched (`BYOL`), `newest` the losses of a generator and of its
    discriminator, lest the latter win (`LongTGAN`), `learn_from(teacher)` takes the network of
    `Weights.teacher` (`Distillation`), `take_over(start)` takes more than the encoder of `Weights.start` (`SESAR`). One
    with a `classifier`, which called on clips gives class scores (b c), is tested on its own after every epoch; one
    that says `reads_unlabelled` sees the clips beyond the labelled ones too, with the label -1 (`SESAR`).
    """

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """Frozen-feature extractors (b 3 t v m) -> (b d) by the paper's names, the main one first."""
        ...

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """One scalar a parameter group; the group "loss" is all trainable parameters."""
        ...

    def after_step(self, done: float) -> None:
        """Called after each optimiser step: momentum encoders and queues move here. done: share of the run, (0, 1]."""
        ...


METHODS: dict[str, tuple[type, type]] = {
    "ascal": (ASCALConfig, ASCAL),
    "autoencoder": (AutoencoderConfig, Autoencoder),
    "byol": (BYOLConfig, BYOL),
    "distillation": (DistillationConfig, Distillation),
    "interskeleton": (InterSkeletonConfig, InterSkeleton),
    "longt_gan": (LongTGANConfig, LongTGAN),
    "predict_cluster": (PredictClusterConfig, PredictCluster),
    "sesar": (SESARConfig, SESAR),
    "supervised": (SupervisedConfig, Supervised),
}
"""Every method by name: its config and its module, built as `module(config, encoder, data, rng)`."""

MethodConfig = Any
"""A config of `METHODS`: each is a frozen dataclass of its own, without a common parent."""


def build(config: MethodConfig, encoder: nn.Module, data: DataSpec, rng: Generator) -> Any:
    """The method that belongs to a config, around an encoder; rng draws its first keys and the like."""
    modules = dict(METHODS.values())
    return modules[type(config)](config, encoder, data, rng)
