"""The recipe of sparse active learning: each published cell has its maker, each kind of experiment runs to rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from skelkit import artefacts, run, store
from skelkit.data.clips import Clips
from skelkit.data.library import load
from skelkit.data.preprocess import preprocess
from skelkit.data.protocols import drawn_of_all
from skelkit.data.views import Resident
from skelkit.evaluate.active import ActiveLearning
from skelkit.evaluate.strategies import KMeansTop, Uniform
from skelkit.files import SkelkitError
from skelkit.recipes import Drawn, at_tier, sesar
from skelkit.recipes.experiment import Experiment, OwnClassifier, Tier, Weights
from skelkit.recipes.sesar_settings import SETTINGS, baseline, budgets, pretraining, setting, toy
from skelkit.report import published
from skelkit.report.results import NO_NETWORK, RANDOM

pytestmark = pytest.mark.usefixtures("one_thread")
CITED = ("ASSL", "MS2L")
PRINTED = ["table", "row", "column", "dataset", "split", "labels"]
FRAMED = {NO_NETWORK, RANDOM, "Predict & Cluster, linear"}
"""Our three rows beside the paper's."""


def fills(experiments: list[Experiment]) -> set[tuple[str, ...]]:
    """What the experiments on the paper's own data sets would fill."""
    return {
        (e.cell.table, e.cell.row, e.cell.column, data.name, data.split, e.cell.labels)
        for e in experiments
        for data in [e.evaluation.weights.data]
    }


def row(name: str, labels: int = 50, **options: object) -> Weights:
    """Weights of a row of Table 2 on NW-UCLA."""
    (found,) = (e for e in sesar.table2(endings=("",), labels=(labels,), **options) if e.cell.row == name)
    return found.evaluation.weights


# ── published cells ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_cell_of_the_tables_that_is_not_cited_has_an_experiment() -> None:
    cells = published.cells("sesar")
    cells = cells[cells["table"].str.startswith("Table") & ~cells["row"].str.startswith(CITED)]
    printed = set(cells[PRINTED].itertuples(index=False, name=None))
    assert len(printed) == 3 * 8 * 4
    assert printed <= fills(sesar.everything())


def test_an_experiment_of_a_printed_split_fills_a_printed_cell_or_is_named_as_ours() -> None:
    printed = set(published.cells("sesar")[PRINTED].itertuples(index=False, name=None))
    unprinted = {cell for cell in fills(sesar.everything()) - printed if cell[0].startswith("Table")}
    leaky = {cell for cell in unprinted if cell[4] == "xview-v3-leakfree" or cell[3] in sesar.OURS}
    assert {name for _, name, *_ in unprinted - leaky} == FRAMED | set(sesar.OUTSIDE)


@pytest.mark.parametrize("dataset", SETTINGS)
def test_a_data_set_s_table_is_the_published_one_that_it_stands_in(dataset: str) -> None:
    cells = published.cells("sesar")
    own = cells[cells["table"].str.startswith("Table") & (cells["dataset"] == dataset)]["table"].unique()
    assert sesar.own_table(dataset) == (own[0] if len(own) else "Table 2")


def test_extensions_begin_with_50_labels_of_nw_ucla_with_the_leak_and_without() -> None:
    found = sesar.extensions()
    assert {e.tier for e in found} == {"reduced"}
    first = found[:22]
    assert {e.cell.labels for e in first} == {"5%"}
    assert [e.evaluation.weights.data.split for e in first] == ["xview-v3"] * 11 + ["xview-v3-leakfree"] * 11
    assert {e.cell.row for e in first} == {
        "C",
        "RC",
        "RIC",
        *(f"SESAR-{s}" for s in ("DIS", "U", "CS", "KT", "KJS")),
    } | FRAMED
    assert len(found) == len(set(found))


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SETTINGS)
def test_budgets_rise_to_every_column_s_labels_and_a_column_begins_with_the_one_before(name: str) -> None:
    given, shorter = setting(name), ()
    for labels in given.labels:
        found = budgets(given, labels)
        assert found[-1] == labels
        assert list(found) == sorted(set(found))
        assert found[: len(shorter)] == shorter
        shorter = found


def test_the_rounds_of_table_2_by_hand() -> None:
    assert budgets(setting("nw_ucla"), 150) == (10, 20, 30, 40, 50, 100, 150)


def test_the_baselines_share_labels_and_epochs_and_a_step_of_c_holds_as_many_labels_as_one_of_rc() -> None:
    c, rc, ric, uniform = (row(name) for name in ("C", "RC", "RIC", "SESAR-U"))
    assert c.labels == rc.labels == ric.labels == Drawn(50)
    assert {w.training.schedule.epochs for w in (c, rc, ric)} == {5 * uniform.training.schedule.epochs}
    assert (c.method.decoder, c.start, rc.start) == (None, None, None)
    assert ric.start == uniform.start == pretraining("nw_ucla", "xview-v3")
    assert c.training.batch == round(64 * 0.05)
    assert c.training == replace(rc.training, batch=3)


def test_the_released_code_s_settings_are_another_variant() -> None:
    paper, official = row("SESAR-KT"), row("SESAR-KT", variant="official")
    assert (paper.encoder.directions, official.encoder.directions) == ("both ways", "two forward")
    assert (paper.training.clip, official.training.clip) == (25.0, 25.0)
    assert (paper.training.schedule.every, paper.training.schedule.of) == (1000, "steps")
    assert (official.training.schedule.every, official.training.schedule.of) == (2, "epochs")
    assert (paper.training.optimiser.lr, paper.encoder.width, paper.encoder.layers) == (1e-4, 1024, 3)


def test_the_two_cross_entropies_differ_in_that_alone() -> None:
    found = {e.cell.row: e.evaluation.weights for e in sesar.cross_entropies(endings=("",))}
    assert list(found) == ["RIC, sum", "RIC, mean", "SESAR-KT, sum", "SESAR-KT, mean", RANDOM, NO_NETWORK]
    assert found["RIC, sum"] == row("RIC")
    for name in ("RIC", "SESAR-KT"):
        one, other = found[f"{name}, sum"], found[f"{name}, mean"]
        assert replace(other, method=one.method) == one != other


def test_toys_differ_in_size_alone_and_all_train_for_as_many_epochs() -> None:
    kt, ric = toy(row("SESAR-KT"), 51, 8), toy(row("RIC"), 51, 8)
    assert (kt.start, kt.method) == (ric.start, row("SESAR-KT").method)
    assert (kt.active.strategy, kt.active.budgets) == (KMeansTop(20), (17, 34, 51))
    assert (ric.active, ric.labels, kt.labels) == (None, Drawn(51), None)
    assert [w.training.schedule.epochs for w in (kt, ric, kt.start)] == [8, 24, 24]
    assert {(w.encoder.width, w.data.clips, w.training.bf16) for w in (kt, ric, kt.start)} == {(32, 340, False)}


@pytest.mark.parametrize("tier", get_args(Tier))
def test_a_walk_takes_toys_below_tier_paper_that_share_one_pretraining(tier: Tier) -> None:
    found = {name: e.evaluation.weights for name, e in sesar.toys("synthetic", tier, seed=1).items()}
    assert list(found) == ["RIC", "SESAR-U", "SESAR-KT", "SESAR-KJS"]
    assert {w.seed for w in found.values()} == {1}
    assert len({w.start for w in found.values()}) == 1
    assert {w.encoder.width for w in found.values()} == {1024 if tier == "paper" else 32}


def test_strategies_of_one_split_and_seed_share_one_pretraining() -> None:
    starts = {e.evaluation.weights.start for e in sesar.table2(endings=("",)) if e.evaluation.weights.start}
    assert len(starts) == 1
    assert row("SESAR-KT").active == ActiveLearning(KMeansTop(20), (10, 20, 30, 40, 50), 0)


def test_clips_are_one_person_s_50_frames_in_the_axes_of_the_first_pose(real_data: Callable[[str], Clips]) -> None:
    clips, data = real_data("nw_ucla"), pretraining("nw_ucla", "xview-v3").data
    x = Resident(preprocess(clips, data.steps), data.view).clips(torch.arange(64))
    assert x.shape == (64, 3, 50, 20, 1)
    assert (x.min().item(), x.max().item()) == (pytest.approx(-1.0), pytest.approx(1.0))


# ── running ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def clips() -> Clips:
    return load("synthetic")


@pytest.fixture(autouse=True)
def _places(clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "load", lambda name: clips)
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path / "results"))


def smoke(name: str, **options: object) -> Experiment:
    (found,) = (e for e in sesar.table2(tier="smoke", endings=("",), labels=(50,), **options) if e.cell.row == name)
    return found


@pytest.mark.parametrize("name", ["C", "RIC", "SESAR-KJS", "BADGE", RANDOM, NO_NETWORK])
def test_a_row_says_how_many_labels_its_classifier_saw(name: str) -> None:
    (found,) = (
        each for each in run.evaluate(smoke(name, outside=True)) if (each.metric, each.selection) == ("top-1", "last")
    )
    assert (found.row, found.n_train, found.n_test) == (name, 8, 40)


def test_the_history_of_a_run_goes_through_its_rounds_and_a_second_run_trains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = smoke("SESAR-KT").evaluation.weights
    record = store.record(artefacts.weights_folder(weights))
    assert [(each["epoch"], each["round"]) for each in record["history"]] == [(1, 1), (2, 2)]
    assert all("test top-1" in each for each in record["history"])

    def never(*_: object, **__: object) -> None:
        raise AssertionError("this should have been found again")

    monkeypatch.setattr("skelkit.evaluate.learner.train", never)
    session = artefacts.session_of(weights)
    session.verify()
    assert session.table().groupby("round").size().tolist() == [4, 4]


def test_more_labels_of_one_run_go_on_from_fewer() -> None:
    few = smoke("SESAR-U").evaluation.weights
    first = artefacts.session_of(replace(few, active=replace(few.active, budgets=(4,))))
    assert artefacts.session_of(few).rounds[0] == first.rounds[0]


def test_the_weights_of_a_run_are_those_of_its_last_round() -> None:
    weights = smoke("SESAR-CS").evaluation.weights
    state, session = artefacts.trained(weights).state_dict(), artefacts.session_of(weights)
    assert all(torch.equal(state[name], tensor) for name, tensor in session.trainable.state_dict().items())
    before, after = session.look_back(0)[0], session.look_back(2)[0]
    assert not torch.allclose(before, after)
    assert torch.equal(session.look()[0], after)  # looking back has changed nothing


def test_no_label_is_trained_on_that_was_not_asked_for(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, seen = smoke("SESAR-U").evaluation.weights, []
    real = artefacts.Learner.learn

    def learn(self: object, labels: Tensor, seed: int) -> object:
        seen.append(labels.clone())
        return real(self, labels, seed)

    monkeypatch.setattr(artefacts.Learner, "learn", learn)
    session = artefacts.session_of(weights)
    known = session.table().set_index("clip")["label"]
    truth = clips.labels[artefacts.prepare(weights.data).split.train]
    assert [(each >= 0).sum().item() for each in seen] == [0, 4, 8]
    assert (truth[known.index] == known).all()


def test_weights_that_asked_for_no_label_have_no_session() -> None:
    with pytest.raises(SkelkitError, match=r"give some with Weights\.active"):
        artefacts.session_of(smoke("RIC").evaluation.weights)


def test_a_linear_layer_sees_the_labels_that_the_baselines_see(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = smoke("random encoder").evaluation
    prepared, seen = artefacts.prepare(evaluation.weights.data), []
    real = run.linear

    def noted(protocol: object, ours: tuple[Tensor, Tensor], *others: object) -> object:
        seen.append(ours[1])
        return real(protocol, ours, *others)

    monkeypatch.setattr(run, "linear", noted)
    run.measure(evaluation)
    ric = artefacts.labelled((weights := smoke("RIC").evaluation.weights).labels, weights.seed, prepared)
    assert torch.equal(seen[0].cpu(), torch.from_numpy(prepared.clips.labels[np.sort(ric)]))


# ── labels that are drawn ───────────────────────────────────────────────────────────────────────────────────────────


def test_drawn_labels_by_hand_and_nested() -> None:
    labels = np.array([0, -1, 1, 1, -1, 0, 2, 2])
    few, more = (drawn_of_all(labels, n, seed=3) for n in (2, 5))
    assert (len(few), len(more)) == (2, 5)
    assert set(few) < set(more)
    assert (labels[more] >= 0).all()
    assert list(more) == sorted(more)
    assert not np.array_equal(drawn_of_all(labels, 5, seed=4), more) or not np.array_equal(
        drawn_of_all(labels, 2, 4), few
    )


def test_every_clip_is_as_likely_to_be_drawn() -> None:
    labels = np.repeat([0, 1], [90, 10])  # a balanced draw would take half of the rare class
    share = np.mean([labels[drawn_of_all(labels, 10, seed)].mean() for seed in range(300)])
    assert abs(share - 0.1) < 0.02


@pytest.mark.parametrize("n", [0, 7])
def test_labels_that_cannot_be_drawn_are_refused(n: int) -> None:
    with pytest.raises(SkelkitError, match="give 1 to 6"):
        drawn_of_all(np.array([0, -1, 1, 1, -1, 0, 2, 2]), n, seed=0)


def test_a_smoke_tier_asks_for_8_labels_in_two_rounds() -> None:
    shortened = at_tier(next(e for e in sesar.table2() if e.cell.row == "SESAR-U"), "smoke")
    assert shortened.evaluation.weights.active.budgets == (4, 8)
    assert isinstance(shortened.evaluation.protocol, OwnClassifier)
    assert shortened.evaluation.weights.active.strategy == Uniform()


def test_c_of_an_unknown_data_set_has_its_share_of_a_batch() -> None:
    start = pretraining("mine", "xsub")
    assert baseline(start, 20, "C").training.batch == round(64 * 20 / 500)
