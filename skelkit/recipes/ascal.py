"""AS-CAL (Rao et al. 2021), a function a table or figure, with the paper's own names for rows and columns.

The rows of other authors stand among the published cells alone. A "random encoder" (no training) and "no network" stand
in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from skelkit.augment import GaussianBlur
from skelkit.data.preprocess import Units
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import Linear
from skelkit.methods.supervised import SupervisedConfig
from skelkit.recipes.ascal_settings import (
    PARADIGMS,
    REPRESENTATIONS,
    UNITS,
    augmentations,
    baseline,
    on_labels,
    pretraining,
    setting,
    untrained,
    with_method,
)
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, First, OwnClassifier, Tier, Variant, Weights
from skelkit.recipes.places import Cells, Place, Pretrain, Tables, by_name, experiments, shuffled
from skelkit.report.results import EVERY, RANDOM
from skelkit.train import Steps

__all__ = ["augmentations", "baseline", "everything", "pretraining", "setting", "untrained", "with_method"]

PAPERS_OWN = ("ntu60", "uwa3d", "ntu120", "sbu")
OURS = ("nw_ucla",)
"""Data sets on which the question of Tables II-V is asked as an extension; those of the ablations are asked of SBU."""

_experiments = partial(experiments, setting, pretraining)
_cell = partial(Cell, "ascal")


def _column(place: Place) -> str:
    """The column of Tables II-V: they name the data set alone, and show each fold."""
    return place.ending if place.fold is None else f"{place.ending} {place.fold + 1}"


def _data(place: Place) -> str:
    """The data set with its split, as figures and ablations name it."""
    return place.title if place.fold is not None else f"{place.title} ({place.ending})"


def _cross_subject(dataset: str) -> Sequence[str] | None:
    """Where the figures run that the paper draws for NTU RGB+D 60 (C-Sub) only; elsewhere at every split."""
    return ["C-Sub"] if dataset == "ntu60" else None


def _comparison(
    table: str,
    dataset: str,
    *,
    tier: Tier = "paper",
    variant: Variant = "paper",
    seeds: int | None = None,
    **options: Any,
) -> list[Experiment]:
    """Tables II-V and their extensions: CAE and CAE+ by linear evaluation and kNN, the random encoder, and the
    supervised RNN, GRU and LSTM of the same shape."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        ours, column = pretrain(), _column(place)
        for protocol in (Linear(), KNN()):
            yield _cell(table, "Ours (CAE)", column), Evaluation(ours, protocol, "CAE")
            yield _cell(table, "Ours (CAE+)", column), Evaluation(ours, protocol, "CAE+")
            yield _cell(table, RANDOM, column), Evaluation(untrained(ours), protocol, "CAE")
        for cell in ("rnn", "gru", "lstm"):
            weights = baseline(ours, cell, variant=variant)
            yield _cell(table, cell.upper(), column, "100%"), Evaluation(weights, OwnClassifier())

    seeds = seeds or (1 if tier == "smoke" else setting(dataset).seeds)
    return _experiments(dataset, None, cells, tier=tier, variant=variant, seeds=seeds, **options)


def table2(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table II: NTU RGB+D 60."""
    return _comparison("Table II", dataset, **options)


def table3(dataset: str = "uwa3d", **options: Any) -> list[Experiment]:
    """Table III: UWA3D, twelve pairs of views."""
    return _comparison("Table III", dataset, **options)


def table4(dataset: str = "ntu120", **options: Any) -> list[Experiment]:
    """Table IV: NTU RGB+D 120."""
    return _comparison("Table IV", dataset, **options)


def table5(dataset: str = "sbu", **options: Any) -> list[Experiment]:
    """Table V: SBU, five folds. One 256-unit LSTM layer, 40 frames, queue 200 (Sec. IV-B3)."""
    return _comparison("Table V", dataset, **options)


def elsewhere(dataset: str = "nw_ucla", **options: Any) -> list[Experiment]:
    """Ours: the same on data that the paper does not have, as a table that is called as the data set is."""
    return _comparison(setting(dataset).title, dataset, **options)


DEFAULT = "Reverse + Shear (default)"
"""A row of Fig. 9 that the paper shows in Fig. 10 alone."""
Vary = Callable[[Weights], Weights]


def _random(table: str, pretrain: Pretrain) -> tuple[Cell, Evaluation]:
    """The random encoder of an ablation, of the default size."""
    return _cell(table, RANDOM, EVERY), Evaluation(untrained(pretrain()), Linear(), "CAE")


def _ablation(
    table: str,
    dataset: str,
    variations: dict[tuple[str, str], Vary],
    endings: Sequence[str] | None = None,
    **options: Any,
) -> list[Experiment]:
    """One linear evaluation a variation: (row, column) -> what is made of the default weights.

    In a row or column name, {data} is the data set with its split.
    """

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for (row, column), vary in variations.items():
            cell = _cell(table, row.format(data=_data(place)), column.format(data=_data(place)))
            yield cell, Evaluation(vary(pretrain()), Linear(), "CAE")
        yield _random(table, pretrain)

    return _experiments(dataset, endings, cells, **options)


def _method(**changes: Any) -> Vary:
    return lambda weights: with_method(weights, **changes)


def _encoder(**changes: Any) -> Vary:
    return lambda weights: replace(weights, encoder=replace(weights.encoder, **changes))


def table6(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table VI (and Fig. 6): layers and hidden units of the LSTM, cross-subject."""
    sizes = product((1, 2, 3), (64, 128, 192, 256, 320))
    grid = {(f"{n} layer{'s' * (n > 1)}", f"{w} units"): _encoder(layers=n, width=w) for n, w in sizes}
    return _ablation("Table VI", dataset, grid, _cross_subject(dataset), **options)


def figure6(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 6: two and three layers, every split of the data set."""
    sizes = product((2, 3), (64, 128, 192, 256, 320))
    grid = {(f"{n} layers", f"{w} units"): _encoder(layers=n, width=w) for n, w in sizes}
    return _ablation("Fig. 6", dataset, grid, **options)


def table7(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table VII (and Fig. 4): the momentum coefficient m."""
    values = (0, 0.9, 0.99, 0.999, 0.9999)
    return _ablation("Table VII", dataset, {("{data}", f"m = {m}"): _method(momentum=m) for m in values}, **options)


def table8(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table VIII: the temperature tau."""
    values = (0.06, 0.07, 0.1, 0.2, 0.3, 0.4, 0.5)
    grid = {("{data}", f"tau = {t}"): _method(temperature=t) for t in values}
    return _ablation("Table VIII", dataset, grid, **options)


def figure8(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 8: the queue size K."""
    values = (128, 256, 512, 1024, 4096, 16384)
    return _ablation("Fig. 8", dataset, {("{data}", f"K = {k}"): _method(queue=k) for k in values}, **options)


def table9(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table IX: the five representations of Sec. III-C, from one pretraining."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for row, encoder in REPRESENTATIONS.items():
            yield _cell("Table IX", row, _data(place)), Evaluation(pretrain(), Linear(), encoder)
        yield _random("Table IX", pretrain)

    return _experiments(dataset, None, cells, **options)


def table10(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Table X: fine-tune on few labels, then freeze and train the classifier on the complete training set.

    The paper says around 9, 90, 450 labels a class for 1, 10, 50 %: `paper` takes the class-balanced share, and
    fine-tunes for the released code's 35 / 15 / 10 epochs with the pretraining's optimiser, since the paper gives none.
    `official`: see the table of `ascal_settings`. The random encoder is fine-tuned on the same labels.
    """

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        rows = {_data(place): pretrain(), f"random encoder, {_data(place)}": untrained(pretrain())}
        for row, start in rows.items():
            yield _cell("Table X", row, "0%"), Evaluation(start, Linear(), "CAE")
        for percent, epochs, drops in ((1, 35, (15, 30)), (10, 15, (8,)), (50, 10, (7,))):
            labels: float | First = percent / 100
            training = replace(pretrain().training, schedule=Steps(epochs=epochs))
            if variant == "official":
                labels, training = First(percent / 100), on_labels(epochs, drops)
            for row, start in rows.items():
                tuned = replace(pretrain(), method=SupervisedConfig(), training=training, labels=labels, start=start)
                yield _cell("Table X", row, f"{percent}%", f"{percent}%"), Evaluation(tuned, Linear())
        yield _random("Table X", pretrain)

    return _experiments(dataset, None, cells, variant=variant, **options)


def figure5(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 5: projection heads and their output dimension, with and without temporal average pooling."""
    grid = {}
    for pool, tap in (("mean", "TAP"), ("last", "No TAP")):
        grid[(f"{tap} (No Head)", "No Head")] = _head(pool, "none", 128)
        for head, dim in product(("linear", "nonlinear"), (64, 128, 256, 512)):
            grid[(f"{tap} + {head.capitalize()}", str(dim))] = _head(pool, head, dim)
    return _ablation("Fig. 5", dataset, grid, _cross_subject(dataset), **options)


def _head(pool: Any, head: str, dim: int) -> Vary:
    def vary(weights: Weights) -> Weights:
        projection = {} if head == "none" else {"head": head, "head_dim": dim}
        return with_method(replace(weights, encoder=replace(weights.encoder, pool=pool)), **projection)

    return vary


def figure9(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 9 (and Fig. 7): each augmentation alone, and none. Ours: a blur of gain 1, and the default of both views."""
    grid = {(name, "{data}"): _method(steps=(step,)) for name, step in augmentations(dataset, variant).items()}
    grid = {("None", "{data}"): _method(steps=()), **grid, (DEFAULT, "{data}"): _method()}
    grid[("GB, normalised", "{data}")] = _method(steps=(GaussianBlur(normalise=True),))
    return _ablation("Fig. 9", dataset, grid, _cross_subject(dataset), variant=variant, **options)


def figure10(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 10: two augmentations in order, row first."""
    pairs = product(augmentations(dataset, variant).items(), repeat=2)
    grid = {(first, second): _method(steps=(a, b)) for (first, a), (second, b) in pairs}
    return _ablation("Fig. 10", dataset, grid, _cross_subject(dataset), variant=variant, **options)


def figure11(dataset: str = "ntu60", *, variant: Variant = "paper", **options: Any) -> list[Experiment]:
    """Fig. 11: Reverse + Shear and longer compositions on them; the figure's own list is not in its text."""
    grid, steps = {}, augmentations(dataset, variant)
    extras = [(), ("Rotation",), ("GN",), ("GB",), ("JM",), ("GN", "GB"), ("Rotation", "GN", "GB"), ("GN", "GB", "JM")]
    for extra in extras:
        names = ("Reverse", "Shear", *extra)
        grid[(" + ".join(names), "{data}")] = _method(steps=tuple(steps[name] for name in names))
    return _ablation("Fig. 11", dataset, grid, _cross_subject(dataset), variant=variant, **options)


def figure12(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Fig. 12: the three paradigms of Table I against the number of negatives; end to end, K is the batch."""

    def of(paradigm: str, k: int) -> Vary:
        def vary(weights: Weights) -> Weights:
            batch = k if paradigm == "end to end" else weights.training.batch
            weights = replace(weights, training=replace(weights.training, batch=batch))
            return with_method(weights, paradigm=paradigm, queue=k)

        return vary

    sizes = (128, 256, 512, 1024)
    grid = {(row, f"K = {k}"): of(paradigm, k) for (row, paradigm), k in product(PARADIGMS.items(), sizes)}
    return _ablation("Fig. 12", dataset, grid, **options)


def units(dataset: str = "sbu", **options: Any) -> list[Experiment]:
    """Ours: what the unit of the coordinates does, which the paper leaves open; `Units` says which there are."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for column, to in UNITS.items():
            ours = pretrain()
            ours = replace(ours, data=replace(ours.data, steps=(Units(to), *ours.data.steps[1:])))
            yield _cell("Units", "Ours (CAE)", column), Evaluation(ours, Linear(), "CAE")
            yield _cell("Units", RANDOM, column), Evaluation(untrained(ours), Linear(), "CAE")

    return _experiments(dataset, None, cells, **options)


TABLES: Tables = {
    "Table II": table2,
    "Table III": table3,
    "Table IV": table4,
    "Table V": table5,
    "Table VI": table6,
    "Table VII": table7,
    "Table VIII": table8,
    "Table IX": table9,
    "Table X": table10,
    "Fig. 5": figure5,
    "Fig. 6": figure6,
    "Fig. 8": figure8,
    "Fig. 9": figure9,
    "Fig. 10": figure10,
    "Fig. 11": figure11,
    "Fig. 12": figure12,
    "NW-UCLA": elsewhere,
    "Units": units,
}
comparison = partial(by_name, TABLES)
"""A table by its published name, on any data set."""


def extensions() -> list[Experiment]:
    """The comparison on NW-UCLA, Table V as the released code has it, and the ablations on SBU, which needs no
    agreement; all at tier `paper`."""
    found = elsewhere() + table9("sbu", seeds=5) + figure9("sbu", seeds=5) + table5(variant="official")
    for make in (table7, table8, figure8, figure12, figure5, table6):
        found += make("sbu", seeds=3)
    found += table10("sbu") + figure11("sbu") + figure10("sbu")
    found += units(seeds=3)
    return found + shuffled(elsewhere(seeds=1))


def everything() -> list[Experiment]:
    """Every published cell that this method can fill, and the extensions: what needs no agreement first."""
    found = table5() + extensions() + table2() + table3() + table4()
    found += [e for make in (table6, figure6, figure5, figure9, figure10, figure11, figure12) for e in make("ntu60")]
    every_split = (table7, table8, figure8, table9, table10)
    return found + [e for make in every_split for dataset in ("ntu60", "ntu120") for e in make(dataset)]
