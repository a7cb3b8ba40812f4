"""The columns of a table: a data set's splits, and the folds of a split; and the experiments of a table's cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from skelkit.recipes.experiment import Cell, Evaluation, Experiment, Tier, Variant, Weights
from skelkit.recipes.tiers import at_tier


@runtime_checkable
class Titled(Protocol):
    """What a paper's settings know of a data set: its name in the tables, and its columns' endings by split."""

    @property
    def title(self) -> str: ...

    @property
    def splits(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Place:
    """One column of a table: a split, and a fold of it (a column of folds shows their mean)."""

    column: str
    """Its heading: the data set's title and the split's ending."""
    split: str
    """As `data.protocols.split` takes it."""
    fold: int | None = None
    """The test fold, from 0; None: the split has none."""


def places(setting: Titled, endings: Sequence[str] | None = None, folds: int = 5) -> Iterator[Place]:
    """The columns of a data set, or those of the named endings. folds: how many the split "folds" has."""
    for ending, split in setting.splits.items():
        if endings is None or ending in endings:
            drawn = re.fullmatch(r"(\d+)-fold", split)
            many = int(drawn[1]) if drawn else folds
            for fold in range(many) if drawn or split == "folds" else [None]:
                yield Place(f"{setting.title} {ending}".strip(), split, fold)


Cells = Iterator[tuple[Cell, Evaluation]]
Pretrain = Callable[..., Weights]


def experiments(
    columns: Iterable[Place],
    pretrain: Callable[[Place, int], Pretrain],
    cells: Callable[[Place, Pretrain], Cells],
    *,
    tier: Tier,
    variant: Variant,
    seeds: int,
) -> list[Experiment]:
    """What `cells` makes of each place and seed; it is handed what `pretrain` makes of them."""
    found, columns = [], list(columns)
    for seed in range(seeds):
        for place in columns:
            for cell, evaluation in cells(place, pretrain(place, seed)):
                if evaluation.weights.data.split != place.split:  # pretraining has a training set of its own
                    evaluation = replace(evaluation, split=place.split)
                found.append(at_tier(Experiment(cell, evaluation, variant=variant), tier))
    return found
