"""A key leaves out what is at its default: a default that changes would take the rows of the old one for its own.

`python tests/test_defaults.py` writes the file of defaults anew.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from configs import configs, everything

from skelkit import store
from skelkit.recipes import PAPERS
from skelkit.report import results

FILE = Path(__file__).with_name("defaults.json")
MEND = "then write the file anew: python tests/test_defaults.py"


def defaults(config: Any) -> dict[str, Any]:
    """The defaults of a config's fields as its key would hold them, and its version."""
    found = {"version": config.version} if hasattr(config, "version") else {}
    for field in dataclasses.fields(config):
        if field.default is not dataclasses.MISSING:
            found[field.name] = store.canonical(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = store.canonical(field.default_factory())
    return found


def changed(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The fields whose default is another one, or none, while the version stands; 1 and 1.0 make different keys."""
    if was.get("version") != now.get("version"):
        return []
    return [name for name, value in was.items() if json.dumps(value) != json.dumps(now.get(name, "no default"))]


def test_no_default_changes_behind_the_rows_that_stand() -> None:
    was = json.loads(FILE.read_text(encoding="utf-8"))
    now = {name: defaults(config) for name, config in configs().items()}
    moved = [f"{name}.{field}" for name in was.keys() & now.keys() for field in changed(was[name], now[name])]
    assert not moved, f"{moved}: raise `version`, or leave the default and set the value in the recipe; {MEND}"
    assert was == now, f"a config, a field or a version is new or gone; {MEND}"


def test_a_changed_default_is_told_from_a_new_field_and_from_a_raised_version() -> None:
    was = {"momentum": 0.99, "queue": 1}
    assert changed(was, {**was, "new": 3}) == []
    assert changed(was, {**was, "momentum": 0.9}) == ["momentum"]
    assert changed(was, {**was, "queue": 1.0}) == ["queue"]
    assert changed(was, {"queue": 1}) == ["momentum"]
    assert changed(was, {**was, "momentum": 0.9, "version": 1}) == []


def test_every_committed_row_is_that_of_an_experiment_of_its_recipe() -> None:
    rows = [row for paper in PAPERS for row in results.read(paper)]
    measured = {((r.paper, r.table, r.row, r.column, r.labels, r.tier, r.variant), r.key) for r in rows}
    filled = {place for place, _ in measured}
    experiments = [((*dataclasses.astuple(e.cell), e.tier, e.variant), e.evaluation) for e in everything()]
    made = {(place, store.key(evaluation)) for place, evaluation in experiments if place in filled}
    assert rows
    assert not measured - made


if __name__ == "__main__":
    found = {name: defaults(config) for name, config in configs().items()}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
