"""What the experiments on sparse active learning share: Implementation Details of Li and Shlizerman 2020."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from skelkit.data.preprocess import AtMost, MinMax, SelectPersons, ViewInvariant
from skelkit.data.views import View
from skelkit.evaluate.active import ActiveLearning, evenly
from skelkit.evaluate.activeml import BADGE, Margin, TypiClust
from skelkit.evaluate.strategies import KJS, CoreSet, Discriminator, KMeansTop, Uniform
from skelkit.evaluate.strategy import Strategy
from skelkit.methods.predict_cluster import PredictClusterConfig
from skelkit.methods.sesar import SESARConfig
from skelkit.models.decoder import WeakDecoder
from skelkit.models.gru import BiGRU
from skelkit.recipes.experiment import Data, Drawn, Variant, Weights
from skelkit.train import Adam, Decay, Training

FRAMES = 50
"""Of a clip; Predict & Cluster's and SESAR's released codes'. The paper does not say."""
ROUNDS = 5
"""Rounds in which the first column's labels are asked for; each further column takes `MORE`."""
MORE = 2
BATCH = 64
"""The released code's; the paper does not say."""


@dataclass(frozen=True)
class Setting:
    """What Sec. 4 sets by data set."""

    title: str
    """Before a column's ending, where a table shows several splits."""
    splits: dict[str, str]
    """The column's ending -> split."""
    labels: dict[int, str]
    """Labels of each column, as printed -> their share of the training clips, as printed."""
    folds: int = 5
    """How many the split "folds" has."""
    classes: int = 10
    """C; k-means makes at most 2C clusters."""
    decay: int = 1000
    """Iterations after which the rate is multiplied by 0.95."""
    pretraining: int = 300
    """Epochs of the reconstruction alone."""
    epochs: int = 20
    """Epochs of each round. The paper gives neither."""


SMALL = Setting("", {"": "xsub"}, {20: "of 20", 50: "of 50"})
"""Of a data set that the paper does not know. How many classes it has is not known here: 20 clusters, 2C of ten."""

SETTINGS = {
    "uwa3d": Setting("", {"": "v1v2-v3"}, {25: "5%", 50: "10%", 100: "20%", 250: "50%"}, classes=30),
    "nw_ucla": Setting(
        "",
        {"": "xview-v3", "leak-free": "xview-v3-leakfree"},
        {50: "5%", 150: "15%", 300: "30%", 400: "40%"},
    ),
    "ntu60": Setting(
        "",
        {"": "xsub"},
        {400: "1%", 800: "2%", 2000: "5%", 4000: "10%"},
        classes=60,
        decay=500,
        pretraining=60,
        epochs=4,
    ),
    # Ours.
    "utd_mhad": Setting("", {"": "xsub"}, {22: "5%", 65: "15%", 129: "30%", 172: "40%"}, classes=27),
    "msr_action3d": Setting("", {"": "xsub"}, {14: "5%", 43: "15%", 85: "30%", 114: "40%"}, classes=20),
    "synthetic": replace(SMALL, splits={"": "xsub"}),
}


def setting(dataset: str) -> Setting:
    """The setting of a data set; one that the paper does not know gets ours for small ones, cross-subject."""
    return SETTINGS.get(dataset, SMALL)


def budgets(given: Setting, labels: int) -> tuple[int, ...]:
    """Labels in all after each round, up to a column's.

    The columns of a row are one run: who has asked for 150 labels has asked for 50 before. The paper does not say in
    how many rounds it selects; in a single one SESAR-KJS would be SESAR-KT, and uniform sampling RIC.
    """
    first, *others = given.labels
    found = list(evenly(first, min(ROUNDS, first)))
    for below, above in pairwise((first, *others)):
        found += [below + step for step in evenly(above - below, MORE)]
    return tuple(many for many in found if many <= labels)


def data_of(dataset: str, split: str, fold: int | None = None) -> Data:
    """One person's clips as Predict & Cluster prepares them: in the axes of their first pose, each axis in [-1, 1], at
    most 50 frames."""
    steps = (SelectPersons(1), ViewInvariant(mirrored=True), MinMax(), AtMost(FRAMES, "stride"))
    return Data(dataset, split, fold, view=View(FRAMES), steps=steps)


def training(dataset: str, epochs: int, *, batch: int = BATCH, variant: Variant = "paper") -> Training:
    """Adam at 1e-4, times 0.95 every 1000 iterations (500 on NTU RGB+D 60); `official`: every two epochs."""
    decay = Decay(epochs, every=setting(dataset).decay)
    return Training(
        Adam(lr=1e-4),
        replace(decay, every=2, of="epochs") if variant == "official" else decay,
        batch=batch,
        clip=25.0,  # the released codes'; the paper does not say
    )


def pretraining(
    dataset: str,
    split: str,
    fold: int | None = None,
    seed: int = 0,
    *,
    variant: Variant = "paper",
    decoder: WeakDecoder | None = None,
) -> Weights:
    """Predict & Cluster, which SESAR, RIC and every strategy start from. decoder: by default SESAR's, fixed states.

    `official` runs both directions of the encoder forward in time, as the released code does.
    """
    return Weights(
        data=data_of(dataset, split, fold),
        encoder=BiGRU(
            directions="two forward" if variant == "official" else "both ways", padding="left out", initial=0.05
        ),
        method=PredictClusterConfig(decoder or WeakDecoder()),
        training=training(dataset, setting(dataset).pretraining, variant=variant),
        seed=seed,
    )


def untrained(weights: Weights) -> Weights:
    """The same network as it is initialised."""
    schedule = replace(weights.training.schedule, epochs=0)
    return replace(weights, training=replace(weights.training, schedule=schedule))


NETWORK = SESARConfig(cross_entropy="sum")
"""The method of every row but C's. The paper writes L_re = |x - x^|, "L1 loss", and says no more of its length. As a
frame's distance, summed over its numbers, beside the cross-entropy of a batch's few labelled clips ("mean"), it leaves
the labels next to nothing; as a mean of numbers, or with the released code's sum of the cross-entropies, they weigh
about sixty times as much. On NW-UCLA's training clips, 50 of them labelled and other subjects asking, a quarter of the
width and 15 epochs after 30 of pretraining gave 52 % for "sum" and 44 % for "mean"; "sum" it is, and "mean" stands
beside it (`recipes.sesar.cross_entropies`)."""


def baseline(start: Weights, labels: int, row: str, *, variant: Variant = "paper") -> Weights:
    """C, RC or RIC on labels that are drawn at once, the same for all three: as many epochs as SESAR's rounds have.

    The paper does not say how these labels are drawn; with 25 of 30 classes' (Table 1) it cannot be so many of each. C
    sees its few clips alone, in batches that hold as many as RC's do, so that both take as many steps.
    """
    dataset = start.data.name
    given = setting(dataset)
    epochs = given.epochs * len(budgets(given, labels))
    batch = max(1, round(BATCH * labels / clips_of(given))) if row == "C" else BATCH
    method = replace(NETWORK, decoder=None) if row == "C" else NETWORK
    return replace(
        start,
        method=method,
        training=training(dataset, epochs, batch=batch, variant=variant),
        labels=Drawn(labels),
        start=start if row == "RIC" else None,
    )


def clips_of(given: Setting) -> float:
    """About so many training clips: the last column's labels are a printed share of them."""
    labels, share = list(given.labels.items())[-1]
    return labels / (float(share.removesuffix("%")) / 100) if share.endswith("%") else 10.0 * labels


def strategies(given: Setting) -> dict[str, Strategy]:
    """SESAR's strategies by the names of the tables' rows, and three from outside."""
    clusters = 2 * given.classes
    return {
        "SESAR-DIS": Discriminator(),
        "SESAR-U": Uniform(),
        "SESAR-CS": CoreSet(),
        "SESAR-KT": KMeansTop(clusters),
        "SESAR-KJS": KJS(clusters),
        "margin": Margin(),
        "BADGE": BADGE(),
        "TypiClust": TypiClust(),
    }


def asking(start: Weights, rounds: tuple[int, ...], strategy: Strategy, *, variant: Variant = "paper") -> Weights:
    """SESAR: from the pretrained network on, a round of labels after the other."""
    dataset = start.data.name
    return replace(
        start,
        method=NETWORK,
        training=training(dataset, setting(dataset).epochs, variant=variant),
        start=start,
        active=ActiveLearning(strategy, rounds, start.seed),
    )


TOYS = {"smoke": (8, 1), "small": (51, 8), "reduced": (51, 32)}
"""Labels of a toy, and epochs of each of its rounds, by tier."""


def toy(weights: Weights, labels: int, epochs: int) -> Weights:
    """The same with a network that trains in a minute, to see the method at work: 32 units a direction, larger steps,
    at most 340 clips.

    labels: drawn at once or asked for in three rounds, as the weights say. epochs: of each round; what is trained at
    once, pretraining and baselines, takes as many as three rounds do.
    """
    schedule = Decay(epochs if weights.active else 3 * epochs)
    return replace(
        weights,
        data=replace(weights.data, clips=min(weights.data.clips or 340, 340)),
        encoder=replace(weights.encoder, width=32, initial=None),
        training=replace(weights.training, optimiser=Adam(lr=3e-3), schedule=schedule, bf16=False),
        start=weights.start and toy(weights.start, labels, epochs),
        labels=Drawn(labels) if weights.labels else None,
        active=weights.active and replace(weights.active, budgets=evenly(labels, 3)),
    )
