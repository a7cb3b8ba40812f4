"""Two sides timed in turns, and the line that reports them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from skelkit.device import device


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    measured: str
    must_reach: str
    reached: str
    met: bool | None = None
    """None: there is nothing to reach."""


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """The median, and the least and greatest value."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def turns(sides: Sequence[Callable[[], object]], rounds: int, calls: int = 1) -> list[list[float]]:
    """Seconds a call of each side in each round, sides in turn; of several calls in a row the quickest counts."""

    def seconds(side: Callable[[], object]) -> float:
        started = now()
        side()
        return now() - started

    for side in sides:
        side()  # the first call allocates and warms up
    times = [[min(seconds(side) for _ in range(calls)) for side in sides] for _ in range(rounds)]
    return [list(column) for column in zip(*times, strict=True)]


def now() -> float:
    """Seconds, once the device has done its work."""
    if device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
