"""The published cells of LongT GAN (Zheng et al. 2018) are the paper's, in the paper's shape.

A row's name is the paper's own. Table 3's body is missing from the text used: its cells are those that the prose
prints, and the gaps around them. Figure 3 is a picture, of which the prose prints four numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from skelkit.report import published
from skelkit.report.published import KEY, cells, compare

PLACES = {
    "Subset": ("cmu_subset", "folds"),
    "CMU": ("cmu", "folds"),
    "HDM05": ("hdm05", "folds"),
    "B-MHAD": ("mhad", "xsub"),
    "CMU dataset, 2 a class": ("cmu", "folds"),
    "CMU subset, 2 a class": ("cmu_subset", "folds"),
    "HDM05, 2 a class": ("hdm05", "folds"),
    "Berkeley MHAD, 2 a class": ("mhad", "xsub"),
}
METRICS = {"MSE": "MSE", "Acc.(S)": "top-1", "Acc.(U)": "clustering accuracy"}
CITED = ["S: SMIJ", "S: MLP", "S: DBRNN", "S: HBRNN", "S: Deep LSTM", "S: Co-deep LSTM"]
OURS = ["S: Ours", "S+P: Unsupervised LSTM", "S+P: Ours"]
ABLATION = [f"Ours ({f} F), {loss} loss" for f in ("w/", "w/o") for loss in ("element-wise", "joint")]


@pytest.fixture
def all_() -> pd.DataFrame:
    return cells("longt_gan")


def show(table: str) -> pd.DataFrame:
    grid = published.show("longt_gan", table)
    return grid.droplevel("metric", axis=1) if grid.columns.nlevels > 1 else grid


def test_a_cell_is_named_once_and_its_fields_are_known(all_: pd.DataFrame) -> None:
    assert not all_.duplicated(["table", *KEY]).any()
    assert not all_.duplicated(["table", "row", "column"]).any()  # no row or column needs more to be told apart
    known = {
        "paper": {"longt_gan"},
        "table": {"Table 1", "Table 2", "Table 3", "Figure 3"},
        "dataset": {"cmu", "cmu_subset", "hdm05", "mhad"},
        "split": {"folds", "xsub"},
        "labels": {"0%", "100%", "2 a class"},
        "metric": {"top-1", "MSE", "clustering accuracy"},
    }
    for name, values in known.items():
        assert set(all_[name]) == values, name
    assert (all_[["row", "column", "source"]] != "").all(axis=None)
    assert all_["row"].str.isascii().all()
    assert all_["spread"].isna().all()  # means over ten samples of the training set, without their spread


def test_a_column_s_name_tells_its_data_set_split_and_metric(all_: pd.DataFrame) -> None:
    for _, one in all_.iterrows():
        place = (one["dataset"], one["split"])
        if one["table"] == "Table 3":
            assert (place, one["metric"]) == (("cmu", "folds"), METRICS[one["column"]])
        else:
            assert (place, one["metric"]) == (PLACES[one["column"]], "top-1")


def test_labels_are_those_that_trained_the_encoder(all_: pd.DataFrame) -> None:
    for _, one in all_.iterrows():
        by_table = {"Table 3": "0%", "Figure 3": "2 a class"}
        of_row = "0%" if one["row"].startswith("U: ") else "100%"
        assert one["labels"] == by_table.get(one["table"], of_row)


@pytest.mark.parametrize(
    ("table", "printed", "missing"),
    [("Table 1", 8 * 2, 0), ("Table 2", 11 * 2 - 2, 0), ("Table 3", 7, 5), ("Figure 3", 4, 4)],
)
def test_every_cell_of_our_text_is_there_and_what_it_lacks_is_told(
    all_: pd.DataFrame, table: str, printed: int, missing: int
) -> None:
    there = all_[all_["table"] == table]
    assert (there["value"].notna().sum(), there["value"].isna().sum()) == (printed, missing)


def test_a_value_is_a_percentage_or_an_error_and_a_gap_says_so(all_: pd.DataFrame) -> None:
    assert (all_["note"].str.startswith("no value in the text") == all_["value"].isna()).all()
    error = all_["metric"] == "MSE"
    assert all_.loc[~error, "value"].dropna().between(45, 100).all()
    assert all_.loc[error, "value"].dropna().between(0.1, 0.3).all()


@pytest.mark.parametrize(
    ("table", "row", "column", "expected"),
    [
        ("Table 1", "U: Ours", "Subset", 84.57),
        ("Table 1", "U: Autoencoder", "CMU", 61.43),
        ("Table 1", "S: HBRNN", "Subset", 83.13),
        ("Table 1", "S: Deep LSTM", "CMU", 79.53),
        ("Table 1", "S: Co-deep LSTM", "Subset", 88.40),
        ("Table 1", "S: Ours", "CMU", 79.89),
        ("Table 1", "S+P: Unsupervised LSTM", "CMU", 78.63),
        ("Table 1", "S+P: Ours", "Subset", 91.19),
        ("Table 2", "U: Ours", "HDM05", 93.47),
        ("Table 2", "U: Autoencoder", "B-MHAD", 99.56),
        ("Table 2", "S: SMIJ", "B-MHAD", 95.40),
        ("Table 2", "S: MLP", "HDM05", 95.59),
        ("Table 2", "S: DBRNN", "HDM05", 96.70),
        ("Table 2", "S: DBRNN", "B-MHAD", 99.64),
        ("Table 2", "S: Co-deep LSTM", "HDM05", 97.25),
        ("Table 2", "S: Ours", "HDM05", 96.89),
        ("Table 2", "S+P: Unsupervised LSTM", "HDM05", 97.05),
        ("Table 2", "S+P: Ours", "HDM05", 97.52),
        ("Table 3", ABLATION[0], "MSE", 0.20),
        ("Table 3", ABLATION[1], "Acc.(U)", 51.35),
        ("Table 3", ABLATION[3], "MSE", 0.23),
        ("Figure 3", "S: Ours", "CMU dataset, 2 a class", 45.8),
        ("Figure 3", "S+P: Ours", "CMU subset, 2 a class", 60.51),
    ],
)
def test_spot_checks_against_the_paper(table: str, row: str, column: str, expected: float) -> None:
    assert show(table).loc[row, column] == expected


@pytest.mark.parametrize(
    ("table", "rows", "columns"),
    [
        ("Table 1", ["U: Ours", "U: Autoencoder", *CITED[3:], *OURS], ["Subset", "CMU"]),
        ("Table 2", ["U: Ours", "U: Autoencoder", *CITED, *OURS], ["HDM05", "B-MHAD"]),
        ("Table 3", ABLATION, list(METRICS)),
        ("Figure 3", ["S: Ours", "S+P: Ours"], list(PLACES)[4:]),
    ],
)
def test_a_table_is_shown_in_the_paper_s_layout(
    all_: pd.DataFrame, table: str, rows: Sequence[str], columns: Sequence[str]
) -> None:
    shown = show(table)
    assert (list(shown.index), list(shown.columns)) == (rows, columns)
    sources = list(dict.fromkeys(all_.loc[all_["table"] == table, "source"]))
    assert sources == (
        [f"{table}, row {n}" for n in range(1, len(rows) + 1)] if table in ("Table 1", "Table 2") else sources[:1]
    )


def test_the_prose_on_supervised_models_agrees_with_the_cells() -> None:
    one, two = show("Table 1"), show("Table 2")
    assert one.loc["U: Ours", "Subset"] - one.loc["S: HBRNN", "Subset"] == pytest.approx(1.44)
    assert two.loc["U: Ours", "B-MHAD"] == 100 > two.loc["S: DBRNN", "B-MHAD"]
    tuned = one.loc["S+P: Ours"] - one.loc["U: Ours"]
    assert tuned[["CMU", "Subset"]].tolist() == pytest.approx([15.19, 6.62])
    gain = one.loc["S+P: Ours"] - one.loc["S: Ours"]
    assert gain[["CMU", "Subset"]].tolist() == pytest.approx([1.53, 3.36])
    assert two.loc["S+P: Ours", "HDM05"] - two.loc["S: Ours", "HDM05"] == pytest.approx(0.63)
    for table in (one, two):
        assert (table.loc["S+P: Ours"] == table.max()).all()  # the best on all data sets
        assert (table.loc["S: Ours"] >= table.loc["S: Deep LSTM"]).all()


def test_the_prose_on_unsupervised_models_agrees_with_the_cells() -> None:
    one, two = show("Table 1"), show("Table 2")
    assert one.loc["S+P: Unsupervised LSTM", "CMU"] < one.loc["S: Ours", "CMU"]  # pretraining with it even hurts
    gaps = (one.loc["U: Ours"] - one.loc["U: Autoencoder"])[["Subset", "CMU"]]
    assert gaps.tolist() == pytest.approx([7.54, 4.80])
    assert two.loc["U: Ours", "HDM05"] - two.loc["U: Autoencoder", "HDM05"] == pytest.approx(0.72)


def test_the_prose_on_the_ablation_and_on_few_labels_agrees_with_the_cells() -> None:
    three, few = show("Table 3"), show("Figure 3")
    assert three.loc[ABLATION[:2], "Acc.(S)"].tolist() == [62.56, 66.23]
    assert three.loc[ABLATION[1], "Acc.(S)"] == show("Table 1").loc["U: Ours", "CMU"]
    assert three.loc[ABLATION[:2], "Acc.(U)"].tolist() == [45.27, 51.35]
    assert three["MSE"].dropna().tolist() == [0.20, 0.16, 0.23]
    cmu = [name for name in few.columns if name.startswith("CMU")]
    assert (few.loc["S+P: Ours", cmu] > few.loc["S: Ours", cmu]).all()
    assert (few[cmu].max() < show("Table 1").loc["S: Ours", ["CMU", "Subset"]].to_numpy()).all()


def test_other_authors_rows_say_whose_they_are_and_where_an_empty_cell_stood(all_: pd.DataFrame) -> None:
    assert (all_["note"].str.startswith("cited") == all_["row"].isin(CITED)).all()
    two = all_[(all_["table"] == "Table 2") & all_["row"].isin(CITED)]
    assert two["note"].str.contains("the text used gives the column without its empty cell").all()
    again = all_["row"].isin(["U: Autoencoder", "S+P: Unsupervised LSTM"])
    assert (all_["note"].str.contains("the paper's own training with GRU cells") == again).all()


@pytest.mark.parametrize("table", ["Table 1", "Table 2", "Table 3", "Figure 3"])
def test_without_rows_every_cell_is_not_run_or_not_in_our_text(all_: pd.DataFrame, table: str) -> None:
    got, printed = compare("longt_gan", table, []), all_[all_["table"] == table]
    assert got[KEY].to_numpy().tolist() == printed[KEY].to_numpy().tolist()
    np.testing.assert_array_equal(got["published"], printed["value"])
    expected = np.where(printed["value"].isna(), "no value in the text", "not run")
    assert got["status"].tolist() == expected.tolist()
