"""One small argument makes a tier: `at_tier` is the only place that shortens an experiment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from skelkit.augment import CropResize
from skelkit.data.library import is_known
from skelkit.data.views import Whole
from skelkit.evaluate.active import ActiveLearning, evenly
from skelkit.evaluate.compression import CompressedKNN
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.evaluate.logistic import Logistic
from skelkit.files import SkelkitError
from skelkit.models.representations import Representations
from skelkit.recipes.experiment import Data, Drawn, Experiment, Tier, Weights
from skelkit.train import Training

CHANGES = {
    *("name", "generator", "split", "clips", "frames", "width", "queue", "head_dim", "hidden", "epochs", "budgets"),
    *("lr", "bf16", "folds"),
}
"""The fields in which an experiment may differ between tiers; a test compares."""
FOLDS = 5
"""So many the synthetic clips have."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds that a tier sets; what is smaller already stays."""

    clips: int | None
    """Clips of each side of a split; None: all."""
    frames: int
    """Frames of a view."""
    narrower: float
    """What an encoder's width is multiplied by; 8 units stay in any case."""
    head_dim: int
    """Output dimension of a projection head."""
    hidden: int
    """Units of a projector's hidden layer."""
    epochs: int
    """Epochs of a training, fine-tuning among them."""
    queue: int
    """Negative keys."""
    linear_epochs: int
    """Epochs of a classifier on frozen features."""
    synthetic: bool = False
    """Use the embedded synthetic clips in the place of every data set that a recipe knows; a user's own are used."""
    whole: int = 300
    """Frames of clips that keep their own length: at tier `reduced` all that they have."""
    folds: int = 5
    """Folds by which logistic regression chooses its strength."""
    labels: int | None = None
    """Labels that are asked for or drawn, whichever class they have; None: as many as the recipe says."""


LIMITS = {
    "smoke": Limits(
        40,
        frames=12,
        narrower=0.0,
        head_dim=8,
        hidden=16,
        epochs=1,
        queue=64,
        linear_epochs=2,
        synthetic=True,
        whole=12,
        folds=2,
        labels=8,
    ),
    "small": Limits(None, frames=60, narrower=1 / 2, head_dim=128, hidden=1024, epochs=30, queue=512, linear_epochs=90),
    # At least a quarter of the paper's width, the paper's protocol; AS-CAL needs nothing shorter on small data sets.
    "reduced": Limits(
        None, frames=60, narrower=1 / 4, head_dim=64, hidden=1024, epochs=200, queue=2048, linear_epochs=90
    ),
}


def at_tier(experiment: Experiment, tier: Tier) -> Experiment:
    """The experiment of tier `paper` at a tier; `paper` leaves it as the recipe wrote it."""
    if tier in ("paper", experiment.tier):
        return experiment
    if tier not in LIMITS:
        raise SkelkitError(f"unknown tier {tier!r}; choose one of {', '.join(get_args(Tier))}")
    if experiment.tier != "paper":
        raise SkelkitError(f"an experiment is at tier {experiment.tier} already; ask its recipe for the tier {tier}")
    limits = LIMITS[tier]
    evaluation = experiment.evaluation
    protocol = evaluation.protocol
    if isinstance(protocol, Linear | AugmentedLinear):
        epochs = min(protocol.schedule.epochs, limits.linear_epochs)
        protocol = replace(protocol, schedule=replace(protocol.schedule, epochs=epochs))
    if isinstance(protocol, Logistic):
        protocol = replace(protocol, folds=min(protocol.folds, limits.folds))
    if isinstance(protocol, AugmentedLinear):  # as long as the test clips, which a tier shortens as well
        protocol = replace(protocol, steps=tuple(_fewer_frames(step, limits) for step in protocol.steps))
    if isinstance(protocol, CompressedKNN):
        protocol = replace(protocol, epochs=min(protocol.epochs, limits.linear_epochs))
    weights = _shorter(evaluation.weights, limits)
    replaced = weights.data.name != evaluation.weights.data.name
    evaluation = replace(
        evaluation,
        weights=weights,
        split="" if replaced else evaluation.split,  # the stand-in's clips are split as the weights' are
        protocol=protocol,
        beside=tuple(_shorter(other, limits) for other in evaluation.beside),
        labels=_fewer_labels(evaluation.labels, limits),
    )
    return replace(experiment, tier=tier, evaluation=evaluation)


def _shorter(weights: Weights, limits: Limits) -> Weights:
    return replace(
        weights,
        data=_smaller(weights.data, limits),
        encoder=_narrower(weights.encoder, limits),
        method=_lighter(weights.method, limits),
        training=_quicker(weights, limits),
        start=weights.start and _shorter(weights.start, limits),
        teacher=weights.teacher and _shorter(weights.teacher, limits),
        labels=_fewer_labels(weights.labels, limits),
        active=weights.active and _fewer_rounds(weights.active, limits),
    )


def _quicker(weights: Weights, limits: Limits) -> Training:
    """At most so many epochs. A method whose rate goes by the width takes one as many times higher as its encoder is
    narrower, in as many times fewer epochs and 16 bit.

    Adam moves every weight by about its rate a step, and a unit adds up what its width of inputs has moved: a narrower
    network needs a higher rate to move as fast.
    """
    training, epochs = weights.training, weights.training.schedule.epochs
    encoder: Any = weights.encoder
    if getattr(weights.method, "rate_by_width", False) and hasattr(encoder, "width"):
        part = _narrower(encoder, limits).width / encoder.width
        optimiser = replace(training.optimiser, lr=training.optimiser.lr / part)
        training, epochs = replace(training, optimiser=optimiser, bf16=True), round(epochs * part) or min(epochs, 1)
    schedule = replace(training.schedule, epochs=min(epochs, limits.epochs))
    return replace(training, schedule=schedule)


def _fewer_labels(labels: Any, limits: Limits) -> Any:
    if not isinstance(labels, Drawn) or limits.labels is None:
        return labels
    return Drawn(min(labels.clips, limits.labels))


def _fewer_rounds(active: ActiveLearning, limits: Limits) -> ActiveLearning:
    if limits.labels is None or active.budgets[-1] <= limits.labels:
        return active
    return replace(active, budgets=evenly(limits.labels, min(2, len(active.budgets))))


def _narrower(network: Any, limits: Limits) -> Any:
    if isinstance(network, Representations):
        return Representations(tuple((name, _narrower(each, limits)) for name, each in network.encoders))
    if not hasattr(network, "width"):
        return network
    return replace(network, width=min(network.width, max(8, int(network.width * limits.narrower))))


def _lighter(method: Any, limits: Limits) -> Any:
    """Whichever method it is: fields say by their names what they are, and networks among them have a width."""

    def lighter(name: str, value: Any) -> Any:
        if name in ("queue", "head_dim", "hidden"):
            return min(value, getattr(limits, name))
        if name == "steps":
            return tuple(_fewer_frames(step, limits) for step in value)
        return _narrower(value, limits)

    return replace(method, **{field.name: lighter(field.name, getattr(method, field.name)) for field in fields(method)})


def _fewer_frames(step: Any, limits: Limits) -> Any:
    if isinstance(step, CropResize) and step.frames:
        return replace(step, frames=min(step.frames, limits.frames))
    return step


def _smaller(data: Data, limits: Limits) -> Data:
    def shorter(view: Any) -> Any:
        most = limits.whole if isinstance(view, Whole) else limits.frames
        return view and replace(view, frames=min(view.frames, most))

    data = replace(data, view=shorter(data.view), eval_view=shorter(data.eval_view), clips=limits.clips)
    if not limits.synthetic or not is_known(data.name):
        return data
    known = data.split in ("xsub", "xview", "xset") or (data.split == "folds" and (data.fold or 0) < FOLDS)
    return replace(data, name="synthetic", split=data.split if known else "xsub")
