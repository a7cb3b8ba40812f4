"""What a table's rows answer: questions that the notebooks put to rows, and the sentences that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from skelkit.recipes.experiment import Experiment
from skelkit.report import published
from skelkit.report.differences import Difference, difference
from skelkit.report.results import AVERAGE, Row


@dataclass(frozen=True)
class Question:
    """Is one row of a table above another? Asked in every column that both were to be run in."""

    what: str
    """What is asked, in words: "Distillation", or "Does pretraining help?"."""
    one: str
    """The row that may be above."""
    rival: str
    """The row that may be below."""
    table: str = ""
    """The table of both; "" looks at all rows that are given."""
    column: str = ""
    """The only column to be asked; "" asks them all."""
    metric: str = "top-1"
    """The metric that is compared, in points."""
    said: str = ""
    """What the paper says of it, as a sentence of its own; it ends the answer."""


def differences(question: Question, rows: Iterable[Row], experiments: Iterable[Experiment]) -> dict[str, Difference]:
    """By column, one row minus its rival; "not run" where they have no seed in common.

    experiments: what was to be run, which says what the columns are.
    """
    table, column = question.table, question.column
    asked = [e for e in experiments if table in ("", e.cell.table) and column in ("", e.cell.column)]
    own, other = ({e.cell.column for e in asked if e.cell.row == row} for row in (question.one, question.rival))
    columns = [name for name in dict.fromkeys(e.cell.column for e in asked) if name in own & other]
    kept = [row for row in rows if table in ("", row.table)]
    pairs = {name: ((question.one, name), (question.rival, name)) for name in columns}
    return {name: difference(kept, *pair, question.metric) for name, pair in pairs.items()}


def answers(
    questions: Iterable[Question], rows: Sequence[Row], experiments: Sequence[Experiment]
) -> tuple[list[str], list[str]]:
    """A sentence for each question that rows answer, and the questions, or their columns, that none does.

    For `notebook.told`. A sentence has the verdict in each column, with the difference and its 95 % interval.
    """
    sentences, unanswered = [], []
    for question in questions:
        found = differences(question, rows, experiments)
        known = {column: each for column, each in found.items() if each.n}
        if known:
            sentences.append(_sentence(question, known))
        if len(known) < len(found) or not found:
            of = f", {len(found) - len(known)} of {len(found)} columns" if found else ""
            unanswered.append(f"{_head(question)} “{question.one}” beside “{question.rival}”{of}")
    return sentences, unanswered


def over(
    one: str, rivals: Iterable[str], column: str, rows: Sequence[Row], metric: str = "top-1"
) -> dict[str, Difference]:
    """One row minus several others in a column, the largest difference first, without those that were not run."""
    found = {rival: difference(rows, (one, column), (rival, column), metric) for rival in rivals}
    known = {rival: each for rival, each in found.items() if each.n}
    return dict(sorted(known.items(), key=lambda pair: pair[1].mean, reverse=True))


def printed(grid: pd.DataFrame, one: str, rival: str) -> str:
    """What a published table says of one row beside another, in points by column; "" where it has not both.

    grid: of `published.show`. For `Question.said`.
    """
    if not {one, rival} <= set(grid.index):
        return ""
    points = (grid.loc[one] - grid.loc[rival]).items()
    return f"The paper: {', '.join(f'{value:+.1f} ({column})' for column, value in points)}."


def _sentence(question: Question, known: dict[str, Difference]) -> str:
    rival, verdicts = f"“{question.rival}”", [each.verdict for each in known.values()]
    listed = "; ".join(f"{column}: {each}" for column, each in known.items())
    if len(set(verdicts)) == 1:
        everywhere = {1: "", 2: " in both columns"}.get(len(known), f" in all {len(known)} columns")
        stands = f"{verdicts[0]} {rival}{everywhere} ({listed})"
    else:
        every = "; ".join(f"{column}: {each.verdict} it ({each})" for column, each in known.items())
        stands = f"above {rival} in {verdicts.count('above')} of {len(known)} columns ({every})"
    said = f" {question.said}" if question.said else ""
    return f"**{_head(question)}** “{question.one}” is {stands}.{said}"


def _head(question: Question) -> str:
    head = question.what + (f" ({question.table})" if question.table else "")
    return head if head.endswith("?") else f"{head}:"


READ_OUTS: dict[str, dict[str, Any]] = {
    "last epoch": {},
    "best test epoch": {"selection": "best test epoch"},
    "logistic regression": {"metrics": ["logistic top-1"]},
    "kNN": {"metrics": ["kNN top-1"]},
}
"""Ways of reading frozen features, as options of `published.compare`."""


def by_read_out(paper: str, table: str, rows: Iterable[Row], variant: str = "paper") -> pd.DataFrame:
    """Accuracy of the rows of a table by each way of reading the features, of one variant; of folds their average."""
    rows, found = [row for row in rows if row.variant == variant], {}
    for name, options in READ_OUTS.items():
        cells = published.compare(paper, table, rows, variant=variant, **{"metrics": ["top-1"], **options})
        mean = cells["column"] == AVERAGE
        cells = (cells[mean] if mean.any() else cells).dropna(subset="ours").set_index(["row", "column"])
        found[name] = cells["ours"]
    return pd.DataFrame(found)
