"""Intra- and inter-skeleton contrast of skeleton representations (Thoker et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.augment import Augmentation, CropResize, JointJitter, OneOf, Shear, augment, fitted
from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses, info_nce
from skelkit.models.heads import projection_head
from skelkit.models.memory import Queue
from skelkit.models.momentum import Momentum
from skelkit.models.representations import Joined


@dataclass(frozen=True)
class InterSkeletonConfig:
    """The knobs of skeleton contrast; defaults are the paper's for NTU RGB+D (Sec. 4.2)."""

    steps: tuple[Augmentation, ...] = (CropResize(frames=64), OneOf((Shear(), JointJitter())))
    """D, the augmentation of query and key: Eq. 4, its spatial part drawn for each clip (Sec. 3.1.3)."""
    momentum: float = 0.999
    """How slowly the key encoders follow. The paper gives none; this is the released code's, and MoCo's."""
    queue: int = 16384
    """|N|, the number of negative embeddings of each representation."""
    temperature: float = 0.07
    """tau of Eq. 5, 7 and 8."""
    head_dim: int = 128
    """Dimension of the embeddings Z; the head's hidden layer is as wide as the encoder's features."""


class InterSkeleton(nn.Module):
    """Contrast two augmentations of a clip across its representations, or within the one there is.

    With several encoders the query of each representation meets the key and the negatives of every other (Eq. 6-8; of
    three representations the sum over the three pairs); with a single encoder its own (Eq. 5).
    """

    def __init__(self, config: InterSkeletonConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: what `models.representations.Representations` built, or one encoder (b 3 t v m) -> (b d)."""
        super().__init__()
        self.config = config
        self.steps = fitted(config.steps, data.skeleton)
        self.query = encoder if isinstance(encoder, nn.ModuleDict) else nn.ModuleDict({"encoder": encoder})
        widths = {name: int(f.out_dim) for name, f in self.query.items()}  # type: ignore[arg-type]
        self.heads = nn.ModuleDict(
            {name: projection_head("nonlinear", width, config.head_dim) for name, width in widths.items()}
        )
        self.keys = nn.ModuleDict({name: Momentum(self._embedder(name), config.momentum) for name in widths})
        self.queues = nn.ModuleDict({name: Queue(config.queue, config.head_dim, rng) for name in widths})
        self.pairs = list(permutations(widths, 2)) or [(name, name) for name in widths]

    def _embedder(self, name: str) -> nn.Sequential:
        return nn.Sequential(self.query[name], self.heads[name])

    def _negatives(self, name: str) -> Tensor:
        keys: Tensor = self.queues[name].keys  # type: ignore[assignment]
        return keys

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """The sum of Eq. 7 and 8 over the ordered pairs of representations, under the one group "loss"."""
        x_q = augment(batch.clips, self.steps, rng, batch.lengths)
        x_k = augment(batch.clips, self.steps, rng, batch.lengths)
        z_q = {name: _embedding(self._embedder(name)(x_q)) for name in self.query}
        self.fresh = {name: _embedding(key(x_k)) for name, key in self.keys.items()}
        tau = self.config.temperature
        losses = [info_nce(z_q[own], self.fresh[other], self._negatives(other), tau) for own, other in self.pairs]
        return {"loss": torch.stack(losses).sum()}

    def after_step(self, done: float) -> None:
        """The key encoders follow, then each queue takes the keys of its own representation."""
        for name, key in self.keys.items():
            key.follow(self._embedder(name))  # type: ignore[operator]
            self.queues[name].push(self.fresh[name])  # type: ignore[operator]

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The query encoders f_q without their heads, by representation, and every pair of them joined (Table 10)."""
        found: dict[str, nn.Module] = dict(self.query.items())
        for one, other in combinations(self.query, 2):
            found[f"{one} + {other}"] = Joined(self.query[one], self.query[other])
        return found


def _embedding(z: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    return F.normalize(z.float(), dim=1)
