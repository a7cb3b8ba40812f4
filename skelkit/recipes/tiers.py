"""One small argument makes a tier: `at_tier` is the only place that shortens an experiment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from skelkit.evaluate.linear import Linear
from skelkit.files import SkelkitError
from skelkit.methods.ascal import ASCALConfig
from skelkit.recipes.ascal_settings import SETTINGS
from skelkit.recipes.experiment import Data, Experiment, Tier, Weights

CHANGES = {"name", "generator", "split", "clips", "frames", "width", "queue", "head_dim", "epochs"}
"""The fields in which an experiment may differ between tiers; a test compares."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds that a tier sets; what is smaller already stays."""

    clips: int | None
    frames: int
    width: int
    epochs: int
    queue: int
    linear_epochs: int
    synthetic: bool
    """Use the embedded synthetic clips in the place of every data set that a recipe knows; a user's own are used."""


LIMITS = {
    "smoke": Limits(clips=40, frames=12, width=8, epochs=1, queue=32, linear_epochs=2, synthetic=True),
    "small": Limits(clips=None, frames=60, width=128, epochs=30, queue=512, linear_epochs=90, synthetic=False),
    # At least a quarter of the paper's width, the paper's protocol; AS-CAL needs nothing shorter on small data sets.
    "reduced": Limits(clips=None, frames=60, width=64, epochs=60, queue=2048, linear_epochs=90, synthetic=False),
}


def at_tier(experiment: Experiment, tier: Tier) -> Experiment:
    """The experiment at a tier; `paper` leaves it as the recipe wrote it."""
    if tier == "paper":
        return experiment
    if tier not in LIMITS:
        raise SkelkitError(f"unknown tier {tier!r}; choose one of {', '.join(get_args(Tier))}")
    limits = LIMITS[tier]
    evaluation = experiment.evaluation
    protocol = evaluation.protocol
    if isinstance(protocol, Linear):
        epochs = min(protocol.schedule.epochs, limits.linear_epochs)
        protocol = replace(protocol, schedule=replace(protocol.schedule, epochs=epochs))
    weights = _shorter(evaluation.weights, limits)
    return replace(experiment, tier=tier, evaluation=replace(evaluation, weights=weights, protocol=protocol))


def _shorter(weights: Weights, limits: Limits) -> Weights:
    method = weights.method
    if isinstance(method, ASCALConfig):
        method = replace(method, queue=min(method.queue, limits.queue), head_dim=min(method.head_dim, limits.width))
    schedule = replace(weights.training.schedule, epochs=min(weights.training.schedule.epochs, limits.epochs))
    encoder = weights.encoder
    if hasattr(encoder, "width"):
        encoder = replace(encoder, width=min(encoder.width, limits.width))
    return replace(
        weights,
        data=_smaller(weights.data, limits),
        encoder=encoder,
        method=method,
        training=replace(weights.training, schedule=schedule),
        start=weights.start and _shorter(weights.start, limits),
    )


def _smaller(data: Data, limits: Limits) -> Data:
    view = replace(data.view, frames=min(data.view.frames, limits.frames))
    data = replace(data, view=view, clips=limits.clips)
    if not limits.synthetic or data.name not in SETTINGS or data.name == "synthetic":
        return data
    known = data.split in ("xsub", "xview", "xset", "folds")
    return replace(data, name="synthetic", split=data.split if known else "xsub")
