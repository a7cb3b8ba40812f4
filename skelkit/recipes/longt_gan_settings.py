"""What the experiments on long-term dynamics share: Experiments Setup of Zheng et al. 2018 by data set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from skelkit.augment import PartMask, Pieces
from skelkit.data.preprocess import AtMost, FrameRate, MinMax, Preprocess, SelectPersons, Units
from skelkit.data.views import Whole
from skelkit.methods.autoencoder import AutoencoderConfig
from skelkit.methods.longt_gan import LongTGANConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.sequences import Bidirectional, Decoder
from skelkit.recipes.experiment import Data, PerClass, Variant, Weights
from skelkit.train import Adam, Steps, Training

PASSES = 25 * 50
"""Epochs of ours: the released code's 50 over the paper's 25 pieces of each clip. The paper gives no number."""
ONE_LENGTH = Pieces(29, 29)
"""Srivastava et al. 2015: 16 frames are seen and 13 predicted."""


@dataclass(frozen=True)
class Setting:
    """What the section on data sets, and the setup, say by data set."""

    title: str
    """Of its columns in Tables 1 and 2."""
    splits: dict[str, str]
    """The column's ending -> split."""
    panel: str = ""
    """Its name in Fig. 3; "": the title."""
    folds: int = 5
    """How many the split "folds" has."""
    rate: int = 30
    """Frames a second of the clips; 15 are left."""
    at_most: bool = False
    """Whether clips are thinned out below 36 frames: for CMU and Berkeley MHAD "to reduce the effects of large sequence
    length variations and computation expenses"."""
    persons: int = 1
    """Persons of a frame; "multiple persons" is the paper's future work."""
    passes: int = PASSES
    """Epochs of pretraining."""
    batch: int = 64
    """Clips a step: the released code's."""
    tuning: Training = Training(Adam(lr=5e-4), Steps(50), batch=64)  # noqa: RUF009 (frozen)
    """Supervised training, after pretraining and without. The paper does not give it: that of the pretraining."""
    few: tuple[int, ...] = (2, 4, 8, 16)
    """Labelled clips of each class in Fig. 3, of which the paper's text gives the first alone."""
    steps: tuple[Preprocess, ...] = field(default=())
    """What happens to the clips before their rate is changed."""


SMALL = Setting(
    "",
    {"cross-subject": "xsub"},
    batch=16,
    tuning=Training(Adam(lr=1e-3), Steps(100, drops=(0.6, 0.8)), batch=16),
    few=(1, 2, 4, 8),
)
"""Ours, for hundreds of clips and not thousands: smaller batches, so that as many passes are four times the steps."""

SETTINGS = {
    "cmu": Setting("CMU", {"": "folds"}, panel="CMU dataset", folds=4, rate=120, at_most=True),
    # The 664 motions, imported like CMU, with a list of their classes, in a folder of this name.
    "cmu_subset": Setting("Subset", {"": "folds"}, panel="CMU subset", folds=3, rate=120, at_most=True),
    "hdm05": Setting("HDM05", {"": "folds"}, folds=10, rate=120),
    "mhad": Setting("B-MHAD", {"": "xsub"}, panel="Berkeley MHAD", rate=480, at_most=True),
    # Ours.
    "hdm05_11": replace(
        SMALL, title="HDM05, 11 classes", splits={"cross-actor": "xsub", "10-fold": "10-fold"}, rate=120
    ),
    "cmu_small": replace(SMALL, title="CMU, 142 clips", splits={"4-fold": "4-fold"}, at_most=True),
    "nw_ucla": replace(SMALL, title="NW-UCLA", splits={"V3, leak-free": "xview-v3-leakfree", "V3": "xview-v3"}),
    # Recorded at 15 frames a second, and two persons act in every clip.
    "sbu": replace(SMALL, title="SBU", splits={"five folds": "folds"}, rate=15, persons=2, steps=(Units(),)),
    "utd_mhad": replace(SMALL, title="UTD-MHAD"),
    "synthetic": replace(SMALL, title="synthetic"),
}


def setting(dataset: str) -> Setting:
    """The setting of a data set; one that the paper does not know gets ours for small ones, cross-subject."""
    return SETTINGS.get(dataset, replace(SMALL, title=dataset))


def data_of(dataset: str, split: str, fold: int | None = None) -> Data:
    """The clips of the Experiments Setup, whole: 15 frames a second, below 36 where the paper says so, in [-1, 1]."""
    given = setting(dataset)
    thinned = (AtMost(35),) if given.at_most else ()
    steps = (*given.steps, SelectPersons(given.persons, by="energy"), FrameRate(of=given.rate), *thinned, MinMax())
    return Data(dataset, split, fold, view=Whole(), steps=steps)


def pretraining(
    dataset: str,
    split: str,
    fold: int | None = None,
    seed: int = 0,
    *,
    variant: Variant = "paper",
    **changes: Any,
) -> Weights:
    """Conditional inpainting as the Experiments Setup has it. changes: other fields of `LongTGANConfig`.

    The paper gives no rate, batch nor number of epochs: 5e-4, 64 and 50 are the released code's. `official` has three
    of five parts masked, for a batch alike and but for z; dropout on every activation; a third GRU for the output; and
    no adversarial loss, as in the committed settings.
    """
    official = variant == "official"
    decoder = Decoder(everywhere=True, output="recurrent") if official else Decoder()
    config = LongTGANConfig(decoder=decoder)
    if official:
        config = replace(config, mask=PartMask(parts=3, alike=True, axes=2), lambda_adv=0.0)
    given = setting(dataset)
    return Weights(
        data=data_of(dataset, split, fold),
        encoder=Bidirectional(everywhere=official),
        method=replace(config, **changes),
        training=Training(Adam(lr=5e-4), Steps(given.passes), given.batch),
        seed=seed,
    )


def autoencoder(start: Weights) -> Weights:
    """The autoencoder on the network, the clips and the schedule of some pretraining."""
    return replace(start, method=AutoencoderConfig(decoder=start.method.decoder))


def unsupervised_lstm(start: Weights) -> Weights:
    """The composite model of Srivastava et al. 2015 on the same, "with GRUs cells", from pieces of one length."""
    composite = AutoencoderConfig(ONE_LENGTH, future=13 / 29, reverse=True, decoder=start.method.decoder)
    return replace(start, method=composite)


def untrained(weights: Weights) -> Weights:
    """The same network as it is initialised."""
    return replace(weights, training=replace(weights.training, schedule=Steps(epochs=0)))


def finetuning(start: Weights, labels: PerClass | None = None, seed: int = 0) -> Weights:
    """The pretrained encoder and a classifier, trained together on all labels or on a few of each class."""
    given = setting(start.data.name)
    return replace(start, method=SupervisedConfig(), training=given.tuning, seed=seed, labels=labels, start=start)


def supervised(start: Weights, labels: PerClass | None = None, seed: int = 0) -> Weights:
    """The same training from random weights."""
    return replace(finetuning(start, labels, seed), start=None)
