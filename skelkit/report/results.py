"""Result rows: one measured number with its provenance, in an append-only file a paper."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from skelkit.files import SkelkitError, results_folder, store_folder, whole_file

TIERS = ("paper", "reduced", "small", "smoke")
"""From the paper's own numbers down to seconds on synthetic clips."""
VARIANTS = ("paper", "official")
SELECTIONS = ("last", "best test epoch")
AVERAGE = "Average"
"""The column of the mean over folds. It is worked out, never stored."""
SHUFFLED = "Labels shuffled"
"""The table, which no paper has, of classifiers whose training labels were exchanged at random."""
LABEL_DRAWS = {
    ("byol", "Table 3"),
    ("byol", "Table 4"),
    ("byol", "Table 5"),
    ("interskeleton", "Table 2"),
    ("longt_gan", "Figure 3"),
}
"""Tables (with their papers) whose seeds are draws of labels after one pretraining: their spread says nothing of other
pretrainings."""
NO_NETWORK, RANDOM = "no network", "random encoder"
"""The rows of the two baselines that learn nothing."""
EVERY = "every column"
"""The column of a baseline that is one number for a whole table, whatever its columns vary."""

_JSON: dict[str, tuple[type, ...]] = {  # what JSON gives for each type of field
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "tuple[str, ...]": (list,),
    "dict[str, str]": (dict,),
}


@dataclass(frozen=True)
class Row:
    """One number that was measured, where it belongs in a paper, and what it came from."""

    paper: str
    """As its file is called: "ascal"."""
    table: str
    """As published: "Table V", "Fig. 9"."""
    row: str
    """As published ("Ours (CAE)"), or the extension's own name ("random encoder")."""
    column: str
    """As published ("Fold 1", "C-View"). "Average" is worked out from the others and never stored."""
    dataset: str
    """As `data.load` takes it: "sbu"."""
    split: str
    """As `data.protocols` names it: "folds", "xview-v3"."""
    labels: str
    """Labels used beyond the linear or kNN read-out: "0%", "1%", "100%"."""
    metric: str
    """"top-1", "top-5" and "balanced accuracy", of some protocols with their name before it ("kNN top-1", "logistic
    top-1", "clustering accuracy"); "MSE", "RMSE"."""
    value: float
    """Percent; of the metrics "MSE" and "RMSE" an error in the unit of the clips."""
    seed: int
    """The seed of the weights, from 0."""
    fold: int
    """-1: the split has no folds."""
    tier: str
    """One of `TIERS`."""
    variant: str
    """One of `VARIANTS`."""
    selection: str
    """One of `SELECTIONS`: which epoch the number is from."""
    n_train: int
    """Labelled training clips that the classifier saw, whatever has trained the encoder."""
    n_test: int
    """Clips of the test side, of which `value` tells."""
    key: str
    """Content key of the evaluation that gave the number."""
    parents: tuple[str, ...]
    """Content keys of the features and weights it was measured on."""
    commit: str
    """The checkout that measured it; "unknown" outside of one."""
    dirty: bool
    """Whether the checkout held changes beyond `commit`."""
    versions: dict[str, str]
    """Of python, torch, numpy and skelkit, and the data set's fingerprint."""
    device: str
    """In words: the GPU's name, or the processor type and the number of threads."""
    seconds: float
    """Training and evaluation that this row took. Of a training that was stopped and resumed, its last part alone in
    rows from before 22 November 2026."""
    started: str
    """ISO 8601, UTC."""

    def __post_init__(self) -> None:
        for name, known in (("tier", TIERS), ("variant", VARIANTS), ("selection", SELECTIONS)):
            if getattr(self, name) not in known:
                raise SkelkitError(f"{self._place}: {name} {getattr(self, name)!r} is none of {', '.join(known)}")
        if not math.isfinite(self.value):
            raise SkelkitError(f"{self._place}: the value is {self.value}; a row holds a finite number")
        if self.column == AVERAGE:
            raise SkelkitError(f"{self._place}: an average is worked out from its parts; store those")

    @property
    def _place(self) -> str:
        return f"row {self.paper}, {self.table}, {self.row!r}, {self.column!r}"

    @property
    def identity(self) -> tuple[str | int, ...]:
        """Two rows with one identity are one measurement; `append` keeps the first."""
        return (
            *(self.key, self.metric, self.selection),
            *(self.paper, self.table, self.row, self.column, self.fold, self.seed),
        )


def append(rows: Iterable[Row], folder: Path | str | None = None, *, again: bool = False) -> int:
    """Add rows to `<folder>/<paper>.jsonl`, whole or not at all; returns how many were new.

    A row whose identity already stands is left out, so that a second run adds nothing. again: the rows are a new
    measurement, which takes the place of the old one in every cell that it fills. Any number of processes may append at
    once. folder: by default `results/rows`, which takes no smoke row. Raises SkelkitError where the standing file is
    damaged or cannot be written.
    """
    added = 0
    by_paper: dict[str, list[Row]] = {}
    for row in rows:
        if folder is None and row.tier == "smoke":
            raise SkelkitError(f"{row._place}: a smoke row is never committed; give append another folder")
        by_paper.setdefault(row.paper, []).append(row)
    for paper, new in by_paper.items():
        path = file_of(paper, folder)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock")):
                added += _add(path, new, again)
        except OSError as error:
            raise SkelkitError(
                f"{path}: cannot be locked or written ({error.strerror}); choose another folder"
            ) from error
    return added


def read(paper: str, folder: Path | str | None = None) -> list[Row]:
    """The rows of one paper, in the order they were appended; none where no file stands.

    Raises SkelkitError that names file and line where a line is cut short, is no JSON or is no row.
    """
    return _lines(file_of(paper, folder))


def read_all(folder: Path | str | None = None) -> list[Row]:
    """The rows of every paper in the folder, papers in alphabetical order."""
    place = file_of("", folder).parent
    return [row for path in sorted(place.glob("*.jsonl")) for row in _lines(path)]


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """One line a row and one column a field, in `Row`'s order; the columns stand even where there is no row."""
    return pd.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(Row)])


def place(tier: str) -> Path:
    """The folder that holds `rows/` and `predictions/` of a tier: `results/`, or for short tiers the store."""
    return results_folder() if tier in ("paper", "reduced") else store_folder()


def file_of(paper: str, folder: Path | str | None) -> Path:
    return (results_folder() / "rows" if folder is None else Path(folder)) / f"{paper}.jsonl"


def _add(path: Path, rows: list[Row], again: bool) -> int:
    standing = _lines(path)
    if again:  # a measurement may fill several cells: all of them get the new one
        measured = {(row.key, row.metric, row.selection): row for row in rows}
        standing = [_measured_again(row, measured.get((row.key, row.metric, row.selection))) for row in standing]
    known = {row.identity for row in standing}
    fresh = []
    for row in rows:
        if row.identity not in known:
            known.add(row.identity)
            fresh.append(row)
    if fresh or again:
        # The file is written anew beside the old one, so that an interrupted append leaves the old one as it was.
        with whole_file(path) as part:
            part.write_text("".join(json.dumps(asdict(row)) + "\n" for row in standing + fresh), encoding="utf-8")
    return len(fresh)


def _measured_again(row: Row, other: Row | None) -> Row:
    """A row with the value and the provenance of another measurement of the same key; its cell stays."""
    cell = {name: getattr(row, name) for name in ("paper", "table", "row", "column", "labels", "variant", "tier")}
    return row if other is None else replace(other, **cell)


def _lines(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SkelkitError(f"{path}: cannot be read ({error}); restore it from version control") from error
    lines = text.split("\n")
    if lines[-1] == "":  # what follows the last newline
        lines.pop()
    return [_row(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _row(line: str, place: str) -> Row:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise SkelkitError(f"{place}: cut short or no JSON; remove the line or restore the file") from error
    types = {field.name: str(field.type) for field in fields(Row)}
    if not isinstance(record, dict):
        raise SkelkitError(f"{place}: no row but {line[:40]!r}; remove the line")
    for name in [*types, *record]:
        if name not in record:
            raise SkelkitError(f"{place}: {name!r} is missing; remove the line or add it")
        if name not in types:
            raise SkelkitError(f"{place}: unknown key {name!r}; known are {', '.join(types)}")
        if not isinstance(record[name], _JSON[types[name]]):
            raise SkelkitError(f"{place}: {name} is {record[name]!r}; give {types[name]}")
    values: dict[str, Any] = record | {"parents": tuple(record["parents"])}
    values |= {name: float(record[name]) for name in ("value", "seconds")}
    try:
        return Row(**values)
    except SkelkitError as error:
        raise SkelkitError(f"{place}: {error}") from error
