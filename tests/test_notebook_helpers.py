"""The notebooks' helpers: differences in words, baselines, and what cannot be run here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skelkit import notebook, run
from skelkit.files import SkelkitError
from skelkit.notebook import Difference
from skelkit.pending import ready
from skelkit.recipes import Drawn, Evaluation, interskeleton, no_network, sesar
from skelkit.recipes.places import FLOOR
from skelkit.report.differences import NOT_RUN
from skelkit.report.results import EVERY, NO_NETWORK, RANDOM, Row


def row(name: str, value: float, seed: int = 0, fold: int = -1, n_test: int = 100) -> Row:
    return Row(
        *("interskeleton", "Table 6", name, "X_IMG", "nw_ucla", "xview-v3-leakfree", "0%", "top-1", value, seed, fold),
        *("reduced", "paper", "last", 900, n_test, f"{name}{seed}{fold}", (), "unknown", False, {}, "cpu", 1.0, ""),
    )


def test_differences_are_told_in_words_by_verdict() -> None:
    told = {
        "a": Difference(3.0, 2.0, 4.0, 3, "seeds"),
        "b": Difference(1.0, -1.0, 3.0, 3, "seeds"),
        "c": Difference(-4.0, -5.0, -3.0, 464, "clips"),
    }
    assert notebook.in_words(told | {"d": NOT_RUN}) == (
        "above a (+3.0 [+2.0, +4.0], 3 seeds); not significantly different from b (+1.0 [-1.0, +3.0], 3 seeds); "
        "below c (-4.0 [-5.0, -3.0], 464 clips)"
    )


def test_baselines_of_a_whole_table_are_lines_and_no_cells_of_its_grid() -> None:
    rows = [row("inter", 60.0), replace(row(RANDOM, 50.0), column=EVERY), replace(row(NO_NETWORK, 55.0), column=EVERY)]
    assert notebook.baselines(rows) == {RANDOM: 50.0, NO_NETWORK: 55.0}
    assert notebook.pivot(rows).index.tolist() == ["inter"]
    assert np.isnan(notebook.baselines([])[RANDOM])


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


def test_baselines_with_few_labels_are_the_random_encoder_and_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path))
    smoke = sesar.toys("synthetic", "smoke")["SESAR-KT"].evaluation.weights
    found = notebook.baseline_scores(smoke.start, Drawn(8))
    assert found.index.tolist() == [RANDOM, NO_NETWORK]
    asked = Evaluation(no_network(smoke.start), FLOOR, labels=Drawn(8))
    assert found[NO_NETWORK] == run.measure(asked)["scores"]["top-1"]
