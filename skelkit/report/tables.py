"""Markdown tables: pure functions of the committed rows and the published cells."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from skelkit.report import published, results
from skelkit.report.claims import VERDICTS
from skelkit.report.results import AVERAGE, NO_NETWORK, RANDOM, SELECTIONS, Row

STATUSES = [
    *("reproduced", "higher", "lower", "undecided"),
    *("setting differs", "not run", "no value in the text", "extension"),
]
LEGEND = (
    "Reproduced: the 95 % confidence interval of our number lies within 3 points of the published one (of an error: "
    "0.03). Higher, lower: the interval is more than one point away. Undecided: neither. Setting differs: measured at "
    "the tier `reduced`, which is narrower and shorter than the paper. No value in the text: the number stands in a "
    "figure only, or is missing from the text that the cells were read from. Extension: the paper prints no such cell."
)
_EPOCH = {"last": "last epoch", "best test epoch": "best test epoch (chosen on the test set)"}


def markdown(paper: str, table: str, rows: Iterable[Row] | None = None, *, selection: str = "last") -> str:
    """The comparison of one published table, every cell a line. rows: by default the committed ones."""
    return _comparison(published.compare(paper, table, rows, selection=selection))


def section(paper: str, table: str, rows: list[Row], selection: str) -> list[str]:
    """Heading and cells of what was run, top-5 left to `markdown`; of a row with an average, the average alone."""
    cells = published.compare(paper, table, rows, selection=selection)
    cells = cells[(cells["n"] > 0) & (cells["metric"] != "top-5")]
    averaged = cells.loc[cells["column"] == AVERAGE, ["row", "dataset", "metric"]]
    parts = pd.MultiIndex.from_frame(cells[["row", "dataset", "metric"]]).isin(pd.MultiIndex.from_frame(averaged))
    cells = cells[~parts | (cells["column"] == AVERAGE)]
    unit = "in percent, errors as they are" if cells["metric"].isin(published.POINTS).any() else "in percent"
    return [
        f"**{table}**, {_EPOCH[selection]}; mean and 95 % confidence interval, {unit}",
        _comparison(cells),
    ]


def summary(paper: str, rows: Iterable[Row] | None = None) -> str:
    """How many cells of each table have which status."""
    rows = results.read(paper) if rows is None else list(rows)
    lines = []
    for table in published.tables(paper, rows):
        status = published.compare(paper, table, rows)["status"].str.partition(":")[0]
        counts = status.value_counts().reindex(STATUSES, fill_value=0)
        lines.append([table, counts.sum() - counts["extension"], *counts])
    return _table(pd.DataFrame(lines, columns=["table", "published cells", *STATUSES]))


def by_encoder(rows: Iterable[Row]) -> pd.DataFrame:
    """Top-1 in percent, last epoch: an encoder a line, an evaluation a column; of several seeds mean and spread."""
    chosen = [r for r in rows if r.selection == "last" and r.metric in ("top-1", "kNN top-1")]
    frame = pd.DataFrame([(r.row, r.column, r.value) for r in chosen], columns=["row", "column", "value"])
    cells = frame.groupby(["row", "column"])["value"].agg(["mean", "std"])
    shown = cells["mean"].map("{:.1f}".format)
    spread = shown + cells["std"].map(" ± {:.1f}".format)
    return shown.where(cells["std"].isna(), spread).unstack().loc[frame["row"].unique()].fillna("")


def sections(paper: str, rows: list[Row]) -> list[str]:
    """Every table of a paper that has rows of its own, at the last epoch and at the best test epoch."""
    found = []
    for table in published.tables(paper, rows):
        if not {r.key for r in rows if r.table == table} - {r.key for r in rows if r.table != table}:
            continue  # only the default run, which stands in another table
        for selection in SELECTIONS:
            if any((r.table, r.selection) == (table, selection) for r in rows):
                found += section(paper, table, rows, selection)
    return found


def totals(counts: pd.DataFrame) -> str:
    """How many cells of each paper have which status, and of all papers together. counts: of `counted`."""
    return plain(pd.concat([counts, counts.sum().to_frame("together").T]), "paper")


def counted() -> pd.DataFrame:
    """A line a paper: its published cells, and how many have each status. Baselines with an optimiser of our choice
    have a line of their own."""
    lines: dict[str, pd.Series] = {}
    for paper in published.papers():
        rows = results.read(paper)
        found = pd.concat([published.compare(paper, table, rows) for table in published.tables(paper, rows)])
        status, ours = found["status"].str.partition(":")[0], found["row"].isin(published.BASELINES.get(paper, ()))
        parts = {paper: status[~ours]} | ({f"{paper}, supervised baselines": status[ours]} if ours.any() else {})
        lines |= {name: part.value_counts().reindex(STATUSES, fill_value=0) for name, part in parts.items()}
    counts = pd.DataFrame(lines).T
    counts.insert(0, "published cells", counts.sum(axis=1) - counts["extension"])
    return counts


def plain(frame: pd.DataFrame, corner: str = "") -> str:
    """A small table of numbers as Markdown, its index as the first column, named `corner`."""
    return _table(frame.rename_axis(corner).reset_index())


def _comparison(cells: pd.DataFrame) -> str:
    """A comparison as Markdown. A part of the key that is the same in every line is left out; but where nobody
    published any of the numbers, the data are told, because the columns may not name them."""
    named = {"row", "column"} | ({"dataset", "split"} if (cells["status"] == "extension").all() else set())
    key = [k for k in published.KEY if k in named or cells[k].nunique() > 1]
    shown = cells[[*key, "published", "ours"]].copy()
    digits = [3 if metric in published.POINTS else 1 for metric in cells["metric"]]
    for name in ("published", "ours"):
        shown[name] = [_number(v, f".{n}f") for v, n in zip(cells[name], digits, strict=True)]
    ends = zip(cells["low"], cells["high"], digits, strict=True)
    shown["95 % interval"] = ["" if math.isnan(low) else f"{low:.{n}f} to {high:.{n}f}" for low, high, n in ends]
    return _table(shown.assign(over=cells["over"], status=cells["status"]))


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _table(frame: pd.DataFrame) -> str:
    def line(values: Iterable[object]) -> str:
        return "| " + " | ".join(str(v).replace("|", "\\|") for v in values) + " |"

    right = {"published", "ours", "rival", NO_NETWORK, RANDOM, "published cells", "counted here", *STATUSES, *VERDICTS}
    rule = ["---:" if name in right else "---" for name in frame.columns]
    return "\n".join([line(frame.columns), line(rule), *map(line, frame.itertuples(index=False))])
