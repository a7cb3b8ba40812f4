"""One file a paper: the only place where a paper's numbers live."""

from __future__ import annotations

from skelkit.recipes import ascal, byol, interskeleton
from skelkit.recipes.experiment import Cell, Data, Evaluation, Experiment, OwnClassifier, Weights
from skelkit.recipes.tiers import at_tier

PAPERS = {"ascal": ascal, "interskeleton": interskeleton, "byol": byol}
"""Every paper by name: the module of its recipe, with a function `everything() -> list[Experiment]`."""

__all__ = [
    "PAPERS",
    "Cell",
    "Data",
    "Evaluation",
    "Experiment",
    "OwnClassifier",
    "Weights",
    "ascal",
    "at_tier",
    "byol",
    "interskeleton",
]
