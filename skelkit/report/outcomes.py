"""What became of the notebooks of a batch, for people (Markdown) and for machines (JUnit)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook."""

    notebook: Path
    status: str
    """"passed", "failed" (a cell raised, or its kernel died), "timeout", or "not started" (no kernel, tried twice)."""
    seconds: float
    """Wall time, the kernel's start and the conversion to HTML included."""
    cell: int | None
    """Where it stopped, counted from 1 over all cells of the notebook as written; None where no cell had begun."""
    line: str
    """The first line of that cell's source."""
    error: str
    """One line: the exception, or why the run ended."""
    executed: Path | None
    """The executed notebook, as far as it came; None where nothing ran."""
    html: Path | None
    """The same as HTML; None after a timeout or a crash."""


def markdown_summary(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table, one notebook a line, that names the failing cells."""
    counts = Counter(outcome.status for outcome in outcomes)
    lines = [
        f"**Notebooks: {', '.join(f'{n} {status}' for status, n in sorted(counts.items())) or 'none'}**",
        "",
        "| notebook | status | seconds | cell | its first line | error |",
        "|---|---|---:|---:|---|---|",
    ]
    for o in outcomes:
        line = "`" + o.line.replace("`", "'") + "`" if o.line else ""
        row = (_near(o.notebook), o.status, f"{o.seconds:.1f}", str(o.cell or ""), line, o.error)
        lines.append(f"| {' | '.join(one_line(text).replace('|', chr(92) + '|') for text in row)} |")
    return "\n".join(lines) + "\n"


def junit_summary(outcomes: Sequence[Outcome]) -> str:
    """JUnit XML: a failing cell is a failure; a timeout, or a kernel that did not start, is an error."""
    counts = Counter(_junit_kind(o) for o in outcomes)
    total = {
        "tests": str(len(outcomes)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": f"{sum(o.seconds for o in outcomes):.3f}",
    }
    root = ET.Element("testsuites", total)
    suite = ET.SubElement(root, "testsuite", {"name": "notebooks", **total})
    for o in outcomes:
        attributes = {"classname": o.notebook.resolve().parent.name, "name": o.notebook.stem}
        case = ET.SubElement(suite, "testcase", {**attributes, "time": f"{o.seconds:.3f}"})
        if kind := _junit_kind(o):
            place = f"cell {o.cell}, `{o.line}`: " if o.cell else ""
            fault = ET.SubElement(case, kind, {"type": o.status, "message": one_line(place + o.error)})
            fault.text = one_line(f"{_near(o.notebook)}: {place}{o.error}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def one_line(text: str) -> str:
    """One line without the control characters that XML forbids and terminals obey."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _junit_kind(outcome: Outcome) -> str:
    return {"passed": "", "failed": "failure"}.get(outcome.status, "error")


def _near(path: Path) -> str:
    here = Path.cwd()
    return path.resolve().relative_to(here).as_posix() if path.resolve().is_relative_to(here) else str(path)
