"""Unsupervised long-term dynamics (Zheng et al. 2018), a function a table, with the paper's own names.

The rows of other authors stand among the published cells alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from skelkit.evaluate.cluster import Cluster
from skelkit.evaluate.inpainting import Inpainting
from skelkit.evaluate.linear import Linear
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, OwnClassifier, PerClass
from skelkit.recipes.longt_gan_settings import (
    autoencoder,
    finetuning,
    pretraining,
    setting,
    supervised,
    unsupervised_lstm,
    untrained,
)
from skelkit.recipes.places import FLOOR, Cells, Place, Pretrain, Tables, by_name, experiments, shuffled
from skelkit.report.results import RANDOM
from skelkit.train import Adam, Steps

__all__ = [
    *("autoencoder", "everything", "finetuning", "pretraining", "setting", "supervised", "unsupervised_lstm"),
    "untrained",
]

PAPERS_OWN = ("cmu_subset", "cmu", "hdm05", "mhad")
OURS = ("hdm05_11", "cmu_small", "nw_ucla", "sbu", "utd_mhad")
"""Data sets on which the paper's questions are asked as extensions, at tier `reduced`."""
LINEAR = Linear(Adam(lr=5e-4), Steps(50), batch=64)
"""The "final classification layer" on the frozen representation. The paper gives no schedule: that of the pretraining,
at whose rate and epochs the released code trains as well."""

_experiments = partial(experiments, setting, pretraining)
_cell = partial(Cell, "longt_gan")


def _linear(dataset: str) -> Linear:
    """On our own data sets features are standardised: at 5e-4 fifty epochs of two hundred clips are too few."""
    return LINEAR if dataset in PAPERS_OWN else FLOOR


def _scenarios(table: str, dataset: str, endings: Sequence[str] | None = None, **options: Any) -> list[Experiment]:
    """The three scenarios of Tables 1 and 2 (frozen encoder, pretrained encoder, supervised), and the random one."""

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        ours = pretrain()
        frozen = {"U: Ours": ours, "U: Autoencoder": autoencoder(ours), RANDOM: untrained(ours)}
        for row, weights in frozen.items():
            yield _cell(table, row, place.column), Evaluation(weights, _linear(dataset))
        trained = {
            "S: Ours": supervised(ours, seed=ours.seed),
            "S+P: Unsupervised LSTM": finetuning(unsupervised_lstm(ours), seed=ours.seed),
            "S+P: Ours": finetuning(ours, seed=ours.seed),
        }
        for row, weights in trained.items():
            yield _cell(table, row, place.column, "100%"), Evaluation(weights, OwnClassifier())

    return _experiments(dataset, endings, cells, **options)


def table1(dataset: str = "cmu", **options: Any) -> list[Experiment]:
    """Table 1: the CMU data set and its subset."""
    return _scenarios("Table 1", dataset, **options)


def table2(dataset: str = "hdm05", **options: Any) -> list[Experiment]:
    """Table 2: HDM05 and Berkeley MHAD; here our own data sets as well."""
    return _scenarios("Table 2", dataset, **options)


WITH, WITHOUT = "Ours (w/ F), {} loss", "Ours (w/o F), {} loss"
ABLATION: dict[str, dict[str, Any]] = {
    f.format(loss): {"conditioned": f == WITH, **({} if loss == "joint" else {"lambda_adv": 0.0})}
    for f in (WITH, WITHOUT)
    for loss in ("element-wise", "joint")
}
"""The rows of Table 3, as changes of the default."""


def table3(dataset: str = "cmu", endings: Sequence[str] | None = None, **options: Any) -> list[Experiment]:
    """Table 3: inpainting error, accuracy and clustering accuracy, with and without F and the adversarial loss.

    Ours beside it: the joint loss tested with zeros in the place of F, and the random encoder, which is what training
    without F leaves of the encoder.
    """
    first = next(iter(setting(dataset).splits))

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        apart = "" if place.ending == first else f", {place.ending}"
        read_outs = (("Acc.(S)", _linear(dataset)), ("Acc.(U)", Cluster()))
        for row, changes in ABLATION.items():
            weights = pretrain(**changes)
            yield _cell("Table 3", row, f"MSE{apart}"), Evaluation(weights, Inpainting())
            for column, protocol in read_outs if changes["conditioned"] else ():
                yield _cell("Table 3", row, column + apart), Evaluation(weights, protocol)
        taken_away = Evaluation(pretrain(), Inpainting(representation="zeros"))
        yield _cell("Table 3", "Ours (w/ F, zeros when tested), joint loss", f"MSE{apart}"), taken_away
        for column, protocol in read_outs:
            yield _cell("Table 3", RANDOM, column + apart), Evaluation(untrained(pretrain()), protocol)

    return _experiments(dataset, endings, cells, **options)


def figure3(
    dataset: str = "cmu", samples: int = 10, endings: Sequence[str] | None = None, **options: Any
) -> list[Experiment]:
    """Fig. 3: supervised training with and without pretraining on a few labelled clips of each class, by the number of
    samples that are drawn of the training set.

    Differs from the paper: there so many are the average of a class, here they are so many of each.
    """
    given = setting(dataset)

    def cells(place: Place, pretrain: Pretrain) -> Cells:
        panel = place.column.replace(given.title, given.panel or given.title, 1)
        for clips in given.few:
            labels = f"{clips} a class"
            for sample in range(samples):
                ours = pretrain()
                rows = {
                    "S: Ours": supervised(ours, PerClass(clips), sample),
                    "S+P: Ours": finetuning(ours, PerClass(clips), sample),
                }
                for row, weights in rows.items():
                    cell = _cell("Figure 3", row, f"{panel}, {labels}", labels)
                    yield cell, Evaluation(weights, OwnClassifier())
                random = replace(untrained(ours), seed=sample)
                cell = _cell("Figure 3", RANDOM, f"{panel}, {labels}", labels)
                yield cell, Evaluation(random, FLOOR, labels=PerClass(clips))

    return _experiments(dataset, endings, cells, **options)


TABLES: Tables = {
    "Table 1": table1,
    "Table 2": table2,
    "Table 3": table3,
    "Figure 3": figure3,
}
comparison = partial(by_name, TABLES)
"""A table by its published name, on any data set."""


def extensions() -> list[Experiment]:
    """The questions of Tables 1 to 3 and Fig. 3 on data that can be had, at tier `reduced`: HDM05's eleven whole
    classes across actors first, then more seeds, their folds, and the other sets."""
    at: dict[str, Any] = {"tier": "reduced", "endings": ("cross-actor",)}
    found = table2("hdm05_11", **at) + table3("hdm05_11", **at) + figure3("hdm05_11", samples=5, **at)
    found += table3("hdm05_11", seeds=5, **at) + table2("hdm05_11", seeds=5, **at) + figure3("hdm05_11", **at)
    for dataset in OURS[1:]:
        found += table2(dataset, tier="reduced")
        found += table3(dataset, endings=tuple(setting(dataset).splits)[:1], tier="reduced")
    found += table2("hdm05_11", tier="reduced", endings=("10-fold",)) + shuffled(table2("hdm05_11", **at))
    return list(dict.fromkeys(found))  # the first places hold parts of the later ones


def everything() -> list[Experiment]:
    """Every published cell that this method can fill, then the extensions."""
    found = table1("cmu_subset") + table1("cmu") + table2("hdm05") + table2("mhad") + table3()
    return found + [e for dataset in PAPERS_OWN for e in figure3(dataset)] + extensions()
