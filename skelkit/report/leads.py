"""How far one measured cell is above another: over seeds, or by the draw of the test clips where there is one seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from skelkit.report.results import Row


def by_seed(
    rows: Iterable[Row], metric: str = "top-1", selection: str = "last", experiments: Iterable[Any] = ()
) -> pd.DataFrame:
    """One line a cell and seed, in the order of the rows: its mean over folds, in the columns row, column, seed, value.

    experiments: what was to be run (`recipes.Experiment`); a seed that lacks one of its folds is then left out.
    """
    cell = ["row", "column", "seed"]
    chosen = [(r.row, r.column, r.seed, r.value) for r in rows if r.metric == metric and r.selection == selection]
    found = pd.DataFrame(chosen, columns=[*cell, "value"]).groupby(cell, sort=False)["value"].agg(["mean", "size"])
    wanted = pd.Series([(e.cell.row, e.cell.column, e.evaluation.weights.seed) for e in experiments], dtype=object)
    if len(wanted):
        found = found[found["size"] >= wanted.value_counts().reindex(found.index.to_flat_index()).to_numpy()]
    return found["mean"].rename("value").reset_index()


@dataclass(frozen=True)
class Lead:
    """How far one cell is above another, in points."""

    mean: float
    """Over the seeds that both have; NaN where there is none."""
    half: float
    """Half the width of the 95 % interval: Student's over several seeds, that of drawing the test clips of one."""
    seeds: int

    @property
    def verdict(self) -> str:
        if not self.seeds:
            return "not compared with"
        return "not told apart from" if abs(self.mean) <= self.half else "above" if self.mean > 0 else "below"

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ± {self.half:.1f}, n = {self.seeds}" if self.seeds else "not run"


def lead(
    rows: Iterable[Row],
    one: tuple[str, str],
    other: tuple[str, str],
    metric: str = "top-1",
    experiments: Iterable[Any] = (),
) -> Lead:
    """The lead of one cell (row, column) over another, seed by seed, at the last epoch.

    Of one seed the interval takes the test clips as drawn anew for each of the two, and says nothing of other seeds.
    experiments: what was to be run (`recipes.Experiment`); a seed that lacks one of its folds is then left out.
    """
    rows = [row for row in rows if row.selection == "last"]
    values = by_seed(rows, metric, experiments=experiments)
    values = values.pivot(index="seed", columns=["row", "column"], values="value")
    pair = values.reindex(columns=pd.MultiIndex.from_tuples([one, other])).dropna().to_numpy()
    n = len(pair)
    if not n:
        return Lead(np.nan, np.nan, 0)
    differences = pair[:, 0] - pair[:, 1]
    if n > 1:
        half = stats.t.ppf(0.975, n - 1) * differences.std(ddof=1) / n**0.5
    else:
        cell = [r for r in rows if (r.row, r.column, r.metric) == (*one, metric)]
        clips = sum({(r.seed, r.fold): r.n_test for r in cell}.values()) / len({r.seed for r in cell})
        half = 1.96 * float(np.sum(pair * (100 - pair)) / clips) ** 0.5
    return Lead(float(differences.mean()), float(half), n)
