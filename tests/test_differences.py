"""Paired differences between two cells, and what their intervals cover."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rows import ROW
from scipy.stats import binomtest

from skelkit.recipes import PAPERS
from skelkit.report import predictions
from skelkit.report.differences import NOT_RUN, Difference, difference, interval, mean_of, wilson
from skelkit.report.predictions import Predictions
from skelkit.report.results import AVERAGE, LABEL_DRAWS, Row

ONE, OTHER = ("inter", "X_IMG"), ("intra", "X_IMG")


def row(name: str, value: float, seed: int = 0, fold: int = -1, n_test: int = 100) -> Row:
    cell = {"paper": "interskeleton", "table": "Table 6", "row": name, "column": "X_IMG", "dataset": "nw_ucla"}
    return replace(ROW, **cell, value=value, seed=seed, fold=fold, n_test=n_test, key=f"{name}{seed}{fold}")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    return tmp_path / "predictions"


def answers(right: list[bool], clips: str = "these") -> Predictions:
    return Predictions(clips, np.zeros(len(right), np.int64), np.array([0 if each else 1 for each in right]))


def test_over_seeds_the_interval_is_student_s_of_the_paired_differences() -> None:
    rows = [row("inter", v, s) for s, v in enumerate((62.0, 64.0, 66.0))]
    rows += [row("intra", v, s) for s, v in enumerate((60.0, 61.0, 62.0))]
    found = difference(rows, ONE, OTHER)
    half = 4.3027 / 3**0.5  # t(0.975, 2), of differences 2, 3, 4 with sd 1
    assert (found.mean, found.n, found.over) == (pytest.approx(3.0), 3, "seeds")
    assert (found.low, found.high) == (pytest.approx(3 - half, rel=1e-4), pytest.approx(3 + half, rel=1e-4))
    assert found.verdict == "above"
    assert difference(rows, OTHER, ONE).verdict == "below"


def test_a_difference_that_every_seed_shares_needs_no_spread_between_seeds() -> None:
    rows = [row(name, 10.0 * s + gain, s) for s in range(4) for name, gain in (("inter", 1.0), ("intra", 0.0))]
    assert difference(rows, ONE, OTHER).significant  # unpaired, an sd of 13 points would hide it


def test_of_one_seed_the_same_clips_are_paired(kept: Path) -> None:
    right, wrong = [True] * 60 + [False] * 40, [True] * 50 + [False] * 50
    both = {"inter0-1": answers(right), "intra0-1": answers(wrong)}
    predictions.append("interskeleton", both, kept)
    found = difference([row("inter", 60.0), row("intra", 50.0)], ONE, OTHER)
    assert (found.mean, found.n, found.over) == (pytest.approx(10.0), 100, "clips of one seed")
    # Ten of a hundred clips changed, all one way: the bootstrap of a binomial share of 0.1.
    assert found.low == pytest.approx(10 - 1.96 * 3, abs=1.2)
    assert found.high == pytest.approx(10 + 1.96 * 3, abs=1.2)
    unpaired = Difference.of_shares(60.0, 50.0, 100)
    assert found.high - found.low < 0.6 * (unpaired.high - unpaired.low)


def test_a_bootstrap_over_clips_equals_one_that_draws_them_one_by_one() -> None:
    rng = np.random.default_rng(3)
    pairs = [(rng.random(n) < 0.6, rng.random(n) < 0.5) for n in (40, 60)]
    found = Difference.over_clips(pairs)
    drawn = []
    for _ in range(4000):
        folds = [(one, other, rng.integers(0, len(one), len(one))) for one, other in pairs]
        drawn.append(100 * np.mean([one[i].mean() - other[i].mean() for one, other, i in folds]))
    assert found.mean == pytest.approx(100 * np.mean([one.mean() - other.mean() for one, other in pairs]))
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1.0)


@pytest.mark.parametrize("standing", [{}, {"inter0-1": answers([True] * 100)}])
def test_without_the_predictions_of_both_the_interval_is_unpaired_and_says_so(
    kept: Path, standing: dict[str, Predictions]
) -> None:
    if standing:
        predictions.append("interskeleton", standing, kept)
    found = difference([row("inter", 50.0), row("intra", 50.0)], ONE, OTHER)
    assert found.over == "clips of one seed, unpaired"
    low, high = wilson(50.0, 100)
    assert (found.low, found.high) == pytest.approx((-np.hypot(50 - low, high - 50), np.hypot(high - 50, 50 - low)))


def test_predictions_of_other_clips_are_not_paired(kept: Path) -> None:
    predictions.append("interskeleton", {"inter0-1": answers([True] * 9), "intra0-1": answers([True] * 9, "x")}, kept)
    assert difference([row("inter", 50.0), row("intra", 50.0)], ONE, OTHER).over == "clips of one seed, unpaired"


def test_a_seed_that_lacks_a_fold_is_left_out() -> None:
    rows = [row(n, v, s, f) for n, v in (("inter", 60.0), ("intra", 50.0)) for s in range(3) for f in range(5)]
    assert difference(rows, ONE, OTHER).n == 3
    assert difference(rows[:-1], ONE, OTHER).n == 2  # the last seed of "intra" has four folds


def test_the_average_column_is_the_mean_over_the_columns_of_folds() -> None:
    rows = [
        replace(row(name, value + f, s, f), column=f"Fold {f + 1}")
        for name, value in (("inter", 60.0), ("intra", 50.0))
        for s in range(2)
        for f in range(5)
    ]
    found = difference(rows, ("inter", AVERAGE), ("intra", AVERAGE))
    assert (found.mean, found.n) == (pytest.approx(10.0), 2)
    assert mean_of(rows, ("inter", AVERAGE)) == pytest.approx(62.0)


def test_without_a_common_seed_nothing_is_compared() -> None:
    found = difference([row("inter", 60.0, 0), row("intra", 60.0, 1)], ONE, OTHER)
    assert found is NOT_RUN
    assert (found.verdict, str(found)) == ("not compared with", "not run")
    assert np.isnan(mean_of([], ONE))


def test_one_error_has_no_interval_and_decides_nothing() -> None:
    rows = [replace(row(name, value), metric="MSE") for name, value in (("inter", 0.031), ("intra", 0.038))]
    found = difference(rows, ONE, OTHER, "MSE")
    assert (str(found), found.significant) == ("-0.007, one seed in common, no interval", False)


def test_draws_of_labels_are_called_draws() -> None:
    rows = [
        replace(row(name, value, s), paper="longt_gan", table="Figure 3")
        for s in range(3)
        for name, value in (("inter", 60.0 + s), ("intra", 50.0))
    ]
    assert difference(rows, ONE, OTHER).over == "draws"


def test_the_tables_of_label_draws_are_those_whose_seeds_share_a_pretraining() -> None:
    """Of such a table every seed starts from one pretraining; of any other each seed has its own."""
    for paper, recipe in PAPERS.items():
        starts: dict[str, dict[str, set[tuple[int, int]]]] = {}
        for e in recipe.everything():
            weights = e.evaluation.weights
            if weights.start is not None and weights.start.training.schedule.epochs:
                seeds = starts.setdefault(e.cell.table, {}).setdefault(f"{e.cell.row} {e.cell.column}", set())
                seeds.add((weights.seed, weights.start.seed))
        for table, cells in starts.items():
            own = {seed == start for seeds in cells.values() for seed, start in seeds if seed}
            if own:
                assert ((paper, table) in LABEL_DRAWS) == (own == {False}), (paper, table)


def test_intervals_of_a_mean_by_hand() -> None:
    assert interval(50.0, 2.0, 4, "top-1", 0) == pytest.approx((50 - 3.1824, 50 + 3.1824), rel=1e-3)  # t 3.1824, sd/2 1
    assert interval(50.0, np.nan, 1, "top-1", 100) == wilson(50.0, 100)
    assert np.isnan(interval(0.1, np.nan, 1, "MSE", 100)).all()


def test_wilson_s_interval_is_scipy_s_and_has_a_width_at_the_ends() -> None:
    for right, clips in ((0, 40), (13, 40), (40, 40)):
        ours = wilson(100 * right / clips, clips)
        theirs = binomtest(right, clips).proportion_ci(method="wilson")
        assert ours == pytest.approx((100 * theirs.low, 100 * theirs.high))
    assert wilson(100.0, 99)[0] < 97


@pytest.mark.parametrize(("gained", "lost", "significant"), [(4, 0, False), (5, 0, False), (6, 0, True), (9, 2, False)])
def test_few_clips_that_differ_are_significant_only_where_mcnemar_s_exact_test_is(
    gained: int, lost: int, significant: bool
) -> None:
    one = np.array([True] * gained + [False] * lost + [True] * 400)
    other = np.array([False] * gained + [True] * lost + [True] * 400)
    assert Difference.over_clips([(one, other)]).significant == significant


def test_a_single_common_seed_decides_nothing_where_a_cell_has_several(kept: Path) -> None:
    """The spread of the other seeds is known, and the clips of one seed do not show it."""
    both = {"inter0-1": answers([True] * 100), "intra0-1": answers([False] * 100)}
    predictions.append("interskeleton", both, kept)
    rows = [row("inter", 100.0), row("inter", 20.0, 1), row("intra", 0.0)]
    found = difference(rows, ONE, OTHER)
    assert (found.mean, found.one, found.other, found.n) == (100.0, 100.0, 0.0, 1)
    assert not found.significant
    assert difference(iter([rows[0], rows[2]]), ONE, OTHER).significant


def test_one_common_draw_of_labels_decides_nothing() -> None:
    drawn = [
        replace(row(name, value), paper="longt_gan", table="Figure 3")
        for name, value in (("inter", 99.0), ("intra", 1.0))
    ]
    assert not difference(drawn, ONE, OTHER).significant


def test_both_values_are_those_of_the_seeds_in_common() -> None:
    rows = [row("inter", v, s) for s, v in enumerate((60.0, 62.0, 10.0))] + [row("intra", 50.0, s) for s in range(2)]
    found = difference(rows, ONE, OTHER)
    assert (found.one, found.other, found.mean, found.n) == (61.0, 50.0, 11.0, 2)


def test_a_seed_of_fewer_folds_is_no_part_of_a_mean() -> None:
    rows = [row("inter", 60.0, 0, f) for f in range(5)] + [row("inter", 0.0, 1, 0)]
    assert mean_of(rows, ONE) == 60.0


def test_an_end_near_zero_is_shown_with_another_digit() -> None:
    assert str(Difference(6.5, 0.03, 12.9, 464, "clips of one seed")).startswith("+6.50 [+0.03, +12.90]")
    assert str(Difference(6.5, 0.5, 12.9, 3, "seeds")) == "+6.5 [+0.5, +12.9], 3 seeds"
