"""Bootstrapped representation learning (Moliner et al. 2022), a function a table, with the paper's own names.

The rows of other authors stand among the published cells alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from skelkit.augment import aggressive, conservative
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.recipes.byol_settings import distilled, finetuning, pretraining, setting, settled, supervised, untrained
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, OwnClassifier, Weights
from skelkit.recipes.places import FLOOR, Cells, Place, Pretrain, Tables, by_name, experiments, shuffled
from skelkit.report.results import RANDOM
from skelkit.train import SGD, Steps

__all__ = ["distilled", "everything", "finetuning", "pretraining", "setting", "settled", "supervised", "untrained"]

PAPERS_OWN = ("ntu60", "ntu120", "pku_mmd2")
OURS = ("nw_ucla", "utd_mhad", "msrc12")
"""Data sets on which the paper's questions are asked as extensions, at tier `reduced`."""
LINEAR = AugmentedLinear(steps=conservative(), optimiser=SGD(lr=30.0), schedule=Steps(100, drops=(0.6, 0.8)), batch=256)
"""Sec. 4.3: the conservative augmentation stays on, so that the encoder runs in every epoch."""
CACHED = Linear(SGD(lr=0.1), Steps(100, drops=(0.6, 0.8)), batch=64, standardise=True)
"""A linear evaluation with every clip encoded once and its features standardised, as our own extensions take it."""
SHARES = {"ntu60": (0.01, 0.05, 0.1), "ntu120": (0.01, 0.05, 0.1)}
"""Shares of labels of Tables 3-5; smaller data sets run 5, 10 and 20 %: 1 % would be less than a clip a class."""
ALL = "All augmentations"
SETTLED = "random encoder, its norms settled"
LONGER = f"{ALL}, as many steps as without MVS"
LENGTH = setting(PAPERS_OWN[0]).epochs
LONG = f"Ours {{:g}}x, {LENGTH} epochs"
"""Rows that the paper does not have; `LENGTH` is that of its runs."""
AUGMENTED = "Table 1, classifier of Sec. 4.3"
"""Table 1 once more, for our own data sets: by `LINEAR`, which the paper's own have in Table 1."""

_experiments = partial(experiments, setting, pretraining)
_cell = partial(Cell, "byol")


def _linear(dataset: str) -> Any:
    return LINEAR if dataset in PAPERS_OWN else CACHED


def _shares(dataset: str) -> tuple[float, ...]:
    return SHARES.get(dataset, (0.05, 0.1, 0.2))


def _random(weights: Weights) -> dict[str, Weights]:
    """The rows of encoders that learned nothing, which the paper does not have."""
    return {RANDOM: untrained(weights), SETTLED: settled(weights)}


def table1(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table 1: linear evaluation beside the supervised ST-GCN; the random encoder as well."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for row, weights in {"Ours": pretrain(), **_random(pretrain())}.items():
            yield _cell("Table 1", row, place.column), Evaluation(weights, _linear(dataset))
        baseline = supervised(pretrain(), place.split)
        yield _cell("Table 1", "ST-GCN (sup.)", place.column, "100%"), Evaluation(baseline, OwnClassifier())

    return _experiments(dataset, None, cells, **options)


def augmented(dataset: str = "nw_ucla", **options: Any) -> list[Experiment]:
    """The frozen rows of Table 1 by the classifier of Sec. 4.3, on our own data sets, where every other table takes the
    shortcut `CACHED`: what it leaves out. A table of its own, for a table has one read-out; none of the paper's sets,
    whose Table 1 has this classifier."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for row, weights in {"Ours": pretrain(), **_random(pretrain())}.items():
            yield _cell(AUGMENTED, row, place.column), Evaluation(weights, LINEAR)

    return [] if dataset in PAPERS_OWN else _experiments(dataset, None, cells, **options)


ABLATION: dict[str, dict[str, Any]] = {
    "Baseline BYOL: Only conservative augmentation": {"t1": conservative(), "viewpoints": False},
    "Baseline BYOL: Only aggressive augmentation": {"t2": aggressive(), "viewpoints": False},
    "No shear": {"t1": aggressive(shear=False)},
    "No low-pass filtering": {"t1": aggressive(filtering=False)},
    "No temporal shift": {"t1": aggressive(shift=False)},
    "No resampling": {"t1": aggressive(resampling=False), "t2": ()},
    "No left/right drop": {"t1": aggressive(drop=False)},
    "Without MVS: All augmentations": {"viewpoints": False},
    "Without Asymm. Aug.: Only aggressive augmentation": {"t2": aggressive()},
    ALL: {},
}
"""The rows of Table 2, as changes of the default. Without resampling the conservative pipeline is empty."""
OWN_BATCH = f"{ALL}, batch statistics"
"""Momentum BatchNorm left out: the target normalises by its own batch, as BYOL's does. The paper prints no such row."""
VIEWPOINTS = ("Without MVS: All augmentations", "Baseline BYOL: Only aggressive augmentation")
"""Each has a twin that takes its viewpoints otherwise: where there is one camera, chance alone tells them apart."""


def table2(dataset: str = "ntu60", rows: Sequence[str] = tuple(ABLATION), **options: Any) -> list[Experiment]:
    """Table 2: what each component is worth, by linear evaluation; the random encoder beside it."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for row in rows:
            yield _cell("Table 2", row, place.column), Evaluation(pretrain(**ABLATION[row]), _linear(dataset))
            if row == ALL:
                own_batch = pretrain(statistics="batch")
                yield _cell("Table 2", OWN_BATCH, place.column), Evaluation(own_batch, _linear(dataset))
        for row, weights in _random(pretrain()).items():
            yield _cell("Table 2", row, place.column), Evaluation(weights, _linear(dataset))

    return _experiments(dataset, None, cells, **options)


def equal_steps(dataset: str = "nw_ucla", **options: Any) -> list[Experiment]:
    """Multi-viewpoint sampling once more, across views, for as many steps as Table 2's other rows: its epochs run
    through performances, which are fewer than clips."""
    longer = setting(dataset).longer
    across = [ending for ending, split in setting(dataset).splits.items() if split.startswith("xview")]

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        yield _cell("Table 2", LONGER, place.column), Evaluation(pretrain(epochs=longer), _linear(dataset))

    found = _experiments(dataset, across, cells, **options) if longer else []
    short = {e.evaluation for e in table2(dataset, rows=(ALL,), **options)}  # a tier that is shorter than both
    return [e for e in found if e.evaluation not in short]


def paper_length(dataset: str = "nw_ucla", widths: Sequence[float] = (1.0, 2.0), **options: Any) -> list[Experiment]:
    """Table 1 at the paper's number of epochs and widths, on a small data set and otherwise with its settings."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for width in widths:
            ours = pretrain(width=width, epochs=LENGTH)
            random = RANDOM if width == 1 else f"{RANDOM} {width:g}x"
            for row, weights in {LONG.format(width): ours, random: untrained(ours)}.items():
                yield _cell("Table 1", row, place.column), Evaluation(weights, _linear(dataset))

    return _experiments(dataset, None, cells, **options)


def _few_labels(table: str, dataset: str, subsets: int = 5, teacher: float = 2.0, **options: Any) -> list[Experiment]:
    """Tables 3 and 4: the wide network fine-tuned on a share of the labels, the student that learns from it, and the
    supervised ST-GCN on these labels alone, in five random subsets of them, after one pretraining.

    Ours: the wide network fine-tuned as it is initialised. From there to the pretrained one the start alone changes;
    the supervised ST-GCN has a schedule of its own as well (Sec. 4.2 and 4.4).
    """

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for share in _shares(dataset):
            column, labels = f"{place.column} {share:.0%}", f"{share:.0%}"
            for subset in range(subsets):
                start = pretrain(width=teacher)
                wide = finetuning(start, place.split, share, subset)
                unlearned = finetuning(untrained(start), place.split, share, subset)
                alone = supervised(replace(pretrain(), seed=subset), place.split, share)
                rows = {f"Ours {teacher:g}x": wide, "Ours 1x, distilled": distilled(wide, 1.0)}
                for row, weights in (rows | {"ST-GCN (sup.)": alone, RANDOM: unlearned}).items():
                    yield _cell(table, row, column, labels), Evaluation(weights, OwnClassifier())

    return _experiments(dataset, None, cells, **options)


def table3(dataset: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table 3: few labels on NTU RGB+D 60."""
    return _few_labels("Table 3", dataset, **options)


def table4(dataset: str = "ntu120", **options: Any) -> list[Experiment]:
    """Table 4: few labels on NTU RGB+D 120."""
    return _few_labels("Table 4", dataset, **options)


def table5(
    dataset: str = "ntu60", subsets: int = 5, widths: Sequence[float] = (0.25, 0.5, 1, 2), **options: Any
) -> list[Experiment]:
    """Table 5: networks of several widths fine-tuned on few labels, and distilled from the widest (cross-subject)."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        for share in _shares(dataset):
            for subset in range(subsets):
                tuned = {w: finetuning(pretrain(width=w), place.split, share, subset) for w in widths}
                rows = {f"Ours {w:g}x": weights for w, weights in tuned.items()}
                rows |= {f"Ours {w:g}x, distilled": distilled(tuned[widths[-1]], w) for w in widths[:-1]}
                for row, weights in rows.items():
                    yield _cell("Table 5", row, f"{share:.0%}", f"{share:.0%}"), Evaluation(weights, OwnClassifier())
                random = replace(untrained(pretrain()), seed=subset)
                cell = _cell("Table 5", RANDOM, f"{share:.0%}", f"{share:.0%}")
                yield cell, Evaluation(random, FLOOR, labels=share)

    return _experiments(dataset, list(setting(dataset).splits)[:1], cells, **options)


def table6(dataset: str = "pku_mmd2", source: str = "ntu60", **options: Any) -> list[Experiment]:
    """Table 6: pretrained on another data set, fine-tuned on this one; the supervised ST-GCN beside it.

    Differs from the paper: it does not say on which split of NTU RGB+D 60 it pretrained; here cross-subject, or the
    first that the source has.
    """
    split = next(iter(setting(source).splits.values()))

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        seed = pretrain().seed
        tuned = finetuning(pretraining(source, split, seed=seed), place.split, seed=seed, dataset=dataset)
        column = place.column.removesuffix(" (CS)")
        yield _cell("Table 6", "Ours", column, "100%"), Evaluation(tuned, OwnClassifier())
        alone = supervised(pretrain(), place.split)
        yield _cell("Table 6", "ST-GCN (supervised)", column, "100%"), Evaluation(alone, OwnClassifier())
        yield _cell("Table 6", RANDOM, column, "100%"), Evaluation(untrained(pretrain()), FLOOR)

    return _experiments(dataset, None, cells, **options)


TABLES: Tables = {
    f"Table {number}": make for number, make in enumerate((table1, table2, table3, table4, table5, table6), start=1)
}
comparison = partial(by_name, TABLES)
"""A table by its published name, on any data set."""

FIRST = (ALL, "Without MVS: All augmentations", "Baseline BYOL: Only conservative augmentation")


def extensions() -> list[Experiment]:
    """The questions of Tables 2, 1, 3, 5 and 6 on data that can be had, at tier `reduced`, cheapest answers first, then
    NW-UCLA's cross-subject, which pretrains on clips of its own, and last the paper's length at tier `paper`."""
    at: dict[str, Any] = {"tier": "reduced"}
    found = table2("nw_ucla", rows=FIRST, **at) + table1("nw_ucla", **at) + augmented("nw_ucla", **at)
    found += equal_steps("nw_ucla", **at)
    found += table3("nw_ucla", teacher=1.0, **at)
    found += table2("nw_ucla", seeds=3, **at)
    for dataset in ("utd_mhad", "msrc12"):
        found += table1(dataset, **at) + augmented(dataset, **at)
        found += table2(dataset, rows=[row for row in ABLATION if row not in VIEWPOINTS], **at)
    found += table6("nw_ucla", "msrc12", **at) + table6("utd_mhad", "nw_ucla", **at)
    found += table5("nw_ucla", widths=(0.5, 1, 2), **at)  # at a quarter of the width, 0.25x is 0.5x's size as well
    found += shuffled(table2("nw_ucla", rows=FIRST, **at))
    found = sorted(dict.fromkeys(found), key=lambda e: e.cell.column.startswith("NW-UCLA CS"))
    return found + paper_length("nw_ucla")


def everything() -> list[Experiment]:
    """Every published cell that this method can fill, then the extensions."""
    found = [e for dataset in PAPERS_OWN for e in table1(dataset)]
    return found + table2() + table3() + table4() + table5() + table6() + extensions()
