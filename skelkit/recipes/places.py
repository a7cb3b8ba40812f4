"""What every recipe is written with: the columns of a table, the experiments of its cells, and tables by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Protocol, runtime_checkable

from skelkit.data.views import Whole
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.evaluate.logistic import Logistic
from skelkit.files import SkelkitError
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.no_network import NoNetwork
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, OwnClassifier, Tier, Variant, Weights
from skelkit.recipes.tiers import at_tier
from skelkit.report.results import NO_NETWORK, RANDOM, SHUFFLED
from skelkit.train import SGD, Steps, Training


@runtime_checkable
class Titled(Protocol):
    """What a paper's settings know of a data set: its name in the tables, its columns' endings by split, its folds."""

    @property
    def title(self) -> str: ...

    @property
    def splits(self) -> dict[str, str]: ...

    @property
    def folds(self) -> int: ...


@dataclass(frozen=True)
class Place:
    """Where a cell is measured: a split of a data set, and a fold of it."""

    title: str
    """The data set's name in the columns."""
    ending: str
    """What a column adds to it: the split's name there."""
    split: str
    """As `data.protocols.split` takes it."""
    fold: int | None = None
    """The test fold, from 0; None: the split has none."""

    @property
    def column(self) -> str:
        """Title and ending: a column of folds shows their mean."""
        return f"{self.title} {self.ending}".strip()


def places(setting: Titled, endings: Sequence[str] | None = None) -> Iterator[Place]:
    """The splits of a data set, or those of the named endings, with their folds."""
    for ending, split in setting.splits.items():
        if endings is None or ending in endings:
            drawn = re.fullmatch(r"(\d+)-fold", split)
            many = int(drawn[1]) if drawn else setting.folds
            for fold in range(many) if drawn or split == "folds" else [None]:
                yield Place(setting.title, ending, split, fold)


FLOOR = Linear(SGD(lr=0.1), Steps(100, drops=(0.6, 0.8)), batch=16, standardise=True)
"""How an encoder that learns nothing is read where a table's own networks train a classifier of their own: a linear
layer on standardised frozen features, with as many labels."""

Cells = Iterator[tuple[Cell, Evaluation]]
Pretrain = Callable[..., Weights]
Tables = dict[str, Callable[..., list[Experiment]]]
"""A paper's tables by their published names: functions of a data set, by default the paper's own."""


def experiments(
    setting: Callable[[str], Titled],
    pretraining: Pretrain,
    dataset: str,
    endings: Sequence[str] | None,
    cells: Callable[[Place, Pretrain], Cells],
    *,
    tier: Tier = "paper",
    variant: Variant = "paper",
    seeds: int = 1,
) -> list[Experiment]:
    """What `cells` makes of each place and seed; it is handed the paper's `pretraining` of that place.

    A recipe binds the first two, which are the paper's. endings: of some splits alone, None: of all. Two things are
    added to what a recipe yields: `Logistic` for each linear evaluation, and beside each "random encoder" the row "no
    network".
    """
    knobs = {} if variant == "paper" else {"variant": variant}  # a paper without released code knows no other
    found = []
    for seed, place in product(range(seeds), places(setting(dataset), endings)):
        pretrain = partial(pretraining, dataset, place.split, place.fold, seed, **knobs)
        for cell, evaluation in cells(place, pretrain):
            if evaluation.weights.data.split != place.split:  # pretraining has a training set of its own
                evaluation = replace(evaluation, split=place.split)
            for each in _with_floor(Experiment(cell, evaluation, variant=variant)):
                found += [at_tier(one, tier) for one in _with_logistic(each)]
    return list(dict.fromkeys(found))


def _with_floor(experiment: Experiment) -> list[Experiment]:
    """The experiment, and of a random encoder the same question put to the coordinates without a network."""
    cell, evaluation = experiment.cell, experiment.evaluation
    if cell.row != RANDOM:
        return [experiment]
    weights, protocol = evaluation.weights, evaluation.protocol
    labels = evaluation.labels
    if isinstance(protocol, OwnClassifier):
        protocol, labels = FLOOR, weights.labels
    floor = replace(
        evaluation, weights=no_network(weights, protocol), protocol=protocol, encoder="", beside=(), labels=labels
    )
    return [experiment, replace(experiment, cell=replace(cell, row=NO_NETWORK), evaluation=floor)]


def no_network(weights: Weights, protocol: Any = None) -> Weights:
    """`NoNetwork` on the clips of some weights, preprocessed alike. It sees all frames of a clip and no padding; a
    protocol that augments clips needs the view of the weights."""
    data = weights.data
    if not isinstance(protocol, AugmentedLinear):
        data = replace(data, view=Whole(), eval_view=None)
    nothing = Training(SGD(lr=0.1), Steps(epochs=0))
    return Weights(data, NoNetwork(), SupervisedConfig(), nothing, weights.seed)


def _with_logistic(experiment: Experiment) -> list[Experiment]:
    """The experiment, and of a linear evaluation with all labels logistic regression on the same frozen features."""
    evaluation = experiment.evaluation
    if not isinstance(evaluation.protocol, Linear | AugmentedLinear) or evaluation.labels is not None:
        return [experiment]
    return [experiment, replace(experiment, evaluation=replace(evaluation, protocol=Logistic()))]


def shuffled(found: Iterable[Experiment]) -> list[Experiment]:
    """The experiments with a classifier on frozen features once more, with the training labels exchanged at random, in
    the table `SHUFFLED`: a check, for no encoder may then lie above chance."""
    again = []
    for e in found:
        if isinstance(e.evaluation.protocol, Linear | AugmentedLinear | KNN):
            cell = replace(e.cell, table=SHUFFLED, column=f"{e.cell.column}, shuffled")
            again.append(replace(e, cell=cell, evaluation=replace(e.evaluation, shuffled=True)))
    return again


def by_name(tables: Tables, table: str, dataset: str, **options: Any) -> list[Experiment]:
    """A table by its published name, on any data set; a recipe binds its own `TABLES`. Raises SkelkitError for a table
    that it does not have."""
    if table not in tables:
        raise SkelkitError(f"no experiments make {table!r}; choose one of {', '.join(tables)}")
    return tables[table](dataset, **options)
