"""Projection heads and the linear classifier."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def projection_head(kind: Literal["none", "linear", "nonlinear"], in_dim: int, out_dim: int) -> nn.Module:
    """(b in_dim) -> (b out_dim); "none" keeps in_dim, "nonlinear" is linear-ReLU-linear (Rao 2021, Sec. V-A1)."""
    if kind == "none":
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(in_dim, out_dim)
    return nn.Sequential(nn.Linear(in_dim, in_dim), nn.ReLU(), nn.Linear(in_dim, out_dim))


def normalised_head(in_dim: int, hidden: int, out_dim: int) -> nn.Sequential:
    """(b in_dim) -> (b out_dim): linear, batch norm, ReLU, linear without bias; BYOL's projector and predictor."""
    return nn.Sequential(
        nn.Linear(in_dim, hidden), VectorNorm(hidden), nn.ReLU(), nn.Linear(hidden, out_dim, bias=False)
    )


class VectorNorm(nn.BatchNorm1d):
    """Batch norm of vectors; a single one, the last of an epoch, has no spread and goes by the running statistics."""

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        if self.training and len(x) > 1:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def linear_classifier(in_dim: int, classes: int) -> nn.Linear:
    """A linear layer with weights N(0, 0.01^2) and bias 0, as the linear evaluation of AS-CAL and MoCo starts it."""
    layer = nn.Linear(in_dim, classes)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer
