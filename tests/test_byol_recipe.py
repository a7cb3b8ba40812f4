"""The recipe of bootstrapped learning: every printed cell has its maker, and the settings hold the paper's numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configs import own_read_outs

from skelkit.augment import (
    LeftRightDrop,
    Resampling,
    SavitzkyGolay,
    Shear,
    TemporalShift,
    aggressive,
    conservative,
)
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.evaluate.logistic import Logistic
from skelkit.recipes import byol
from skelkit.recipes.byol_settings import distilled, finetuning, pretraining, setting, settled, supervised, untrained
from skelkit.recipes.experiment import Experiment, Tier, Weights
from skelkit.recipes.places import FLOOR
from skelkit.report import published
from skelkit.report.results import NO_NETWORK, RANDOM, SHUFFLED
from skelkit.train import SGD, Steps, WarmupCosine

KEY = ["table", "row", "column", "dataset", "split", "labels"]
UNTRAINED = {NO_NETWORK, RANDOM, byol.SETTLED}


def printed() -> set[tuple[str, ...]]:
    cells = published.cells("byol")
    return set(cells.loc[~cells["note"].str.contains(r"\bcited\b"), KEY].itertuples(index=False, name=None))


def place(e: Experiment) -> tuple[str, str]:
    return e.evaluation.weights.data.name, e.evaluation.split or e.evaluation.weights.data.split


def made(experiments: list[Experiment]) -> set[tuple[str, ...]]:
    return {(e.cell.table, e.cell.row, e.cell.column, *place(e), e.cell.labels) for e in experiments}


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_cell_that_is_not_cited_has_an_experiment_and_what_learns_nothing_and_batch_norm_are_added() -> None:
    found = made([e for e in byol.everything() if e.evaluation.weights.data.name in byol.PAPERS_OWN])
    assert printed() <= found
    added = {(table, row) for table, row, *_ in found - printed()}
    assert {row for _, row in added} == {*UNTRAINED, byol.OWN_BATCH}
    assert {table for table, row in added if row == byol.OWN_BATCH} == {"Table 2"}
    assert {table for table, row in added if row == NO_NETWORK} == {f"Table {n}" for n in range(1, 7)}


def test_extensions_use_the_printed_rows_or_say_what_else_they_are() -> None:
    long = byol.paper_length()
    extensions = [e for e in byol.extensions() if e.cell.table != SHUFFLED and e not in long]
    assert {e.tier for e in extensions} == {"reduced"}
    rows = {(e.cell.table, e.cell.row) for e in extensions} - {(table, row) for table, row, *_ in printed()}
    augmented = {row for table, row in rows if table == byol.AUGMENTED}
    assert augmented == {"Ours", *UNTRAINED}
    assert {row for table, row in rows if table != byol.AUGMENTED} == UNTRAINED | {
        *(byol.LONGER, byol.OWN_BATCH, "Ours 1x")
    }
    assert {table for table, row in rows if row == "Ours 1x"} == {"Table 3"}  # its teacher is as wide as its student


def test_the_last_extensions_have_the_papers_epochs_and_widths() -> None:
    long = byol.paper_length("nw_ucla")
    assert byol.extensions()[-len(long) :] == long
    trained = [e.evaluation.weights for e in long if e.cell.row.startswith("Ours")]
    assert {(w.encoder.width, w.training.schedule.epochs) for w in trained} == {(64, 1600), (128, 1600)}
    assert {(e.tier, e.cell.table) for e in long} == {("paper", "Table 1")}
    assert {e.cell.row for e in long if e.evaluation.weights not in trained} == {
        NO_NETWORK,
        RANDOM,  # of width 1
        f"{RANDOM} 2x",
    }


# ── NW-UCLA ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_on_nw_ucla_both_cross_view_columns_have_the_leak_free_pretraining_and_cross_subject_has_its_own() -> None:
    ours = {e.cell.column: e for e in byol.table1("nw_ucla", tier="reduced") if e.cell.row == "Ours"}
    across, standard, subjects = (ours[f"NW-UCLA {ending}"] for ending in ("V3, leak-free", "V3", "CS"))
    assert across.evaluation.weights == standard.evaluation.weights
    assert [place(e)[1] for e in (across, standard, subjects)] == ["xview-v3-leakfree", "xview-v3", "xsub"]
    assert subjects.evaluation.weights.data.split == "xsub"  # no test subject is seen, with labels or without
    labelled = {e.cell.column: e for e in byol.table1("nw_ucla") if e.cell.row == "ST-GCN (sup.)"}
    assert labelled["NW-UCLA V3"].evaluation.weights.data.split == "xview-v3"


def test_cross_subject_comes_last_but_for_the_papers_length_and_tables_1_to_3_and_6_have_it() -> None:
    extensions = [e for e in byol.extensions() if e.tier == "reduced"]
    late = [e.cell.column.startswith("NW-UCLA CS") for e in extensions]
    assert late == sorted(late)
    tables = {e.cell.table for e, last in zip(extensions, late, strict=True) if last}
    assert tables == {f"Table {n}" for n in (1, 2, 3, 6)} | {byol.AUGMENTED, SHUFFLED}
    assert not any(e.cell.column == "NW-UCLA CS" for e in byol.equal_steps("nw_ucla"))


def test_with_more_epochs_sampling_viewpoints_takes_as_many_steps_as_without() -> None:
    """925 clips of 539 performances, in batches of 32."""
    longer, given = setting("nw_ucla").longer, setting("nw_ucla").epochs
    assert abs(longer * -(-539 // 32) - given * -(-925 // 32)) < -(-539 // 32)


@pytest.mark.parametrize(("tier", "there"), [("smoke", False), ("small", False), ("reduced", True), ("paper", True)])
def test_a_tier_that_cuts_both_to_the_same_epochs_has_no_row_of_equal_steps(tier: Tier, there: bool) -> None:
    assert bool(byol.equal_steps("nw_ucla", tier=tier)) == there


def test_where_there_is_one_camera_nothing_is_ablated_that_is_not_there() -> None:
    """Two rows that differ by the viewpoints alone would tell of chance."""
    for dataset in ("utd_mhad", "msrc12"):
        asked = [e for e in own_read_outs(byol.extensions()) if (place(e)[0], e.cell.table) == (dataset, "Table 2")]
        methods = [e.evaluation.weights.method for e in asked if e.cell.row not in UNTRAINED]
        learned = [(method.t1, method.t2, method.statistics) for method in methods]
        assert len(learned) == len(set(learned)) == len(byol.ABLATION) - 2 + 1  # and the row of batch statistics


def test_the_row_of_batch_statistics_differs_from_the_paper_s_in_these_alone() -> None:
    for dataset in ("ntu60", "nw_ucla"):
        table = {(e.cell.column, e.cell.row): e.evaluation for e in own_read_outs(byol.table2(dataset))}
        pairs = [(whole, table[column, byol.OWN_BATCH]) for (column, row), whole in table.items() if row == byol.ALL]
        assert pairs
        for whole, batch in pairs:
            method = replace(whole.weights.method, statistics="batch")
            assert (whole.weights.method.statistics, batch.weights.method) == ("momentum", method)
            assert batch == replace(whole, weights=replace(whole.weights, method=method))


# ── settings, Sec. 4.2 to 4.4 ───────────────────────────────────────────────────────────────────────────────────────


def schedule(weights: Weights) -> WarmupCosine:
    assert isinstance(weights.training.schedule, WarmupCosine)
    return weights.training.schedule


@pytest.mark.parametrize(("dataset", "epochs"), [("ntu60", 1600), ("ntu120", 1600), ("pku_mmd2", 4800)])
def test_pretraining_is_that_of_sec_4_2_with_ten_epochs_of_warm_up(dataset: str, epochs: int) -> None:
    weights = pretraining(dataset, "xsub")
    training, given = weights.training, schedule(weights)
    assert (given.epochs, given.warmup * epochs, given.start * 0.2) == pytest.approx((epochs, 10, 1e-6))
    assert (training.optimiser, training.batch) == (SGD(lr=0.2, momentum=0.9, weight_decay=1e-4), 512)
    assert training.performances
    assert not pretraining(dataset, "xsub", viewpoints=False).training.performances
    assert weights.data.view is not None
    assert (weights.data.view.frames, weights.data.view.fill) == (150, "loop")
    assert (weights.method.momentum, weights.encoder.width, weights.encoder.bones) == (0.99, 64, True)
    assert pretraining(dataset, "xsub", width=2).encoder.width == 128


def test_a_short_training_of_ours_warms_up_for_the_papers_share() -> None:
    assert schedule(pretraining("nw_ucla", "xsub")).warmup == 10 / 1600


def test_linear_evaluation_is_that_of_sec_4_3_and_ours_on_small_sets_is_the_cached_one_under_its_own_name() -> None:
    (paper,) = {e.evaluation.protocol for e in own_read_outs(byol.table2())}
    assert paper == AugmentedLinear(conservative(), SGD(lr=30.0), Steps(100, drops=(0.6, 0.8)), batch=256)
    assert paper.optimiser == SGD(lr=30.0, momentum=0.9, weight_decay=0.0)
    assert [round(paper.schedule.rate(epoch), 6) for epoch in (0, 59, 60, 79, 80, 99)] == [1, 1, 0.1, 0.1, 0.01, 0.01]
    (ours,) = {e.evaluation.protocol for e in own_read_outs(byol.table2("nw_ucla"))}
    assert isinstance(ours, Linear)
    assert ours.standardise
    assert {e.evaluation.protocol for e in byol.augmented("nw_ucla")} == {paper, Logistic()}


@pytest.mark.parametrize(("share", "epochs"), [(0.01, 100), (0.05, 20), (0.1, 10)])
def test_fine_tuning_and_distillation_are_those_of_sec_4_4(share: float, epochs: int) -> None:
    start = pretraining("ntu60", "xsub", width=2)
    tuned = finetuning(start, "xsub", share, 3)
    assert (tuned.training.optimiser, tuned.training.batch) == (SGD(lr=10.0, momentum=0.9, weight_decay=0.0), 8)
    assert (schedule(tuned), tuned.labels, tuned.seed, tuned.start) == (WarmupCosine(epochs), share, 3, start)
    assert (tuned.method.frozen, tuned.method.encoder_rate) == (1 / 3, 1e-3)
    assert tuned.method.steps == conservative()
    student = distilled(tuned, 0.5)
    assert (student.encoder.width, student.teacher, student.labels, student.start) == (32, tuned, None, None)
    assert (student.training.optimiser, student.training.batch) == (SGD(lr=0.2, momentum=0.9, weight_decay=1e-4), 256)
    assert (schedule(student), student.method.temperature) == (WarmupCosine(100), 1.0)


def test_our_fine_tuning_has_the_supervised_baselines_rate_and_differs_from_the_random_encoders_in_its_start() -> None:
    found = {e.cell.row: e.evaluation.weights for e in byol.table3("nw_ucla", teacher=1.0)[:4]}
    tuned, unlearned, alone = (found[row] for row in ("Ours 1x", "random encoder", "ST-GCN (sup.)"))
    assert tuned.training.optimiser.lr == alone.training.optimiser.lr
    assert (tuned.method.frozen, tuned.method.encoder_rate) == (1 / 3, 1.0)
    assert tuned.start is not None
    assert alone.start is None
    assert replace(tuned, start=None) == replace(unlearned, start=None)
    assert unlearned.start == untrained(tuned.start)
    assert found["Ours 1x, distilled"].teacher == tuned


DROPPED = {
    "No shear": Shear,
    "No low-pass filtering": SavitzkyGolay,
    "No temporal shift": TemporalShift,
    "No resampling": Resampling,
    "No left/right drop": LeftRightDrop,
}


@pytest.mark.parametrize("row", DROPPED)
def test_a_row_without_an_augmentation_has_all_others_in_both_pipelines(row: str) -> None:
    method = pretraining("ntu60", "xsub", **byol.ABLATION[row]).method
    for found, whole in ((method.t1, aggressive()), (method.t2, conservative())):
        assert found == tuple(step for step in whole if not isinstance(step, DROPPED[row]))
    assert len(method.t1) == len(aggressive()) - 1


def test_the_other_rows_of_the_ablation_are_ticked_as_printed() -> None:
    """Multi-viewpoint sampling and asymmetry, as Table 2 prints them."""
    ticks = {
        "Baseline BYOL: Only conservative augmentation": (False, conservative(), conservative()),
        "Baseline BYOL: Only aggressive augmentation": (False, aggressive(), aggressive()),
        "Without MVS: All augmentations": (False, aggressive(), conservative()),
        "Without Asymm. Aug.: Only aggressive augmentation": (True, aggressive(), aggressive()),
        "All augmentations": (True, aggressive(), conservative()),
    }
    found = {row: pretraining("ntu60", "xsub", **changes) for row, changes in byol.ABLATION.items()}
    assert {r: (w.training.performances, w.method.t1, w.method.t2) for r, w in found.items() if r in ticks} == ticks
    assert all(found[row].training.performances for row in DROPPED)
    assert set(found) == {*ticks, *DROPPED}


def test_table_5_tunes_every_width_and_distils_each_smaller_one_from_the_widest() -> None:
    table = [e for e in byol.table5() if e.cell.column == "1%" and e.evaluation.weights.seed == 0]
    floor = {e.cell.row: e.evaluation for e in table if e.cell.row in UNTRAINED}
    weights = {e.cell.row: e.evaluation.weights for e in table if e.cell.row not in floor}
    assert len(table) == len(floor) + len(weights)
    asked = {row: (e.protocol, e.labels) for row, e in floor.items()}
    assert asked == {RANDOM: (FLOOR, 0.01), NO_NETWORK: (FLOOR, 0.01)}
    assert (floor[RANDOM].weights.encoder.width, floor[RANDOM].weights.training.schedule.epochs) == (64, 0)
    widths = {"Ours 0.25x": 16, "Ours 0.5x": 32, "Ours 1x": 64, "Ours 2x": 128}
    assert {row: w.encoder.width for row, w in weights.items()} == widths | {
        f"{row}, distilled": width for row, width in widths.items() if row != "Ours 2x"
    }
    for row, found in weights.items():
        distils = row.endswith("distilled")
        assert found.teacher == (weights["Ours 2x"] if distils else None)
        assert distils or (found.start is not None and found.start.encoder.width == found.encoder.width)


def test_table_6_pretrains_on_the_source_and_tunes_on_all_labels_of_the_target() -> None:
    found = {e.cell.row: e.evaluation.weights for e in byol.table6()}
    tuned, alone = found["Ours"], found["ST-GCN (supervised)"]
    assert tuned.start == pretraining("ntu60", "xsub")
    assert (tuned.data.name, tuned.data.split, tuned.labels) == ("pku_mmd2", "xsub", None)
    assert schedule(tuned) == WarmupCosine(setting("pku_mmd2").transfer_epochs)
    assert (alone.data, alone.start) == (tuned.data, None)


def test_settling_moves_no_weight_and_leaves_the_norms_to_the_mild_pipeline() -> None:
    weights = settled(pretraining("nw_ucla", "xview-v3-leakfree"))
    assert weights.training.optimiser == SGD(lr=0.0)
    assert (weights.training.schedule.epochs, weights.training.performances) == (5, False)
    assert (weights.method.t1, weights.method.t2) == (conservative(), conservative())


def test_few_labels_are_five_subsets_with_a_teacher_of_twice_the_width() -> None:
    table = byol.table3()
    for row in ("Ours 2x", "Ours 1x, distilled", "ST-GCN (sup.)"):
        seeds = [e.evaluation.weights.seed for e in table if (e.cell.row, e.cell.column) == (row, "NTU-60 (CS) 1%")]
        assert seeds == [0, 1, 2, 3, 4]
    assert {e.evaluation.weights.teacher.encoder.width for e in table if e.evaluation.weights.teacher} == {128}


def test_the_supervised_baseline_is_that_of_sec_4_2() -> None:
    weights = supervised(pretraining("ntu60", "xsub"), "xsub")
    assert (weights.training.optimiser, weights.training.batch) == (SGD(lr=0.0125, weight_decay=3e-4), 8)
    assert weights.training.optimiser.momentum == 0.9
    rates = [round(weights.training.schedule.rate(epoch), 6) for epoch in (0, 55, 56, 69, 70, 79)]
    assert (weights.training.schedule.epochs, rates) == (80, [1, 1, 0.1, 0.1, 0.01, 0.01])
