"""What AS-CAL's experiments share: the settings of Sec. IV-B by data set, augmentations and default weights.

`official` takes these settings from the released code (Mikexu007/AS-CAL, commit 189bc0e). Numbers are lines: P of
pretrain_and_linEval.py, L of linEval.py, S of feeders/sbu_feeder.py, F of feeders/skeleton_feeder.py, T of
feeders/tools.py, M of models/Models.py, N of NCE/NCEAverage.py.

| setting | `official` | released | `paper` |
|---|---|---|---|
| centre of an actor | joint 1: on SBU and UWA3D the neck | P330, T114-125 | middle spine |
| unit on SBU | millimetres, z computed from y | S29-40 | metres (ours) |
| first epoch of 60 | no update, fills the queue | P624, P739 | like any other |
| baselines: optimiser | SGD, Nesterov 0.9, rate 0.01, no decay | L70, L224-233, L676 | Adam 1e-3 (ours) |
| baselines: epochs, rate halved after | NTU 60: 30, 40; others 200: 30, 80 | L69, L226-231 | 60, x0.1 after 30 (ours) |
| rotation | about one axis | T189-232 | and up to 1 degree about the two others |
| joint mask: joints | 5-15, on SBU of 15 | T251 | 1/5 to 3/5 |
| joint mask: frames | 20-50 below 100 frames, else 50-100 | T264-267 | 1/3 to 2/3 |
| memory bank | keys of length 1, a draw for each query | N307, N329-334 | one draw a batch (ours) |
| Table X: optimiser | as the baselines' | L70, L234-236, L920 | the pretraining's (ours) |
| Table X: rate halved after | 15 and 30 of 35, 8 of 15, 7 of 10 epochs | L237-254 | never (ours) |
| Table X: labels | first int(share x clips / classes) of each class | F68-83 | class-balanced share |
| reported epoch | best on the test clips, in rows of their own | P1411, L789 | last |

Not taken over:

| setting | released | where | both variants |
|---|---|---|---|
| LSTM on SBU | 2 layers of 128 | P191-192 | 1 layer of 256 (Sec. IV-B3) |
| baselines: frames | 150, so all 46 of SBU's longest clip | L64 | as in pretraining: 40 |
| baselines: start of the classifier | torch's | M127, M152, M217 | N(0, 0.01) |
| heads: start of the weights | N(0, 0.01) | M56-61 | torch's |
| joint mask on 40 or 60 frames | an error where more are drawn than there are | T265-269 | at most all |
| memory bank: input | both views as one clip, an error in its encoder | P616 | one view |
| Table X: epoch | best on the labels it trains on | L959 | last |
| Table X: classifier | goes on from the fine-tuned one | L646-655 | starts anew |
| CAE+ | no code | | queries and keys (Sec. III-C) |
"""

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
    joints: int = 25
    """Joints of its skeleton, in which the released code's joint mask counts."""


SETTINGS = {
    "ntu60": Setting("NTU 60", {"C-View": "xview", "C-Sub": "xsub"}, 150, 2, 16384, 1),
    "ntu120": Setting("NTU 120", {"C-Set": "xset", "C-Sub": "xsub"}, 150, 2, 16384, 1),
    "sbu": Setting("SBU", {"Fold": "folds"}, 40, 1, 200, 5, joints=15),
    "uwa3d": Setting("UWA3D", {f"V{s[1]}&V{s[3]} -> V{s[6]}": s for s in uwa3d.SPLITS}, 60, 1, 500, 5, joints=15),
    # Ours: NW-UCLA and the synthetic clips run with UWA3D's settings.
    "nw_ucla": Setting("NW-UCLA", {"V3": "xview-v3", "V3, leak-free": "xview-v3-leakfree"}, 60, 1, 500, 5, joints=20),
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
UNITS: dict[str, Literal["metres", "normalised", "official"]] = {
    "metres": "metres",
    "normalised, as in the files": "normalised",
    "millimetres, z from y": "official",
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
    """AS-CAL as Sec. IV-B describes it, or as it was released: see the table above."""
    given = setting(dataset)
    official = variant == "official"
    return Weights(
        data=Data(
            dataset,
            split,
            fold,
            view=View(given.frames),
            steps=(Units("official"), CentreActors(1)) if official else (Units("metres"), CentreActors()),
        ),
        encoder=Recurrent("lstm", width=256, layers=given.layers),
        method=ASCALConfig(queue=given.queue, bank="instance discrimination" if official else "shared"),
        training=Training(
            optimiser=SGD(lr=0.01, momentum=0.9, weight_decay=1e-4),
            schedule=Steps(epochs=60, drops=(30 / 60,)),
            batch=32,
            idle_epochs=1 if official else 0,
        ),
        seed=seed,
    )


def baseline(weights: Weights, cell: Literal["rnn", "gru", "lstm"], *, variant: Variant = "paper") -> Weights:
    """The supervised baseline of the same shape. The paper gives neither optimiser nor epochs: Adam 1e-3, 60 epochs,
    x0.1 at half-time, are ours. `official`: see the table above."""
    training = Training(optimiser=Adam(lr=1e-3), schedule=Steps(epochs=60, drops=(0.5,)), batch=32)
    if variant == "official":
        epochs, drops = (60, (30, 40)) if weights.data.name in ("ntu60", "ntu120") else (200, (30, 80))
        training = on_labels(epochs, drops)
    return replace(weights, encoder=replace(weights.encoder, cell=cell), method=SupervisedConfig(), training=training)


def on_labels(epochs: int, drops: tuple[int, ...]) -> Training:
    """How the released code trains an encoder on labels; drops: the epochs after which the rate is halved."""
    schedule = Steps(epochs, tuple(drop / epochs for drop in drops), factor=0.5)
    return Training(optimiser=SGD(lr=0.01, momentum=0.9, nesterov=True), schedule=schedule, batch=32)


def untrained(weights: Weights) -> Weights:
    """The same encoder as it is initialised: the row that every representation must beat."""
    return replace(weights, training=replace(weights.training, schedule=Steps(epochs=0)))


def with_method(weights: Weights, **changes: Any) -> Weights:
    """The same weights but for some knobs of the method."""
    return replace(weights, method=replace(weights.method, **changes))


def augmentations(dataset: str, variant: Variant = "paper") -> dict[str, Augmentation]:
    """The seven of Sec. III-A by the figures' names. `official`: see the table above."""
    if variant == "paper":
        return AUGMENTATIONS
    joints, frames = setting(dataset).joints, setting(dataset).frames
    low, high = (20, min(50, frames)) if frames < 100 else (50, 100)
    mask = JointMask(joints=(5 / joints, 15 / joints), frames=(low / frames, high / frames))
    return {**AUGMENTATIONS, "Rotation": Rotation(others=0.0), "JM": mask}
