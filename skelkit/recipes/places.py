"""The columns of a table: a data set's splits, and the folds of a split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


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
    split: str
    fold: int | None = None


def places(setting: Titled, endings: Sequence[str] | None = None, folds: int = 5) -> Iterator[Place]:
    """The columns of a data set, or those of the named endings. folds: how many the split "folds" has."""
    for ending, split in setting.splits.items():
        if endings is None or ending in endings:
            drawn = re.fullmatch(r"(\d+)-fold", split)
            many = int(drawn[1]) if drawn else folds
            for fold in range(many) if drawn or split == "folds" else [None]:
                yield Place(f"{setting.title} {ending}".rstrip(), split, fold)
