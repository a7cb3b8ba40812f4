"""The published cells of AS-CAL (Rao et al. 2021) are the paper's, in the paper's shape."""

from __future__ import annotations

from itertools import product

import pandas as pd
import pytest

from skelkit.files import SkelkitError
from skelkit.report import published
from skelkit.report.published import KEY, cells, compare, show

PICTURES = ["Fig. 4", "Fig. 6", "Fig. 7", "Fig. 8", "Fig. 9", "Fig. 10", "Fig. 11", "Fig. 12"]


@pytest.fixture
def ascal() -> pd.DataFrame:
    return cells("ascal")


def value(table: str, row: str, column: str, metric: str = "top-1") -> float:
    all_ = cells("ascal")
    found = all_[(all_["table"] == table) & (all_["row"] == row) & (all_["column"] == column)]
    (only,) = found.loc[found["metric"] == metric, "value"]
    return only


# ── the cells ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cell_is_named_once_and_its_fields_are_known(ascal):
    assert not ascal.duplicated(["table", *KEY]).any()
    views = {f"v{a}v{b}-v{c}" for a, b, c in product("1234", repeat=3) if a < b and c not in (a, b)}
    known = {
        "paper": {"ascal"},
        "dataset": {"ntu60", "ntu120", "sbu", "uwa3d"},
        "split": {"xsub", "xview", "xset", "folds", "views"} | views,
        "labels": {"0%", "1%", "10%", "50%", "100%"},
        "metric": {"top-1", "top-5", "gain", "contrastive loss"},
    }
    for name, values in known.items():
        assert set(ascal[name]) <= values, name
    assert len(views & set(ascal["split"])) == 12
    assert (ascal[["table", "row", "column", "source"]] != "").all(axis=None)
    assert ascal["spread"].isna().all()  # the paper gives none


def test_a_value_is_a_percentage_or_said_to_be_missing(ascal):
    assert ascal["value"].dropna().between(0, 100).all()
    missing = ascal["note"].str.startswith("no value in the text")
    assert (missing == ascal["value"].isna()).all()
    assert set(ascal.loc[missing, "table"]) == {*PICTURES, "Fig. 5"}


@pytest.mark.parametrize(
    ("table", "printed", "unseen"),
    [
        ("Table II", 12 * 2, 0),
        ("Table III", 5 * 13, 0),
        ("Table IV", 4 * 2, 0),
        ("Table V", 5 * 6, 0),
        ("Table VI", 3 * 5, 0),
        ("Table VII", 4 * 5, 0),
        ("Table VIII", 4 * 7, 0),
        ("Table IX", 5 * 4, 0),
        ("Table X", 4 * 4 * 2, 0),
        ("Fig. 4", 0, 5),
        ("Fig. 5", 5 + 2, 1 + 3 * 4),
        ("Fig. 6", 0, 2 * 5 * 2),
        ("Fig. 7", 0, 7),
        ("Fig. 8", 0, 6 * 4),
        ("Fig. 9", 2, 8),
        ("Fig. 10", 1, 7 * 7 + 7),
        ("Fig. 11", 0, 2),
        ("Fig. 12", 0, 3 * 4 * 2),
    ],
)
def test_every_cell_of_every_table_and_figure_is_there(ascal, table, printed, unseen):
    values = ascal.loc[ascal["table"] == table, "value"]
    assert (values.notna().sum(), values.isna().sum()) == (printed, unseen)


@pytest.mark.parametrize(
    ("table", "row", "column", "expected"),
    [
        ("Table II", "HON4D", "C-View", 7.3),
        ("Table II", "Li et al.", "C-Sub", 60.8),
        ("Table II", "Ours (CAE+)", "C-View", 64.8),
        ("Table III", "LSTM", "V1&V4 -> V3", 15.5),
        ("Table III", "Ours (CAE)", "V2&V4 -> V3", 17.5),
        ("Table IV", "Soft RNN", "C-Set", 44.9),
        ("Table V", "RNN", "Fold 3", 26.8),
        ("Table V", "Ours (CAE)", "Fold 4", 31.5),
        ("Table V", "Ours (CAE+)", "Average", 46.7),
        ("Table VI", "1 layer", "128 units", 6.5),
        ("Table VI", "3 layers", "64 units", 1.7),
        ("Table VII", "NTU 60 (C-Sub)", "m = 0.9999", 54.0),
        ("Table VII", "NTU 120 (C-Set)", "m = 0.99", 9.6),
        ("Table VIII", "NTU 120 (C-Sub)", "tau = 0.4", 5.6),
        ("Table IX", "h~_T", "NTU 60 (C-View)", 26.8),
        ("Table IX", "k", "NTU 120 (C-Sub)", 48.6),
        ("Table X", "NTU 60 (C-View)", "50%", 67.3),
        ("Fig. 5", "TAP + Linear", "256", 53.7),
        ("Fig. 5", "TAP (No Head)", "No Head", 58.0),
    ],
)
def test_spot_checks_against_the_paper(table, row, column, expected):
    assert value(table, row, column) == expected


def test_top_5_is_told_from_top_1():
    assert value("Table X", "NTU 120 (C-Sub)", "1%", "top-5") == 67.1
    assert value("Table X", "NTU 120 (C-Sub)", "1%", "top-1") == 36.0


def test_a_row_named_none_is_a_name(ascal):
    assert "None" in set(ascal.loc[ascal["table"] == "Fig. 9", "row"])


def test_the_printed_averages_are_the_means_of_their_rows():
    for table in ("Table III", "Table V"):
        for row, printed in show("ascal", table).iterrows():
            assert abs(printed.drop("Average").mean() - printed["Average"]) <= 0.05 + 1e-9, (table, row)


def test_the_prose_agrees_with_the_cells():
    two, four, five = show("ascal", "Table II"), show("ascal", "Table IV"), show("ascal", "Table V")
    best = two.loc["Ours (CAE+)"]
    gain = (best - two).round(1)
    assert gain.loc[["Shuffle&Learn", "LongT GAN"]].min(axis=None) == 12.3  # Sec. IV-C.1
    assert gain.loc[["Shuffle&Learn", "LongT GAN"]].max(axis=None) == 23.9
    assert gain.loc[["Lie Group", "Skeletal Quads"], "C-View"].tolist() == [12.0, 23.4]  # Sec. IV-C.2
    assert gain.loc[["Lie Group", "Skeletal Quads"], "C-Sub"].tolist() == [8.4, 19.9]
    assert gain.loc["Deep RNN"].tolist() == [0.7, 2.2]
    assert gain.loc["HBRNN", "C-View"] == 0.8
    assert round((four.loc["Ours (CAE+)"] - four).max(axis=None), 1) == 23.1
    folds = (five.loc["Ours (CAE+)"] - five).drop(columns="Average").round(1)
    assert folds.loc[["RNN", "GRU"]].min(axis=None) == 3.7
    assert folds.loc[["RNN", "GRU"]].max(axis=None) == 17.8
    assert sorted(folds.loc["LSTM"])[-2:] == [3.6, 7.1]


def test_all_but_two_sbu_cells_are_whole_numbers_of_test_clips():
    odd = []
    for row, printed in show("ascal", "Table V").drop(columns="Average").iterrows():
        for (column, percent), clips in zip(printed.items(), (55, 52, 56, 54, 65), strict=True):
            if abs(100 * round(percent * clips / 100) / clips - percent) > 0.05 + 1e-9:
                odd.append((row, column))
    assert odd == [("LSTM", "Fold 2"), ("LSTM", "Fold 4")]
    fives = cells("ascal").query("table == 'Table V'")
    named = fives[fives["note"].str.contains("no whole number")]
    assert list(zip(named["row"], named["column"], strict=True)) == odd


def test_contradictions_stand_on_both_sides_with_a_note(ascal):
    noted = ascal[ascal["note"].str.contains("contradiction")]
    cae = noted[~noted["row"].str.startswith(("Ours (CAE+)", "CAE+"))]
    assert set(cae.loc[cae["split"] == "xsub", "value"]) == {48.3, 48.9}
    assert set(cae.loc[cae["split"] == "xset", "value"]) == {49.2, 49.7}
    plus = noted.drop(cae.index)
    assert set(plus["value"]) == {48.6, 48.7, 49.2, 49.6}
    assert set(noted["table"]) == {"Table IV", "Table VII", "Table VIII", "Table IX", "Table X"}
    forty_eight = ascal[ascal["value"].isin([48.3, 48.9]) & (ascal["split"] == "xsub") & (ascal["dataset"] == "ntu120")]
    assert set(forty_eight.index) <= set(noted.index)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("paper,table\nascal,Table V\n", "its columns are paper, table"),
        (",".join(published.COLUMNS) + "\nascal,T,r,c,sbu,folds,0%,top-1,many,,s,\n", "not a table of cells"),
        ("", "not a table of cells"),
    ],
)
def test_a_damaged_file_of_cells_is_named(tmp_path, monkeypatch, text, fault):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "ascal.csv").write_text(text)
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    with pytest.raises(SkelkitError, match=rf"ascal\.csv: {fault}"):
        cells("ascal")


def test_what_is_unknown_is_named_with_what_is_known():
    with pytest.raises(SkelkitError, match=r"^unknown paper 'ascl'; published cells stand for .*ascal"):
        cells("ascl")
    with pytest.raises(SkelkitError, match=r"no 'Table 5'; there are Table II, .*Table V,"):
        show("ascal", "Table 5")
    with pytest.raises(SkelkitError, match=r"no 'Table 5'; there are Table II"):
        compare("ascal", "Table 5", [])
    for name in ("tier", "selection", "variant"):
        with pytest.raises(SkelkitError, match=f"{name} 'best' is none of"):
            compare("ascal", "Table V", [], **{name: "best"})


# ── as the paper prints it ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_is_shown_in_the_paper_s_layout():
    five = show("ascal", "Table V")
    assert list(five.columns) == ["Fold 1", "Fold 2", "Fold 3", "Fold 4", "Fold 5", "Average"]
    assert list(five.index) == ["RNN", "GRU", "LSTM", "Ours (CAE)", "Ours (CAE+)"]
    assert five.loc["LSTM"].tolist() == [49.1, 53.2, 37.5, 42.0, 53.8, 47.1]
    assert list(show("ascal", "Table VIII").columns) == [f"tau = {t}" for t in (0.06, 0.07, 0.1, 0.2, 0.3, 0.4, 0.5)]


def test_two_metrics_stand_side_by_side():
    ten = show("ascal", "Table X")
    fractions = ["0%", "1%", "10%", "50%"]
    assert list(ten.columns) == [("top-1", f) for f in fractions] + [("top-5", f) for f in fractions]
    assert ten.loc["NTU 120 (C-Set)"].tolist() == [49.7, 38.3, 43.0, 53.0, 79.8, 70.2, 74.4, 81.6]


def test_table_ix_is_printed_with_the_representations_across():
    nine = show("ascal", "Table IX")
    assert list(nine.columns) == ["h~_T", "h_T", "k", "CAE (q)", "CAE+ (q + k)"]
    assert nine.loc["NTU 60 (C-Sub)"].tolist() == [23.4, 24.0, 57.7, 58.0, 58.5]


@pytest.mark.parametrize("table", list(dict.fromkeys(cells("ascal")["table"])))
def test_a_shown_table_holds_every_cell(ascal, table):
    shown = show("ascal", table)
    of_table = ascal[ascal["table"] == table]
    assert shown.notna().sum().sum() == of_table["value"].notna().sum()
    assert {*of_table["row"], *of_table["column"]} <= {
        name for n in [*shown.index, *shown.columns] for name in _flat(n)
    }


def _flat(name: str | tuple[str, ...]) -> tuple[str, ...]:
    return (name,) if isinstance(name, str) else name
