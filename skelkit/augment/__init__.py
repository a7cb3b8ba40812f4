"""Every random transformation of a batch of clips, one file a paper.

A transformation is a frozen dataclass of two functions: `sample(shape, rng)` draws its parameters from the generator
that is passed in, on the generator's device; `apply(x, parameters)` is pure and batched. `augment` chains them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skelkit.augment.ascal import (
    ChannelMask,
    GaussianBlur,
    GaussianNoise,
    JointMask,
    Reverse,
    Rotation,
    Shear,
    rotation_matrix,
)
from skelkit.augment.byol import LeftRightDrop, Resampling, SavitzkyGolay, TemporalShift, aggressive, conservative
from skelkit.augment.chain import Augmentation, OneOf, augment, fitted
from skelkit.augment.interskeleton import CropResize, JointJitter
from skelkit.augment.longt import PartMask, Pieces, cut
from skelkit.files import SkelkitError

__all__ = [
    "Augmentation",
    "ChannelMask",
    "CropResize",
    "GaussianBlur",
    "GaussianNoise",
    "JointJitter",
    "JointMask",
    "LeftRightDrop",
    "OneOf",
    "PartMask",
    "Pieces",
    "Resampling",
    "Reverse",
    "Rotation",
    "SavitzkyGolay",
    "Shear",
    "TemporalShift",
    "aggressive",
    "augment",
    "check_places",
    "conservative",
    "cut",
    "fitted",
    "rotation_matrix",
]

_MOVING = (CropResize, GaussianBlur, Resampling, Reverse, SavitzkyGolay, TemporalShift)


def check_places(steps: Sequence[Augmentation], encoder: Any) -> None:
    """Raise SkelkitError where an encoder reads lengths and a step moves or blends frames: padding would get among the
    frames that the lengths call real."""
    flat = [each for step in steps for each in (step.steps if isinstance(step, OneOf) else (step,))]
    moving = next((type(step).__name__ for step in flat if isinstance(step, _MOVING)), None)
    if moving and getattr(encoder, "reads_lengths", False):
        raise SkelkitError(
            f"{moving}: moves frames, and {type(encoder).__name__} reads how many of a clip's first frames are real; "
            "leave the step out, or take another encoder"
        )
