"""What the experiments on inter-skeleton contrast share: Sec. 4.1-4.2 and A.1 by data set, and default weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from skelkit.augment import Augmentation, CropResize, JointJitter, OneOf, Shear
from skelkit.data.preprocess import CanonicalRotation, SelectPersons, Units
from skelkit.data.views import Resample, Whole
from skelkit.methods.interskeleton import InterSkeletonConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models import EncoderConfig
from skelkit.models.agcn import AGCN
from skelkit.models.gru import BiGRU
from skelkit.models.hcn import HCN
from skelkit.models.representations import Representations
from skelkit.recipes.experiment import Data, Variant, Weights
from skelkit.train import SGD, Adam, Steps, Training

FRAMES = 64
"""The length of every view (Sec. 4.2)."""
ENCODERS: dict[str, EncoderConfig] = {"X_IMG": HCN(), "X_STG": AGCN(), "X_SEQ": BiGRU()}
"""Sec. 4.2: an image for HCN, a graph for A-GCN, a sequence for a bidirectional GRU."""


@dataclass(frozen=True)
class Setting:
    """What Sec. 4.1 and 4.2 set by data set."""

    title: str
    """The data set's name in the columns."""
    splits: dict[str, str]
    """The column's ending -> split."""
    queue: int
    """K, the number of negative keys of each representation."""
    folds: int = 5
    """How many the split "folds" has."""
    epochs: int = 450
    """Epochs of pretraining."""
    released: Steps | None = None
    """Those of the released code (script_pretrain.sh) and their drop; None: it has none for the data set."""
    view: int = FRAMES
    """Frames of a view."""
    frames: int = 2 * FRAMES
    """What a clip is stretched to before a crop of it is stretched to a view: enough to lose no movement. `official`
    cuts crops out of a clip's own frames."""
    batch: int = 64
    """Clips of a step of pretraining."""
    optimiser: SGD | Adam = SGD(lr=0.01, momentum=0.9, weight_decay=1e-4)  # noqa: RUF009 (frozen)
    """Of pretraining."""
    tuning: Training = Training(Adam(lr=1e-4), Steps(50, drops=(30 / 50, 40 / 50)), batch=64)  # noqa: RUF009 (frozen)
    """Fine-tuning, and supervised training beside it (A.1)."""
    encoders: dict[str, EncoderConfig] = field(default_factory=lambda: ENCODERS)
    """The encoder of each representation, by the paper's names."""
    pretraining: str = ""
    """The split whose training clips pretrain for all of `splits`; "": each split's own."""


SMALL = Setting(
    "",
    {"x-sub": "xsub"},
    queue=512,
    epochs=200,
    view=32,
    frames=32,
    batch=32,
    optimiser=Adam(lr=1e-3, weight_decay=1e-4),
    tuning=Training(Adam(lr=1e-3), Steps(100, drops=(60 / 100, 80 / 100)), batch=16),
    encoders={"X_IMG": HCN(image=32, dropout=0.0), "X_STG": AGCN(), "X_SEQ": BiGRU(width=512)},
)
"""Ours, for a thousand clips and not forty thousand: 200 epochs of them are 6,000 steps, 450 of NTU RGB+D 280,000.

Chosen on NW-UCLA's training clips (kNN, and a classifier of view 1 asked about view 2; no test clip was looked at). By
SGD of rate 0.01 or 0.1 HCN's features stay a few percent around their mean; the dropout that suits 64 channels takes
all spread from 16 of them; and with key encoders that follow faster (0.99), GRU and HCN together lose all spread too.
HCN's image is Li et al.'s own, 32 by 32; the GRU is half as wide as the paper's. Fine-tuning takes more, larger steps
as well: at the paper's, 5 % of the labels would be 50 of them, too few for an encoder that starts at random.
"""

SETTINGS = {
    "ntu60": Setting(
        "NTU RGB+D 60", {"x-view": "xview", "x-sub": "xsub"}, 16384, released=Steps(451, drops=(351 / 451,))
    ),
    # The released script drops the rate at 351 as well, which its last epoch, number 350 from 0, does not reach.
    "ntu120": Setting(
        "NTU RGB+D 120", {"x-setup": "xset", "x-sub": "xsub"}, 16384, released=Steps(351, drops=(251 / 351,))
    ),
    "pku_mmd1": Setting("PKU-MMD I", {"x-sub": "xsub"}, 8192, epochs=600),
    "pku_mmd2": Setting("PKU-MMD II", {"x-sub": "xsub"}, 2048, epochs=600),
    # Ours, with a queue of at most half the training clips.
    "nw_ucla": replace(
        SMALL,
        title="NW-UCLA",
        splits={"V3, leak-free": "xview-v3-leakfree", "V3": "xview-v3"},
        pretraining="xview-v3-leakfree",
    ),
    "utd_mhad": replace(SMALL, title="UTD-MHAD", queue=256),
    "sbu": replace(SMALL, title="SBU", splits={"five folds": "folds"}, queue=128),
    "synthetic": replace(SMALL, title="synthetic", splits={"x-view": "xview", "x-sub": "xsub"}),
}

BEST = ("X_SEQ", "X_STG")
"""The pair of Tables 1-4 and 7; downstream X_SEQ alone (Sec. 4.3)."""


def setting(dataset: str) -> Setting:
    """The setting of a data set; one that the paper does not know gets ours for small ones, cross-subject."""
    return SETTINGS.get(dataset, replace(SMALL, title=dataset))


def augmentation(
    temporal: bool = True, pose: bool = True, jitter: bool = True, *, view: int = FRAMES, variant: Variant = "paper"
) -> tuple[Augmentation, ...]:
    """D of Sec. 3.1: crop-resize, then pose or jitter, which of the two drawn for each clip (Eq. 4).

    Without the crop a clip is only brought to `view` frames. `official`: crops of at least 64 frames, and a
    jitter that by a coin sets the joints to zero.
    """
    official = variant == "official"
    temporally = crop(0.1, view, variant) if temporal else CropResize(shortest=1.0, frames=view)
    spatial = [Shear()] * pose + [JointJitter(zero=0.5 if official else 0.0)] * jitter
    return (temporally, OneOf(tuple(spatial))) if len(spatial) > 1 else (temporally, *spatial)


def crop(shortest: float, view: int, variant: Variant = "paper") -> CropResize:
    """A crop of a share U[shortest, 1] of a clip, stretched to `view` frames; `official`: of at least 64 frames."""
    return CropResize(shortest=shortest, least=FRAMES if variant == "official" else 1, frames=view)


def data_of(dataset: str, split: str, fold: int | None = None, variant: Variant = "paper") -> Data:
    """The clips of Sec. 4.2: at most two persons, turned and centred by the first frame.

    `official` trains on crops of a clip's own frames, at most its first 300, as long as the released arrays are; else
    a clip is stretched first. Differs from the paper: where a data set has one person, no second one of zeros is added.
    """
    given = setting(dataset)
    steps = (Units(), SelectPersons(2, by="energy"), CanonicalRotation(turn="two turns"))
    view = Whole(300) if variant == "official" else Resample(given.frames)
    return Data(dataset, split, fold, view=view, eval_view=Resample(given.view, share=0.95), steps=steps)


def encoder_of(names: Sequence[str], variant: Variant = "paper", dataset: str = "ntu60") -> Representations:
    """The encoders of some representations; `official` has the released code's GRU, both of whose directions run
    forwards and whose matrices start by Xavier's rule.

    Differs from the released code: there the last layer of the GRU's projection head starts by it as well.
    """
    known = setting(dataset).encoders
    if variant == "official":
        known = known | {"X_SEQ": replace(known["X_SEQ"], directions="two forward", initial="xavier")}
    return Representations(tuple((name, known[name]) for name in names))


def pretraining(
    dataset: str,
    split: str,
    fold: int | None = None,
    seed: int = 0,
    *,
    names: Sequence[str] = BEST,
    steps: tuple[Augmentation, ...] | None = None,
    variant: Variant = "paper",
) -> Weights:
    """Contrast the named representations as Sec. 4.2 describes it: one name is intra-, several inter-skeleton contrast.

    The paper gives no batch, momentum nor drop: 64, 0.999 and, at 7/9 of the run, x0.1 are the released code's.
    `official` has the released epochs as well, where they are known: 451 on NTU RGB+D 60, 351 on NTU RGB+D 120.
    """
    given = setting(dataset)
    schedule = Steps(given.epochs, drops=(7 / 9,))
    if variant == "official" and given.released:
        schedule = given.released
    chosen = augmentation(view=given.view, variant=variant) if steps is None else steps
    return Weights(
        data=data_of(dataset, given.pretraining or split, fold, variant),
        encoder=encoder_of(names, variant, dataset),
        method=InterSkeletonConfig(steps=chosen, queue=given.queue),
        training=Training(given.optimiser, schedule, given.batch),
        seed=seed,
    )


def finetuning(
    start: Weights,
    split: str,
    labels: float | None = None,
    seed: int = 0,
    dataset: str = "",
    variant: Variant = "paper",
) -> Weights:
    """The first encoder and a classifier trained together (A.1): on a share of the labels, or on another data set."""
    name, config = start.encoder.encoders[0]  # type: ignore[attr-defined]
    given = setting(dataset or start.data.name)
    return Weights(
        data=data_of(dataset or start.data.name, split, start.data.fold, variant),
        encoder=config,
        method=SupervisedConfig(steps=(crop(0.5, given.view, variant),)),
        training=given.tuning,
        seed=seed,
        labels=labels,
        start=start,
        start_encoder=name,
    )


def untrained(weights: Weights) -> Weights:
    """The same encoders as they are initialised."""
    return replace(weights, training=replace(weights.training, schedule=Steps(epochs=0)))


def supervised(weights: Weights) -> Weights:
    """The same training from random weights (Tables 2 and 7, "supervised only")."""
    return replace(weights, start=None, start_encoder="")
