"""Classes that do not come with the files: from a user's CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from skelkit.files import SkelkitError

Row = tuple[int, dict[str, str]]
"""A row's line in the file, from 1, and its values by column."""


def table(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """The rows of a small CSV file: a line of column names, then a row a line; `#` begins a comment line.

    Values are stripped. Raises SkelkitError that names file, line and mend: no UTF-8, a missing or unknown column,
    a row of another width, no row at all.
    """
    wanted = ",".join([*columns, *(f"[{column}]" for column in optional)])
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()  # spreadsheets write the mark
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); give a CSV file {wanted}") from error
    except UnicodeDecodeError as error:
        place = error.object.count(b"\n", 0, error.start) + 1
        raise SkelkitError(f"{path}, line {place}: is not UTF-8; save it as CSV in UTF-8") from error
    head: list[str] | None = None
    rows: list[Row] = []
    for place, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            values = [value.strip() for value in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise SkelkitError(f"{path}, line {place}: is no line of a CSV file ({error}); mend it") from error
        if head is None:
            head = values
            missing, unknown = set(columns) - set(head), set(head) - {*columns, *optional}
            if missing or unknown or len(set(head)) < len(head):
                raise SkelkitError(f"{path}, line {place}: its columns are {line[:60]!r}; give {wanted}")
            continue
        if len(values) != len(head):
            raise SkelkitError(f"{path}, line {place}: has {len(values)} values, not {len(head)}; give {wanted}")
        rows.append((place, dict(zip(head, values, strict=True))))
    if not rows:
        raise SkelkitError(f"{path}, line {len(lines) + 1}: holds no row; give {wanted}")
    return rows


def whole_number(name: str, value: str, least: int) -> int:
    """An option's value. Raises SkelkitError for anything but a whole number from `least`."""
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) >= least):
        raise SkelkitError(f"option {name}: {value[:40]!r} is no whole number from {least}; give -o {name} {least}")
    return int(value)
