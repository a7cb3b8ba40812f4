"""Any method with a classifier, as what the active loop trains and looks through."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from skelkit.data.views import Resident
from skelkit.evaluate.features import extract
from skelkit.train import Callback, Training, train


class Learner:
    """A method, its clips, and how it is trained with none and with some of their labels: `active.Trainable`."""

    def __init__(
        self,
        method: Any,
        data: Resident,
        members: np.ndarray,
        training: Training,
        *,
        pretraining: Training | None = None,
        unlabelled: bool = True,
        plain: Resident | None = None,
        callbacks: Sequence[Callback] = (),
    ):
        """method: on data's device; called on clips, it gives class scores. members: the pool's clips in `data`.

        training: of each round, from the weights of the last one, with a new optimiser. pretraining: before the first
        label; None: the method is taken as it is. unlabelled: whether clips without a label (-1) are trained on too.
        plain: the clips as `look` sees them, by default as in training. callbacks: watch each round's training.
        """
        self.method, self.data, self.plain = method, data, plain or data
        self.members = torch.from_numpy(np.asarray(members, np.int64)).to(data.device)
        self.training, self.pretraining, self.unlabelled = training, pretraining, unlabelled
        self.callbacks = callbacks

    def learn(self, labels: Int[Tensor, " k"], seed: int) -> dict[str, Any]:
        """See `active.Trainable`; the record is the training's history and its seconds."""
        known = labels.to(self.data.device) >= 0
        training, started = (self.training if known.any() else self.pretraining), time.monotonic()
        if training is None:
            return {"history": [], "seconds": 0.0}
        torch.manual_seed(seed)
        data = copy.copy(self.data)
        data.labels = torch.full_like(self.data.labels, -1)  # no other label is seen, by mistake or otherwise
        data.labels[self.members] = labels.to(data.labels)
        chosen = self.members if self.unlabelled or not known.any() else self.members[known]
        rng = Generator(data.device).manual_seed(seed)
        watched = self.callbacks if known.any() else ()
        history = train(self.method, data, chosen.cpu().numpy(), training, rng, callbacks=watched)
        return {"history": history, "seconds": time.monotonic() - started}

    def look(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k c"]]:
        """Features of the main encoder and class probabilities of all clips of the pool."""
        encoder = next(iter(self.method.encoders.values()))
        features, scores = (extract(part, self.plain, self.members) for part in (encoder, self.method))
        return features, scores.softmax(1)

    def state_dict(self) -> dict[str, Tensor]:
        """The method's."""
        state: dict[str, Tensor] = self.method.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> Any:
        """The method's."""
        return self.method.load_state_dict(state)
