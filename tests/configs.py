"""Every experiment that a recipe makes, and every dataclass that decides one."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args

from skelkit import augment
from skelkit.data import preprocess
from skelkit.evaluate.logistic import Logistic
from skelkit.evaluate.strategies import STRATEGIES
from skelkit.methods import METHODS
from skelkit.recipes import PAPERS
from skelkit.recipes.experiment import Experiment, Labels
from skelkit.recipes.quickstart import quickstart


@cache
def everything() -> list[Experiment]:
    return [e for paper in PAPERS.values() for e in paper.everything()] + quickstart("paper")


def own_read_outs(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Those that a recipe yields itself, in their order: not the twins by logistic regression that each linear
    evaluation is given."""
    return [e for e in experiments if not isinstance(e.evaluation.protocol, Logistic)]


@cache
def configs() -> dict[str, type]:
    """By name: those within the experiments of all recipes, and those of the tables that a user may choose from."""
    seen: set[Any] = set()

    def walk(value: Any) -> None:
        if isinstance(value, tuple):
            for each in value:
                walk(each)
        elif dataclasses.is_dataclass(value) and value not in seen:
            seen.add(value)
            walk(tuple(getattr(value, field.name) for field in dataclasses.fields(value)))

    walk(tuple(everything()))
    tables = [
        *(config for config, _ in METHODS.values()),
        *(each for _, each in inspect.getmembers(augment, dataclasses.is_dataclass)),
        *(*preprocess.STEPS, *STRATEGIES.values()),
        *filter(dataclasses.is_dataclass, get_args(Labels)),
    ]
    found = {*map(type, seen), *tables}
    named = {each.__name__: each for each in sorted(found, key=lambda each: each.__name__)}
    assert len(named) == len(found), "two configs of one name would share their keys"
    return named
