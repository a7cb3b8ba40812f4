"""The notebooks' helpers: leads between cells, with their intervals, and what cannot be run here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skelkit import notebook
from skelkit.files import SkelkitError
from skelkit.notebook import Lead
from skelkit.pending import ready
from skelkit.recipes import interskeleton
from skelkit.report.results import Row


def row(name: str, value: float, seed: int = 0, fold: int = -1, n_test: int = 100) -> Row:
    return Row(
        *("interskeleton", "Table 6", name, "X_IMG", "nw_ucla", "xview-v3-leakfree", "0%", "top-1", value, seed, fold),
        *("reduced", "paper", "last", 900, n_test, f"{name}{seed}{fold}", (), "unknown", False, {}, "cpu", 1.0, ""),
    )


INTER, INTRA = ("inter", "X_IMG"), ("intra", "X_IMG")


def test_a_lead_over_seeds_has_student_s_interval() -> None:
    rows = [row("inter", v, s) for s, v in enumerate((62.0, 64.0, 66.0))]
    rows += [row("intra", v, s) for s, v in enumerate((60.0, 61.0, 62.0))]
    found = notebook.lead(rows, INTER, INTRA)
    assert (found.mean, found.seeds) == (pytest.approx(3.0), 3)  # of 2, 3, 4
    assert found.half == pytest.approx(4.303 / 3**0.5, rel=1e-3)  # t(0.975, 2), sd 1
    assert found.verdict == "above"


def test_a_lead_of_one_seed_has_the_interval_of_drawing_its_test_clips() -> None:
    found = notebook.lead([row("inter", 50.0), row("intra", 50.0)], INTER, INTRA)
    assert found.half == pytest.approx(1.96 * 100 * (2 * 0.25 / 100) ** 0.5)
    folds = [row(name, 50.0, fold=f, n_test=20) for name in ("inter", "intra") for f in range(5)]
    assert notebook.lead(folds, INTER, INTRA).half == pytest.approx(found.half)  # five folds of 20 are 100 clips


def test_a_lead_counts_the_seeds_that_both_have_and_turns_its_sign_with_the_pair() -> None:
    rows = [row("inter", 60.0, 0), row("inter", 70.0, 1), row("intra", 80.0, 1)]
    found, turned = notebook.lead(rows, INTER, INTRA), notebook.lead(rows, INTRA, INTER)
    assert (found.mean, found.seeds) == (-10.0, 1)
    assert (turned.mean, turned.half, turned.seeds) == (10.0, found.half, 1)


def test_without_a_common_seed_nothing_is_compared() -> None:
    found = notebook.lead([row("inter", 60.0, 0), row("intra", 60.0, 1)], INTER, INTRA)
    assert (found.seeds, found.verdict, str(found)) == (0, "not compared with", "not run")
    assert notebook.lead([], INTER, INTRA).seeds == 0


def test_leads_are_told_in_words_by_verdict() -> None:
    leads = {"a": Lead(3.0, 1.0, 3), "b": Lead(1.0, 2.0, 3), "c": Lead(5.0, 1.0, 1), "d": Lead(-4.0, 1.0, 1)}
    said = notebook.standing(leads | {"e": Lead(float("nan"), float("nan"), 0)})
    assert said == (
        "above a (+3.0 ± 1.0, n = 3), c (+5.0 ± 1.0, n = 1); not told apart from b (+1.0 ± 2.0, n = 3); "
        "below d (-4.0 ± 1.0, n = 1)"
    )


@pytest.fixture
def _no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_no_data")
def test_a_cell_whose_data_is_not_here_says_so_unless_it_is_cited() -> None:
    status = notebook.compare("interskeleton", "Table 1", [])["status"]
    assert set(status["This paper"]) == {"not run: data not present"}
    assert set(status["Zheng et al."]) == {"not run"}


@pytest.mark.usefixtures("_no_data")
def test_an_evaluation_is_ready_only_with_the_data_of_its_pretraining() -> None:
    own = interskeleton.table1("synthetic")[0].evaluation
    assert ready(own)
    transferred = interskeleton.table4("synthetic", sources=("ntu60",))[0].evaluation
    assert not ready(transferred)
    assert not ready(replace(own, beside=(interskeleton.pretraining("ntu60", "xview"),)))


def test_errors_are_shown_to_three_digits_and_percentages_to_one() -> None:
    ours = replace(row("Ours (w/ F), joint loss", 0.12345), paper="longt_gan", table="Table 3", dataset="sbu")
    rows = [replace(ours, column="MSE", metric="MSE"), replace(ours, column="Acc.(S)")]
    shown = notebook.compare("longt_gan", "Table 3", rows).query("dataset == 'sbu'")
    assert shown.set_index("column")["ours"].to_dict() == {"MSE": 0.123, "Acc.(S)": 0.1}


def test_a_published_number_is_shown_with_the_decimals_that_the_paper_prints() -> None:
    shown = notebook.compare("byol", "Table 1", []).loc["Ours"].set_index("column")["published"]
    assert shown[["NTU-60 (CS)", "PKU-MMD II (CS)"]].to_list() == [86.8, 55.25]


@pytest.mark.usefixtures("_no_data")
def test_a_part_of_a_data_set_that_is_not_here_shows_its_rows_as_the_whole_one_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("hdm05", "hdm05_11"):
        notebook.start(name, "smoke", "show")
        said = capsys.readouterr().out
        assert (
            f"data: {name}, not present: committed rows are shown; tier: smoke, where synthetic clips stand in" in said
        )
    with pytest.raises(SkelkitError, match="nonesuch"):
        notebook.start("nonesuch", "smoke")
