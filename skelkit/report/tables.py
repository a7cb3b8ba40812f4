"""Markdown tables: pure functions of the committed rows and the published cells."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from skelkit.report import published, results
from skelkit.report.results import Row

STATUSES = ["reproduced", "lower", "higher", "setting differs", "not run", "no value in the text", "extension"]
LEGEND = (
    "Reproduced: ours lies within the larger of one point (of an error: 0.01) and two of our standard deviations. "
    "No value in the text: the paper draws the number in a figure, or it is missing from the text that the cells were "
    "read from. Extension: the paper prints no such cell."
)
_EPOCH = {"last": "last epoch", "best test epoch": "best test epoch (chosen on the test set)"}


def markdown(paper: str, table: str, rows: Iterable[Row] | None = None, *, selection: str = "last") -> str:
    """The comparison of one published table, every cell a line. rows: by default the committed ones."""
    return _comparison(published.compare(paper, table, rows, selection=selection))


def section(paper: str, table: str, rows: list[Row], selection: str) -> list[str]:
    """Heading and cells of what was run, top-5 left to `markdown`; of a row with an average, the average alone."""
    cells = published.compare(paper, table, rows, selection=selection)
    cells = cells[(cells["n"] > 0) & (cells["metric"] != "top-5")]
    averaged = cells.loc[cells["column"] == published.AVERAGE, ["row", "dataset", "metric"]]
    parts = pd.MultiIndex.from_frame(cells[["row", "dataset", "metric"]]).isin(pd.MultiIndex.from_frame(averaged))
    cells = cells[~parts | (cells["column"] == published.AVERAGE)]
    unit = "in percent, errors as they are" if cells["metric"].isin(published.MARGINS).any() else "in percent"
    return [
        f"**{table}**, {_EPOCH[selection]}; mean and standard deviation over n seeds, {unit}",
        _comparison(cells),
    ]


def summary(paper: str, rows: Iterable[Row] | None = None) -> str:
    """How many cells of each table stand at which status."""
    rows = results.read(paper) if rows is None else list(rows)
    lines = []
    for table in published.tables(paper, rows):
        status = published.compare(paper, table, rows)["status"].str.partition(":")[0]
        counts = status.value_counts().reindex(STATUSES, fill_value=0)
        lines.append([table, counts.sum() - counts["extension"], *counts])
    return _table(pd.DataFrame(lines, columns=["table", "published cells", *STATUSES]))


def by_encoder(rows: Iterable[Row]) -> pd.DataFrame:
    """Top-1 in percent, last epoch: an encoder a line, an evaluation a column; of several seeds mean and spread."""
    chosen = [r for r in rows if r.selection == "last" and r.metric != "top-5"]
    frame = pd.DataFrame([(r.row, r.column, r.value) for r in chosen], columns=["row", "column", "value"])
    cells = frame.groupby(["row", "column"])["value"].agg(["mean", "std"])
    shown = cells["mean"].map("{:.1f}".format)
    spread = shown + cells["std"].map(" ± {:.1f}".format)
    return shown.where(cells["std"].isna(), spread).unstack().loc[frame["row"].unique()].fillna("")


def grid(paper: str, table: str, dataset: str, rows: Iterable[Row] | None = None) -> str:
    """A table of top-1 in the paper's layout, in each cell published / ours; "–" where nobody published or ran it."""
    cells = published.compare(paper, table, rows, metrics=["top-1"])
    cells = cells[cells["dataset"] == dataset]
    both = (
        f"{_number(p, '.1f') or '–'} / {_number(o, '.1f') or '–'}" for p, o in cells[["published", "ours"]].to_numpy()
    )
    wide = cells.assign(both=list(both)).pivot(index="row", columns="column", values="both")
    return plain(
        wide.reindex(index=cells["row"].unique(), columns=cells["column"].unique()).fillna(""), "published / ours"
    )


def totals(counts: pd.DataFrame) -> str:
    """How many cells of each paper stand at which status, and of all papers together. counts: of `counted`."""
    return plain(pd.concat([counts, counts.sum().to_frame("together").T]), "paper")


def counted() -> pd.DataFrame:
    """A line a paper: its published cells, and how many stand at each status."""
    lines = {}
    for paper in published.papers():
        rows = results.read(paper)
        found = [published.compare(paper, table, rows)["status"] for table in published.tables(paper, rows)]
        lines[paper] = pd.concat(found).str.partition(":")[0].value_counts().reindex(STATUSES, fill_value=0)
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
    shown = cells[[*key, "published", "ours", "sd", "n", "difference", "status"]].copy()
    digits = [3 if metric in published.MARGINS else 1 for metric in cells["metric"]]
    for name in ("published", "ours", "sd", "difference"):
        sign = "+" if name == "difference" else ""
        shown[name] = [_number(v, f"{sign}.{n}f") for v, n in zip(cells[name], digits, strict=True)]
    return _table(shown)


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _table(frame: pd.DataFrame) -> str:
    def line(values: Iterable[object]) -> str:
        return "| " + " | ".join(str(v).replace("|", "\\|") for v in values) + " |"

    right = {"published", "ours", "sd", "n", "difference", "published cells", "counted here", *STATUSES} - {"status"}
    rule = ["---:" if name in right else "---" for name in frame.columns]
    return "\n".join([line(frame.columns), line(rule), *map(line, frame.itertuples(index=False))])
