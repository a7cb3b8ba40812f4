"""The sentences about the results say what the rows say, and change with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skelkit import recipes
from skelkit.data.counts import COUNTS
from skelkit.report import pages, prose, results
from skelkit.report.prose import AUGMENTED, CLASSES, EPOCHS

BEST, ONE_VIEW = "All augmentations", "Without MVS: All augmentations"
LEAK_FREE = "NW-UCLA V3, leak-free"


@pytest.fixture
def row() -> results.Row:
    """BYOL's best setting on the leak-free split."""
    return next(r for r in results.read("byol") if (r.row, r.column, r.selection) == (BEST, LEAK_FREE, "last"))


@pytest.mark.parametrize("paper", pages.PAPERS)
def test_a_paper_without_rows_is_said_not_to_have_been_run(paper: str) -> None:
    assert prose.prose(paper, []) == prose.Prose("not run", "Nothing of it has been run.", "")


@pytest.mark.parametrize("paper", pages.PAPERS)
def test_what_lacks_a_row_is_said_not_to_have_been_run(paper: str) -> None:
    said = prose.prose(paper, results.read(paper)[:1])
    assert "not run" in said.short
    assert "gain" not in said.finding
    assert "nan" not in f"{said.short} {said.long}"


def test_one_seed_has_no_spread_and_several_have(row: results.Row) -> None:
    seeds = [replace(row, seed=seed, value=value) for seed, value in enumerate((50.0, 52.0, 57.0))]
    assert "(asymmetric pipelines and viewpoints) has 50.0 %," in prose.prose("byol", seeds[:1]).short
    assert "(asymmetric pipelines and viewpoints) has 53.0 ± 3.6 %," in prose.prose("byol", seeds).short


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        (80.0, "a gain"),  # of 464 clips: 80 - 50 = 30, its interval 5.8
        (57.0, "perhaps a gain"),  # 7 against 6.4
        (56.0, "no difference seen"),  # 6 against 6.4
        (43.0, "perhaps a loss"),
        (20.0, "a loss"),
    ],
)
def test_the_words_follow_from_the_interval(row: results.Row, ours: float, found: str) -> None:
    rows = [replace(row, value=ours), replace(row, row=ONE_VIEW, value=50.0)]
    assert prose.prose("byol", rows).finding.endswith(f"viewpoints: {found}")
    assert ("why is open" in prose.prose("byol", rows).short) == ("loss" in found)


def test_the_second_read_out_of_byol_is_a_table_that_the_recipe_and_the_rows_have() -> None:
    assert recipes.byol.AUGMENTED == AUGMENTED
    second = [r for r in results.read("byol") if r.table == AUGMENTED]
    assert {r.row for r in second} >= {"Ours", "random encoder"}


def test_rows_of_another_tier_do_not_enter(row: results.Row) -> None:
    assert "viewpoints) has not run %" in prose.prose("byol", [replace(row, tier="paper")]).short


def test_the_data_sets_that_were_not_run_are_named(row: results.Row) -> None:
    assert prose.prose("byol", [row]).short.endswith(
        "Of its data sets not run: NTU RGB+D 60, NTU RGB+D 120, PKU-MMD II."
    )
    assert "PKU-MMD II" not in prose.prose("byol", [row, replace(row, dataset="pku_mmd2")]).short


def test_the_epochs_that_the_sentences_name_are_the_recipes() -> None:
    table, three = recipes.byol.table2("nw_ucla", tier="reduced"), recipes.longt_gan.table3("hdm05_11", tier="reduced")
    longest = {name: max(_epochs(e) for e in found) for name, found in (("byol", table), ("longt_gan", three))}
    paper = max(_epochs(e) for e in recipes.byol.table2("ntu60"))
    assert {**longest, "byol, paper": paper} == EPOCHS


def _epochs(experiment: recipes.Experiment) -> int:
    return experiment.evaluation.weights.training.schedule.epochs


def test_shuffled_labels_are_told_with_what_chance_would_be(row: results.Row) -> None:
    check = replace(row, table=results.SHUFFLED, column=f"{LEAK_FREE}, shuffled")
    rows = [replace(check, value=value, row=name) for name, value in (("a", 9.0), ("b", 13.0))]
    said = prose.prose("byol", [row, *rows]).long
    assert said.endswith("in 9 to 13 % of the test clips of NW-UCLA (2 classifiers; one class in 10 would be 10 %).")
    assert prose.prose("byol", [row]).long in said


def test_the_numbers_of_classes_are_those_of_the_data_sets() -> None:
    (counted,) = [count.number for count in COUNTS["nw_ucla"] if count.what == "classes"]
    assert {"nw_ucla": counted, "hdm05_11": 11} == CLASSES  # its name says so


def test_what_was_measured_counts_the_seeds_of_each_cell(row: results.Row) -> None:
    rows = [row, replace(row, seed=1), replace(row, row=ONE_VIEW), replace(row, dataset="utd_mhad", tier="paper")]
    rows += [replace(row, table=results.SHUFFLED, dataset="sbu")]
    assert pages.measured(rows) == "NW-UCLA (`reduced`, 1 to 2 seeds); UTD-MHAD (`paper`, 1 seed)"
    assert pages.measured([]) == "nothing"
