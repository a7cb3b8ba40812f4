"""Differences between two measured cells, with their 95 % confidence intervals.

Differences are paired: over seeds (or draws of labels) where the cells have several, over the same test clips where
each has one. The two are never mixed. `Difference.over` says what the interval covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """What the interval covers: "seeds", "draws" of labels after one pretraining, "clips of one seed", or "clips of one
    seed, unpaired" where the predictions of one of the two cells were not kept."""
    one: float = np.nan
    """The value of the first cell over the seeds that both have."""
    other: float = np.nan
    """The value of the second cell over the same seeds."""
    digits: int = 1
    """Digits that are shown."""

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
        within each fold; folds count alike, as in the mean of their accuracies. Where so few clips differ that the
        exact McNemar test has p >= 0.05, the interval is extended to 0.
        """
        rng = np.random.default_rng(0)
        observed, resampled, changed = 0.0, np.zeros(RESAMPLES), np.zeros(2, int)
        for one, other in pairs:
            # A clip counts 1, 0 or -1, so that drawing clips with replacement is a draw of three counts.
            counts = np.array([(one & ~other).sum(), (one == other).sum(), (~one & other).sum()])
            drawn = rng.multinomial(len(one), counts / len(one), RESAMPLES)
            observed += 100 * (counts[0] - counts[2]) / len(one) / len(pairs)
            resampled += 100 * (drawn[:, 0] - drawn[:, 2]) / len(one) / len(pairs)
            changed += counts[[0, 2]]
        low, high = np.quantile(resampled, [0.025, 0.975])
        if not changed.sum() or stats.binomtest(int(changed[0]), int(changed.sum())).pvalue >= 0.05:
            low, high = min(low, 0.0), max(high, 0.0)
        clips = sum(len(one) for one, _ in pairs)
        return cls(float(observed), float(low), float(high), clips, "clips of one seed")

    @classmethod
    def of_shares(cls, one: float, other: float, clips: float, others: float | None = None) -> Difference:
        """One share of clips minus another, in percent, as if the clips had been drawn anew for each of the two.

        others: the clips of the second share, by default as many. The interval is Newcombe's (1998, method 10): it is
        made of Wilson's intervals of the two shares.
        """
        mean = float(one - other)
        if not np.isfinite(mean):
            return NOT_RUN
        others = clips if others is None else others
        (low, high), (low_other, high_other) = wilson(one, clips), wilson(other, others)
        below = float(np.hypot(one - low, high_other - other))
        above = float(np.hypot(high - one, other - low_other))
        return cls(mean, mean - below, mean + above, round(clips), "clips of one seed, unpaired")

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
        ends = [self.mean] if np.isnan(self.low) else [self.mean, self.low, self.high]
        digits = self.digits + any(0 < abs(end) < 0.5 * 10**-self.digits for end in ends)
        mean, *interval_of = (f"{end:+.{digits}f}" for end in ends)
        if not interval_of:
            return f"{mean}, one {self.over.removesuffix('s')} in common, no interval"
        return f"{mean} [{', '.join(interval_of)}], {self.n} {self.over}"


NOT_RUN = Difference(np.nan, np.nan, np.nan, 0, "")
"""Of cells that have no seed in common."""

Fold = tuple[int, str]
"""A fold's number and its column: a mean over folds has as many columns."""


def difference(rows: Iterable[Row], one: tuple[str, str], other: tuple[str, str], metric: str = "top-1") -> Difference:
    """One cell (row, column) minus another, seed by seed, at the last epoch; the column `AVERAGE` is that of the folds.

    A seed that lacks a fold which another seed or the other cell has is left out. Where both cells have one seed, the
    interval covers test clips: paired where the predictions of both were kept, else unpaired, which is wider. Where
    they have one seed in common and others besides, there is no interval.
    """
    rows = list(rows)
    ours, theirs = (_seeds(rows, cell, metric) for cell in (one, other))
    folds = {fold for seeds in (ours, theirs) for found in seeds.values() for fold in _numbers(found)}
    seeds = [s for s in ours if s in theirs and _numbers(ours[s]) == _numbers(theirs[s]) == folds]
    if not seeds:
        return NOT_RUN
    first = next(iter(ours[seeds[0]].values()))
    drawn = (first.paper, first.table) in LABEL_DRAWS
    one_, other_ = (np.array([_mean(side[s]) for s in seeds]) for side in (ours, theirs))
    found = Difference.over_seeds(one_ - other_, "draws" if drawn else "seeds")
    if len(ours) == len(theirs) == 1 and metric in ACCURACIES and not drawn:
        found = _of_one_seed(ours[seeds[0]], theirs[seeds[0]])
    digits = 1 if metric in ACCURACIES else 3
    return replace(found, one=float(one_.mean()), other=float(other_.mean()), digits=digits)


def _of_one_seed(ours: dict[Fold, Row], theirs: dict[Fold, Row]) -> Difference:
    """The difference of two cells of one seed, over their test clips."""
    sides = [{row.fold: row for row in side.values()} for side in (ours, theirs)]
    pairs = [_right(sides[0][fold], sides[1][fold]) for fold in sorted(sides[0])]
    kept = [pair for pair in pairs if pair is not None]
    if len(kept) == len(pairs):
        return Difference.over_clips(kept)
    clips = (sum(row.n_test for row in side.values()) for side in sides)
    return Difference.of_shares(_mean(ours), _mean(theirs), *clips)


def _seeds(rows: Iterable[Row], cell: tuple[str, str], metric: str) -> dict[int, dict[Fold, Row]]:
    """The rows of a cell by seed and fold. If a fold has two rows, the later one counts."""
    found: dict[int, dict[Fold, Row]] = {}
    for row in rows:
        column = AVERAGE if cell[1] == AVERAGE and row.column.startswith("Fold ") else row.column
        if (row.row, column, row.metric, row.selection) == (*cell, metric, "last"):
            found.setdefault(row.seed, {})[row.fold, row.column] = row
    return found


def mean_of(rows: Iterable[Row], cell: tuple[str, str], metric: str = "top-1") -> float:
    """The mean over seeds of a cell (row, column) at the last epoch, folds averaged first; NaN where it was not run. A
    seed that lacks a fold which another has is left out."""
    found = _seeds(rows, cell, metric)
    folds = {fold for seed in found.values() for fold in _numbers(seed)}
    values = [_mean(seed) for seed in found.values() if _numbers(seed) == folds]
    return float(np.mean(values)) if values else np.nan


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
    """The 95 % interval of a mean over n seeds: Student's. For one seed's share of clips it is Wilson's, for any other
    single number there is none (NaN, NaN)."""
    if n > 1:
        half = float(stats.t.ppf(0.975, n - 1) * sd / n**0.5)
        return mean - half, mean + half
    return wilson(mean, clips) if n == 1 and metric in ACCURACIES else (np.nan, np.nan)


def wilson(share: float, clips: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of clips, both in percent."""
    z, p = 1.959964, share / 100
    middle = (p + z**2 / (2 * clips)) / (1 + z**2 / clips)
    half = z * (p * (1 - p) / clips + z**2 / (4 * clips**2)) ** 0.5 / (1 + z**2 / clips)
    return 100 * (middle - half), 100 * (middle + half)


def by_verdict(differences: Mapping[str, Difference]) -> dict[str, list[str]]:
    """Named differences as words, "a (+3.1 [+1.9, +4.3], 3 seeds)", under their verdicts; those not run are left
    out."""
    verdicts = ("above", "not significantly different from", "below")
    found = {
        verdict: [f"{name} ({each})" for name, each in differences.items() if each.verdict == verdict]
        for verdict in verdicts
    }
    return {verdict: named for verdict, named in found.items() if named}
