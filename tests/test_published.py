"""The published cells are the paper's, and each status of the comparison is worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pandas as pd
import pytest

from skelkit.files import SkelkitError
from skelkit.report import pages, published, tables
from skelkit.report.published import KEY, cells, compare, show, verdict
from skelkit.report.results import Row, append

README = Path(__file__).parent.parent / "README.md"
ROW = Row(
    paper="ascal",
    table="Table V",
    row="Ours (CAE)",
    column="Fold 1",
    dataset="sbu",
    split="folds",
    labels="0%",
    metric="top-1",
    value=52.7,
    seed=0,
    fold=0,
    tier="paper",
    variant="paper",
    selection="last",
    n_train=227,
    n_test=55,
    key="a1",
    parents=(),
    commit="0123abc",
    dirty=False,
    versions={"torch": "2.13.0"},
    device="cpu",
    seconds=15.5,
    started="2025-01-01T00:00:00+00:00",
)
PICTURES = ["Fig. 4", "Fig. 6", "Fig. 7", "Fig. 8", "Fig. 9", "Fig. 10", "Fig. 11", "Fig. 12"]


@pytest.fixture
def ascal() -> pd.DataFrame:
    return cells("ascal")


def value(table: str, row: str, column: str, metric: str = "top-1") -> float:
    all_ = cells("ascal")
    found = all_[(all_["table"] == table) & (all_["row"] == row) & (all_["column"] == column)]
    (only,) = found.loc[found["metric"] == metric, "value"]
    return only


def line(comparison: pd.DataFrame, **named: str) -> pd.Series:
    for name, wanted in named.items():
        comparison = comparison[comparison[name] == wanted]
    assert len(comparison) == 1
    return comparison.iloc[0]


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
    with pytest.raises(SkelkitError, match=r"ascl\.csv: no such file; published cells stand for .*ascal"):
        cells("ascl")
    with pytest.raises(SkelkitError, match=r"no 'Table 5'; there are Table II, .*Table V,"):
        show("ascal", "Table 5")
    with pytest.raises(SkelkitError, match=r"no 'Table 5'; there are Table II"):
        compare("ascal", "Table 5", [])
    for name in ("tier", "selection", "variant"):
        with pytest.raises(SkelkitError, match=f"{name} 'best' is none of"):
            compare("ascal", "Table V", [], **{name: "best"})


def test_the_cells_are_found_when_rows_live_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    append([ROW])
    assert "ascal" in published.papers()
    assert line(compare("ascal", "Table V"), row="Ours (CAE)", column="Fold 1")["n"] == 1


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


# ── ours beside it ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("published_", "ours", "sd", "expected"),
    [
        (42.6, 43.6, math.nan, "reproduced"),  # one run, one point off: the margin is one point
        (42.6, 41.6, math.nan, "reproduced"),
        (42.6, 43.7, math.nan, "higher"),
        (42.6, 41.5, math.nan, "lower"),
        (42.6, 43.7, 0.4, "higher"),  # 2 sd = 0.8: one point is larger
        (42.6, 45.6, 1.5, "reproduced"),  # 2 sd = 3.0
        (42.6, 39.5, 1.5, "lower"),
    ],
)
def test_the_verdict_by_hand(published_, ours, sd, expected):
    assert verdict(published_, ours, sd) == expected


def test_an_error_is_reproduced_within_a_hundredth_and_shown_with_three_digits():
    cell_ = {"table": "Table 3", "column": "MSE", "dataset": "cmu", "split": "folds", "labels": "0%", "metric": "MSE"}
    near = replace(ROW, paper="longt_gan", row="Ours (w/ F), joint loss", value=0.1699, **cell_)  # published: 0.16
    far = replace(near, row="Ours (w/ F), element-wise loss", value=0.3)  # published: 0.20
    got = compare("longt_gan", "Table 3", [near, far]).set_index(["row", "column"])["status"]
    assert (got[near.row, "MSE"], got[far.row, "MSE"]) == ("reproduced", "higher")
    assert "| 0.160 | 0.170 |  | 1 | +0.010 | reproduced |" in tables.markdown("longt_gan", "Table 3", [near])
    assert verdict(0.16, 0.19, 0.02, 0.01) == "reproduced"  # two sd are more
    root = replace(near, metric="RMSE", value=0.41)
    assert "| RMSE |  | 0.410 |" in tables.markdown("longt_gan", "Table 3", [near, root])


def test_mean_sd_and_difference_by_hand():
    rows = [replace(ROW, seed=seed, value=v) for seed, v in enumerate((50.0, 52.0, 57.0))]
    got = line(compare("ascal", "Table V", rows), row="Ours (CAE)", column="Fold 1")
    assert (got["published"], got["ours"], got["n"]) == (52.7, 53.0, 3)
    assert got["sd"] == pytest.approx(math.sqrt(13))  # (9 + 1 + 16) / (3 - 1)
    assert got["difference"] == pytest.approx(0.3)
    assert got["status"] == "reproduced"


def test_one_run_has_no_sd():
    got = line(compare("ascal", "Table V", [ROW]), row="Ours (CAE)", column="Fold 1")
    assert (got["ours"], got["n"]) == (52.7, 1)
    assert math.isnan(got["sd"])


def test_each_status_by_hand():
    rows = [
        replace(ROW, column="Fold 1", value=52.0),  # 52.7
        replace(ROW, column="Fold 2", value=40.0),  # 46.2
        replace(ROW, column="Fold 3", value=45.0),  # 41.1
        replace(ROW, column="Fold 4", value=31.5, tier="reduced"),
        replace(ROW, column="Fold 5", value=41.5, variant="official"),
        replace(ROW, row="Ours (CAE+)", value=52.7, tier="reduced", variant="official"),
        replace(ROW, row="random encoder", value=30.0),
    ]
    table = compare("ascal", "Table V", rows)
    cae = table[table["row"] == "Ours (CAE)"].set_index("column")
    assert cae["status"].to_dict() == {
        "Fold 1": "reproduced",
        "Fold 2": "lower",
        "Fold 3": "higher",
        "Fold 4": "setting differs: tier reduced",
        "Fold 5": "setting differs: variant official",
        "Average": "not run",  # its parts are of three settings
    }
    assert cae.loc["Fold 4", "difference"] == 0
    plus = line(table, row="Ours (CAE+)", column="Fold 1")
    assert plus["status"] == "setting differs: tier reduced, variant official"
    assert line(table, row="random encoder", column="Fold 1")["status"] == "extension"
    assert set(table.loc[table["row"].isin(["RNN", "GRU", "LSTM"]), "status"]) == {"not run"}


def test_a_cell_without_a_value_in_the_text_stays_one_when_it_was_run():
    ran = replace(ROW, table="Fig. 9", row="Reverse", column="NTU 60 (C-Sub)", dataset="ntu60", split="xsub", fold=-1)
    table = compare("ascal", "Fig. 9", [ran])
    got = line(table, row="Reverse")
    assert (got["status"], got["ours"], got["n"]) == ("no value in the text", 52.7, 1)
    assert math.isnan(got["difference"])
    assert line(table, row="Shear")["n"] == 0


def test_an_average_is_over_folds_within_a_seed_and_then_over_seeds():
    folds = [f"Fold {k}" for k in range(1, 6)]
    by_seed = {0: (50, 40, 30, 20, 10), 1: (52, 42, 32, 22, 12), 2: (90, 90, 90, 90)}  # seed 2 lacks a fold
    rows = [
        replace(ROW, column=column, fold=k, seed=seed, value=float(v), row=row)
        for row in ("Ours (CAE)", "random encoder")
        for seed, values in by_seed.items()
        for k, (column, v) in enumerate(zip(folds, values, strict=False))
    ]
    table = compare("ascal", "Table V", rows)
    for row, status in (("Ours (CAE)", "lower"), ("random encoder", "extension")):
        got = line(table, row=row, column="Average")
        assert (got["ours"], got["n"], got["status"]) == (31.0, 2, status)  # means 30 and 32
        assert got["sd"] == pytest.approx(math.sqrt(2))
        assert "1 of 3 seeds lack" in got["note"]
    assert line(table, row="Ours (CAE)", column="Fold 1")["n"] == 3
    assert list(table.loc[table["row"] == "random encoder", "column"]) == [*folds, "Average"]


def test_an_average_without_any_whole_seed_was_not_run():
    got = line(compare("ascal", "Table V", [ROW]), row="Ours (CAE)", column="Average")
    assert (got["status"], got["n"]) == ("not run", 0)
    assert "1 of 1 seeds lack" in got["note"]


def test_the_average_of_uwa3d_is_over_its_twelve_view_settings():
    columns = cells("ascal").query("table == 'Table III' and row == 'RNN' and column != 'Average'")
    rows = [
        replace(ROW, table="Table III", dataset="uwa3d", column=c, split=s, fold=-1, value=20.0 + i)
        for i, (c, s) in enumerate(zip(columns["column"], columns["split"], strict=True))
    ]
    got = line(compare("ascal", "Table III", rows), row="Ours (CAE)", column="Average")
    assert (got["published"], got["ours"], got["split"]) == (20.0, 25.5, "views")


def test_folds_in_one_column_are_averaged_before_the_seeds():
    row = replace(ROW, table="Fig. 9", row="Reverse", column="SBU")
    rows = [
        replace(row, seed=seed, fold=fold, value=40.0 + 10 * seed + fold)
        for seed, fold in product(range(3), range(5))
        if (seed, fold) != (2, 4)
    ]
    got = line(compare("ascal", "Fig. 9", rows), dataset="sbu")
    assert (got["ours"], got["n"], got["status"]) == (47.0, 2, "extension")  # 42 and 52
    assert got["sd"] == pytest.approx(math.sqrt(50))
    assert "1 of 3 seeds lack" in got["note"]


def test_the_nearest_setting_is_shown_and_two_are_never_mixed():
    paper = [replace(ROW, seed=s, value=50.0 + s) for s in range(2)]
    reduced = [replace(ROW, seed=s, value=30.0, tier="reduced") for s in range(4)]
    official = [replace(ROW, seed=s, value=44.0, variant="official") for s in range(3)]
    small = replace(ROW, value=10.0, tier="small")
    rows = [small, *reduced, *official, *paper]

    def shown(rows: list[Row], **kwargs: str) -> tuple[float, int, str]:
        got = line(compare("ascal", "Table V", rows, **kwargs), row="Ours (CAE)", column="Fold 1")
        return got["ours"], got["n"], got["status"]

    assert shown(rows) == (50.5, 2, "lower")
    assert shown(rows, variant="official") == (44.0, 3, "setting differs: variant official")
    assert shown(rows, tier="reduced") == (30.0, 4, "setting differs: tier reduced")
    assert shown([small, *reduced]) == (30.0, 4, "setting differs: tier reduced")
    assert shown([small]) == (10.0, 1, "setting differs: tier small")
    assert shown(paper, tier="reduced")[1:] == (0, "not run")
    assert math.isnan(line(compare("ascal", "Table V", [small]), row="Ours (CAE)", column="Fold 1")["difference"])


def test_the_last_epoch_and_the_best_test_epoch_are_never_mixed():
    rows = [ROW, replace(ROW, selection="best test epoch", value=60.0)]
    for selection, ours in (("last", 52.7), ("best test epoch", 60.0)):
        got = line(compare("ascal", "Table V", rows, selection=selection), row="Ours (CAE)", column="Fold 1")
        assert (got["ours"], got["n"]) == (ours, 1)


def test_a_later_row_for_the_same_seed_and_fold_replaces_the_earlier():
    got = compare("ascal", "Table V", [ROW, replace(ROW, key="new", value=50.0)])
    assert line(got, row="Ours (CAE)", column="Fold 1")[["ours", "n"]].tolist() == [50.0, 1]


def test_rows_of_other_papers_and_tables_do_not_enter():
    rows = [replace(ROW, paper="sesar"), replace(ROW, table="Fig. 9")]
    assert compare("ascal", "Table V", rows)["n"].sum() == 0


def test_extensions_stand_below_and_none_is_dropped(ascal):
    rows = [
        replace(ROW, row="random encoder", value=30.0),
        replace(ROW, column="xview-v3", dataset="nw_ucla", split="xview-v3", fold=-1),
        replace(ROW, column="xview-v3-leakfree", dataset="nw_ucla", split="xview-v3-leakfree", fold=-1, tier="reduced"),
        replace(ROW, metric="kNN top-1", value=61.0),
        replace(ROW, metric="class 3 top-1", value=20.0),
        replace(ROW, labels="100%"),  # the same row and column at another use of labels is another cell
    ]
    table = compare("ascal", "Table V", rows)
    printed = ascal[ascal["table"] == "Table V"]
    assert table.loc[: len(printed) - 1, KEY].to_numpy().tolist() == printed[KEY].to_numpy().tolist()
    below = table[len(printed) :]
    single = below[below["column"] != "Average"]  # averages of what has not all its folds say so
    assert len(single) == 5
    assert set(below["status"]) == {"extension"}
    assert line(below, column="xview-v3-leakfree")["note"] == "tier reduced"
    assert set(compare("ascal", "Table V", rows, metrics=["class 3 top-1"])["metric"]) == {"class 3 top-1"}
    assert len(compare("ascal", "Table V", rows, metrics=["top-1"])) == len(table) - (below["metric"] != "top-1").sum()


def test_a_table_of_our_own_holds_extensions_alone():
    rows = [replace(ROW, table="NW-UCLA", dataset="nw_ucla", split="xview-v3", column="xview-v3", fold=-1)]
    assert compare("ascal", "NW-UCLA", rows)["status"].tolist() == ["extension"]
    assert published.tables("ascal", rows)[-1] == "NW-UCLA"


@pytest.mark.parametrize("table", list(dict.fromkeys(cells("ascal")["table"])))
def test_no_published_cell_is_dropped(ascal, table):
    printed = ascal[ascal["table"] == table]
    for rows in ([], [replace(ROW, table=table)]):
        got = compare("ascal", table, rows)[: len(printed)]
        assert got[KEY].to_numpy().tolist() == printed[KEY].to_numpy().tolist()
        np.testing.assert_array_equal(got["published"], printed["value"])


def test_the_comparison_equals_the_written_out_one():
    rng = np.random.default_rng(0)
    names, folds = ["RNN", "Ours (CAE)", "random encoder"], [f"Fold {k}" for k in range(1, 6)]
    rows = [
        replace(ROW, row=n, column=c, fold=k, seed=s, labels="100%" if n == "RNN" else "0%", value=rng.uniform(20, 60))
        for n, (k, c), s in product(names, enumerate(folds), range(4))
        if rng.random() < 0.9
    ]
    rng.shuffle(rows)
    table = compare("ascal", "Table V", rows)
    for n in names:
        of_seed = {s: {r.column: r.value for r in rows if (r.row, r.seed) == (n, s)} for s in range(4)}
        naive = {c: [v[c] for v in of_seed.values() if c in v] for c in folds}
        naive["Average"] = [fmean(v.values()) for v in of_seed.values() if len(v) == 5]
        for column, values in naive.items():
            got = line(table, row=n, column=column)
            assert got["n"] == len(values)
            assert got["ours"] == pytest.approx(fmean(values) if values else math.nan, nan_ok=True)
            assert got["sd"] == pytest.approx(stdev(values) if len(values) > 1 else math.nan, nan_ok=True)


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_markdown_shows_every_cell_with_its_numbers():
    rows = [replace(ROW, seed=seed, value=v) for seed, v in enumerate((50.0, 52.0, 57.0))]
    text = tables.markdown("ascal", "Table V", [*rows, replace(ROW, row="a | b")]).split("\n")
    assert text[0] == "| row | column | labels | published | ours | sd | n | difference | status |"
    assert "| Ours (CAE) | Fold 1 | 0% | 52.7 | 53.0 | 3.6 | 3 | +0.3 | reproduced |" in text
    assert "| RNN | Fold 1 | 100% | 40.0 |  |  | 0 |  | not run |" in text
    assert "| a \\| b | Fold 1 | 0% |  | 52.7 |  | 1 |  | extension |" in text
    assert len(text) == 2 + 30 + 2  # head; cells; the extension and its average


def test_the_summary_counts_every_cell(ascal):
    text = tables.summary("ascal", [ROW])
    assert "| Table V | 30 | 1 | 0 | 0 | 0 | 29 | 0 | 0 |" in text
    counted = [int(row.split("|")[2]) for row in text.split("\n")[2:]]
    assert sum(counted) == len(ascal)


def test_the_page_names_both_selections_apart_and_shows_what_was_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    append([ROW, replace(ROW, selection="best test epoch", value=60.0)])
    page, path = pages.results_page(), tmp_path / "README.md"
    assert "## ascal" in page
    assert "**Table V**, last epoch;" in page
    assert "**Table V**, best test epoch (chosen on the test set);" in page
    assert page.count(f"| {ROW.row} | {ROW.column} |") == 2  # one fold of five has no average: the cell itself stands
    assert "**Table II**" not in page  # nothing was run: it is in the counts alone
    assert pages.update_page("results/README.md", path)
    assert path.read_text(encoding="utf-8") == page
    assert not pages.update_page("results/README.md", path)


def test_a_grid_has_the_paper_s_layout_and_shows_published_and_ours_and_gaps():
    row = replace(
        ROW, paper="sesar", table="Table 2", row="RIC", column="50 labels", dataset="nw_ucla", split="xview-v3"
    )
    row = replace(row, labels="5%", metric="top-1", value=55.04, fold=-1)
    ours = replace(row, row="random encoder", seed=0, value=40.0)
    lines = tables.grid("sesar", "Table 2", "nw_ucla", [row, replace(row, metric="top-5", value=90.0), ours]).split(
        "\n"
    )
    assert lines[0] == "| published / ours | 50 labels | 150 labels | 300 labels | 400 labels |"
    assert "| RIC | 56.2 / 55.0 | 70.5 / – | 73.5 / – | 81.0 / – |" in lines
    assert "| MS2L |  | 60.5 / – |  |  |" in lines
    assert lines[-1] == "| random encoder | – / 40.0 |  |  |  |"


def test_a_readme_is_rewritten_between_its_markers_alone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- sesar:begin -->\nstale\n<!-- sesar:end -->\nafter\n", encoding="utf-8")
    assert pages.update_readme("sesar", path=readme)
    text = readme.read_text(encoding="utf-8")
    block = pages.README_BLOCKS["sesar"]()
    assert text == f"before\n<!-- sesar:begin -->\n\n{block}\n\n<!-- sesar:end -->\nafter\n"
    assert not pages.update_readme("sesar", path=readme)
    assert pages.rewritten("<!-- x:begin --> old <!-- x:end -->", "new", "x") == (
        "<!-- x:begin -->\n\nnew\n\n<!-- x:end -->"
    )


def test_the_demos_block_is_of_its_own_rows_by_seed_and_encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    assert pages.demo_block() == "Not run."
    row = replace(ROW, paper="quickstart", table="Quickstart", tier="small", fold=-1, dataset="synthetic")
    encoders = {"random encoder": (40.0, 42.0), "AS-CAL, no labels": (60.0, 63.0)}
    readers = {"linear evaluation": "top-1", "kNN": "kNN top-1"}
    append(
        [
            replace(row, row=name, column=column, metric=metric, seed=seed, value=value, key=f"{name} {column} {seed}")
            for name, values in encoders.items()
            for column, metric in readers.items()
            for seed, value in enumerate(values)
        ],
        pages.demo_folder(),
    )
    text = pages.demo_block()
    once, often = text.split("over seeds 0 to 1")
    assert "| AS-CAL, no labels | 60.0 | 60.0 |" in once
    assert "| AS-CAL, no labels | 61.5 ± 2.1 | 61.5 ± 2.1 |" in often
    assert "By a linear classifier AS-CAL is above the random encoder (+20.5 ± 6.4, n = 2)" in text


def test_a_readme_without_markers_is_refused_and_kept(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no block", encoding="utf-8")
    with pytest.raises(SkelkitError, match="no block of sesar"):
        pages.update_readme("sesar", path=readme)
    assert readme.read_text(encoding="utf-8") == "no block"
    with pytest.raises(SkelkitError, match="cannot be read"):
        pages.update_readme("sesar", path=tmp_path / "nowhere.md")


def test_the_readme_shows_the_committed_rows():
    text = README.read_text(encoding="utf-8")
    for name, block in pages.README_BLOCKS.items():
        assert pages.rewritten(text, block(), name) == text, "run: skelkit report --readme"
    for name, page in pages.PAGES.items():
        assert (README.parent / name).read_text(encoding="utf-8") == page(), "run: skelkit report --readme"
