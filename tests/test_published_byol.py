"""The published cells of bootstrapped learning (Moliner et al. 2022) are the paper's, in the paper's shape.

A row's name is the paper's own, without signs that a keyboard lacks (MS2L, 1x). Two tables tell rows apart by ticks:
in Table 2 a row is named by its augmentations, after what is not ticked (`Without MVS: All augmentations`; nothing
before both ticks, `Baseline BYOL` before none); in Table 5 a ticked KD is `distilled`, as Table 3 calls it. A column is
the data set with its split, then the label fraction.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from skelkit.report import published
from skelkit.report.published import KEY, cells, compare

CS, CV, CSUB, CSET, PKU = "NTU-60 (CS)", "NTU-60 (CV)", "NTU-120 (CSub)", "NTU-120 (CSet)", "PKU-MMD II (CS)"
PLACES = {
    CS: ("ntu60", "xsub"),
    CV: ("ntu60", "xview"),
    CSUB: ("ntu120", "xsub"),
    CSET: ("ntu120", "xset"),
    PKU: ("pku_mmd2", "xsub"),
}
SHARES = ["1%", "5%", "10%"]
UNSUPERVISED = ["LongT GAN", "MS2L", "PCRP", "AS-CAL", "Thoker et al.", "3s-CrosSCLR", "3s-AimCLR"]
OTHERS = [*UNSUPERVISED, "SESAR-KT", "ASSL"]
NO_STEP = ["shear", "low-pass filtering", "temporal shift", "resampling", "left/right drop"]
TICKS = [  # of Table 2: multi-viewpoint sampling, asymmetric augmentation, the augmentations
    (False, False, "Only conservative augmentation"),
    (False, False, "Only aggressive augmentation"),
    *((True, True, f"No {step}") for step in NO_STEP),
    (False, True, "All augmentations"),
    (True, False, "Only aggressive augmentation"),
    (True, True, "All augmentations"),
]
DISTILLED = ["Ours 1x, distilled", "Ours 2x"]


@pytest.fixture
def all_() -> pd.DataFrame:
    return cells("byol")


def show(table: str) -> pd.DataFrame:
    return published.show("byol", table)


def cell(table: str, row: str, column: str) -> pd.Series:
    found = cells("byol")
    found = found[(found["table"] == table) & (found["row"] == row) & (found["column"] == column)]
    assert len(found) == 1
    return found.iloc[0]


def ablated(mvs: bool, asymmetric: bool, augmentations: str) -> str:
    before = {(True, True): "", (False, False): "Baseline BYOL: ", (False, True): "Without MVS: "}
    return before.get((mvs, asymmetric), "Without Asymm. Aug.: ") + augmentations


def test_a_cell_is_named_once_and_its_fields_are_known(all_: pd.DataFrame) -> None:
    assert not all_.duplicated(["table", *KEY]).any()
    assert not all_.duplicated(["table", "row", "column"]).any()  # no row or column needs more to be told apart
    known = {
        "paper": {"byol"},
        "dataset": {"ntu60", "ntu120", "pku_mmd2"},
        "split": {"xsub", "xview", "xset"},
        "labels": {"0%", "1%", "5%", "10%", "100%"},
        "metric": {"top-1"},
    }
    for name, values in known.items():
        assert set(all_[name]) == values, name
    assert set(zip(all_["dataset"], all_["split"], strict=True)) == set(PLACES.values())
    assert (all_[["table", "row", "column", "source"]] != "").all(axis=None)
    assert all_["row"].str.isascii().all()


def test_a_column_s_name_tells_its_data_set_split_and_labels(all_: pd.DataFrame) -> None:
    names = {place: name for name, place in PLACES.items()}
    for _, one in all_.iterrows():
        name = names[one["dataset"], one["split"]]
        shared = {
            "Table 3": f"{name} {one['labels']}",
            "Table 4": f"{name} {one['labels']}",
            "Table 5": one["labels"],  # its caption: NTU-60 (CS)
            "Table 6": "PKU-MMD II",
        }
        assert one["column"] == shared.get(one["table"], name)
    assert set(all_.loc[all_["table"] == "Table 5", "column"]) == set(SHARES)
    assert set(all_.loc[all_["table"] == "Table 5", "split"]) == {"xsub"}


def test_labels_are_those_that_trained_the_encoder(all_: pd.DataFrame) -> None:
    supervised = all_["row"].str.startswith("ST-GCN")
    one = all_["table"] == "Table 1"
    assert set(all_.loc[one & supervised, "labels"]) == {"100%"}
    assert set(all_.loc[one & ~supervised, "labels"]) == {"0%"}
    assert set(all_.loc[all_["table"] == "Table 2", "labels"]) == {"0%"}
    for table in ("Table 3", "Table 4", "Table 5"):
        assert set(all_.loc[all_["table"] == table, "labels"]) == set(SHARES)
    assert set(all_.loc[all_["table"] == "Table 6", "labels"]) == {"100%"}  # fine-tuned, where Table 1 is linear


@pytest.mark.parametrize(
    ("table", "printed"),
    [
        ("Table 1", 5 + 3 + 2 + 2 + 4 + 5 + 4 + 4 + 5),
        ("Table 2", 10 * 2),
        ("Table 3", 6 + 3 + 2 + 4 + 4 + 6 + 4 + 6 + 6),
        ("Table 4", 3 * 6),
        ("Table 5", 7 * 3),
        ("Table 6", 5),
    ],
)
def test_every_cell_of_every_table_is_there(all_: pd.DataFrame, table: str, printed: int) -> None:
    assert (all_["table"] == table).sum() == printed
    assert all_["table"].nunique() == 6


def test_a_value_is_a_percentage(all_: pd.DataFrame) -> None:
    assert all_["value"].between(0, 100).all()  # none is missing: Fig. 3 prints no numbers
    finer = all_["value"].round(1) != all_["value"]
    assert all_.loc[finer, ["value", "note"]].to_numpy().tolist() == [[55.25, "the one number with two decimals"]]


def test_a_spread_stands_where_the_paper_gives_one(all_: pd.DataFrame) -> None:
    assert (all_["spread"].notna() == (all_["table"] == "Table 5")).all()
    five = all_[all_["table"] == "Table 5"]
    spreads = five.pivot(index="row", columns="column", values="spread")[SHARES].loc[list(show("Table 5").index)]
    assert spreads.to_numpy().tolist() == [
        [1.5, 0.4, 0.3],
        [0.7, 1.4, 0.9],
        [0.8, 0.6, 0.3],
        [0.3, 0.7, 0.4],
        [1.0, 0.6, 0.4],
        [0.6, 0.7, 0.3],
        [0.6, 0.4, 0.1],
    ]
    assert five["note"].str.contains("mean and sd of five random subsets").all()


@pytest.mark.parametrize(
    ("table", "row", "column", "expected"),
    [
        ("Table 1", "ST-GCN (sup.)", CS, 88.5),
        ("Table 1", "ST-GCN (sup.)", CSET, 85.1),
        ("Table 1", "LongT GAN", PKU, 26.5),
        ("Table 1", "MS2L", PKU, 27.6),
        ("Table 1", "PCRP", CV, 63.5),
        ("Table 1", "AS-CAL", CSET, 49.2),
        ("Table 1", "Thoker et al.", CSUB, 67.1),
        ("Table 1", "3s-CrosSCLR", CSET, 66.7),
        ("Table 1", "3s-AimCLR", CS, 78.9),
        ("Table 1", "Ours", CS, 86.8),
        ("Table 1", "Ours", CV, 91.2),
        ("Table 1", "Ours", CSUB, 77.1),
        ("Table 1", "Ours", CSET, 79.2),
        ("Table 1", "Ours", PKU, 55.25),
        ("Table 2", "Baseline BYOL: Only conservative augmentation", CV, 55.1),
        ("Table 2", "Baseline BYOL: Only aggressive augmentation", CS, 79.6),
        ("Table 2", "No shear", CV, 81.1),
        ("Table 2", "No temporal shift", CS, 84.7),
        ("Table 2", "No left/right drop", CV, 89.7),
        ("Table 2", "Without MVS: All augmentations", CS, 81.8),
        ("Table 2", "Without Asymm. Aug.: Only aggressive augmentation", CV, 88.7),
        ("Table 2", "All augmentations", CV, 91.2),
        ("Table 3", "ST-GCN (sup.)", f"{CV} 1%", 20.6),
        ("Table 3", "SESAR-KT", f"{CS} 5%", 55.0),
        ("Table 3", "MS2L", f"{CS} 1%", 33.1),
        ("Table 3", "ASSL", f"{CV} 5%", 63.6),
        ("Table 3", "3s-CrosSCLR", f"{CS} 10%", 74.4),
        ("Table 3", "Thoker et al.", f"{CV} 10%", 72.5),
        ("Table 3", "3s-AimCLR", f"{CV} 1%", 54.3),
        ("Table 3", "Ours 1x, distilled", f"{CS} 1%", 79.4),
        ("Table 3", "Ours 1x, distilled", f"{CV} 10%", 89.5),
        ("Table 3", "Ours 2x", f"{CV} 1%", 81.5),
        ("Table 4", "ST-GCN (sup.)", f"{CSET} 5%", 49.9),
        ("Table 4", "Ours 1x, distilled", f"{CSUB} 1%", 66.8),
        ("Table 4", "Ours 2x", f"{CSET} 10%", 78.6),
        ("Table 5", "Ours 0.25x", "1%", 53.5),
        ("Table 5", "Ours 0.25x, distilled", "5%", 80.4),
        ("Table 5", "Ours 0.5x, distilled", "10%", 82.8),
        ("Table 5", "Ours 1x", "10%", 84.5),
        ("Table 5", "Ours 2x", "10%", 86.0),
        ("Table 6", "LongT GAN", "PKU-MMD II", 44.8),
        ("Table 6", "Ours", "PKU-MMD II", 68.3),
    ],
)
def test_spot_checks_against_the_paper(table: str, row: str, column: str, expected: float) -> None:
    assert cell(table, row, column)["value"] == expected


@pytest.mark.parametrize(
    ("table", "rows", "columns"),
    [
        ("Table 1", ["ST-GCN (sup.)", *UNSUPERVISED, "Ours"], list(PLACES)),
        ("Table 2", [ablated(*ticks) for ticks in TICKS], [CS, CV]),
        (
            "Table 3",
            ["ST-GCN (sup.)", "SESAR-KT", "MS2L", "ASSL", "3s-CrosSCLR", "Thoker et al.", "3s-AimCLR", *DISTILLED],
            [f"{place} {share}" for place in (CS, CV) for share in SHARES],
        ),
        (
            "Table 4",
            ["ST-GCN (sup.)", *DISTILLED],
            [f"{place} {share}" for place in (CSUB, CSET) for share in SHARES],
        ),
        (
            "Table 5",
            [*(f"Ours {width}x{tick}" for width in (0.25, 0.5, 1) for tick in ("", ", distilled")), "Ours 2x"],
            SHARES,
        ),
        ("Table 6", ["ST-GCN (supervised)", "LongT GAN", "MS2L", "Thoker et al.", "Ours"], ["PKU-MMD II"]),
    ],
)
def test_a_table_is_shown_in_the_paper_s_layout(
    all_: pd.DataFrame, table: str, rows: Sequence[str], columns: Sequence[str]
) -> None:
    shown = show(table)
    assert (list(shown.index), list(shown.columns)) == (rows, columns)
    assert shown.notna().sum().sum() == (all_["table"] == table).sum()
    printed = all_[all_["table"] == table]
    assert list(dict.fromkeys(printed["source"])) == [f"{table}, row {n}" for n in range(1, len(rows) + 1)]


def test_a_row_of_the_ablation_says_its_ticks(all_: pd.DataFrame) -> None:
    two = all_[all_["table"] == "Table 2"].drop_duplicates("row")
    for note, (mvs, asymmetric, _) in zip(two["note"], TICKS, strict=True):
        method, ticks = note.split("; ")[:2]
        assert method == f"Method: {'Ours' if mvs or asymmetric else 'Baseline BYOL'}"
        ticked = [name for name, tick in (("MVS", mvs), ("Asymm. Aug.", asymmetric)) if tick]
        assert ticks == f"ticks: {', '.join(ticked) or 'none'}"


def test_the_same_number_in_two_tables_is_the_same() -> None:
    one, three, five = show("Table 1"), show("Table 3"), show("Table 5")
    assert one.loc["Ours", [CS, CV]].tolist() == show("Table 2").loc["All augmentations"].tolist()
    cross_subject = [f"{CS} {share}" for share in SHARES]
    assert three.loc[DISTILLED, cross_subject].to_numpy().tolist() == five.loc[DISTILLED].to_numpy().tolist()
    assert show("Table 6").loc["ST-GCN (supervised)", "PKU-MMD II"] == one.loc["ST-GCN (sup.)", PKU]


def test_the_prose_on_the_state_of_the_art_agrees_with_the_cells() -> None:
    one = show("Table 1")
    assert (one.loc["Ours"] > one.loc[UNSUPERVISED].max()).all()  # Sec. 4.3
    assert (one.loc["ST-GCN (sup.)"] == one.max()).all()
    before = one.loc["ST-GCN (sup.)"] - one.loc[UNSUPERVISED].max()
    assert ((one.loc["ST-GCN (sup.)"] - one.loc["Ours"]) < 0.7 * before).all()  # the gap, considerably reduced
    three, four, six = show("Table 3"), show("Table 4"), show("Table 6")
    for table in (three, four):
        assert (table.loc[DISTILLED].min() > table.drop(index=DISTILLED).max()).all()  # Sec. 4.4
    assert six["PKU-MMD II"].idxmax() == "Ours"  # Sec. 4.5: above previous work and the supervised baseline
    assert six.drop(index="Ours")["PKU-MMD II"].idxmax() == "ST-GCN (supervised)"


def test_the_prose_on_the_ablation_agrees_with_the_cells() -> None:
    two = show("Table 2")
    cost = (two.loc["All augmentations"] - two.drop(index="All augmentations")).round(1)
    assert (cost > 0).all(axis=None)  # Sec. 4.3: the combination is best on both benchmarks
    steps = cost.loc[[f"No {step}" for step in NO_STEP]]
    assert steps.idxmax().tolist() == ["No shear", "No shear"]  # "the most effective transformation"
    assert steps.max().tolist() == [8.8, 10.1]
    alone = cost.drop(index=[name for name in cost.index if name.startswith("Baseline")])
    costliest = alone[CV].sort_values(ascending=False)
    assert costliest.index[:2].tolist() == ["No shear", "Without MVS: All augmentations"]  # "both ... most significant"
    assert costliest.iloc[:3].tolist() == [10.1, 8.9, 2.5]
    assert cost.loc["Without Asymm. Aug.: Only aggressive augmentation"].tolist() == [3.0, 2.5]
    baseline = two.loc[[name for name in two.index if name.startswith("Baseline")]]
    gain = (baseline.iloc[1] - baseline.iloc[0]).round(1)
    assert gain.tolist() == [28.5, 25.9]  # "the performance of the aggressive augmentation pipeline"


def test_without_multi_viewpoint_sampling_the_method_leads_in_cross_subject_alone() -> None:
    without = show("Table 2").loc["Without MVS: All augmentations"]
    others = show("Table 1").loc[UNSUPERVISED, [CS, CV]]
    assert (others > without).sum().tolist() == [0, 3]
    for place, said in ((CS, "above every other of Table 1"), (CV, "below three others of Table 1")):
        assert cell("Table 2", "Without MVS: All augmentations", place)["note"].endswith(said)


def test_the_prose_on_distillation_agrees_with_the_cells() -> None:
    five = show("Table 5")
    widths = ["Ours 0.25x", "Ours 0.5x", "Ours 1x"]
    gain = pd.DataFrame({width: five.loc[f"{width}, distilled"] - five.loc[width] for width in widths}).T.round(1)
    assert gain.to_numpy().tolist() == [[23.3, 11.5, 10.1], [11.4, 3.3, 2.4], [3.6, 0.8, 0.1]]
    assert (gain > 0).all(axis=None)  # "consistently": were the ticks in the rows before, all would be losses
    assert (gain.diff(axis=1).iloc[:, 1:] < 0).all(axis=None)  # "especially at lower label fractions"
    assert (gain.diff().iloc[1:] < 0).all(axis=None)  # "and for lower-capacity students"
    plain = five.loc[[*widths, "Ours 2x"]]
    assert (plain.diff().iloc[1:] > 0).all(axis=None)  # Sec. 3.5: wider networks learn better


def test_the_ticks_of_table_5_are_said_to_be_moved(all_: pd.DataFrame) -> None:
    five = all_[(all_["table"] == "Table 5") & (all_["row"] != "Ours 2x")]
    ticked = five["row"].str.endswith(", distilled")
    assert five.loc[ticked, "note"].str.contains("KD ticked: the text used has the tick in the row before").all()
    assert five.loc[~ticked, "note"].str.contains("KD not ticked: the text used has the next row's tick here").all()


def test_what_other_papers_print_of_themselves_is_the_same_or_noted() -> None:
    one, three, six = show("Table 1"), show("Table 3"), show("Table 6")
    thoker = published.show("interskeleton", "Table 1").loc["This paper"]
    titles = {CS: "60 x-sub", CV: "60 x-view", CSUB: "120 x-sub", CSET: "120 x-setup"}
    theirs = [*(thoker[f"NTU RGB+D {title}"] for title in titles.values()), thoker["PKU-MMD II x-sub"]]
    assert one.loc["Thoker et al."].tolist() == theirs
    tuned = published.show("interskeleton", "Table 2").loc["This paper"]
    for place in (CS, CV):
        for share in SHARES:
            same = tuned[f"NTU RGB+D {titles[place]} ({share})"]
            assert three.loc["Thoker et al.", f"{place} {share}"] == same
    transfer = published.show("interskeleton", "Table 4")["NTU RGB+D 60"]
    assert six.loc[["LongT GAN", "MS2L", "Thoker et al."], "PKU-MMD II"].tolist() == transfer.tolist()
    two, four = published.show("ascal", "Table II"), published.show("ascal", "Table IV")
    both = [*two.loc["Ours (CAE+)", ["C-Sub", "C-View"]], *four.loc["Ours (CAE+)", ["C-Sub", "C-Set"]]]
    assert one.loc["AS-CAL", [CS, CV, CSUB, CSET]].tolist() == both


def test_what_the_papers_contradict_is_kept_with_a_note(all_: pd.DataFrame) -> None:
    noted = all_[all_["note"].str.contains("contradiction")]
    assert noted[["table", "row", "value"]].apply(tuple, axis=1).tolist() == [
        ("Table 1", "LongT GAN", 39.1),
        ("Table 1", "LongT GAN", 48.1),
        ("Table 1", "MS2L", 52.6),
        ("Table 1", "AS-CAL", 48.6),
        ("Table 1", "AS-CAL", 49.2),
        ("Table 3", "SESAR-KT", 48.1),
        ("Table 3", "MS2L", 65.2),
    ]
    assert "SESAR (Table 3) says 41.8" in cell("Table 3", "SESAR-KT", f"{CS} 1%")["note"]
    linear, tuned, knn = (published.show("interskeleton", f"Table {n}") for n in (1, 2, 3))
    views = [f"NTU RGB+D 60 {split}" for split in ("x-sub", "x-view")]
    assert (
        knn.loc["Zheng et al.", views].tolist() == [39.1, 48.1] == show("Table 1").loc["LongT GAN", [CS, CV]].tolist()
    )
    nine = published.show("ascal", "Table IX")["CAE+ (q + k)"]
    said = {
        ("Table 1", "LongT GAN", CS): linear.loc["Zheng et al.", views[0]],
        ("Table 1", "LongT GAN", CV): linear.loc["Zheng et al.", views[1]],
        ("Table 1", "MS2L", CS): linear.loc["Lin et al.", views[0]],
        ("Table 1", "AS-CAL", CSUB): nine["NTU 120 (C-Sub)"],
        ("Table 1", "AS-CAL", CSET): nine["NTU 120 (C-Set)"],
        ("Table 3", "MS2L", f"{CS} 10%"): tuned.loc["Lin et al.", f"{views[0]} (10%)"],
    }
    for place, other in said.items():
        assert str(other) in cell(*place)["note"].partition("contradiction")[2], place


SUMS = {
    "Table 1": (612.4, 614.3, 411.9, 416.9, 207.2),
    "Table 2": (801.4, 839.3),
    "Table 3": (400.8, 399.1, 648.5, 326.2, 365.9, 556.9),
    "Table 4": (147.9, 199.3, 216.7, 147.7, 202.2, 218.5),
    "Table 5": (510.0, 560.3, 570.8),
    "Table 6": (266.7,),
}
"""Of each printed column the sum of its numbers, in the paper's order of columns."""


@pytest.mark.parametrize("table", SUMS)
def test_no_number_of_a_column_was_misread(all_: pd.DataFrame, table: str) -> None:
    """Cells that are checked one by one stand above; a sum sees the others."""
    columns = all_[all_["table"] == table].groupby("column", sort=False)
    assert columns["value"].sum().round(1).tolist() == list(SUMS[table])
    assert columns["spread"].sum().round(1).tolist() == ([5.5, 4.8, 2.7] if table == "Table 5" else [0] * len(columns))


def test_other_authors_rows_say_whose_they_are(all_: pd.DataFrame) -> None:
    assert (all_["note"].str.contains(r"cited \[\d+\]") == all_["row"].isin(OTHERS)).all()
    assert (all_["note"].str.startswith("supervised") == all_["row"].str.startswith("ST-GCN")).all()


@pytest.mark.parametrize("table", [f"Table {n}" for n in range(1, 7)])
def test_without_rows_every_cell_is_not_run(all_: pd.DataFrame, table: str) -> None:
    got, printed = compare("byol", table, []), all_[all_["table"] == table]
    assert got[KEY].to_numpy().tolist() == printed[KEY].to_numpy().tolist()
    np.testing.assert_array_equal(got["published"], printed["value"])
    assert set(got["status"]) == {"not run"}
