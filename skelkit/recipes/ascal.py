"""The tables and figures of AS-CAL (Rao et al. 2021) as experiments; the only place where the paper's numbers live.

Every function takes the data set, so that a table of NTU RGB+D can be asked of SBU or NW-UCLA as well: those rows stand
under the data set's own name, as extensions. "random encoder" rows (no training) stand beside every table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
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
from skelkit.data.preprocess import CentreActors, Units
from skelkit.data.views import View
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import Linear
from skelkit.methods.ascal import ASCALConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.rnn import Recurrent
from skelkit.recipes.experiment import (
    Cell,
    Data,
    Evaluation,
    Experiment,
    OwnClassifier,
    Tier,
    Variant,
    Weights,
)
from skelkit.recipes.tiers import at_tier
from skelkit.train import SGD, Adam, Steps, Training


@dataclass(frozen=True)
class Setting:
    """What Sec. IV-B3 sets by data set."""

    title: str
    splits: dict[str, str]
    """Column -> split; of a split "folds" there are five."""
    frames: int
    layers: int
    queue: int
    seeds: int
    """How many seeds a table runs by default."""


UWA3D_VIEWS = ("1-2", "1-3", "1-4", "2-3", "2-4", "3-4")
SETTINGS = {
    "ntu60": Setting("NTU 60", {"C-View": "xview", "C-Sub": "xsub"}, 150, 2, 16384, 1),
    "ntu120": Setting("NTU 120", {"C-Set": "xset", "C-Sub": "xsub"}, 150, 2, 16384, 1),
    "sbu": Setting("SBU", {"Fold": "folds"}, 40, 1, 200, 5),
    "uwa3d": Setting(
        "UWA3D",
        {
            f"V{a}&V{b} -> V{c}": f"v{a}v{b}-v{c}"
            for a, b in (pair.split("-") for pair in UWA3D_VIEWS)
            for c in "1234"
            if c not in (a, b)
        },
        *(60, 1, 500, 5),
    ),
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
    millimetres with z from y (SBU), and a first epoch that only fills the queue."""
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


@dataclass(frozen=True)
class Place:
    """One column of a table: a split, and a fold of it."""

    column: str
    split: str
    fold: int | None


def places(dataset: str, columns: Sequence[str] | None = None) -> list[Place]:
    """The columns of a data set (or those named), folds spread out."""
    found = []
    for column, split in setting(dataset).splits.items():
        if columns is None or column in columns:
            folds = range(5) if split == "folds" else [None]
            found += [Place(column if f is None else f"{column} {f + 1}", split, f) for f in folds]
    return found


def comparison(
    table: str, dataset: str, *, tier: Tier = "paper", variant: Variant = "paper", seeds: int | None = None
) -> list[Experiment]:
    """Tables II-V and their extensions: CAE and CAE+ by linear evaluation and kNN, the random encoder, and the
    supervised RNN, GRU and LSTM of the same shape."""
    found = []
    seeds = seeds or (1 if tier == "smoke" else setting(dataset).seeds)
    for seed, place in product(range(seeds), places(dataset)):
        ours = pretraining(dataset, place.split, place.fold, seed, variant=variant)

        def add(row: str, evaluation: Evaluation, labels: str = "0%", column: str = place.column) -> None:
            cell = Cell("ascal", table, row, column, labels)
            found.append(at_tier(Experiment(cell, evaluation, variant=variant), tier))

        for protocol in (Linear(), KNN()):
            add("Ours (CAE)", Evaluation(ours, protocol, "CAE"))
            add("Ours (CAE+)", Evaluation(ours, protocol, "CAE+"))
            add("random encoder", Evaluation(untrained(ours), protocol, "CAE"))
        for cell in ("rnn", "gru", "lstm"):
            add(cell.upper(), Evaluation(baseline(ours, cell), OwnClassifier()), "100%")
    return found


def table2(**options: Any) -> list[Experiment]:
    """Table II: NTU RGB+D 60."""
    return comparison("Table II", "ntu60", **options)


def table3(**options: Any) -> list[Experiment]:
    """Table III: UWA3D, twelve pairs of views."""
    return comparison("Table III", "uwa3d", **options)


def table4(**options: Any) -> list[Experiment]:
    """Table IV: NTU RGB+D 120."""
    return comparison("Table IV", "ntu120", **options)


def table5(**options: Any) -> list[Experiment]:
    """Table V: SBU, five folds. One 256-unit LSTM layer, 40 frames, queue 200 (Sec. IV-B3)."""
    return comparison("Table V", "sbu", **options)


def _ablation(
    table: str,
    dataset: str,
    variations: dict[tuple[str, str], Any],
    *,
    columns: Sequence[str] | None = None,
    tier: Tier = "paper",
    variant: Variant = "paper",
    seeds: int | None = None,
) -> list[Experiment]:
    """One linear evaluation a variation: (row, column) -> a function of the default weights, or of the evaluation.

    In a row or column name, {place} is the data set with its split.
    """
    found = []
    for seed in range(seeds or 1):
        for place in places(dataset, columns):
            ours = pretraining(dataset, place.split, place.fold, seed, variant=variant)
            name = setting(dataset).title if place.fold is not None else f"{setting(dataset).title} ({place.column})"
            for (row, column), vary in variations.items():
                weights, encoder, labels = vary(ours)
                cell = Cell("ascal", table, row.format(place=name), column.format(place=name), labels)
                found.append(at_tier(Experiment(cell, Evaluation(weights, Linear(), encoder), variant=variant), tier))
    return found


def _method(**changes: Any) -> Any:
    return lambda weights: (with_method(weights, **changes), "CAE", "0%")


def _encoder(**changes: Any) -> Any:
    return lambda weights: (replace(weights, encoder=replace(weights.encoder, **changes)), "CAE", "0%")


def table6(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table VI (and Fig. 6): layers and hidden units of the LSTM, cross-subject."""
    sizes = product((1, 2, 3), (64, 128, 192, 256, 320))
    grid = {(f"{n} layer{'s' * (n > 1)}", f"{w} units"): _encoder(layers=n, width=w) for n, w in sizes}
    return _ablation("Table VI", dataset, grid, **_cross_subject(dataset), **options)


def figure6(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 6: two and three layers, every split of the data set."""
    sizes = product((2, 3), (64, 128, 192, 256, 320))
    grid = {(f"{n} layers", f"{w} units"): _encoder(layers=n, width=w) for n, w in sizes}
    return _ablation("Fig. 6", dataset, grid, **options)


def table7(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table VII (and Fig. 4): the momentum coefficient m."""
    values = (0, 0.9, 0.99, 0.999, 0.9999)
    return _ablation("Table VII", dataset, {("{place}", f"m = {m}"): _method(momentum=m) for m in values}, **options)


def table8(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table VIII: the temperature tau."""
    values = (0.06, 0.07, 0.1, 0.2, 0.3, 0.4, 0.5)
    return _ablation(
        "Table VIII", dataset, {("{place}", f"tau = {t}"): _method(temperature=t) for t in values}, **options
    )


def figure8(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 8: the queue size K."""
    values = (128, 256, 512, 1024, 4096, 16384)
    return _ablation("Fig. 8", dataset, {("{place}", f"K = {k}"): _method(queue=k) for k in values}, **options)


def table9(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table IX: the five representations of Sec. III-C, from one pretraining."""

    def of(encoder: str) -> Any:
        return lambda weights: (weights, encoder, "0%")

    grid = {(row, "{place}"): of(encoder) for row, encoder in REPRESENTATIONS.items()}
    return _ablation("Table IX", dataset, grid, **options)


def table10(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Table X: fine-tune on few labels, then freeze and train the classifier on the complete training set.

    The paper's N a class is about 9, 90, 450 for 1, 10, 50 %: `paper` takes the class-balanced share, `official` the
    first N of each class in file order. Both fine-tune for the released code's 35 / 15 / 10 epochs, with the
    pretraining's optimiser, since the paper gives none.
    """

    def finetuned(percent: int, n: int, epochs: int) -> Any:
        def vary(weights: Weights) -> tuple[Weights, str, str]:
            schedule = Steps(epochs=epochs)
            tuned = replace(
                weights,
                method=SupervisedConfig(),
                training=replace(weights.training, schedule=schedule),
                labels=n if variant == "official" else percent / 100,
                start=weights,
            )
            return tuned, "", f"{percent}%"

        return vary

    grid: dict[tuple[str, str], Any] = {("{place}", "0%"): lambda weights: (weights, "CAE", "0%")}
    for percent, n, epochs in ((1, 9, 35), (10, 90, 15), (50, 450, 10)):
        grid[("{place}", f"{percent}%")] = finetuned(percent, n, epochs)
    return _ablation("Table X", dataset, grid, variant=variant, **options)


def figure5(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 5: projection heads and their output dimension, with and without temporal average pooling."""
    grid = {}
    for pool, tap in (("mean", "TAP"), ("last", "No TAP")):
        grid[(f"{tap} (No Head)", "No Head")] = _head(pool, "none", 128)
        for head, dim in product(("linear", "nonlinear"), (64, 128, 256, 512)):
            grid[(f"{tap} + {head.capitalize()}", str(dim))] = _head(pool, head, dim)
    return _ablation("Fig. 5", dataset, grid, **_cross_subject(dataset), **options)


def _head(pool: Any, head: str, dim: int) -> Any:
    def vary(weights: Weights) -> tuple[Weights, str, str]:
        projection = {} if head == "none" else {"head": head, "head_dim": dim}
        return with_method(replace(weights, encoder=replace(weights.encoder, pool=pool)), **projection), "CAE", "0%"

    return vary


def augmentations(dataset: str, variant: Variant = "paper") -> dict[str, Augmentation]:
    """The seven of Sec. III-A by the figures' names. `official`: a rotation about one axis only, and where a clip is
    shorter than 100 frames a joint mask of 20 to 50 of them."""
    frames = setting(dataset).frames
    if variant == "paper":
        return AUGMENTATIONS
    mask = JointMask(frames=(20 / frames, min(50, frames) / frames)) if frames < 100 else JointMask()
    return {**AUGMENTATIONS, "Rotation": Rotation(others=0.0), "JM": mask}


def figure9(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 9 (and Fig. 7): each augmentation alone, none, and the random encoder."""
    grid = {(name, "{place}"): _method(steps=(step,)) for name, step in augmentations(dataset, variant).items()}
    grid = {("None", "{place}"): _method(steps=()), **grid}
    grid[("random encoder", "{place}")] = lambda weights: (untrained(weights), "CAE", "0%")
    return _ablation("Fig. 9", dataset, grid, variant=variant, **_cross_subject(dataset), **options)


def figure10(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 10: two augmentations in order, row first."""
    pairs = product(AUGMENTATIONS.items(), AUGMENTATIONS.items())
    grid = {(first, second): _method(steps=(a, b)) for (first, a), (second, b) in pairs}
    return _ablation("Fig. 10", dataset, grid, **_cross_subject(dataset), **options)


def figure11(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 11: Reverse + Shear and longer compositions on them; the figure's own list is not in our text."""
    grid = {}
    for extra in (
        (),
        ("Rotation",),
        ("GN",),
        ("GB",),
        ("JM",),
        ("GN", "GB"),
        ("Rotation", "GN", "GB"),
        ("GN", "GB", "JM"),
    ):
        names = ("Reverse", "Shear", *extra)
        grid[(" + ".join(names), "{place}")] = _method(steps=tuple(AUGMENTATIONS[name] for name in names))
    return _ablation("Fig. 11", dataset, grid, **_cross_subject(dataset), **options)


def figure12(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 12: the three paradigms of Table I against the number of negatives; end to end, K is the batch."""

    def of(paradigm: str, k: int) -> Any:
        def vary(weights: Weights) -> tuple[Weights, str, str]:
            batch = k if paradigm == "end to end" else weights.training.batch
            weights = replace(weights, training=replace(weights.training, batch=batch))
            return with_method(weights, paradigm=paradigm, queue=k), "CAE", "0%"

        return vary

    sizes = (128, 256, 512, 1024)
    grid = {(row, f"K = {k}"): of(paradigm, k) for (row, paradigm), k in product(PARADIGMS.items(), sizes)}
    return _ablation("Fig. 12", dataset, grid, **options)


def _cross_subject(dataset: str) -> dict[str, Any]:
    """The figures that the paper draws for NTU RGB+D 60 (C-Sub) only."""
    return {"columns": ["C-Sub"]} if dataset == "ntu60" else {}


def everything() -> list[Experiment]:
    """Every published cell that skelkit can measure, and the extensions on data that need no agreement."""
    extensions = [
        *comparison("NW-UCLA", "nw_ucla"),
        *table9("sbu", seeds=5),
        *figure9("sbu", seeds=3),
        *table5(variant="official", seeds=1),
        *table7("sbu"),
        *table8("sbu"),
        *figure8("sbu"),
        *figure12("sbu"),
        *table10("sbu"),
        *figure5("sbu"),
        *table6("sbu"),
        *figure11("sbu"),
        *figure10("sbu"),
    ]
    cross_subject = (table6, figure6, figure5, figure9, figure10, figure11, figure12)
    every_split = (table7, table8, figure8, table9, table10)
    ntu = [e for make in cross_subject for e in make("ntu60")]
    ntu += [e for make in every_split for dataset in ("ntu60", "ntu120") for e in make(dataset)]
    return [*table5(), *extensions, *table2(), *table3(), *table4(), *ntu]
