"""No network: a clip's mean and standard deviation over time, the baseline that every encoder has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.views import DataSpec


@dataclass(frozen=True)
class NoNetwork:
    """The statistics of the preprocessed coordinates, without any parameter. An encoder that does not beat them has
    learned nothing that the coordinates do not show at once."""

    def build(self, data: DataSpec) -> NoNetworkEncoder:
        """The module for this skeleton and number of persons."""
        return NoNetworkEncoder(len(data.skeleton), data.persons)


class NoNetworkEncoder(nn.Module):
    """(b 3 t v m) -> (b 6vm): the mean of each coordinate of each person over the frames, then the standard deviation.

    An absent person counts as zeros, as every encoder sees it.
    """

    reads_lengths = True

    def __init__(self, joints: int, persons: int):
        super().__init__()
        self.out_dim = 6 * joints * persons

    def forward(self, x: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b d"]:
        """lengths: how many of each clip's first frames are its own, the others being padding; None: all are."""
        b, _, t, *_ = x.shape
        lengths = torch.full((b,), t, device=x.device) if lengths is None else lengths
        own = (torch.arange(t, device=x.device) < lengths[:, None]).to(x.dtype)[:, None, :, None, None]  # (b 1 t 1 1)
        count = own.sum(2)  # (b 1 1 1)
        mean = (x * own).sum(2) / count  # (b 3 v m)
        variance = ((x - mean[:, :, None]) * own).square().sum(2) / count
        return torch.cat([mean.flatten(1), variance.sqrt().flatten(1)], 1)
