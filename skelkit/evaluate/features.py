"""Frozen features, extracted once per weights and data."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.views import Resident
from skelkit.models.sequences import encode


@torch.no_grad()
def extract(encoder: nn.Module, data: Resident, index: Int[Tensor, " n"], batch: int = 256) -> Float[Tensor, "n d"]:
    """The encoder's features of unaugmented clips, in evaluation mode, 32-bit, on data's device."""
    encoder.eval()
    parts = index.to(data.device).split(batch)
    return torch.cat([encode(encoder, data.clips(part), data.real(part)).float() for part in parts])
