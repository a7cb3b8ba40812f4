"""BYOL for skeletons: bootstrapped learning from asymmetric views of several cameras (Moliner et al. 2022)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from skelkit.augment import Augmentation, aggressive, augment, conservative, fitted
from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses, normalised_distance
from skelkit.models.heads import normalised_head
from skelkit.models.momentum_norm import Target

NEWEST = 128
"""So many projections are kept for the monitor of collapse, of one batch or several."""


@dataclass(frozen=True)
class BYOLConfig:
    """The knobs of BYOL for skeletons; defaults are the paper's (Sec. 3 and 4.2)."""

    t1: tuple[Augmentation, ...] = aggressive()
    """T_1, the augmentations of v_1: the aggressive pipeline (Sec. 3.3)."""
    t2: tuple[Augmentation, ...] = conservative()
    """T_2, the augmentations of v_2: the conservative pipeline. Without asymmetry (Table 2) it is T_1 again."""
    momentum: float = 0.99
    """lambda of Eq. 3 as the run begins; it rises to 1 at its end, along half a cosine (Sec. 4.2)."""
    statistics_momentum: float = 0.99
    """alpha of Eq. 4. The paper gives none; this is where lambda begins, so that statistics and weights lag alike. It
    does not rise: once lambda is near 1, the target's statistics settle on the online network's."""
    statistics: Literal["momentum", "batch"] = "momentum"
    """What the target's batch norms normalise by: "momentum", the moving average of Eq. 4 (Momentum BatchNorm, Sec.
    3.1), or "batch", the target's own batch, as in BYOL (Grill et al. 2020), which the paper replaces."""
    hidden: int = 4096
    """Width of the hidden layer of projector and predictor, which has batch norm and ReLU. The paper gives none; this
    is BYOL's own (Grill et al. 2020, Sec. 3.3)."""
    head_dim: int = 256
    """Dimension of z and q(z). The paper gives none; this is BYOL's own."""


class BYOL(nn.Module):
    """Predict the target network's projection of one view from the online network's of the other (Sec. 3.1)."""

    def __init__(self, config: BYOLConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`; the paper's is ST-GCN."""
        super().__init__()
        self.config = config
        self.t1, self.t2 = (fitted(steps, data.skeleton) for steps in (config.t1, config.t2))
        self.encoder = encoder  # f_theta
        self.projector = normalised_head(int(encoder.out_dim), config.hidden, config.head_dim)  # type: ignore[arg-type]
        self.predictor = normalised_head(config.head_dim, config.hidden, config.head_dim)  # q_theta
        own_batch = config.statistics == "batch"
        self.target = Target(self._online(), config.statistics_momentum, own_batch)  # f_xi and g_xi
        self.projections: Tensor | None = None  # the newest z, up to NEWEST: their spread tells of collapse

    def _online(self) -> nn.Sequential:
        return nn.Sequential(self.encoder, self.projector)

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """Eq. 2, L(v_1, v_2) + L(v_2, v_1), under the one group "loss".

        v_1 is of the batch's clips, v_2 of their partners: another camera's view of the same performance (Sec. 3.4),
        and without multi-viewpoint sampling the same clips.
        """
        v_1 = augment(batch.clips, self.t1, rng)
        v_2 = augment(batch.clips if batch.partner is None else batch.partner, self.t2, rng)
        return {"loss": self._distance(v_1, v_2) + self._distance(v_2, v_1)}

    def _distance(self, one: Float[Tensor, "b 3 t v m"], other: Float[Tensor, "b 3 t2 v m"]) -> Float[Tensor, ""]:
        """L(v_1, v_2) of Eq. 1: the online network sees v_1, the target network v_2."""
        with self.target.watching(self._online()):
            z_1 = self._online()(one)
        newest = [z_1.detach().float()] if self.projections is None else [z_1.detach().float(), self.projections]
        self.projections = torch.cat(newest)[:NEWEST]
        return normalised_distance(self.predictor(z_1), self.target(other))

    def after_step(self, done: float) -> None:
        """Eq. 3 and 4. As in BYOL lambda is 1 - (1 - lambda_0) (cos(pi done) + 1) / 2."""
        rise = (1 - math.cos(math.pi * done)) / 2
        self.target.follow(self._online(), self.config.momentum + (1 - self.config.momentum) * rise)

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The online encoder, which is kept, and the target's."""
        return {"online": self.encoder, "target": self.target.module.get_submodule("0")}
