"""How a value, a lead and a published number are put in words."""

from __future__ import annotations

from collections.abc import Iterable

from skelkit.report import published
from skelkit.report.leads import Lead, by_seed, by_verdict
from skelkit.report.results import Row


def rows_on(rows: list[Row], dataset: str, tier: str, split: str = "", tables: Iterable[str] = ()) -> list[Row]:
    """The rows on one data set (and split, and tables) at one tier, last epoch."""
    found = [r for r in rows if (r.dataset, r.tier, r.selection, r.variant) == (dataset, tier, "last", "paper")]
    return [r for r in found if split in ("", r.split) and (not tables or r.table in tables)]


def value(rows: list[Row], row: str, column: str, metric: str = "top-1", form: str = ".1f") -> str:
    """A cell as text: mean ± sd over seeds, the value of one seed, or "not run"."""
    seeds = by_seed([r for r in rows if (r.row, r.column) == (row, column)], metric)["value"]
    if seeds.empty:
        return "not run"
    spread = f" ± {seeds.std():{form}}" if len(seeds) > 1 else ""
    return f"{seeds.mean():{form}}{spread}"


def against(found: Lead, other: str) -> str:
    """A lead in words: "above the random encoder (+3.1 ± 1.2, n = 3)"."""
    return f"{found.verdict} {other} ({found})"


def listed(leads: dict[str, Lead]) -> str:
    """Named leads by what they tell: "above: a (+3.1 ± 1.2, n = 3); not told apart: b (...)"."""
    groups = by_verdict(leads).items()
    return "; ".join(f"{verdict.removesuffix(' from')}: {', '.join(named)}" for verdict, named in groups) or "not run"


def line(text: str) -> str:
    """A text over several lines as one."""
    return " ".join(text.split())


def in_short(found: Lead) -> str:
    """A lead in two or three words."""
    if found.verdict in ("above", "below"):
        sure = "" if abs(found.mean) > 1.5 * found.half else "perhaps "
        return sure + ("a gain" if found.mean > 0 else "a loss")
    return "no difference seen" if found.seeds else "not run"


def why_is_open(*found: Lead) -> str:
    """What a sentence on losses ends with; nothing where no lead is below."""
    return "; why is open" if any(each.verdict == "below" for each in found) else ""


def printed(paper: str, table: str, row: str, column: str, metric: str = "top-1") -> float:
    """A published cell's number."""
    cells = published.cells(paper)
    cell = (cells["table"] == table) & (cells["row"] == row) & (cells["column"] == column) & (cells["metric"] == metric)
    return float(cells.loc[cell, "value"].iloc[0])
