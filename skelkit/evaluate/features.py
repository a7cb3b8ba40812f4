"""Frozen features, extracted once per weights and data."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.views import Resident


@torch.no_grad()
def extract(encoder: nn.Module, data: Resident, index: Int[Tensor, " n"], batch: int = 256) -> Float[Tensor, "n d"]:
    """The encoder's features of unaugmented clips, in evaluation mode, 32-bit, on data's device."""
    encoder.eval()
    return torch.cat([encoder(data.clips(part)).float() for part in index.to(data.device).split(batch)])
