"""What AS-CAL's experiments share: the settings of Sec. IV-B by data set, augmentations and default weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from skelkit.augment import (
    Augmentation,
    ChannelMask,
    GaussianBlur,
    GaussianNoise,
    JointMask,
    Reverse,
    Rotation,
    Shear,
)
from skelkit.data.datasets import uwa3d
from skelkit.data.preprocess import CentreActors, Units
from skelkit.data.views import View
from skelkit.methods.ascal import ASCALConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.rnn import Recurrent
from skelkit.recipes.experiment import Data, Variant, Weights
from skelkit.train import SGD, Adam, Steps, Training


@dataclass(frozen=True)
class Setting:
    """What Sec. IV-B3 sets by data set."""

    title: str
    """The data set's name in headings."""
    splits: dict[str, str]
    """The column's ending -> split."""
    frames: int
    """Frames that every clip is brought to."""
    layers: int
    """Layers of the LSTM."""
    queue: int
    """K, the number of negative keys."""
    seeds: int
    """How many seeds Tables II-V run by default."""
    folds: int = 5
    """How many the split "folds" has."""


SETTINGS = {
    "ntu60": Setting("NTU 60", {"C-View": "xview", "C-Sub": "xsub"}, 150, 2, 16384, 1),
    "ntu120": Setting("NTU 120", {"C-Set": "xset", "C-Sub": "xsub"}, 150, 2, 16384, 1),
    "sbu": Setting("SBU", {"Fold": "folds"}, 40, 1, 200, 5),
    "uwa3d": Setting("UWA3D", {f"V{s[1]}&V{s[3]} -> V{s[6]}": s for s in uwa3d.SPLITS}, 60, 1, 500, 5),
    # Ours: NW-UCLA and the synthetic clips run with UWA3D's settings.
    "nw_ucla": Setting("NW-UCLA", {"V3": "xview-v3", "V3, leak-free": "xview-v3-leakfree"}, 60, 1, 500, 5),
    "synthetic": Setting("synthetic", {"C-Sub": "xsub", "C-View": "xview"}, 60, 1, 500, 3),
}
OTHER = Setting("", {"C-Sub": "xsub"}, 60, 1, 500, 3)
"""A user's own data set."""

REPRESENTATIONS = {"h~_T": "h~_T", "h_T": "h_T", "k": "k", "CAE (q)": "CAE", "CAE+ (q + k)": "CAE+"}
AUGMENTATIONS: dict[str, Augmentation] = {
    "Rotation": Rotation(),
    "Shear": Shear(),
    "Reverse": Reverse(),
    "GN": GaussianNoise(),
    "GB": GaussianBlur(),
    "JM": JointMask(),
    "CM": ChannelMask(),
}
PARADIGMS: dict[str, Literal["queue", "end to end", "memory bank"]] = {
    "AS-CAL (Queue)": "queue",
    "End to End": "end to end",
    "Memory Bank": "memory bank",
}


def setting(dataset: str) -> Setting:
    """The setting of a data set; one that the paper does not know gets UWA3D's, cross-subject."""
    return SETTINGS.get(dataset, replace(OTHER, title=dataset))


def pretraining(
    dataset: str, split: str, fold: int | None = None, seed: int = 0, *, variant: Variant = "paper"
) -> Weights:
    """AS-CAL as Sec. IV-B describes it. `official` follows the released code where it differs: coordinates in
    millimetres with z from y (SBU), and a first epoch that only fills the queue; the encoder keeps the paper's size,
    so that the rows differ in these alone."""
    given = setting(dataset)
    official = variant == "official"
    return Weights(
        data=Data(
            dataset,
            split,
            fold,
            view=View(given.frames),
            steps=(Units("official" if official else "metres"), CentreActors()),
        ),
        encoder=Recurrent("lstm", width=256, layers=given.layers),
        method=ASCALConfig(queue=given.queue),
        training=Training(
            optimiser=SGD(lr=0.01, momentum=0.9, weight_decay=1e-4),
            schedule=Steps(epochs=60, drops=(30 / 60,)),
            batch=32,
            idle_epochs=1 if official else 0,
        ),
        seed=seed,
    )


def baseline(weights: Weights, cell: Literal["rnn", "gru", "lstm"]) -> Weights:
    """The supervised baseline of the same shape. The paper gives neither optimiser nor epochs: Adam 1e-3, 60 epochs,
    x0.1 at half-time, are ours."""
    training = Training(optimiser=Adam(lr=1e-3), schedule=Steps(epochs=60, drops=(0.5,)), batch=32)
    return replace(weights, encoder=replace(weights.encoder, cell=cell), method=SupervisedConfig(), training=training)


def untrained(weights: Weights) -> Weights:
    """The same encoder as it is initialised: the row that every representation must beat."""
    return replace(weights, training=replace(weights.training, schedule=Steps(epochs=0)))


def with_method(weights: Weights, **changes: Any) -> Weights:
    """The same weights but for some knobs of the method."""
    return replace(weights, method=replace(weights.method, **changes))


def augmentations(dataset: str, variant: Variant = "paper") -> dict[str, Augmentation]:
    """The seven of Sec. III-A by the figures' names. `official`: a rotation about one axis only, and where a clip is
    shorter than 100 frames a joint mask of 20 to 50 of them."""
    frames = setting(dataset).frames
    if variant == "paper":
        return AUGMENTATIONS
    mask = JointMask(frames=(20 / frames, min(50, frames) / frames)) if frames < 100 else JointMask()
    return {**AUGMENTATIONS, "Rotation": Rotation(others=0.0), "JM": mask}
