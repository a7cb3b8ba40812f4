"""Every random transformation of a batch of clips, one file a paper.

A transformation is a frozen dataclass of two functions: `sample(shape, rng)` draws its parameters from the generator
that is passed in, on the generator's device; `apply(x, parameters)` is pure and batched. `augment` chains them.
"""

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
    "Resampling",
    "Reverse",
    "Rotation",
    "SavitzkyGolay",
    "Shear",
    "TemporalShift",
    "aggressive",
    "augment",
    "conservative",
    "fitted",
    "rotation_matrix",
]
