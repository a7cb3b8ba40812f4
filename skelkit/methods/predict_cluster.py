"""Predict & Cluster: a weakened decoder has the encoder tell actions apart, without labels (Su et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, nn

from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses, frame_distance
from skelkit.models.decoder import WeakDecoder


@dataclass(frozen=True)
class PredictClusterConfig:
    """The knobs of Predict & Cluster; P&C FS by default, and P&C FW with `WeakDecoder("fixed weights")`."""

    rate_by_width: ClassVar[bool] = True
    """A narrower network takes a higher rate and fewer epochs (`recipes.tiers`): the published rate of 1e-4 would need
    thousands of steps of any width."""
    decoder: WeakDecoder = WeakDecoder()  # noqa: RUF009 (frozen)
    """The decoder, and how it is weakened."""


class PredictCluster(nn.Module):
    """Give back the clip that the encoder has read, from its last state alone.

    The published encoder is three bidirectional layers of 1024 units, `BiGRU()`. Its state is classified by the nearest
    neighbour (`evaluate.knn`), or first compressed by an auto-encoder (`evaluate.compression`, the paper's +AEC).
    """

    def __init__(self, config: PredictClusterConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`, the width of the decoder."""
        super().__init__()
        self.config = config
        self.encoder = encoder
        frame = 3 * len(data.skeleton) * data.persons
        self.decoder = config.decoder.build(frame, int(encoder.out_dim))  # type: ignore[arg-type]

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """The L1 distance of given and returned frames, the mean over clips, under the one group "loss".

        SESAR's L_re (Li and Shlizerman 2020, Eq. 1), who take it over from here.
        Differs from the released code: with a fixed state the TensorFlow one holds its first output frame against the
        clip's second, which it has not seen yet; here, as in SESAR's code, against the first.
        """
        x = batch.clips
        return {"loss": frame_distance(x, self.decoder(self.encoder(x), x)).mean()}

    def after_step(self, done: float) -> None:
        """Nothing follows a step."""

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The encoder, whose last state is the representation."""
        return {"encoder": self.encoder}
