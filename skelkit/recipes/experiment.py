"""What is measured: data, weights, evaluation and the table's cell they fill, as nested frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from skelkit.data.datasets import synthetic
from skelkit.data.library import identity
from skelkit.data.preprocess import CentreActors, Preprocess, Units
from skelkit.data.views import AnyView, View
from skelkit.evaluate.active import ActiveLearning
from skelkit.evaluate.cluster import Cluster
from skelkit.evaluate.compression import CompressedKNN
from skelkit.evaluate.inpainting import Inpainting
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.evaluate.logistic import Logistic
from skelkit.methods import MethodConfig
from skelkit.models import EncoderConfig
from skelkit.train import Training

Tier = Literal["smoke", "small", "reduced", "paper"]
Variant = Literal["paper", "official"]


@dataclass(frozen=True)
class Data:
    """Which clips, split how, and what an encoder sees of them."""

    name: str
    """The data set, as `skelkit.data.load` takes it."""
    split: str
    """The split, as `skelkit.data.protocols.split` takes it."""
    fold: int | None = None
    """The test fold of the split "folds", from 0."""
    view: AnyView = field(default_factory=View)
    """How clips are brought to one length, or padded to that of the longest in their batch."""
    steps: tuple[Preprocess, ...] = (Units(), CentreActors())
    """Deterministic preprocessing, in order."""
    clips: int | None = None
    """At most so many clips of each side of the split, drawn evenly; None takes all. Smaller tiers set it."""
    eval_view: AnyView | None = None
    """What an encoder sees of clips that nothing augments, test clips and features; None: the same as in training."""
    generator: int = field(default=0, init=False)
    """The version of the generator that made the clips; 0 for recorded ones."""
    identity: str = field(default="", init=False)
    """Which clips a name of the user's own stands for (`skelkit.data.library.identity`)."""

    def __post_init__(self) -> None:  # other clips under the same name must not find the old ones' artefacts
        object.__setattr__(self, "generator", synthetic.VERSION if self.name == "synthetic" else 0)
        object.__setattr__(self, "identity", identity(self.name))


@dataclass(frozen=True)
class First:
    """Labels of the first clips of each class, in file order."""

    share: float
    """The same number of each class: this share of all training clips over the number of classes, rounded down, but
    at least one."""


@dataclass(frozen=True)
class PerClass:
    """Labels of a few clips of each class, drawn by the seed of the weights."""

    clips: int
    """So many of each class; of a class that has fewer, all."""


@dataclass(frozen=True)
class Drawn:
    """Labels of a few clips, drawn by the seed of the weights, whichever class they have."""

    clips: int
    """So many in all."""


Labels = float | First | PerClass | Drawn | None
"""Labelled training clips: a class-balanced share (a float), the first of each class, n of each class that
are drawn, n of all that are drawn, or all (None)."""


@dataclass(frozen=True)
class Weights:
    """A trained (or, with no epochs, a random) method: everything that decides its parameters."""

    version: ClassVar[int] = 1
    """Raised when the code's meaning changes: the key of every training with it."""
    data: Data
    """The clips, of which the training side is trained on."""
    encoder: EncoderConfig
    """Sizes of the network that turns a clip into features."""
    method: MethodConfig
    """How it learns: a config of `METHODS`."""
    training: Training
    """For how long, in which steps."""
    seed: int
    """Initialisation, order, augmentations and label draws all derive from it."""
    labels: Labels = None
    """Labelled training clips. A method that `reads_unlabelled` (SESAR with a decoder) sees the others as well, without
    their labels."""
    start: Weights | None = None
    """Weights whose encoder this training starts from (fine-tuning), and with it what `take_over` takes."""
    start_encoder: str = ""
    """Which of the start's `encoders` that is, by its name there; "" is the main one."""
    teacher: Weights | None = None
    """Supervised weights whose class scores this training learns (distillation); they stand still."""
    active: ActiveLearning | None = None
    """How labels are asked for, in the place of `labels`: a round of them, `training`, the next round."""


@dataclass(frozen=True)
class OwnClassifier:
    """Test the classifier that a supervised, semi-supervised or distilled method trained itself."""


@dataclass(frozen=True)
class Evaluation:
    """A measurement on the test clips."""

    version: ClassVar[int] = 1
    """Raised when the code's meaning changes: the key of every measurement with it."""
    weights: Weights
    """What is measured; its data's test side is what is asked about."""
    protocol: Logistic | Linear | AugmentedLinear | KNN | CompressedKNN | Cluster | Inpainting | OwnClassifier
    """How it is measured."""
    encoder: str = ""
    """Which of the method's `encoders` gives the features, by its name there; "" is the main one."""
    split: str = ""
    """The split whose training clips the classifier sees, and whose test clips it is asked; "": that of the weights."""
    beside: tuple[Weights, ...] = ()
    """Other weights whose main encoder's features are put beside these (Thoker et al. 2021, Table 10)."""
    labels: Labels = None
    """Labelled training clips that a classifier on frozen features sees, drawn by the seed of the weights."""
    shuffled: bool = False
    """Whether these clips exchange their labels at random before a classifier on frozen features sees them: a check,
    for what then lies above chance was not learned from the labels."""


@dataclass(frozen=True)
class Cell:
    """Where a number belongs: the paper's own words for table, row and column."""

    paper: str
    """As its recipe is called: "ascal"."""
    table: str
    """As published: "Table V", "Fig. 9"."""
    row: str
    """As published ("Ours (CAE)"), or the extension's own name ("random encoder")."""
    column: str
    """As published ("C-View"); of a fold with its number, where the paper prints folds."""
    labels: str = "0%"
    """Labels that trained the encoder: "0%" unsupervised, "10%" semi-supervised, "100%" supervised."""


@dataclass(frozen=True)
class Experiment:
    """An evaluation and the cell it fills."""

    cell: Cell
    """Where its number belongs."""
    evaluation: Evaluation
    """What is measured, and alone decides the key."""
    tier: Tier = "paper"
    """How much it was shortened, by `at_tier` alone; "paper": not at all."""
    variant: Variant = "paper"
    """Whose numbers the fields were set from: the paper's, or its released code's ("official")."""
