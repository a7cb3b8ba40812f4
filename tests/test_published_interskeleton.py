"""The published cells of inter-skeleton contrast (Thoker et al. 2021) are the paper's, in the paper's shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from skelkit.report import published
from skelkit.report.published import KEY, cells, compare

NTU60, NTU120 = "NTU RGB+D 60", "NTU RGB+D 120"
FOUR = [f"{NTU60} x-view", f"{NTU60} x-sub", f"{NTU120} x-setup", f"{NTU120} x-sub"]
REPRESENTATIONS = ["X_IMG", "X_STG", "X_SEQ"]
OTHERS = ["Zheng et al.", "Lin et al.", "Su et al.", "Nie et al.", "Si et al."]
SUPERVISED = ["PA-LSTM", "ST-LSTM", "GCA-LSTM", "VA-LSTM", "ST-GCN", "Shift-GCN", "MS-G3D Net"]


@pytest.fixture
def all_() -> pd.DataFrame:
    return cells("interskeleton")


def show(table: str) -> pd.DataFrame:
    return published.show("interskeleton", table)


def cell(table: str, row: str, column: str) -> pd.Series:
    found = cells("interskeleton")
    found = found[(found["table"] == table) & (found["row"] == row) & (found["column"] == column)]
    assert len(found) == 1
    return found.iloc[0]


def test_a_cell_is_named_once_and_its_fields_are_known(all_: pd.DataFrame) -> None:
    assert not all_.duplicated(["table", *KEY]).any()
    assert not all_.duplicated(["table", "row", "column"]).any()  # no row or column needs more to be told apart
    known = {
        "paper": {"interskeleton"},
        "dataset": {"ntu60", "ntu120", "pku_mmd1", "pku_mmd2"},
        "split": {"xsub", "xview", "xset"},
        "labels": {"0%", "1%", "5%", "10%", "20%", "100%"},
        "metric": {"top-1", "kNN top-1", "parameters (millions)", "contrastive loss"},
    }
    for name, values in known.items():
        assert set(all_[name]) == values, name
    places = {("ntu60", "xsub"), ("ntu60", "xview"), ("ntu120", "xsub"), ("ntu120", "xset")}
    assert set(zip(all_["dataset"], all_["split"], strict=True)) == {
        *places,
        ("pku_mmd1", "xsub"),
        ("pku_mmd2", "xsub"),
    }
    assert (all_[["table", "row", "column", "source"]] != "").all(axis=None)


def test_a_column_s_name_tells_its_data_set_split_and_labels(all_: pd.DataFrame) -> None:
    titles = {"ntu60": NTU60, "ntu120": NTU120, "pku_mmd1": "PKU-MMD I", "pku_mmd2": "PKU-MMD II"}
    splits = {"xview": "x-view", "xsub": "x-sub", "xset": "x-setup"}
    placed = all_[all_["table"].isin(["Table 1", "Table 2", "Table 3", "Table 7", "Figure 6"])]
    for _, one in placed.iterrows():
        name = f"{titles[one['dataset']]} {splits[one['split']]}"
        assert one["column"] == (f"{name} ({one['labels']})" if one["table"] == "Table 2" else name)
    rest = all_.drop(placed.index)
    assert set(rest.loc[rest["table"] != "Table 4", "split"]) == {"xview"}  # Secs. 4.4, A.3, A.4: cross-view of NTU 60
    assert set(rest.loc[rest["table"] == "Table 4", "dataset"]) == {"pku_mmd2"}


@pytest.mark.parametrize(
    ("table", "printed", "unseen"),
    [
        ("Table 1", 6 + 3 + 6 + 1 + 6, 0),
        ("Table 2", 4 + 4 + 6 + 10 + 10, 0),
        ("Table 3", 3 * 4, 0),
        ("Table 4", 3 * 2, 0),
        ("Table 5", 7 * 3, 0),
        ("Table 6", 3 + 3 * 2 + 3, 0),
        ("Table 7", 9 * 4 - 2, 0),
        ("Table 8", 5, 0),
        ("Table 9", 3, 0),
        ("Table 10", 6 * 3, 0),
        ("Figure 6", 0, 4),
    ],
)
def test_every_cell_of_every_table_is_there(all_: pd.DataFrame, table: str, printed: int, unseen: int) -> None:
    values = all_.loc[all_["table"] == table, "value"]
    assert (values.notna().sum(), values.isna().sum()) == (printed, unseen)
    assert all_["table"].nunique() == 11


def test_a_value_is_a_percentage_or_said_to_be_missing(all_: pd.DataFrame) -> None:
    assert all_["value"].dropna().between(0, 100).all()
    assert (all_["note"].str.startswith("no value in the text") == all_["value"].isna()).all()


def test_a_spread_stands_where_the_paper_gives_one(all_: pd.DataFrame) -> None:
    own = all_["row"].str.startswith("This paper") & (all_["table"] == "Table 2")
    assert (all_["spread"].notna() == own).all()
    assert set(all_.loc[own, "spread"]) == {0.3, 0.4, 0.5, 1.0}
    assert cell("Table 2", "This paper", f"{NTU60} x-view (20%)")["spread"] == 0.3
    assert cell("Table 2", "This paper (supervised only)", f"{NTU60} x-sub (5%)")["spread"] == 0.5


@pytest.mark.parametrize(
    ("table", "row", "column", "expected"),
    [
        ("Table 1", "Zheng et al.", f"{NTU120} x-setup", 39.7),
        ("Table 1", "Lin et al.", f"{NTU60} x-sub", 52.5),
        ("Table 1", "Su et al.", "PKU-MMD II x-sub", 25.5),
        ("Table 1", "Nie et al.", f"{NTU60} x-view", 79.7),
        ("Table 1", "This paper", f"{NTU60} x-sub", 76.3),
        ("Table 1", "This paper", "PKU-MMD I x-sub", 80.9),
        ("Table 1", "This paper", "PKU-MMD II x-sub", 36.0),
        ("Table 2", "Zheng et al.", f"{NTU60} x-sub (10%)", 62.0),
        ("Table 2", "Lin et al.", f"{NTU60} x-sub (10%)", 65.1),
        ("Table 2", "Si et al.", f"{NTU60} x-view (20%)", 74.7),
        ("Table 2", "Si et al.", f"{NTU60} x-sub (10%)", 64.3),
        ("Table 2", "This paper (supervised only)", "PKU-MMD I x-sub (1%)", 22.5),
        ("Table 2", "This paper", f"{NTU60} x-view (1%)", 38.1),
        ("Table 2", "This paper", "PKU-MMD I x-sub (10%)", 72.1),
        ("Table 3", "Su et al.", f"{NTU60} x-view", 76.3),
        ("Table 3", "This paper", f"{NTU120} x-setup", 52.3),
        ("Table 4", "Zheng et al.", "PKU-MMD I", 43.6),
        ("Table 4", "This paper", NTU60, 45.9),
        ("Table 5", "No augmentation", "X_STG", 51.4),
        ("Table 5", "Joint Jitter", "X_SEQ", 75.2),
        ("Table 5", "Temporal Crop-resize + Joint Jitter", "X_IMG", 77.0),
        ("Table 6", "Inter (X_IMG, X_STG)", "X_STG", 78.0),
        ("Table 6", "Inter (X_IMG, X_SEQ)", "X_SEQ", 83.0),
        ("Table 6", "Inter (X_IMG, X_SEQ, X_STG)", "X_SEQ", 85.4),
        ("Table 7", "PA-LSTM", f"{NTU120} x-sub", 25.5),
        ("Table 7", "VA-LSTM", f"{NTU60} x-sub", 79.4),
        ("Table 7", "ST-GCN", f"{NTU120} x-setup", 73.2),
        ("Table 7", "MS-G3D Net", f"{NTU60} x-view", 96.2),
        ("Table 7", "This paper (with-pretraining)", f"{NTU120} x-sub", 73.1),
        ("Table 8", "Spatial-Jittering", "|j| = 20", 70.6),
        ("Table 9", "Temporal Crop-Resize", "l_min = 0.3", 62.0),
        ("Table 10", "X_IMG + X_SEQ", "Intra", 80.3),
        ("Table 10", "X_SEQ + X_STG", "Inter", 86.0),
        ("Table 10", "X_SEQ + X_STG", "# Inference Params.", 14.0),
    ],
)
def test_spot_checks_against_the_paper(table: str, row: str, column: str, expected: float) -> None:
    assert cell(table, row, column)["value"] == expected


@pytest.mark.parametrize(
    ("table", "rows", "columns"),
    [
        ("Table 1", [*OTHERS[:4], "This paper"], [*FOUR, "PKU-MMD I x-sub", "PKU-MMD II x-sub"]),
        (
            "Table 2",  # its first row lacks the first columns
            ["Zheng et al.", "Lin et al.", "Si et al.", "This paper (supervised only)", "This paper"],
            [
                *(f"{name} ({labels}%)" for name in FOUR[:2] for labels in (1, 5, 10, 20)),
                *(f"PKU-MMD I x-sub ({labels}%)" for labels in (1, 10)),
            ],
        ),
        ("Table 3", ["Zheng et al.", "Su et al.", "This paper"], FOUR),
        ("Table 4", ["Zheng et al.", "Lin et al.", "This paper"], ["PKU-MMD I", NTU60]),
        (
            "Table 5",
            [
                "No augmentation",
                "Temporal Crop-resize",
                "Pose",
                "Joint Jitter",
                "Temporal Crop-resize + Pose",
                "Temporal Crop-resize + Joint Jitter",
                "Temporal Crop-resize + Pose + Joint Jitter",
            ],
            REPRESENTATIONS,
        ),
        (
            "Table 6",
            [
                *(f"Intra ({name} only)" for name in REPRESENTATIONS),
                "Inter (X_IMG, X_STG)",
                "Inter (X_IMG, X_SEQ)",
                "Inter (X_SEQ, X_STG)",
                "Inter (X_IMG, X_SEQ, X_STG)",
            ],
            REPRESENTATIONS,
        ),
        ("Table 7", [*SUPERVISED, "This paper (supervised-only)", "This paper (with-pretraining)"], FOUR),
        ("Table 8", ["Spatial-Jittering"], [f"|j| = {n}" for n in (2, 5, 10, 15, 20)]),
        ("Table 9", ["Temporal Crop-Resize"], [f"l_min = {share}" for share in (0.1, 0.3, 0.5)]),
        (
            "Table 10",
            [*REPRESENTATIONS, "X_IMG + X_STG", "X_IMG + X_SEQ", "X_SEQ + X_STG"],
            [("top-1", "Intra"), ("top-1", "Inter"), ("parameters (millions)", "# Inference Params.")],
        ),
        ("Figure 6", ["No augmentation", "Spatial", "Temporal", "All"], [f"{NTU60} x-view"]),
    ],
)
def test_a_table_is_shown_in_the_paper_s_layout(
    all_: pd.DataFrame, table: str, rows: Sequence[str], columns: Sequence[str | tuple[str, str]]
) -> None:
    shown = show(table)
    assert (list(shown.index), list(shown.columns)) == (rows, columns)
    assert shown.notna().sum().sum() == all_.loc[all_["table"] == table, "value"].notna().sum()


def test_a_longer_row_of_another_metric_does_not_lead_the_columns() -> None:
    assert list(published.show("ascal", "Fig. 9").columns.unique("metric")) == ["top-1", "gain"]


def test_a_representation_is_evaluated_only_where_it_was_pretrained() -> None:
    for row, line in show("Table 6").iterrows():
        assert [name for name in REPRESENTATIONS if name in row] == list(line.dropna().index)


def test_the_same_number_in_two_tables_is_the_same() -> None:
    one, five, six, ten = (show(f"Table {n}") for n in (1, 5, 6, 10))
    intra = [six.loc[f"Intra ({name} only)", name] for name in REPRESENTATIONS]
    assert five.iloc[-1].tolist() == intra == ten["top-1", "Intra"][:3].tolist()
    pairs = six[six.index.str.startswith("Inter") & (six.index.str.count("X_") == 2)]
    assert ten["top-1", "Inter"][:3].tolist() == pairs.max().tolist()  # the better partner of each
    assert six.loc["Inter (X_SEQ, X_STG)", "X_SEQ"] == one.loc["This paper", f"{NTU60} x-view"]
    assert five.loc["Joint Jitter", "X_IMG"] == show("Table 8").loc["Spatial-Jittering", "|j| = 15"]
    assert five.loc["Temporal Crop-resize", "X_IMG"] == show("Table 9").loc["Temporal Crop-Resize", "l_min = 0.1"]


def test_the_prose_on_the_state_of_the_art_agrees_with_the_cells() -> None:
    for table in ("Table 1", "Table 2", "Table 3", "Table 4"):  # Sec. 4.3: better on each benchmark
        shown = show(table)
        assert (shown.drop(index="This paper").max() < shown.loc["This paper"]).all(), table
    gain = (show("Table 4").loc["This paper"] - show("Table 4").loc["Lin et al."]).round(1)
    assert gain.tolist() == [1.0, 0.1]  # "especially for transfer from PKU-MMD I"
    seven = show("Table 7")
    boost = (seven.loc["This paper (with-pretraining)"] - seven.loc["This paper (supervised-only)"]).round(1)
    assert boost.tolist() == [2.6, 6.4, 7.2, 6.8]  # caption: especially cross-subject and cross-setup


def test_the_prose_on_the_ablations_agrees_with_the_cells() -> None:
    five, six, ten = show("Table 5"), show("Table 6"), show("Table 10")
    single = five.loc[["Temporal Crop-resize", "Pose", "Joint Jitter"]]
    assert (single > five.loc["No augmentation"]).all(axis=None)  # Sec. 4.4
    assert (five.drop(five.index[-1]).max() < five.iloc[-1]).all()
    assert round(five.iloc[-1, 0] - five.loc["Pose", "X_IMG"], 1) == 9.8  # about 10
    assert round(five.iloc[-1, 0] - five.loc["No augmentation", "X_IMG"], 1) == 28.6  # about 28
    graph = six["X_STG"]
    assert round(graph["Inter (X_SEQ, X_STG)"] - graph["Intra (X_STG only)"], 1) == 6.4  # 6 in the prose
    assert round(graph["Inter (X_IMG, X_STG)"] - graph["Intra (X_STG only)"], 1) == 5.5  # 5 in the prose
    intra, inter = six[six.index.str.startswith("Intra")], six[six.index.str.startswith("Inter")]
    assert (inter.min() > intra.max()).all()  # whatever the partner
    assert (ten["top-1", "Inter"] > ten["top-1", "Intra"]).all()  # Sec. A.4
    better = [ten.loc[pair, "top-1"] > ten.loc[pair.split(" + "), "top-1"].max() for pair in ten.index[3:]]
    assert sum(map(sum, better)) == 4  # of 6: Sec. A.4's majority of cases
    assert (ten["top-1"].idxmax() == "X_SEQ + X_STG").all()


def test_what_the_paper_and_others_contradict_is_kept_with_a_note(all_: pd.DataFrame) -> None:
    noted = all_[all_["note"].str.contains("contradiction")]
    assert noted[["table", "value"]].apply(tuple, axis=1).tolist() == [
        ("Table 1", 56.4),  # the linear and the kNN numbers of LongT GAN
        ("Table 1", 52.1),
        ("Table 1", 52.5),  # MS2L
        ("Table 2", 65.1),
        ("Table 6", 81.2),  # three representations are not always best
        ("Table 7", 52.8),  # Lie Group's numbers
        ("Table 7", 50.1),
        ("Table 8", 69.4),
        ("Table 8", 70.6),
        ("Table 10", 10.0),
        ("Table 10", 14.0),
    ]
    knn = show("Table 3").loc["Zheng et al.", FOUR[:2]].tolist()
    assert knn == [48.1, 39.1] == published.show("ascal", "Table II").loc["LongT GAN", ["C-View", "C-Sub"]].tolist()
    lie = published.show("ascal", "Table II").loc["Lie Group", ["C-View", "C-Sub"]].tolist()
    assert show("Table 7").loc["PA-LSTM", FOUR[:2]].tolist() == lie
    six, eight = show("Table 6")["X_IMG"], show("Table 8").loc["Spatial-Jittering"]
    assert six["Inter (X_IMG, X_SEQ, X_STG)"] < six["Inter (X_IMG, X_SEQ)"]
    assert eight["|j| = 10"] < eight["|j| = 20"] < eight["|j| = 15"]
    millions = show("Table 10")["parameters (millions)", "# Inference Params."]
    summed = {pair: sum(millions[part] for part in pair.split(" + ")) for pair in millions.index[3:]}
    assert summed == {"X_IMG + X_STG": 4.0, "X_IMG + X_SEQ": 11.0, "X_SEQ + X_STG": 13.0}  # printed: 14.0


def test_the_ticks_of_table_5_are_said_to_be_uncertain_where_they_are() -> None:
    five = cells("interskeleton").query("table == 'Table 5'")
    doubtful = five[five["note"].str.contains("not certain")]
    assert list(dict.fromkeys(doubtful["row"])) == [
        "Temporal Crop-resize + Pose",
        "Temporal Crop-resize + Joint Jitter",
    ]
    values = show("Table 5")
    jitter, pose_row = values.loc["Joint Jitter"], values.loc["Temporal Crop-resize + Pose"]
    assert (pose_row < jitter).sum() == 2  # exchanged, temporal cropping would harm joint jitter twice
    assert (values.loc["Temporal Crop-resize + Joint Jitter"] > jitter).all()
    assert (pose_row > values.loc["Pose"]).all()


def test_other_authors_rows_say_whose_they_are(all_: pd.DataFrame) -> None:
    others = all_["row"].isin([*OTHERS, *SUPERVISED])
    assert (all_["note"].str.contains(r"cited \[\d+\]") == others).all()


@pytest.mark.parametrize("table", [*(f"Table {n}" for n in range(1, 11)), "Figure 6"])
def test_without_rows_every_cell_is_not_run_or_not_in_our_text(all_: pd.DataFrame, table: str) -> None:
    got, printed = compare("interskeleton", table, []), all_[all_["table"] == table]
    assert got[KEY].to_numpy().tolist() == printed[KEY].to_numpy().tolist()
    np.testing.assert_array_equal(got["published"], printed["value"])
    assert set(got["status"]) == {"no value in the text" if table == "Figure 6" else "not run"}
