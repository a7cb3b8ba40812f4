"""Markdown tables: pure functions of the committed rows and the published cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pandas as pd

from skelkit.files import SkelkitError, project_root, whole_file
from skelkit.report import published, results
from skelkit.report.results import SELECTIONS, Row

STATUSES = ["reproduced", "lower", "higher", "setting differs", "not run", "no value in the text", "extension"]
_LEGEND = (
    "Reproduced: ours lies within the larger of one point (of an error: 0.01) and two of our standard deviations. "
    "No value in the text: the paper draws the number in a figure, or it is missing from the text of the paper that the "
    "cells were read from. Extension: nobody published the number."
)
_EPOCH = {"last": "last epoch", "best test epoch": "best test epoch (chosen on the test set)"}


def markdown(paper: str, table: str, rows: Iterable[Row] | None = None, *, selection: str = "last") -> str:
    """The comparison of one published table, every cell a line. rows: by default the committed ones."""
    return _comparison(published.compare(paper, table, rows, selection=selection))


def summary(paper: str, rows: Iterable[Row] | None = None) -> str:
    """How many cells of each table stand at which status."""
    rows = results.read(paper) if rows is None else list(rows)
    lines = []
    for table in published.tables(paper, rows):
        status = published.compare(paper, table, rows)["status"].str.partition(":")[0]
        counts = status.value_counts().reindex(STATUSES, fill_value=0)
        lines.append([table, counts.sum() - counts["extension"], *counts])
    return _table(pd.DataFrame(lines, columns=["table", "published cells", *STATUSES]))


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


def readme_block() -> str:
    """What stands between the README's markers of the results: for each paper the counts."""
    parts = []
    for paper in published.papers():
        parts += [f"#### {paper}: published cells and what became of them", summary(paper)]
    return "\n\n".join([*parts, _LEGEND])


def results_page() -> str:
    """What stands in results/README.md: for each paper what was run of each table; `markdown` has every cell."""
    parts = ["# Results", f"What was run, beside what is published; written by `skelkit report --readme`. {_LEGEND}"]
    for paper in published.papers():
        rows = results.read(paper)
        parts += [f"## {paper}", summary(paper, rows)]
        for table in published.tables(paper, rows):
            if not {r.key for r in rows if r.table == table} - {r.key for r in rows if r.table != table}:
                continue  # the default run alone, which stands in another table
            for selection in SELECTIONS:
                if any((r.table, r.selection) == (table, selection) for r in rows):
                    parts += _section(paper, table, rows, selection)
    return "\n\n".join(parts) + "\n"


def rewritten(text: str, block: str, name: str = "results") -> str:
    """A README's text with the block of a name renewed. Raises SkelkitError where it has no pair of markers."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SkelkitError(f"README.md: no block of {name}; add the lines {begin} and {end}")
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


README_BLOCKS: dict[str, Callable[[], str]] = {
    "results": readme_block,
    "sesar": partial(grid, "sesar", "Table 2", "nw_ucla"),
}
"""The README's blocks that are written from committed rows, by the name of their markers."""


def update_readme(block: str | None = None, name: str = "results", path: Path | None = None) -> bool:
    """Renew a block (by default one of `README_BLOCKS`) of README.md (by default the checkout's); returns whether it
    changed."""
    path = path or project_root() / "README.md"
    try:
        old = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); name the README") from error
    new = rewritten(old, README_BLOCKS[name]() if block is None else block, name)
    if new != old:
        with whole_file(path) as part:
            part.write_text(new, encoding="utf-8")
    return new != old


def update_results_page(path: Path | None = None) -> bool:
    """Write results/README.md (by default the checkout's) anew; returns whether it changed."""
    path = path or project_root() / "results" / "README.md"
    new = results_page()
    if path.exists() and path.read_text(encoding="utf-8") == new:
        return False
    with whole_file(path) as part:
        part.write_text(new, encoding="utf-8")
    return True


def plain(frame: pd.DataFrame, corner: str = "") -> str:
    """A small table of numbers as Markdown, its index as the first column, named `corner`."""
    return _table(frame.rename_axis(corner).reset_index())


def _section(paper: str, table: str, rows: list[Row], selection: str) -> list[str]:
    """The cells that were run, top-5 left to `markdown`; of a row with an average, the average alone."""
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
