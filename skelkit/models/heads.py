"""Projection heads and the linear classifier."""

from __future__ import annotations

from typing import Literal

from torch import nn


def projection_head(kind: Literal["none", "linear", "nonlinear"], in_dim: int, out_dim: int) -> nn.Module:
    """(b in_dim) -> (b out_dim); "none" keeps in_dim, "nonlinear" is linear-ReLU-linear (Rao 2021, Sec. V-A1)."""
    if kind == "none":
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(in_dim, out_dim)
    return nn.Sequential(nn.Linear(in_dim, in_dim), nn.ReLU(), nn.Linear(in_dim, out_dim))


def linear_classifier(in_dim: int, classes: int) -> nn.Linear:
    """A linear layer with weights N(0, 0.01^2) and bias 0, as the linear evaluation of AS-CAL and MoCo starts it."""
    layer = nn.Linear(in_dim, classes)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer
