"""The parameters of a notebook, read and checked before papermill sees them.

papermill only warns of a name that the notebook does not have, and silently drops a line that holds two `=` signs.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skelkit.files import SkelkitError


def parameters_of(path: Path) -> dict[str, Any]:
    """The parameters of a notebook and their defaults, in order; none where no cell is tagged `parameters`.

    The cell must hold plain literals, one a line; anything else raises SkelkitError that names the line.
    """
    cells = [cell for cell in read_notebook(path).cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) > 1:
        raise SkelkitError(f"{path}: {len(cells)} cells are tagged `parameters`; tag one")
    source = cells[0].source if cells else ""
    lines = source.splitlines()

    def fault(number: int, what: str) -> SkelkitError:
        return SkelkitError(f"{path}: parameters, line {number} `{lines[number - 1].strip()}`: {what}")

    for number, line in enumerate(lines, 1):
        if line.count("=") > 1:
            raise fault(number, "two `=` signs, which papermill drops; write one literal a line, and its comment above")
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise fault(min(error.lineno or 1, len(lines)), f"no Python ({error.msg}); write name = literal") from error
    found: dict[str, Any] = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.end_lineno != statement.lineno:
            raise fault(statement.lineno, "no `name = literal` on one line")
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if not isinstance(target, ast.Name) or statement.value is None:
            raise fault(statement.lineno, "no `name = literal`")
        try:
            found[target.id] = ast.literal_eval(statement.value)
        except (ValueError, TypeError) as error:
            raise fault(statement.lineno, "no plain literal; compute it in a later cell") from error
    return found


def check_parameters(path: Path, given: Mapping[str, Any]) -> None:
    """Raise SkelkitError where the notebook has no parameter of a given name, or its default is of another type.

    An int is taken where the default is a float, and anything where the default is None.
    """
    known = parameters_of(path)
    for name, value in given.items():
        if name not in known:
            names = ", ".join(known) or "none"
            raise SkelkitError(f"{path}: unknown parameter {name!r}; its parameters are {names}")
        default = known[name]
        fits = default is None or type(value) is type(default) or (type(default) is float and type(value) is int)
        if not fits:
            wanted, got = type(default).__name__, type(value).__name__
            raise SkelkitError(f"{path}: parameter {name} = {value!r} is {got}; give {wanted}, like {default!r}")


def read_notebook(path: Path) -> Any:
    """The notebook as nbformat's node, in format 4; raises SkelkitError where the file is missing or no notebook."""
    try:
        import nbformat
    except ImportError as error:
        raise SkelkitError(f"{path}: needs nbformat, papermill and others; pip install 'skelkit[notebooks]'") from error
    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # nbformat raises many kinds, JSON and schema faults among them
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SkelkitError(f"{path}: no notebook ({why[:100]}); write it again") from error
