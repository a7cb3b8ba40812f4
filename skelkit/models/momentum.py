"""The momentum encoder: a copy that follows another module."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Momentum(nn.Module):
    """A moving average of a module's parameters and buffers, never reached by a gradient (Rao et al. 2021, Eq. 9)."""

    def __init__(self, module: nn.Module, momentum: float):
        super().__init__()
        self.momentum = momentum
        self.module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Float[Tensor, b * shape]) -> Float[Tensor, "b d"]:
        embedded: Tensor = self.module(x)
        return embedded

    @torch.no_grad()
    def follow(self, module: nn.Module) -> None:
        """theta_k <- m theta_k + (1 - m) theta_q; buffers that are counters are copied."""
        follow_parameters(self.module, module, self.momentum)
        for kept, fresh in zip(self.module.buffers(), module.buffers(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(fresh, 1 - self.momentum)
            else:
                kept.copy_(fresh)


@torch.no_grad()
def follow_parameters(follower: nn.Module, module: nn.Module, momentum: float) -> None:
    """theta_k <- m theta_k + (1 - m) theta_q (Rao et al. 2021, Eq. 9; Moliner et al. 2022, Eq. 3)."""
    for ours, theirs in zip(follower.parameters(), module.parameters(), strict=True):
        ours.lerp_(theirs, 1 - momentum)
