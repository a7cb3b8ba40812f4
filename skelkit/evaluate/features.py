"""Frozen features, extracted once per weights and data."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.views import Resident
from skelkit.files import SkelkitError
from skelkit.models.sequences import encode

CONSTANT = 2.0**-20
"""A dimension whose standard deviation is below this share of its largest magnitude counts as constant: eight times the
rounding error of 32 bit."""


@torch.no_grad()
def extract(encoder: nn.Module, data: Resident, index: Int[Tensor, " n"], batch: int = 256) -> Float[Tensor, "n d"]:
    """The encoder's features of unaugmented clips, in evaluation mode, 32-bit, on data's device."""
    encoder.eval()
    parts = index.to(data.device).split(batch)
    return torch.cat([encode(encoder, data.clips(part), data.real(part)).float() for part in parts])


def standardised(train: Float[Tensor, "n d"], *others: Float[Tensor, "_ d"]) -> tuple[Float[Tensor, "_ d"], ...]:
    """Each dimension with mean 0 and standard deviation 1 over the training clips; the others moved and scaled alike.

    Computed in 64 bit, with n - 1 in the variance, and free of scale: features times a power of two give the same
    numbers bit for bit, times another positive factor the same up to rounding. A dimension that is constant over the
    training clips, up to 32-bit rounding (`CONSTANT`), becomes 0, in the others too. Returns `train` and `others`, in
    their own precision. Raises SkelkitError for fewer than two training clips, and for NaN or infinity.
    """
    if len(train) < 2:
        raise SkelkitError(
            f"standardised features: {len(train)} training clips have no standard deviation; give two or more, or "
            "leave the features as they are"
        )
    for name, features in (("training", train), *(("other", other) for other in others)):
        if bad := int((~features.isfinite()).any(1).sum()):
            raise SkelkitError(
                f"standardised features: {bad} of {len(features)} {name} clips hold NaN or infinity; check the weights "
                "and the clips behind them"
            )
    mean = train.double().mean(0)
    spread = train.double().std(0)
    alive = spread > CONSTANT * train.double().abs().amax(0)
    scale = torch.where(alive, spread, torch.ones_like(spread))
    sides = (((side.double() - mean) * alive / scale).to(side.dtype) for side in (train, *others))
    return tuple(sides)
