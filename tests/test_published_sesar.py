"""The published cells of sparse active learning (Li & Shlizerman 2020) are the paper's, in the paper's shape.

A row's name is the paper's own (its tables say IRC and RIC of one baseline). A column is the printed number of labels;
`labels` is the printed percentage. A note begins with the table's group of the row: SSL, AL or AL+K.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skelkit.report import published
from skelkit.report.published import KEY, cells, compare

PRINTED = {
    "Table 1": ("uwa3d", "v1v2-v3", {"25": "5%", "50": "10%", "100": "20%", "250": "50%"}),
    "Table 2": ("nw_ucla", "xview-v3", {"50": "5%", "150": "15%", "300": "30%", "400": "40%"}),
    "Table 3": ("ntu60", "xsub", {"400": "1%", "800": "2%", "2K": "5%", "4K": "10%"}),
}
"""Data set, split, and the head of each column: its number of labels and its percentage."""
REQUIREMENT = "labels for 50 % top-1"
CLUSTERING = ["SESAR-KT", "SESAR-KJS"]


@pytest.fixture
def all_() -> pd.DataFrame:
    return cells("sesar")


def show(table: str) -> pd.DataFrame:
    return published.show("sesar", table)


def cell(table: str, row: str, column: str) -> pd.Series:
    found = cells("sesar")
    found = found[(found["table"] == table) & (found["row"] == row) & (found["column"] == column)]
    assert len(found) == 1
    return found.iloc[0]


def baseline(table: str) -> str:
    """The pretrained baseline, as the table calls it."""
    return "RIC" if table == "Table 2" else "IRC"


def test_a_cell_is_named_once_and_its_fields_are_known(all_: pd.DataFrame) -> None:
    assert not all_.duplicated(["table", *KEY]).any()
    assert not all_.duplicated(["table", "row", "column"]).any()  # no row or column needs more to be told apart
    assert set(all_["paper"]) == {"sesar"}
    assert set(all_["metric"]) == {"top-1", REQUIREMENT}
    assert (all_["metric"] == REQUIREMENT).equals(all_["table"] == "Fig. 4 right")
    assert (all_[["table", "row", "column", "labels", "source"]] != "").all(axis=None)
    assert all_["spread"].isna().all()  # "mean results", and no deviation


@pytest.mark.parametrize("table", PRINTED)
def test_a_table_is_of_one_split_and_its_columns_have_two_heads(all_: pd.DataFrame, table: str) -> None:
    dataset, split, heads = PRINTED[table]
    own = all_[all_["table"] == table]
    assert set(own["dataset"]) == {dataset}
    assert set(own["split"]) == {split}
    assert list(show(table).columns) == [f"{many} labels" for many in heads]
    assert (own["labels"] == own["column"].str.removesuffix(" labels").map(heads)).all()
    assert (own["source"] == [f"{table}, row {show(table).index.get_loc(row) + 1}" for row in own["row"]]).all()


@pytest.mark.parametrize(
    ("table", "printed"),
    [("Table 1", 8 * 4), ("Table 2", 9 * 4 + 1), ("Table 3", 8 * 4 + 2 + 2), ("Fig. 4 left", 3), ("Fig. 4 right", 7)],
)
def test_every_cell_of_every_table_is_there(all_: pd.DataFrame, table: str, printed: int) -> None:
    assert (all_["table"] == table).sum() == printed
    assert all_["table"].nunique() == 5


def test_a_value_is_a_percentage_with_one_decimal_and_what_is_drawn_alone_has_none(all_: pd.DataFrame) -> None:
    known = all_["value"].dropna()
    assert known.between(0, 100).all()
    assert (known.round(1) == known).all()
    assert (all_["value"].isna() == all_["note"].str.contains("no value in the text")).all()
    assert all_.loc[all_["value"].isna(), "table"].str.startswith("Fig. 4").all()


def test_the_groups_are_the_tables_own_and_in_its_order(all_: pd.DataFrame) -> None:
    for table in PRINTED:
        own = all_[all_["table"] == table].drop_duplicates("row")
        groups = own["note"].str.partition(";")[0].tolist()
        assert groups == sorted(groups, key=["SSL", "AL", "AL+K"].index)
        named = own.groupby(np.array(groups))["row"].agg(set)
        assert named["AL"] == {"SESAR-U", "SESAR-CS", "SESAR-DIS"}
        assert named["AL+K"] == set(CLUSTERING)
        assert named["SSL"] - {"ASSL", "MS2L"} == {"C", "RC", baseline(table)}


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [
        ("Table 1", "C", [18.3, 21.9, 32.1, 44.3]),
        ("Table 1", "RC", [19.5, 30.0, 26.9, 46.3]),
        ("Table 1", "IRC", [20.0, 36.4, 37.6, 51.1]),
        ("Table 1", "SESAR-DIS", [18.5, 29.2, 40.9, 55.6]),
        ("Table 1", "SESAR-U", [21.8, 31.3, 41.0, 55.8]),
        ("Table 1", "SESAR-CS", [26.9, 37.1, 41.2, 55.8]),
        ("Table 1", "SESAR-KT", [22.8, 34.6, 51.8, 58.8]),
        ("Table 1", "SESAR-KJS", [28.3, 36.0, 49.5, 59.5]),
        ("Table 2", "C", [44.6, 56.0, 70.9, 72.9]),
        ("Table 2", "RC", [51.5, 63.1, 77.0, 76.7]),
        ("Table 2", "ASSL", [52.6, 74.8, 78.0, 78.4]),
        ("Table 2", "RIC", [56.2, 70.5, 73.5, 81.0]),
        ("Table 2", "MS2L", [np.nan, 60.5, np.nan, np.nan]),
        ("Table 2", "SESAR-DIS", [55.3, 73.3, 80.3, 83.3]),
        ("Table 2", "SESAR-U", [62.7, 74.0, 77.9, 80.3]),
        ("Table 2", "SESAR-CS", [63.9, 71.5, 77.5, 82.3]),
        ("Table 2", "SESAR-KJS", [58.1, 76.6, 80.0, 85.0]),
        ("Table 2", "SESAR-KT", [63.6, 76.8, 77.2, 78.9]),
        ("Table 3", "C", [21.8, 37.2, 49.6, 56.7]),
        ("Table 3", "RC", [33.8, 41.6, 47.8, 60.0]),
        ("Table 3", "IRC", [36.7, 42.7, 53.9, 61.2]),
        ("Table 3", "SESAR-CS", [17.6, 23.1, 37.0, 49.6]),
        ("Table 3", "SESAR-DIS", [34.9, 39.5, 53.8, 60.4]),
        ("Table 3", "SESAR-U", [36.1, 42.5, 53.9, 60.8]),
        ("Table 3", "SESAR-KJS", [38.2, 45.0, 57.8, 62.9]),
        ("Table 3", "SESAR-KT", [41.8, 46.1, 55.0, 58.2]),
    ],
)
def test_rows_read_from_the_paper(table: str, row: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(show(table).loc[row], expected)


def test_the_prose_on_sparse_labels_agrees_with_the_first_columns() -> None:
    first = {table: show(table).iloc[:, 0] for table in PRINTED}
    for table, gain in (("Table 1", 8.3), ("Table 2", 7.4), ("Table 3", 5.1)):  # "by 5% or more"
        ssl = first[table].loc[["C", "RC", baseline(table)]]
        assert first[table].loc[CLUSTERING].max() - ssl.max() == pytest.approx(gain)
        assert ssl.is_monotonic_increasing  # "a boost", "even further"
    assert first["Table 1"].idxmax() == "SESAR-KJS"
    assert first["Table 3"].idxmax() == "SESAR-KT"


def test_the_prose_on_the_reconstruction_agrees_with_most_cells() -> None:
    lower = [(show(table).loc["C"] < show(table).loc[["RC", baseline(table)]].min()).sum() for table in PRINTED]
    assert lower == [3, 4, 3]  # "C performs with the lowest success in most of the tests"


def test_the_prose_on_many_labels_agrees_with_the_last_column() -> None:
    last = show("Table 3")["4K labels"]
    ours = last[last.index.str.startswith("SESAR")].max()
    assert ours == 62.9
    assert (last.loc[["MS2L", "ASSL"]] > ours).all()  # "these methods perform slightly better"
    assert show("Table 2")["400 labels"].idxmax() == "SESAR-KJS"


def test_the_labels_needed_for_half_are_those_of_the_prose() -> None:
    needed = show("Fig. 4 right")["50% accuracy"].dropna()
    assert needed.to_dict() == {"C": 70.0, "SESAR-U": 30.0, "SESAR-DIS": 30.0, "SESAR-KT": 15.0, "SESAR-KJS": 15.0}


def test_the_labels_needed_for_half_lie_where_table_1_passes_50() -> None:
    one = show("Table 1")
    assert (one.loc["SESAR-KT"] > 50).tolist() == [False, False, True, True]  # 10 % < 15 % < 20 %
    for row in ("SESAR-U", "SESAR-DIS"):
        assert (one.loc[row] > 50).tolist() == [False, False, False, True]  # 20 % < 30 % < 50 %
    assert (one.loc["C"] < 50).all()  # 50 % < 70 %


def test_what_the_papers_contradict_is_kept_with_a_note(all_: pd.DataFrame) -> None:
    noted = all_[all_["note"].str.contains("contradiction")]
    assert noted[["table", "row", "value"]].apply(tuple, axis=1).tolist() == [
        ("Table 2", "SESAR-KT", 63.6),
        ("Table 3", "MS2L", 65.2),
        ("Table 3", "SESAR-KT", 41.8),
    ]
    two = show("Table 2")["50 labels"]
    assert two.idxmax() == "SESAR-CS"
    assert f"SESAR-CS has {two.max()}" in cell("Table 2", "SESAR-KT", "50 labels")["note"]
    quoted = published.show("byol", "Table 3").loc["SESAR-KT"]
    assert f"quotes it as {quoted['NTU-60 (CS) 1%']}" in cell("Table 3", "SESAR-KT", "400 labels")["note"]
    assert show("Table 3").loc["SESAR-KT", ["2K labels", "4K labels"]].tolist() == [
        quoted["NTU-60 (CS) 5%"],
        quoted["NTU-60 (CS) 10%"],
    ]
    thoker = published.show("interskeleton", "Table 2").loc["Lin et al.", "NTU RGB+D 60 x-sub (10%)"]
    assert f"(Table 2) says {thoker}" in cell("Table 3", "MS2L", "4K labels")["note"]


def test_what_other_papers_print_of_the_same_methods_is_the_same() -> None:
    three = show("Table 3")
    byol, thoker = published.show("byol", "Table 3"), published.show("interskeleton", "Table 2")
    places = {"400 labels": "1%", "2K labels": "5%", "4K labels": "10%"}
    for column, share in places.items():
        for row, theirs in (("MS2L", "Lin et al."), ("ASSL", "Si et al.")):
            if np.isfinite(three.loc[row, column]):
                assert three.loc[row, column] == byol.loc[row, f"NTU-60 (CS) {share}"]
                note, other = cell("Table 3", row, column)["note"], thoker.loc[theirs, f"NTU RGB+D 60 x-sub ({share})"]
                assert (three.loc[row, column] == other) == note.endswith("have the same")


def test_a_row_in_which_more_labels_gave_less_is_noted(all_: pd.DataFrame) -> None:
    noted = all_[all_["note"].str.contains("falls where")]
    assert noted[["table", "row", "value"]].apply(tuple, axis=1).tolist() == [
        ("Table 1", "RC", 30.0),
        ("Table 1", "RC", 26.9),
        ("Table 2", "RC", 77.0),
        ("Table 2", "RC", 76.7),
    ]
    fallen = [table for table in PRINTED for _, row in show(table).iterrows() if (row.dropna().diff() < 0).any()]
    assert fallen == ["Table 1", "Table 2"]


def test_other_authors_rows_and_the_other_name_say_whose_they_are(all_: pd.DataFrame) -> None:
    assert (all_["note"].str.contains(r"cited \[\d+\]") == all_["row"].isin(["ASSL", "MS2L"])).all()
    assert (all_["note"].str.contains("the text calls it RIC") == (all_["row"] == "IRC")).all()


@pytest.mark.parametrize("table", [*PRINTED, "Fig. 4 left", "Fig. 4 right"])
def test_without_rows_every_cell_is_not_run(all_: pd.DataFrame, table: str) -> None:
    got, printed = compare("sesar", table, []), all_[all_["table"] == table]
    assert got[KEY].to_numpy().tolist() == printed[KEY].to_numpy().tolist()
    np.testing.assert_array_equal(got["published"], printed["value"])
    assert (got["status"] == np.where(printed["value"].isna(), "no value in the text", "not run")).all()
