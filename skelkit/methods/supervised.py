"""The supervised baseline: an encoder and a linear classifier trained together on labels."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.augment import Augmentation, augment, check_places, fitted
from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses
from skelkit.models.heads import linear_classifier
from skelkit.models.sequences import encode


@dataclass(frozen=True)
class SupervisedConfig:
    """The knobs of supervised training."""

    steps: tuple[Augmentation, ...] = ()
    """Augmentations of the training clips; AS-CAL's baselines use none."""
    frozen: float = 0.0
    """The first share of the run in which the encoder stands still; Moliner et al. 2022, Sec. 4.4: a third. It is in
    evaluation mode then, which the paper leaves open: the statistics of its batch norms stay those of pretraining."""
    encoder_rate: float = 1.0
    """The encoder's learning rate as a multiple of the classifier's; Moliner et al. 2022, Sec. 4.4: 1e-3."""


class Supervised(nn.Module):
    """Cross-entropy on an encoder and a linear layer: the baselines of Rao et al. 2021, Table V, and fine-tuning."""

    def __init__(self, config: SupervisedConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`. Raises SkelkitError where it reads lengths and a step moves
        frames."""
        super().__init__()
        self.config = config
        self.steps = fitted(config.steps, data.skeleton)
        check_places(self.steps, encoder)
        self.encoder = encoder
        self.reads_lengths = getattr(encoder, "reads_lengths", False)
        self.classifier = linear_classifier(int(encoder.out_dim), data.classes)  # type: ignore[arg-type]

    def rates(self, done: float) -> dict[str, float]:
        """The factor of the encoder's learning rate; where it is 0, the loop lets no gradient reach the encoder."""
        factor = 0.0 if done < self.config.frozen else self.config.encoder_rate
        return {} if factor == 1 else {"encoder": factor}

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """The mean cross-entropy of the labelled clips, under the one parameter group "loss"."""
        self.encoder.train(self.training and any(p.requires_grad for p in self.encoder.parameters()))
        scores = self(augment(batch.clips, self.steps, rng, batch.lengths), batch.lengths)
        return {"loss": F.cross_entropy(scores, batch.labels, ignore_index=-1)}

    def after_step(self, done: float) -> None:
        """Nothing follows a step."""

    def forward(self, x: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b c"]:
        """Class scores."""
        scores: Tensor = self.classifier(encode(self.encoder, x, lengths))
        return scores

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The trained encoder."""
        return {"encoder": self.encoder}
