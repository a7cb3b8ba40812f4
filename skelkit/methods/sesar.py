"""SESAR: reconstruct every clip, and classify the few that have a label (Li and Shlizerman 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses, frame_distance
from skelkit.models.decoder import WeakDecoder
from skelkit.models.gru import start_evenly


@dataclass(frozen=True)
class SESARConfig:
    """The knobs of SESAR's network; the labelled clips are chosen outside of it (`evaluate.strategies`).

    The baselines of Tables 1-3 are settings: C, classification alone, is `SESARConfig(decoder=None)`; RC,
    reconstruction and classification at the same time, is the default, trained from random weights; RIC (IRC in
    Tables 1 and 3) is the default as well, started from weights that `PredictClusterConfig` with the same decoder has
    trained without labels. SESAR is RIC whose labels are asked for in rounds.
    """

    rate_by_width: ClassVar[bool] = True
    """See `PredictClusterConfig`."""
    decoder: WeakDecoder | None = WeakDecoder()  # noqa: RUF009 (frozen)
    """The decoder, and how it is weakened; None: there is none, and clips without a label teach nothing."""
    cross_entropy: Literal["mean", "sum"] = "mean"
    """How L_cla of a batch's labelled clips is put together. "mean": divided by all clips of the batch, like L_re, so
    that each clip's losses weigh alike (Eq. 3 and 4). "sum": as in the released code, beside the mean of L_re.
    Differs from the paper: of a batch of 64, classification then weighs 64 times as much as in Eq. 3; `NETWORK` of
    `recipes.sesar_settings` says why it is taken. Without a decoder only the gradient's length differs."""
    initial: float | None = 0.05
    """Weights and biases of the classifier start as U[-initial, initial]; None: torch's own. 0.05 is the released
    code's, for encoder (`BiGRU.initial`) and decoder as well; the paper says nothing."""


class SESAR(nn.Module):
    """An encoder whose last state H_i goes to a decoder and to a single linear layer (Sec. 3, Fig. 1)."""

    def __init__(self, config: SESARConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`; the paper's is `BiGRU()`, three layers of 2 x 1024 units."""
        super().__init__()
        self.config = config
        self.encoder = encoder
        width, frame = int(encoder.out_dim), 3 * len(data.skeleton) * data.persons  # type: ignore[arg-type]
        self.decoder = None if config.decoder is None else config.decoder.build(frame, width)
        self.classifier = nn.Linear(width, data.classes)
        self.reads_unlabelled = self.decoder is not None  # without, they would teach nothing
        if config.initial is not None:
            start_evenly(self.classifier, config.initial)

    def take_over(self, start: nn.Module) -> None:
        """Go on from another method's decoder and classifier as well, where it has the same: RIC, and every round.

        start: the method whose encoder this one was built around. One without a decoder of the same settings, or
        without a classifier, hands on its encoder alone.
        """
        theirs = getattr(start, "config", None)
        if self.decoder is not None and getattr(theirs, "decoder", None) == self.config.decoder:
            self.decoder.load_state_dict(start.get_submodule("decoder").state_dict())
        if isinstance(start, SESAR):
            self.classifier.load_state_dict(start.classifier.state_dict())

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """L of Eq. 4 on a batch, divided by its clips, under the one group "loss".

        L_xi = L_re + L_cla if xi in X_l, and L_re if xi in X_u.
        Differs from the paper: both cases of its Eq. 3 read xi in X_l; that the second means the unlabelled X_u follows
        from the text.
        """
        x, known = batch.clips, batch.labels >= 0
        h = self.encoder(x)
        l_cla = F.cross_entropy(self.classifier(h).float()[known], batch.labels[known], reduction="sum")  # Eq. 2
        if self.config.cross_entropy == "mean":
            l_cla = l_cla / len(x)
        l_re = frame_distance(x, self.decoder(h, x)).mean() if self.decoder is not None else torch.zeros_like(l_cla)
        return {"loss": l_re + l_cla}

    def after_step(self, done: float) -> None:
        """Nothing follows a step."""

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b c"]:
        """Class scores; their softmax is p of Eq. 2."""
        scores: Tensor = self.classifier(self.encoder(x))
        return scores

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The encoder, whose last state is what strategies cluster."""
        return {"encoder": self.encoder}
