"""The supervised baseline: an encoder and a linear classifier trained together on labels."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.augment import Augmentation, augment
from skelkit.data.views import Batch, DataSpec
from skelkit.models.heads import linear_classifier


@dataclass(frozen=True)
class SupervisedConfig:
    """The knobs of supervised training."""

    steps: tuple[Augmentation, ...] = ()
    """Augmentations of the training clips; AS-CAL's baselines use none."""


class Supervised(nn.Module):
    """Cross-entropy on an encoder and a linear layer: the baselines of Rao et al. 2021, Table V, and fine-tuning."""

    def __init__(self, config: SupervisedConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.classifier = linear_classifier(int(encoder.out_dim), data.classes)  # type: ignore[arg-type]

    def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
        """The mean cross-entropy of the labelled clips, under the one parameter group "loss"."""
        scores = self(augment(batch.clips, self.config.steps, rng))
        return {"loss": F.cross_entropy(scores, batch.labels, ignore_index=-1)}

    def after_step(self) -> None:
        """Nothing follows a step."""

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b c"]:
        """Class scores."""
        scores: Tensor = self.classifier(self.encoder(x))
        return scores

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The trained encoder."""
        return {"encoder": self.encoder}
