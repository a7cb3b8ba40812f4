"""What the papers claim, as data, and what our rows say of each claim.

A claim is a contrast of two cells of one table. It is judged by the 95 % confidence interval of their paired
difference (`differences`).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from skelkit.files import SkelkitError, changed, committed_folder
from skelkit.report import results
from skelkit.report.differences import ACCURACIES, Difference, difference, mean_of
from skelkit.report.published import CLOSE, POINTS
from skelkit.report.results import EVERY, NO_NETWORK, RANDOM, TIERS, Row

VERDICTS = ("holds", "contradicted", "undecided", "not run")


@dataclass(frozen=True)
class Claim:
    """One line of `results/claims/<paper>.csv`."""

    claim: str
    """The claim, as a sentence."""
    source: str
    """Section or table of the paper."""
    printed: str
    """What the paper prints of it."""
    table: str
    """The table of ours in which both cells stand."""
    row: str
    """The cell that the claim is about, and its column; `results.AVERAGE` is the mean over folds."""
    column: str
    rival: str
    """The cell that it is compared with, and its column."""
    rival_column: str
    dataset: str
    """Where the claim is tested: data set, split, metric and tier of both cells."""
    split: str
    metric: str
    tier: str
    sign: str
    """What the claim predicts of the difference: "+" above 0, "-" below 0, "=" within three points of 0."""


@dataclass(frozen=True)
class Judgement:
    """What the rows say of a claim."""

    claim: Claim
    difference: Difference
    verdict: str
    """One of `VERDICTS`."""
    ours: float
    """The value of the cell that the claim is about, over the seeds that both cells have; NaN where it was not run."""
    rival: float
    """The value of the other cell."""
    random: float
    """The random encoder's value in the same column (or of the whole table), NaN where there is none."""
    no_network: float
    """The value without a network."""

    @property
    def below_baseline(self) -> bool:
        """Whether an encoder that learns nothing, or none at all, does at least as well as the cell of the claim: the
        method then shows nothing on these data, whatever the verdict."""
        return self.claim.metric in ACCURACIES and bool(self.ours <= np.nanmax([self.random, self.no_network, -1.0]))

    @property
    def mark(self) -> str:
        """What follows the claim where the method is not above both baselines."""
        return " †" if self.below_baseline else ""


def claims(paper: str) -> list[Claim]:
    """The claims of a paper; none where no file stands. Raises SkelkitError that names file, line and fault."""
    path = committed_folder("claims") / f"{paper}.csv"
    return list(_read(path, changed(path))) if path.exists() else []


@lru_cache(maxsize=16)
def _read(path: Path, changed: tuple[int, int]) -> tuple[Claim, ...]:
    names = [field.name for field in fields(Claim)]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SkelkitError(f"{path}: is no table of claims ({error}); restore it from version control") from error
    found = []
    for number, line in enumerate(lines, 2):
        if list(line) != names or None in line.values():
            raise SkelkitError(f"{path}, line {number}: give the columns {', '.join(names)}, no more and no fewer")
        for name, known in (("sign", ("+", "-", "=")), ("tier", TIERS), ("metric", (*ACCURACIES, *POINTS))):
            if line[name] not in known:
                raise SkelkitError(f"{path}, line {number}: {name} {line[name]!r} is none of {', '.join(known)}")
        found.append(Claim(**line))
    return tuple(found)


def judge(claim: Claim, rows: Iterable[Row]) -> Judgement:
    """The verdict of a paper's rows on one of its claims."""
    place = (claim.table, claim.dataset, claim.split, claim.tier, "paper")
    here = [row for row in rows if (row.table, row.dataset, row.split, row.tier, row.variant) == place]
    cell, rival = (claim.row, claim.column), (claim.rival, claim.rival_column)
    found = difference(here, cell, rival, claim.metric)
    random, nothing = (
        np.nanmax([mean_of(here, (row, column), claim.metric) for column in (claim.column, EVERY)] + [-np.inf])
        for row in (RANDOM, NO_NETWORK)
    )
    return Judgement(
        claim,
        found,
        verdict(claim.sign, found, POINTS.get(claim.metric, 1.0)),
        *((found.one, found.other) if found.n else (mean_of(here, each, claim.metric) for each in (cell, rival))),
        *(float(value) if np.isfinite(value) else np.nan for value in (random, nothing)),
    )


def verdict(sign: str, found: Difference, point: float = 1.0) -> str:
    """What an interval says of a predicted sign: it holds or is contradicted where the whole interval says so."""
    if not found.n:
        return "not run"
    if sign == "=":
        close = CLOSE * point
        if -close <= found.low and found.high <= close:
            return "holds"
        return "contradicted" if found.low > close or found.high < -close else "undecided"
    if not found.significant:
        return "undecided"
    return "holds" if (found.mean > 0) == (sign == "+") else "contradicted"


def judged(paper: str, rows: Iterable[Row] | None = None) -> list[Judgement]:
    """Every claim of a paper with its verdict. rows: by default the committed ones."""
    rows = results.read(paper) if rows is None else list(rows)
    return [judge(claim, rows) for claim in claims(paper)]


def counts(paper: str) -> dict[str, int]:
    """How many claims of a paper have each verdict."""
    found = Counter(each.verdict for each in judged(paper))
    return {name: found[name] for name in VERDICTS}


def table(paper: str, rows: Iterable[Row] | None = None) -> pd.DataFrame:
    """The claims of a paper, one a line, for the eye."""
    lines = []
    for each in judged(paper, rows):
        claim, digits = each.claim, 3 if each.claim.metric in POINTS else 1
        values = (each.ours, each.rival, each.random, each.no_network)
        ours, rival, random, nothing = ("" if np.isnan(value) else f"{value:.{digits}f}" for value in values)
        lines.append(
            {
                "claim": claim.claim + each.mark,
                "verdict": each.verdict,
                "difference [95 % interval]": str(each.difference),
                "ours": ours,
                "rival": rival,
                RANDOM: random,
                NO_NETWORK: nothing,
                "data": f"{claim.dataset}, {claim.metric}, {claim.tier}",
                "the paper prints": claim.printed,
                "source": claim.source,
            }
        )
    return pd.DataFrame(lines)
