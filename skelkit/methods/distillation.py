"""Knowledge distillation: a student learns the class scores of a trained network, without labels (Moliner 2022)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from skelkit.augment import Augmentation, augment, fitted
from skelkit.data.views import Batch, DataSpec
from skelkit.files import SkelkitError
from skelkit.losses import Losses, soft_cross_entropy
from skelkit.models.heads import linear_classifier


@dataclass(frozen=True)
class DistillationConfig:
    """The knobs of distillation (Moliner et al. 2022, Sec. 3.5 and 4.4)."""

    steps: tuple[Augmentation, ...] = ()
    """Augmentations of the clips, which teacher and student see alike. The paper names none for this step; its
    fine-tuning has the conservative pipeline."""
    temperature: float = 1.0
    """tau of Eq. 6."""


class Distillation(nn.Module):
    """A student of any width, with a classifier of its own, matches the scores of a teacher that stands still."""

    def __init__(self, config: DistillationConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        super().__init__()
        self.config = config
        self.steps = fitted(config.steps, data.skeleton)
        self.encoder = encoder
        self.classifier = linear_classifier(int(encoder.out_dim), data.classes)  # type: ignore[arg-type]
        self.teacher_scores: Callable[[Tensor], Tensor] | None = None  # a function, and so no part of the state_dict

    def learn_from(self, teacher: nn.Module) -> None:
        """teacher: a trained network (b 3 t v m) -> (b c), on the student's device; it is left as it is.

        Raises SkelkitError where it knows other classes than the student.
        """
        theirs, ours = int(teacher.classifier.out_features), self.classifier.out_features  # type: ignore[union-attr, arg-type]
        if theirs != ours:
            raise SkelkitError(f"distillation: the teacher knows {theirs} classes and the student {ours}; give another")
        self.teacher_scores = teacher.eval().requires_grad_(False).forward

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """Eq. 6 on augmented clips, labelled or not, under the one group "loss"."""
        if self.teacher_scores is None:
            raise SkelkitError("distillation: there is no teacher; name its weights in Weights.teacher")
        x = augment(batch.clips, self.steps, rng)
        with torch.no_grad():
            z_t = self.teacher_scores(x)
        return {"loss": soft_cross_entropy(self(x), z_t, self.config.temperature)}

    def after_step(self, done: float) -> None:
        """Nothing follows a step."""

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b c"]:
        """The student's class scores z_s."""
        scores: Tensor = self.classifier(self.encoder(x))
        return scores

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The student's encoder."""
        return {"encoder": self.encoder}
