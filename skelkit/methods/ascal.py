"""AS-CAL: augmented skeleton based contrastive action learning with a momentum LSTM (Rao et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Generator, nn

from skelkit.augment import Augmentation, Reverse, Shear, augment, fitted
from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses, in_batch_info_nce, info_nce
from skelkit.models.heads import projection_head
from skelkit.models.memory import MemoryBank, Queue
from skelkit.models.momentum import Momentum
from skelkit.models.representations import Joined
from skelkit.models.rnn import RecurrentEncoder


@dataclass(frozen=True)
class ASCALConfig:
    """The knobs of AS-CAL; defaults are the paper's for NTU RGB+D (Sec. IV-B3)."""

    steps: tuple[Augmentation, ...] = (Reverse(), Shear())
    """The augmentations of query and key, in order (Sec. III-A)."""
    momentum: float = 0.999
    """m of Eq. 9, by which the key encoder follows where a queue is filled; the other paradigms do not read it."""
    queue: int = 16384
    """K, the number of negative keys; the end-to-end paradigm has batch - 1 instead and does not read it."""
    temperature: float = 0.06
    """tau of Eq. 12."""
    paradigm: Literal["queue", "end to end", "memory bank"] = "queue"
    """Where negatives come from (Table I)."""
    bank_momentum: float = 0.5
    """How much of a clip's old key the memory bank keeps; only that paradigm reads it. The paper gives none; 0.5 is
    that of Wu et al. 2018, whom it cites, and of the released code: a key moves once an epoch, so that Eq. 9's 0.999
    would leave it at its random start."""
    bank: Literal["shared", "instance discrimination"] = "shared"
    """"shared": the memory bank's keys are as long as queries are, and one draw of negatives serves the batch, as the
    queue does. "instance discrimination": keys have length 1 and each query has its own draw (Wu et al. 2018, and the
    released code). The paper says neither; only that paradigm reads it."""
    head: Literal["none", "linear", "nonlinear"] = "none"
    """Projection head on every encoder (Sec. V-A1)."""
    head_dim: int = 128
    """The projection's output dimension; not read without a head."""


class ASCAL(nn.Module):
    """Contrast two augmentations of a clip: query q by f_q, positive key k+ by its momentum copy f_k (Algorithm 1)."""

    def __init__(self, config: ASCALConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`; the paper's is an LSTM. rng draws the first negative keys."""
        super().__init__()
        self.config = config
        self.steps = fitted(config.steps, data.skeleton)
        self.encoder = encoder  # f_q
        width = int(encoder.out_dim)  # type: ignore[arg-type]
        self.head = projection_head(config.head, width, config.head_dim)
        dim = width if config.head == "none" else config.head_dim
        # A second encoder stands for f_k in every paradigm; Table I's end to end trains it by back-propagation as
        # well, and its memory bank has none: there the copy only serves the representations k and CAE+.
        self.key_encoder = Momentum(nn.Sequential(encoder, self.head), config.momentum)
        if config.paradigm == "queue":
            self.queue = Queue(config.queue, dim, rng)
        elif config.paradigm == "memory bank":
            normalised = config.bank == "instance discrimination"
            self.bank = MemoryBank(data.clips, dim, config.bank_momentum, rng, normalised=normalised)
        else:
            self.key_encoder.requires_grad_(True)

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """L_q of Eq. 12 on a batch, under the one parameter group "loss"."""
        tau = self.config.temperature
        query = self.head(self.encoder(augment(batch.clips, self.steps, rng)))
        if self.config.paradigm == "memory bank":
            self.fresh = (batch.index, query.detach())
            shape = (self.config.queue,) if self.config.bank == "shared" else (len(query), self.config.queue)
            negatives = self.bank.draw(shape, rng)
            return {"loss": info_nce(query, self.bank.keys[batch.index], negatives, tau)}
        other = augment(batch.clips, self.steps, rng)
        if self.config.paradigm == "end to end":
            return {"loss": in_batch_info_nce(query, self.key_encoder.module(other), tau)}
        self.fresh_keys = self.key_encoder(other)
        return {"loss": info_nce(query, self.fresh_keys, self.queue.keys, tau)}

    def after_step(self, done: float) -> None:
        """Eq. 9, then the dictionary takes the batch's keys: after backward, whose graph still holds the old ones."""
        if self.config.paradigm == "queue":
            self.key_encoder.follow(nn.Sequential(self.encoder, self.head))
            self.queue.push(self.fresh_keys)
        elif self.config.paradigm == "memory bank":
            self.bank.follow(*self.fresh)

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The representations of Sec. III-C by the paper's names, before any projection head."""
        query, key = self.encoder, self.key_encoder.module.get_submodule("0")
        found = {"CAE": query, "CAE+": Joined(query, key), "k": key}
        if isinstance(query, RecurrentEncoder):  # others have no last hidden state
            found |= {"h~_T": Joined(query, pool="last"), "h_T": Joined(key, pool="last")}
        return found
