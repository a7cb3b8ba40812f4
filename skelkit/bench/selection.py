"""Selection strategies over a set of NTU RGB+D 60's size, in time and memory."""

from __future__ import annotations

import time
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from skelkit.bench.timing import Line, in_a_process, resident_mb
from skelkit.evaluate.strategies import KJS, CoreSet, KMeansTop
from skelkit.evaluate.strategy import propose

MADE: dict[str, Any] = {"KT": KMeansTop(clusters=120), "KJS": KJS(clusters=120), "CS": CoreSet()}
"""120 clusters are 2C of NTU RGB+D 60."""


def selections(clips: int = 40_000, dim: int = 2048, classes: int = 60) -> list[Line]:
    """1 % of the clips beside 1 % that have their label: each strategy in a process of its own, features included."""
    lines = []
    for name in MADE:
        seconds, peak = in_a_process(f"selected({name!r}, {clips}, {dim}, {classes})", "skelkit.bench.selection")
        what = f"{name} selects {max(1, clips // 100)} of {clips:,} clips, features of {dim}"
        if name == "CS":  # one pass over all features for each clip that it selects
            lines.append(Line(what, "", f"{seconds:.0f} s"))
        else:
            lines.append(Line(what, "under 120 s", f"{seconds:.0f} s", seconds < 120))
        lines.append(Line(f"{what}: the process's peak", "under 4,000 MB", f"{peak:,.0f} MB", peak < 4000))
    return lines


def selected(name: str, clips: int, dim: int, classes: int) -> tuple[float, float]:
    """Seconds of one selection, and the peak of this process in MB: features, probabilities and torch included."""
    features, probabilities = features_of(clips, dim, classes)
    labelled, n = torch.arange(max(1, clips // 100)), max(1, clips // 100)
    started = time.perf_counter()
    propose(MADE[name], features, probabilities, labelled, n, Generator().manual_seed(0))
    return time.perf_counter() - started, resident_mb("VmHWM")


def features_of(clips: int, dim: int, classes: int) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n c"]]:
    """32-bit features around a centre a class, with as much spread within as between them, and probabilities."""
    rng = Generator().manual_seed(0)
    features, centres = torch.randn(clips, dim, generator=rng), torch.randn(classes, dim, generator=rng)
    own = torch.randint(classes, (clips,), generator=rng)
    for part, chosen in zip(features.split(1024), own.split(1024), strict=True):  # no second copy of all
        part += centres[chosen]
    return features, torch.randn(clips, classes, generator=rng).softmax(1)
