"""Each status of the comparison of our rows with published cells is worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from statistics import fmean, stdev

import numpy as np
import pandas as pd
import pytest
from rows import ROW

from skelkit.report import published, tables
from skelkit.report.differences import wilson
from skelkit.report.published import KEY, cells, compare, verdict
from skelkit.report.results import Row, append


@pytest.fixture
def ascal() -> pd.DataFrame:
    return cells("ascal")


def line(comparison: pd.DataFrame, **named: str) -> pd.Series:
    for name, wanted in named.items():
        comparison = comparison[comparison[name] == wanted]
    assert len(comparison) == 1
    return comparison.iloc[0]


# ── ours beside it ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (39.6, 45.6, "reproduced"),  # within three points of 42.6, ends included
        (41.0, 45.7, "undecided"),
        (39.5, 44.0, "undecided"),
        (43.7, 50.0, "higher"),  # the near end is 1.1 points away
        (43.5, 50.0, "undecided"),  # 0.9 points: the interval excludes 0, and yet
        (30.0, 41.5, "lower"),
        (30.0, 41.7, "undecided"),
        (20.0, 70.0, "undecided"),  # a wide spread decides nothing
        (math.nan, math.nan, "undecided"),
    ],
)
def test_the_verdict_by_hand(low, high, expected):
    assert verdict(42.6, low, high) == expected


def test_an_error_is_reproduced_within_three_hundredths_and_shown_with_three_digits():
    cell_ = {"table": "Table 3", "column": "MSE", "dataset": "cmu", "split": "folds", "labels": "0%", "metric": "MSE"}
    near = replace(ROW, paper="longt_gan", row="Ours (w/ F), joint loss", **cell_)  # published: 0.16
    rows = [replace(near, seed=s, value=v) for s, v in enumerate((0.169, 0.170, 0.171))]
    far = [replace(r, row="Ours (w/ F), element-wise loss", value=r.value + 0.1) for r in rows]  # published: 0.20
    got = compare("longt_gan", "Table 3", [*rows, *far]).set_index(["row", "column"])["status"]
    assert (got[near.row, "MSE"], got[far[0].row, "MSE"]) == ("reproduced", "higher")
    assert "| 0.160 | 0.170 | 0.168 to 0.172 | 3 seeds | reproduced |" in tables.markdown("longt_gan", "Table 3", rows)
    root = replace(near, metric="RMSE", value=0.41)
    assert "| RMSE |  | 0.410 |" in tables.markdown("longt_gan", "Table 3", [*rows, root])


def test_mean_sd_and_difference_by_hand():
    rows = [replace(ROW, seed=seed, value=v) for seed, v in enumerate((50.0, 52.0, 57.0))]
    got = line(compare("ascal", "Table V", rows), row="Ours (CAE)", column="Fold 1")
    assert (got["published"], got["ours"], got["n"]) == (52.7, 53.0, 3)
    assert got["sd"] == pytest.approx(math.sqrt(13))  # (9 + 1 + 16) / (3 - 1)
    assert got["difference"] == pytest.approx(0.3)
    half = 4.30265 * math.sqrt(13 / 3)  # t(0.975, 2)
    assert (got["low"], got["high"]) == pytest.approx((53 - half, 53 + half), rel=1e-4)
    assert (got["over"], got["status"]) == ("3 seeds", "undecided")


def test_one_run_has_no_sd_and_the_interval_of_its_test_clips():
    got = line(compare("ascal", "Table V", [ROW]), row="Ours (CAE)", column="Fold 1")
    assert (got["ours"], got["n"], got["over"]) == (52.7, 1, "55 clips")
    assert math.isnan(got["sd"])
    assert (got["low"], got["high"]) == wilson(52.7, 55)


def test_the_interval_of_an_average_of_one_seed_is_that_of_all_its_clips():
    rows = [replace(ROW, column=f"Fold {k + 1}", fold=k, value=50.0) for k in range(5)]
    got = line(compare("ascal", "Table V", rows), row="Ours (CAE)", column="Average")
    assert (got["over"], got["high"]) == ("275 clips", wilson(50.0, 275)[1])


def test_seeds_of_label_draws_are_called_draws():
    rows = [replace(ROW, paper="longt_gan", table="Figure 3", seed=s, value=50.0 + s) for s in range(3)]
    assert set(compare("longt_gan", "Figure 3", rows)["over"]) == {"", "3 draws"}


def test_each_status_by_hand():
    near = [replace(ROW, seed=s, value=52.0 + s / 10) for s in range(3)]  # 52.7
    low = [replace(ROW, seed=s, column="Fold 2", value=40.0 + s / 10) for s in range(3)]  # 46.2
    rows = [
        *(*near, *low),
        replace(ROW, column="Fold 3", value=45.0),  # 41.1, of one seed
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
        "Fold 3": "undecided",
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
    for row, status in (("Ours (CAE)", "undecided"), ("random encoder", "extension")):
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

    assert shown(rows) == (50.5, 2, "undecided")
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
        replace(ROW, metric="balanced accuracy", value=20.0),
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
    assert set(compare("ascal", "Table V", rows, metrics=["balanced accuracy"])["metric"]) == {"balanced accuracy"}
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


def test_the_cells_are_found_when_rows_live_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    append([ROW])
    assert "ascal" in published.papers()
    assert line(compare("ascal", "Table V"), row="Ours (CAE)", column="Fold 1")["n"] == 1
