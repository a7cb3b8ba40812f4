"""Sparse semi-supervised action recognition (Li and Shlizerman 2020), a function a table, with the paper's own names.

The rows of other authors stand among the published cells alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from skelkit.evaluate.compression import CompressedKNN
from skelkit.evaluate.knn import KNN
from skelkit.models.decoder import WeakDecoder
from skelkit.recipes.experiment import Cell, Drawn, Evaluation, Experiment, OwnClassifier, Tier
from skelkit.recipes.places import FLOOR, Cells, Place, Pretrain, Tables, by_name, experiments, shuffled
from skelkit.recipes.sesar_settings import (
    TOYS,
    asking,
    baseline,
    budgets,
    pretraining,
    setting,
    strategies,
    toy,
    untrained,
)
from skelkit.report.results import RANDOM

__all__ = ["asking", "baseline", "budgets", "everything", "pretraining", "setting", "strategies", "untrained"]

PAPERS_OWN = ("uwa3d", "nw_ucla", "ntu60")
OURS = ("utd_mhad", "msr_action3d")
"""Data sets on which Table 2's question is asked as an extension, at tier `reduced`."""
OUTSIDE = ("margin", "BADGE", "TypiClust")
"""Strategies that the paper does not have; scikit-activeml's."""

_experiments = partial(experiments, setting, pretraining)
_cell = partial(Cell, "sesar")


def _table(
    table: str,
    dataset: str,
    endings: Sequence[str] | None = None,
    labels: Sequence[int] | None = None,
    outside: bool = False,
    **options: Any,
) -> list[Experiment]:
    """Baselines and strategies by number of labels, and how far one gets on random features and on the pretrained ones.

    endings, labels: of some columns alone. outside: also the strategies that the paper does not have.
    """
    given, variant = setting(dataset), options.get("variant", "paper")
    pretrained = "RIC" if table == "Table 2" else "IRC"  # the paper's two names of one baseline

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        start, ending = pretrain(), f", {place.column}" if place.column else ""
        for many, share in given.labels.items():
            if labels is not None and many not in labels:
                continue
            rows = {row: baseline(start, many, row, variant=variant) for row in ("C", "RC")}
            rows[pretrained] = baseline(start, many, "RIC", variant=variant)
            for row, strategy in strategies(given).items():
                if outside or row not in OUTSIDE:
                    rows[row] = asking(start, budgets(given, many), strategy, variant=variant)
            for row, weights in rows.items():
                yield _cell(table, row, _column(many) + ending, share), Evaluation(weights, OwnClassifier())
            for row, weights in ((RANDOM, untrained(start)), ("Predict & Cluster, linear", start)):
                cell = _cell(table, row, _column(many) + ending, share)
                yield cell, Evaluation(weights, FLOOR, labels=Drawn(many))

    return _experiments(dataset, endings, cells, **options)


def _column(labels: int) -> str:
    """As the tables have it: 400 labels, 4K labels."""
    return f"{labels // 1000}K labels" if labels % 1000 == 0 else f"{labels} labels"


def table1(dataset: str = "uwa3d", **options: Any) -> list[Experiment]:
    """Table 1: UWA3D, its third view."""
    return _table("Table 1", dataset, **options)


def table2(dataset: str = "nw_ucla", **options: Any) -> list[Experiment]:
    """Table 2: NW-UCLA, its third view; here also without the test clips that lie among its training clips, and our
    own data sets."""
    return _table("Table 2", dataset, **options)


def table3(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table 3: NTU RGB+D 60, cross-subject."""
    return _table("Table 3", dataset, **options)


def figure3(dataset: str = "nw_ucla", endings: Sequence[str] | None = None, **options: Any) -> list[Experiment]:
    """Fig. 3: SESAR-KT in three iterations, each with a further tenth of the labels. The caption names neither the
    strategy nor the data set; the text says KT."""
    given, variant = setting(dataset), options.get("variant", "paper")
    first = next(iter(given.labels))
    rounds = (2 * first, 4 * first, 6 * first) if given.labels[first] == "5%" else (first, 2 * first, 3 * first)

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        weights = asking(pretrain(), rounds, strategies(given)["SESAR-KT"], variant=variant)
        ending = f", {place.ending}" if place.ending else ""
        column, random = f"{rounds[-1]} labels{ending}", untrained(pretrain())
        yield _cell("Fig. 3", "SESAR-KT", column, "30%"), Evaluation(weights, OwnClassifier())
        yield _cell("Fig. 3", RANDOM, column, "30%"), Evaluation(random, FLOOR, labels=Drawn(rounds[-1]))

    return _experiments(dataset, endings, cells, **options)


def toys(dataset: str, tier: Tier, seed: int = 0) -> dict[str, Experiment]:
    """Four rows of a data set's first column, one pretraining before all, with a network that trains in a minute
    (`toy`, `TOYS`); at tier `paper` as they are. For a walk through the method: nothing is concluded from them."""
    found = _table("Table 2", dataset, tier=tier, seeds=seed + 1)
    rows: dict[str, Experiment] = {}
    for experiment in (e for e in found if e.evaluation.weights.seed == seed):
        weights, row = experiment.evaluation.weights, experiment.cell.row
        if row in ("RIC", "SESAR-U", "SESAR-KT", "SESAR-KJS") and row not in rows:
            small = toy(weights, *TOYS[tier]) if tier in TOYS else weights
            rows[row] = replace(experiment, evaluation=replace(experiment.evaluation, weights=small))
    return rows


def predict_cluster(dataset: str = "nw_ucla", endings: Sequence[str] | None = None, **options: Any) -> list[Experiment]:
    """Predict & Cluster itself (Su et al. 2020), as these papers compare with it: the nearest neighbour among all
    training clips, before and after the compression (+AEC), and the random encoder's."""
    kinds = {"P&C-FS": WeakDecoder("fixed state"), "P&C-FW": WeakDecoder("fixed weights")}

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        column = f"1-NN {place.ending}".rstrip()
        for row, decoder in kinds.items():
            weights = pretrain(decoder=decoder)
            yield _cell("Predict & Cluster", row, column), Evaluation(weights, KNN())
            yield _cell("Predict & Cluster", f"{row} + AEC", column), Evaluation(weights, CompressedKNN())
        random = untrained(pretrain())
        yield _cell("Predict & Cluster", RANDOM, column), Evaluation(random, KNN())

    return _experiments(dataset, endings, cells, **options)


def cross_entropies(dataset: str = "nw_ucla", endings: Sequence[str] | None = None, **options: Any) -> list[Experiment]:
    """How the few labels are weighed beside the reconstruction: RIC and SESAR-KT with the cross-entropy of a batch
    summed, as everywhere here, and with both losses a mean over its clips (Eq. 4, L_re as a frame's distance)."""
    given, variant = setting(dataset), options.get("variant", "paper")
    many, share = next(iter(given.labels.items()))

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        start, ending = pretrain(), f", {place.column}" if place.column else ""
        strategy = strategies(given)["SESAR-KT"]
        found = {
            "RIC": baseline(start, many, "RIC", variant=variant),
            "SESAR-KT": asking(start, budgets(given, many), strategy, variant=variant),
        }
        for row, weights in found.items():
            for how in ("sum", "mean"):
                changed = replace(weights, method=replace(weights.method, cross_entropy=how))
                cell = _cell("Cross-entropy", f"{row}, {how}", _column(many) + ending, share)
                yield cell, Evaluation(changed, OwnClassifier())
        cell = _cell("Cross-entropy", RANDOM, _column(many) + ending, share)
        yield cell, Evaluation(untrained(start), FLOOR, labels=Drawn(many))

    return _experiments(dataset, endings, cells, **options)


def own_table(dataset: str) -> str:
    """The published table that a data set stands in; one that the paper does not have is asked Table 2's question."""
    return {"uwa3d": "Table 1", "ntu60": "Table 3"}.get(dataset, "Table 2")


TABLES: Tables = {
    "Table 1": table1,
    "Table 2": table2,
    "Table 3": table3,
    "Fig. 3": figure3,
    "Predict & Cluster": predict_cluster,
    "Cross-entropy": cross_entropies,
}
comparison = partial(by_name, TABLES)
"""A table by its published name, on any data set."""


def extensions() -> list[Experiment]:
    """NW-UCLA at tier `reduced`, 50 labels first, with and without the leak; then more labels, seeds, the strategies
    from outside, and the other sets."""
    at: dict[str, Any] = {"tier": "reduced"}
    found = table2(labels=(50,), **at) + table2(endings=("",), **at) + table2(**at)
    found += figure3(endings=("",), **at) + predict_cluster(**at) + cross_entropies(**at)
    found += table2(labels=(50,), seeds=3, **at) + table2(labels=(50,), seeds=3, outside=True, **at)
    found += shuffled(predict_cluster(endings=("",), **at))
    for dataset in OURS:
        found += table2(dataset, **at)
    return list(dict.fromkeys(found))  # the first places hold parts of the later ones


def everything() -> list[Experiment]:
    """Every published cell that this method can fill, then the extensions."""
    found = [*table1(), *table2(), *table3(), *figure3(), *predict_cluster(), *cross_entropies()]
    return found + extensions()
