"""Differences between two measured cells, with their 95 % confidence intervals.

Differences are paired: over seeds (or draws of labels) where both cells have several, over the same test clips where
they have one. The two are never mixed; `Difference.over` says what the interval covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from skelkit.report import predictions
from skelkit.report.results import AVERAGE, LABEL_DRAWS, Row, place

RESAMPLES = 4000
"""Of the bootstrap over test clips."""
ACCURACIES = ("top-1", "kNN top-1", "logistic top-1", "clustering accuracy")
"""The metrics that are a share of the test clips."""


@dataclass(frozen=True)
class Difference:
    """How far one cell is above another, in points (of an error: in its unit)."""

    mean: float
    """Over the seeds that both have; NaN where there are none."""
    low: float
    """The lower end of the 95 % confidence interval; NaN where there is none."""
    high: float
    """Its upper end."""
    n: int
    """How many seeds, draws of labels or test clips stand behind the interval; 0: the two were not both run."""
    over: str
    """What the interval covers: "seeds", "draws" of labels after one pretraining, "clips" of one seed, or "clips,
    unpaired" where the predictions of one of the two cells were not kept."""

    @classmethod
    def over_seeds(cls, differences: Sequence[float] | np.ndarray | pd.Series, over: str = "seeds") -> Difference:
        """The mean of differences, one a seed, with Student's interval; one alone has no interval."""
        values = np.asarray(differences, float)
        n = len(values)
        mean = float(values.mean()) if n else np.nan
        low, high = interval(mean, values.std(ddof=1), n, "", 0) if n > 1 else (np.nan, np.nan)
        return cls(mean, low, high, n, over)

    @classmethod
    def over_clips(cls, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Difference:
        """One share of right clips minus another, in percent, with the interval of a paired bootstrap.

        pairs: for each fold, whether each test clip was right for one cell and for the other. A resample draws clips
        within each fold; folds count alike, as in the mean of their accuracies.
        """
        rng = np.random.default_rng(0)
        observed, resampled = 0.0, np.zeros(RESAMPLES)
        for one, other in pairs:
            # A clip counts 1, 0 or -1, so that drawing clips with replacement is a draw of three counts.
            counts = np.array([(one & ~other).sum(), (one == other).sum(), (~one & other).sum()])
            drawn = rng.multinomial(len(one), counts / len(one), RESAMPLES)
            observed += 100 * (counts[0] - counts[2]) / len(one) / len(pairs)
            resampled += 100 * (drawn[:, 0] - drawn[:, 2]) / len(one) / len(pairs)
        low, high = np.quantile(resampled, [0.025, 0.975])
        return cls(float(observed), float(low), float(high), sum(len(one) for one, _ in pairs), "clips")

    @classmethod
    def of_shares(cls, one: float, other: float, clips: float) -> Difference:
        """One share of clips minus another, in percent, as if the clips had been drawn anew for each of the two."""
        half = 1.96 * float((one * (100 - one) + other * (100 - other)) / clips) ** 0.5
        mean = float(one - other)
        return cls(mean, mean - half, mean + half, round(clips) if np.isfinite(mean) else 0, "clips, unpaired")

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return bool(self.low > 0 or self.high < 0)

    @property
    def verdict(self) -> str:
        """In words, to stand before the name of the other cell."""
        if not self.n:
            return "not compared with"
        if not self.significant:
            return "not significantly different from"
        return "above" if self.mean > 0 else "below"

    def __str__(self) -> str:
        if not self.n:
            return "not run"
        digits = 1 if np.nanmax(np.abs([self.mean, self.low, self.high])) >= 0.5 else 3  # points, or an error's unit
        if np.isnan(self.low):
            return f"{self.mean:+.{digits}f}, one {self.over.removesuffix('s')}, no interval"
        return f"{self.mean:+.{digits}f} [{self.low:+.{digits}f}, {self.high:+.{digits}f}], {self.n} {self.over}"


NOT_RUN = Difference(np.nan, np.nan, np.nan, 0, "")
"""Of cells that have no seed in common."""

Fold = tuple[int, str]
"""A fold's number and its column: a mean over folds has as many columns."""


def difference(rows: Iterable[Row], one: tuple[str, str], other: tuple[str, str], metric: str = "top-1") -> Difference:
    """One cell (row, column) minus another, seed by seed, at the last epoch; the column `AVERAGE` is that of the folds.

    A seed that lacks a fold which another seed or the other cell has is left out. Of one seed the interval pairs the
    test clips; where predictions were not kept it takes the clips as drawn anew for each cell, which is wider.
    """
    ours, theirs = (_seeds(rows, cell, metric) for cell in (one, other))
    folds = {fold for seeds in (ours, theirs) for found in seeds.values() for fold in _numbers(found)}
    seeds = [s for s in ours if s in theirs and _numbers(ours[s]) == _numbers(theirs[s]) == folds]
    if not seeds:
        return NOT_RUN
    values = [_mean(ours[s]) - _mean(theirs[s]) for s in seeds]
    first = next(iter(ours[seeds[0]].values()))
    over = "draws" if (first.paper, first.table) in LABEL_DRAWS else "seeds"
    if len(seeds) > 1 or metric not in ACCURACIES:
        return Difference.over_seeds(values, over)
    sides = [{row.fold: row for row in side[seeds[0]].values()} for side in (ours, theirs)]
    pairs = [_right(sides[0][fold], sides[1][fold]) for fold in sorted(folds)]
    if all(pair is not None for pair in pairs):
        return Difference.over_clips([pair for pair in pairs if pair is not None])
    clips = sum(row.n_test for row in sides[0].values())
    return Difference.of_shares(_mean(ours[seeds[0]]), _mean(theirs[seeds[0]]), clips)


def _seeds(rows: Iterable[Row], cell: tuple[str, str], metric: str) -> dict[int, dict[Fold, Row]]:
    """The rows of a cell by seed and fold; of two for one fold the later."""
    found: dict[int, dict[Fold, Row]] = {}
    for row in rows:
        column = AVERAGE if cell[1] == AVERAGE and row.column.startswith("Fold ") else row.column
        if (row.row, column, row.metric, row.selection) == (*cell, metric, "last"):
            found.setdefault(row.seed, {})[row.fold, row.column] = row
    return found


def mean_of(rows: Iterable[Row], cell: tuple[str, str], metric: str = "top-1") -> float:
    """The mean over seeds of a cell (row, column) at the last epoch, folds averaged first; NaN where it was not run."""
    found = _seeds(rows, cell, metric)
    return float(np.mean([_mean(seed) for seed in found.values()])) if found else np.nan


def _numbers(found: dict[Fold, Row]) -> set[int]:
    return {fold for fold, _ in found}


def _mean(found: dict[Fold, Row]) -> float:
    return float(np.mean([row.value for row in found.values()]))


def _right(one: Row, other: Row) -> tuple[np.ndarray, np.ndarray] | None:
    """Whether each test clip was right for one row and for the other; None where predictions are missing, or of other
    clips."""
    ours, theirs = (predictions.read(row.paper, place(row.tier) / "predictions").get(row.key) for row in (one, other))
    if ours is None or theirs is None or ours.clips != theirs.clips:
        return None
    return ours.right, theirs.right


def by_seed(
    rows: Iterable[Row], metric: str = "top-1", selection: str = "last", experiments: Iterable[Any] = ()
) -> pd.DataFrame:
    """One line a cell and seed, in the order of the rows: its mean over folds, in the columns row, column, seed, value.

    experiments: what was to be run (`recipes.Experiment`); a seed that lacks one of its folds is then left out.
    """
    cell = ["row", "column", "seed"]
    chosen = [(r.row, r.column, r.seed, r.value) for r in rows if r.metric == metric and r.selection == selection]
    found = pd.DataFrame(chosen, columns=[*cell, "value"]).groupby(cell, sort=False)["value"].agg(["mean", "size"])
    asked = {
        (e.cell.row, e.cell.column, e.evaluation.weights.seed, e.evaluation.weights.data.fold) for e in experiments
    }
    if asked:
        wanted = pd.Series([cell_of for *cell_of, _ in asked]).map(tuple).value_counts()
        found = found[found["size"] >= wanted.reindex(found.index.to_flat_index()).to_numpy()]
    return found["mean"].rename("value").reset_index()


def interval(mean: float, sd: float, n: int, metric: str, clips: float) -> tuple[float, float]:
    """The 95 % interval of a mean over n seeds: Student's; of one seed's share of clips that of drawing so many clips;
    of any other single number none (NaN, NaN)."""
    if n > 1:
        half = float(stats.t.ppf(0.975, n - 1) * sd / n**0.5)
    elif n == 1 and metric in ACCURACIES:
        half = 1.96 * (mean * (100 - mean) / clips) ** 0.5
    else:
        return np.nan, np.nan
    return mean - half, mean + half


def by_verdict(differences: Mapping[str, Difference]) -> dict[str, list[str]]:
    """Named differences as words, "a (+3.1 [+1.9, +4.3], 3 seeds)", under their verdicts; those not run are left
    out."""
    verdicts = ("above", "not significantly different from", "below")
    found = {
        verdict: [f"{name} ({each})" for name, each in differences.items() if each.verdict == verdict]
        for verdict in verdicts
    }
    return {verdict: named for verdict, named in found.items() if named}
