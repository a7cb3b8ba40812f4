"""How far one measured cell is above another: over seeds, or by the draw of the test clips where there is one seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    @classmethod
    def of(cls, differences: Sequence[float] | np.ndarray | pd.Series) -> Lead:
        """The mean of differences, one a seed, with Student's interval; one alone has none, and none is no lead."""
        values = np.asarray(differences, float)
        n = len(values)
        half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5) if n > 1 else np.nan
        return cls(float(values.mean()) if n else np.nan, half, n)

    @classmethod
    def of_shares(cls, one: float, other: float, clips: float) -> Lead:
        """One share of clips over another, in percent; the interval is that of drawing so many clips anew for each."""
        half = 1.96 * float((one * (100 - one) + other * (100 - other)) / clips) ** 0.5
        return cls(float(one - other), half, int(np.isfinite(one - other)))

    @property
    def verdict(self) -> str:
        if not self.seeds:
            return "not compared with"
        if not abs(self.mean) > self.half:  # also where there is no interval
            return "not told apart from"
        return "above" if self.mean > 0 else "below"

    def __str__(self) -> str:
        if not self.seeds:
            return "not run"
        return f"{self.mean:+.1f}" + (
            ", of one seed" if np.isnan(self.half) else f" ± {self.half:.1f}, n = {self.seeds}"
        )


def lead(
    rows: Iterable[Row],
    one: tuple[str, str],
    other: tuple[str, str],
    metric: str = "top-1",
    experiments: Iterable[Any] = (),
) -> Lead:
    """The lead of one cell (row, column) over another, seed by seed, at the last epoch.

    Of one seed the interval takes the test clips as drawn anew for each of the two, and says nothing of other seeds.
    experiments: what was to be run; a seed that lacks one of its folds is then left out.
    """
    rows = [row for row in rows if row.selection == "last"]
    values = by_seed(rows, metric, experiments=experiments)
    values = values.pivot(index="seed", columns=["row", "column"], values="value")
    pair = values.reindex(columns=pd.MultiIndex.from_tuples([one, other])).dropna().to_numpy()
    n = len(pair)
    if not n:
        return Lead(np.nan, np.nan, 0)
    if n > 1:
        return Lead.of(pair[:, 0] - pair[:, 1])
    cell = [r for r in rows if (r.row, r.column, r.metric) == (*one, metric)]
    clips = sum({(r.seed, r.fold): r.n_test for r in cell}.values()) / len({r.seed for r in cell})
    return Lead.of_shares(pair[0, 0], pair[0, 1], clips)


def by_verdict(leads: Mapping[str, Lead]) -> dict[str, list[str]]:
    """Named leads as words, "a (+3.1 ± 1.2, n = 3)", under their verdicts; those that are not compared are left out."""
    verdicts = ("above", "not told apart from", "below")
    found = {
        verdict: [f"{name} ({each})" for name, each in leads.items() if each.verdict == verdict] for verdict in verdicts
    }
    return {verdict: named for verdict, named in found.items() if named}
