"""The data sets' sizes, counted here beside published: a pure function of a committed CSV and of `data.counts`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from skelkit.data.counts import COUNTS, counted
from skelkit.data.library import load, present
from skelkit.files import SkelkitError, results_folder, whole_file
from skelkit.report import tables

FILE = "data_counts.csv"
HEADER = ("dataset", "what", "counted", "fingerprint", "source")


def update(path: Path | None = None) -> list[str]:
    """Count every published data set that is here into the CSV; lines of the others stay. Returns the names counted.

    A line says what was counted, in which clips (the fingerprint of their frames) and where those came from.
    """
    path = path or results_folder() / FILE
    names = [name for name in COUNTS if present(name)]
    lines = [line for line in read(path) if line["dataset"] not in names]
    for name in names:
        clips = load(name)
        beside = {"dataset": name, "fingerprint": clips.fingerprint, "source": clips.source}
        lines += [{**beside, "what": what, "counted": str(number)} for what, number in counted(clips).items()]
    lines.sort(key=lambda line: line["dataset"])  # stable: within a data set the order stays
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    with whole_file(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")
    return names


def read(path: Path | None = None) -> list[dict[str, str]]:
    """The lines of the CSV, none where there is no such file. Raises SkelkitError for a line that is none."""
    path = path or results_folder() / FILE
    if not path.exists():
        return []
    lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    for number, line in enumerate(lines, 2):
        if set(line) != set(HEADER) or not str(line["counted"]).isdigit():
            raise SkelkitError(f"{path}, line {number}: has not the columns {', '.join(HEADER)}; count again")
    return lines


def table(path: Path | None = None) -> str:
    """Every published number as Markdown: published, counted here, and in which clips."""
    found = {(line["dataset"], line["what"]): line for line in read(path)}
    here = {dataset for dataset, _ in found}
    shown = []
    for name, counts in COUNTS.items():
        for count in counts:
            line = found.get((name, count.what))
            number = f"{int(line['counted']):,}" if line else "not known" if name in here else "not counted"
            shown.append(
                [name, count.what, f"{count.number:,}", number, line["fingerprint"] if line else "", count.source]
            )
    header = ["data set", "what", "published", "counted here", "in the clips", "source of the published number"]
    return tables.plain(pd.DataFrame(shown, columns=header).set_index("data set"), "data set")
