"""One file a paper: the only place where a paper's numbers live."""

from __future__ import annotations

from skelkit.recipes import ascal, byol, interskeleton, longt_gan, sesar
from skelkit.recipes.experiment import Cell, Data, Drawn, Evaluation, Experiment, OwnClassifier, PerClass, Weights
from skelkit.recipes.places import no_network
from skelkit.recipes.tiers import at_tier

PAPERS = {"ascal": ascal, "interskeleton": interskeleton, "byol": byol, "longt_gan": longt_gan, "sesar": sesar}
"""Every paper by name: the module of its recipe, with a function `everything() -> list[Experiment]`."""

__all__ = [
    "PAPERS",
    "Cell",
    "Data",
    "Drawn",
    "Evaluation",
    "Experiment",
    "OwnClassifier",
    "PerClass",
    "Weights",
    "ascal",
    "at_tier",
    "byol",
    "interskeleton",
    "longt_gan",
    "no_network",
    "sesar",
]
