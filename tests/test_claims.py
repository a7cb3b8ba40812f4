"""The papers' claims: each is a contrast that a recipe makes, judged by the interval of a paired difference."""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from pathlib import Path

import numpy as np
import pytest
from rows import ROW

from skelkit.files import SkelkitError
from skelkit.recipes import PAPERS, claimed
from skelkit.recipes.claimed import check_claims
from skelkit.report import claims
from skelkit.report.claims import Claim, judge, verdict
from skelkit.report.differences import NOT_RUN, Difference
from skelkit.report.results import EVERY, NO_NETWORK, RANDOM, Row

CLAIM = Claim(
    *("Ours beats theirs.", "Table V", "2 against 1"),
    *("Table V", "ours", "SBU", "theirs", "SBU", "sbu", "folds", "top-1", "paper", "+"),
)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_paper_has_five_to_ten_claims_each_with_a_source(paper: str) -> None:
    found = claims.claims(paper)
    assert 5 <= len(found) <= 10
    assert len({each.claim for each in found}) == len(found)
    for each in found:
        assert each.claim.endswith(".")
        assert each.printed
        assert any(word in each.source for word in ("Table", "Fig", "Sec"))


@pytest.mark.parametrize("paper", PAPERS)
def test_a_recipe_makes_both_cells_of_every_claim(paper: str) -> None:
    check_claims(paper, PAPERS[paper].everything())


@pytest.mark.parametrize(
    "change",
    [{"row": "nobody"}, {"rival_column": "nowhere"}, {"metric": "MSE"}, {"split": "xsub"}, {"tier": "reduced"}],
)
def test_a_claim_on_a_cell_that_no_recipe_makes_is_one_line(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    (good, *others) = claims.claims("ascal")
    monkeypatch.setattr(claimed, "claims", lambda paper: [good, replace(good, **change), *others])
    with pytest.raises(SkelkitError, match=r"results/claims/ascal\.csv, line 3: no recipe makes '.*; name a cell of"):
        check_claims("ascal", PAPERS["ascal"].everything())


def row(name: str, value: float, seed: int, column: str = "SBU") -> Row:
    return replace(ROW, row=name, column=column, value=value, seed=seed, fold=-1, key=f"{name}{seed}{column}")


def rows(ours: float, theirs: float, spread: float = 0.1, n: int = 4) -> list[Row]:
    found = [row("ours", ours + spread * s, s) for s in range(n)]
    return found + [row("theirs", theirs - spread * s, s) for s in range(n)]


def test_a_claim_is_judged_by_the_interval_of_its_difference() -> None:
    assert judge(CLAIM, rows(60, 50)).verdict == "holds"
    assert judge(CLAIM, rows(50, 60)).verdict == "contradicted"
    assert judge(CLAIM, rows(51, 50, spread=5.0)).verdict == "undecided"
    assert judge(CLAIM, rows(51, 50)[:4]).verdict == "not run"
    assert judge(replace(CLAIM, sign="-"), rows(50, 60)).verdict == "holds"


def test_equality_is_an_interval_within_three_points() -> None:
    def between(low: float, high: float) -> Difference:
        return Difference((low + high) / 2, low, high, 3, "seeds")

    assert verdict("=", between(-2.9, 2.9)) == "holds"
    assert verdict("=", between(-2.9, 3.1)) == "undecided"
    assert verdict("=", between(3.1, 5.0)) == verdict("=", between(-5.0, -3.1)) == "contradicted"
    assert verdict("=", between(-0.02, 0.02), 0.01) == "holds"  # an error's point
    assert verdict("=", NOT_RUN) == "not run"
    assert verdict("=", Difference(1.0, np.nan, np.nan, 1, "seeds")) == "undecided"


def test_rows_of_other_places_judge_nothing() -> None:
    changes = ({"dataset": "nw_ucla"}, {"split": "xsub"}, {"tier": "reduced"}, {"variant": "official"}, {"table": "T"})
    for change in changes:
        assert judge(CLAIM, [replace(each, **change) for each in rows(60, 50)]).verdict == "not run"


def test_a_method_that_is_not_above_its_baselines_is_marked() -> None:
    floor = [row(NO_NETWORK, 65.0, 0, EVERY), row(RANDOM, 40.0, 0)]
    found = judge(CLAIM, rows(60, 50) + floor)
    assert (found.no_network, found.random, found.below_baseline) == (65.0, 40.0, True)
    assert not judge(CLAIM, rows(70, 50) + floor).below_baseline
    assert not judge(CLAIM, floor).below_baseline  # what was not run is below nothing


def test_the_table_shows_each_claim_with_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "claims", lambda paper: [CLAIM])
    (line,) = claims.table("ascal", rows(60, 50)).to_dict("records")
    assert line["verdict"] == "holds"
    assert line["difference [95 % interval]"].startswith("+10.3 [")
    assert (line["ours"], line[NO_NETWORK]) == ("60.2", "")  # 60.15 and 49.85


NAMES = ",".join(field.name for field in fields(Claim))
GOOD = ",".join(astuple(CLAIM))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"claim,source\n{GOOD}", "line 2: give the columns claim, source, printed"),
        (f"{NAMES}\n{GOOD},more", "line 2: give the columns"),
        (f"{NAMES}\n{GOOD}\nhalf,a line", "line 3: give the columns"),
        (f"{NAMES}\n{GOOD[:-1]}>", "line 2: sign '>' is none of"),
        (f"{NAMES}\n{GOOD.replace('top-1', 'top-2')}", "line 2: metric 'top-2' is none of"),
        (f"{NAMES}\n{GOOD.replace(',paper,', ',big,')}", "line 2: tier 'big' is none of"),
    ],
)
def test_a_damaged_file_of_claims_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "ascal.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SkelkitError, match=fault):
        claims.claims("ascal")


def test_a_paper_without_a_file_has_no_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    (tmp_path / "claims").mkdir()
    assert claims.claims("ascal") == []
