"""The target network of BYOL with momentum batch norm: its statistics follow those of the online network's batches."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from skelkit.models.momentum import follow_parameters


class Target(nn.Module):
    """A copy of the online network that follows its parameters (Moliner et al. 2022, Eq. 3) and statistics (Eq. 4).

    Nothing is dropped out and no gradient reaches it. Its batch norms normalise by mu and sigma, their running
    statistics, or, as in BYOL (Grill et al. 2020), by the statistics of the batch that the target itself sees. All of
    its state, mu and sigma among it, stands in the state_dict.

    What Eq. 4 leaves open: sigma_b is the unbiased variance, which torch's running variances hold as well. The
    symmetric loss sends two batches a step through the online network: mu_b and sigma_b are the means of the two
    batches' statistics, so that mu and sigma move once an iteration and suit both views. The first of all batches is
    taken as it is, because there is no average yet. The batch norms' weights and biases are parameters and follow by
    Eq. 3.
    """

    def __init__(self, online: nn.Module, statistics_momentum: float, own_batch: bool = False):
        """online: the network to follow. statistics_momentum: alpha of Eq. 4. own_batch: whether the batch norms
        normalise by their own batch; alpha is not read then."""
        super().__init__()
        self.statistics_momentum, self.own_batch = statistics_momentum, own_batch
        self.module = copy.deepcopy(online).requires_grad_(False).eval()
        self.seen: list[Tensor] = []  # the online network's statistics since the last step

    def train(self, mode: bool = True) -> Target:
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Float[Tensor, b * shape]) -> Float[Tensor, "b d"]:
        for norm in _norms(self.module):
            norm.train(self.own_batch)
        embedded: Tensor = self.module(x)
        self.module.eval()
        return embedded

    @contextmanager
    def watching(self, online: nn.Module) -> Iterator[None]:
        """Note the batch statistics of the one forward pass that runs within, in training mode.

        They are read off the way that the running statistics went: r <- (1 - p) r + p r_b, with torch's momentum p.
        Batch norms that do not move (in evaluation mode) count with the statistics they have.
        """
        before = _statistics(online)
        yield
        share = torch.cat([torch.full_like(norm.running_mean, norm.momentum) for norm in _norms(online)])
        self.seen.append(before + (_statistics(online) - before) / share)

    @torch.no_grad()
    def follow(self, online: nn.Module, momentum: float) -> None:
        """xi <- lambda xi + (1 - lambda) theta, mu <- alpha mu + (1 - alpha) mu_b, and sigma likewise.

        momentum: lambda. Buffers that are no batch norm's are copied.
        """
        follow_parameters(self.module, online, momentum)
        for kept, fresh in zip(_others(self.module), _others(online), strict=True):
            kept.copy_(fresh)
        mean, variance = torch.stack(self.seen).mean(0)
        self.seen.clear()
        if self.own_batch:
            return
        at = 0
        for norm in _norms(self.module):
            width, count = norm.num_features, norm.num_batches_tracked
            weight = torch.where(count == 0, 1.0, 1 - self.statistics_momentum)
            norm.running_mean.lerp_(mean[at : at + width], weight)
            norm.running_var.lerp_(variance[at : at + width].clamp(min=0), weight)
            count += 1
            at += width


def _norms(module: nn.Module) -> list[Any]:
    return [each for each in module.modules() if isinstance(each, _BatchNorm)]


def _others(module: nn.Module) -> list[Tensor]:
    own = {id(buffer) for norm in _norms(module) for buffer in norm.buffers()}
    return [buffer for buffer in module.buffers() if id(buffer) not in own]


def _statistics(module: nn.Module) -> Float[Tensor, "2 c"]:
    """The running means, and the running variances, of all batch norms side by side."""
    pairs = [(norm.running_mean, norm.running_var) for norm in _norms(module)]
    return torch.stack([torch.cat(each) for each in zip(*pairs, strict=True)]).float()
