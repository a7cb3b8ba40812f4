"""The tables and figures of AS-CAL (Rao et al. 2021) as experiments; `ascal_settings` holds what they share.

Every function takes the data set, so that a table of NTU RGB+D can be asked of SBU or NW-UCLA as well: those rows stand
under the data set's own name, as extensions. A "random encoder" (no training) stands in every comparison and in Fig. 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import Linear
from skelkit.methods.supervised import SupervisedConfig
from skelkit.recipes.ascal_settings import (
    PARADIGMS,
    REPRESENTATIONS,
    augmentations,
    baseline,
    places,
    pretraining,
    setting,
    untrained,
    with_method,
)
from skelkit.recipes.experiment import (
    Cell,
    Evaluation,
    Experiment,
    OwnClassifier,
    Tier,
    Variant,
    Weights,
)
from skelkit.recipes.tiers import at_tier
from skelkit.train import Steps


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
    pretraining's optimiser, since the paper gives none. The random encoder is fine-tuned on the same labels.
    """

    def finetuned(percent: int, n: int, epochs: int, start: Any = lambda weights: weights) -> Any:
        def vary(weights: Weights) -> tuple[Weights, str, str]:
            schedule = Steps(epochs=epochs)
            tuned = replace(
                weights,
                method=SupervisedConfig(),
                training=replace(weights.training, schedule=schedule),
                labels=n if variant == "official" else percent / 100,
                start=start(weights),
            )
            return tuned, "", f"{percent}%"

        return vary

    random = "random encoder, {place}"
    grid: dict[tuple[str, str], Any] = {
        ("{place}", "0%"): lambda weights: (weights, "CAE", "0%"),
        (random, "0%"): lambda weights: (untrained(weights), "CAE", "0%"),
    }
    for percent, n, epochs in ((1, 9, 35), (10, 90, 15), (50, 450, 10)):
        grid[("{place}", f"{percent}%")] = finetuned(percent, n, epochs)
        grid[(random, f"{percent}%")] = finetuned(percent, n, epochs, untrained)
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


def figure9(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 9 (and Fig. 7): each augmentation alone, none, and the random encoder."""
    grid = {(name, "{place}"): _method(steps=(step,)) for name, step in augmentations(dataset, variant).items()}
    grid = {("None", "{place}"): _method(steps=()), **grid}
    grid[("random encoder", "{place}")] = lambda weights: (untrained(weights), "CAE", "0%")
    return _ablation("Fig. 9", dataset, grid, variant=variant, **_cross_subject(dataset), **options)


def figure10(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 10: two augmentations in order, row first."""
    pairs = product(augmentations(dataset, variant).items(), repeat=2)
    grid = {(first, second): _method(steps=(a, b)) for (first, a), (second, b) in pairs}
    return _ablation("Fig. 10", dataset, grid, variant=variant, **_cross_subject(dataset), **options)


def figure11(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 11: Reverse + Shear and longer compositions on them; the figure's own list is not in its text."""
    grid, steps = {}, augmentations(dataset, variant)
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
        grid[(" + ".join(names), "{place}")] = _method(steps=tuple(steps[name] for name in names))
    return _ablation("Fig. 11", dataset, grid, variant=variant, **_cross_subject(dataset), **options)


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
