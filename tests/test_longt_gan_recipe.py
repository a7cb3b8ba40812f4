"""The recipe of long-term dynamics: every published cell has its maker, and each kind of experiment runs to its row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from configs import own_read_outs

from skelkit import artefacts, run, store
from skelkit.data.clips import Clips
from skelkit.data.preprocess import preprocess
from skelkit.data.protocols import split
from skelkit.evaluate.cluster import Cluster
from skelkit.evaluate.inpainting import Inpainting
from skelkit.evaluate.logistic import Logistic
from skelkit.methods.autoencoder import AutoencoderConfig
from skelkit.recipes import PerClass, at_tier, longt_gan
from skelkit.recipes.experiment import Experiment
from skelkit.recipes.longt_gan_settings import SETTINGS, data_of, setting
from skelkit.recipes.places import places
from skelkit.report import published
from skelkit.report.results import NO_NETWORK, RANDOM, SHUFFLED

pytestmark = pytest.mark.usefixtures("one_thread")
KEY = ["table", "row", "column", "dataset", "split", "labels", "metric"]


def metric(e: Experiment) -> str:
    names = {Cluster: "clustering accuracy", Inpainting: "MSE", Logistic: "logistic top-1"}
    return names.get(type(e.evaluation.protocol), "top-1")


def fills(experiments: list[Experiment]) -> set[tuple[str, ...]]:
    """What the experiments on the paper's own data sets would fill, logistic regression left out."""
    return {
        (e.cell.table, e.cell.row, e.cell.column, data.name, data.split, e.cell.labels, metric(e))
        for e in own_read_outs(experiments)
        for data in [e.evaluation.weights.data]
        if data.name in longt_gan.PAPERS_OWN
    }


# ── published cells ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_cell_that_is_not_cited_has_an_experiment_but_for_accuracies_without_f() -> None:
    cells = published.cells("longt_gan")
    cells = cells[~cells["note"].str.startswith("cited")]
    printed = set(cells[KEY].itertuples(index=False, name=None))
    unmade = printed - fills(longt_gan.everything())
    assert {(row, column) for _, row, column, *_ in unmade} == {
        (f"Ours (w/o F), {loss} loss", column)
        for loss in ("element-wise", "joint")
        for column in ("Acc.(S)", "Acc.(U)")
    }  # the encoder of such a training is the random one, whose row stands beside


def test_an_experiment_fills_a_printed_cell_or_is_named_as_ours() -> None:
    printed = set(published.cells("longt_gan")[KEY].itertuples(index=False, name=None))
    unprinted = fills(longt_gan.everything()) - printed
    ours = {NO_NETWORK, RANDOM, "Ours (w/ F, zeros when tested), joint loss"}
    assert {row for table, row, *_ in unprinted if table != "Figure 3"} == ours
    of_the_curve = {(row, column) for table, row, column, *_ in unprinted if table == "Figure 3"}
    assert {row for row, _ in of_the_curve} == {"S: Ours", "S+P: Ours", NO_NETWORK, RANDOM}
    printed_point = {row for row, column in of_the_curve if column.endswith(", 2 a class")}
    assert printed_point == {NO_NETWORK, RANDOM}  # the other two rows are printed there


def test_extensions_use_the_printed_rows_and_meet_no_printed_cell() -> None:
    printed = published.cells("longt_gan")
    extensions = [e for e in longt_gan.extensions() if e.cell.table != SHUFFLED]
    assert {e.tier for e in extensions} == {"reduced"}
    assert not {e.evaluation.weights.data.name for e in extensions} & set(printed["dataset"])
    known = {*zip(printed["table"], printed["row"], strict=True)}
    rows = {(e.cell.table, e.cell.row) for e in extensions}
    zeros = {("Table 3", "Ours (w/ F, zeros when tested), joint loss")}
    assert rows - known == zeros | {(table, row) for table, _ in rows for row in (NO_NETWORK, RANDOM)}


def test_extensions_begin_with_the_scenarios_the_ablation_and_the_label_curve_across_actors() -> None:
    first = own_read_outs(longt_gan.extensions())
    assert [e.cell.row for e in first[:7]] == [
        *("U: Ours", "U: Autoencoder", RANDOM, NO_NETWORK),
        *("S: Ours", "S+P: Unsupervised LSTM", "S+P: Ours"),
    ]
    tables = [e.cell.table for e in first[: 7 + 13 + 80]]
    assert tables == ["Table 2"] * 7 + ["Table 3"] * 13 + ["Figure 3"] * 80
    places = {(e.evaluation.weights.data.name, e.evaluation.weights.data.split) for e in first[: len(tables)]}
    assert places == {("hdm05_11", "xsub")}


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_folds_and_frame_rates_are_the_paper_s() -> None:
    folds = {name: len(list(places(given))) for name, given in SETTINGS.items()}
    assert folds == {
        "cmu": 4,
        "cmu_subset": 3,
        "hdm05": 10,
        "mhad": 1,
        "hdm05_11": 1 + 10,
        "cmu_small": 4,
        "nw_ucla": 2,
        "sbu": 5,
        "utd_mhad": 1,
        "synthetic": 1,
    }
    rates = {name: SETTINGS[name].rate for name in (*longt_gan.PAPERS_OWN, *longt_gan.OURS)}
    assert rates == dict.fromkeys(("cmu", "cmu_subset", "hdm05", "hdm05_11"), 120) | {
        "cmu_small": 30,
        "mhad": 480,
        "nw_ucla": 30,
        "sbu": 15,
        "utd_mhad": 30,
    }
    assert [p.column for p in places(setting("cmu"))] == ["CMU"] * 4
    assert {name for name, given in SETTINGS.items() if given.at_most} == {"cmu", "cmu_subset", "mhad", "cmu_small"}


@pytest.mark.parametrize("name", longt_gan.OURS)
def test_real_clips_come_out_whole_at_15_frames_a_second_within_1(name: str, real_data: Callable[[str], Clips]) -> None:
    clips, given = real_data(name), setting(name)
    data = data_of(name, next(iter(given.splits.values())), 0)
    found = preprocess(clips, data.steps)
    expected = -(-clips.lengths * 15 // given.rate)
    assert found.lengths.tolist() == (expected.clip(max=35) if given.at_most else expected).tolist()
    assert abs(found.frames).max() == pytest.approx(1, abs=1e-5)
    assert found.lengths.max() <= data.view.frames  # nothing is cut off
    assert len(split(found, data.split, data.fold).test)


def test_the_official_variant_differs_where_the_released_code_does() -> None:
    ours = longt_gan.pretraining("hdm05_11", "xsub")
    theirs = longt_gan.pretraining("hdm05_11", "xsub", variant="official")
    assert (ours.method.lambda_adv, theirs.method.lambda_adv) == (0.1, 0)
    assert (theirs.method.mask.parts, theirs.method.mask.axes, theirs.method.mask.alike) == (3, 2, True)
    assert theirs.method.decoder.output == "recurrent"
    assert theirs.encoder.everywhere
    assert ours.training == theirs.training


def test_fine_tuning_and_supervised_training_share_all_but_their_start() -> None:
    ours = longt_gan.pretraining("hdm05_11", "xsub")
    tuned, alone = (f(ours, PerClass(2), 3) for f in (longt_gan.finetuning, longt_gan.supervised))
    assert (tuned.start, alone.start) == (ours, None)
    assert store.key(alone) != store.key(tuned)
    assert (tuned.training, tuned.labels, tuned.seed) == (alone.training, alone.labels, 3)


def test_the_baselines_share_network_clips_and_schedule() -> None:
    ours = longt_gan.pretraining("cmu", "folds", 0)
    for other in (longt_gan.autoencoder(ours), longt_gan.unsupervised_lstm(ours)):
        assert isinstance(other.method, AutoencoderConfig)
        assert (other.encoder, other.data, other.training) == (ours.encoder, ours.data, ours.training)
        assert other.method.decoder == ours.method.decoder


def test_at_tier_reduced_all_three_networks_are_a_quarter_as_wide_and_clips_stay_whole() -> None:
    weights = at_tier(longt_gan.table2("hdm05_11")[0], "reduced").evaluation.weights
    assert (weights.encoder.width, weights.method.decoder.width, weights.method.discriminator.width) == (200, 200, 50)
    assert weights.data.view.frames == 300


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def synthetic() -> Clips:
    return artefacts.load("synthetic")


@pytest.mark.parametrize(
    ("table", "dataset", "options", "rows"),
    [
        ("Table 1", "cmu_subset", {}, 7 + 4),
        ("Table 2", "hdm05_11", {}, 7 + 4),
        ("Table 2", "sbu", {"variant": "official"}, 7 + 4),
        ("Table 3", "hdm05_11", {}, 13 + 4),
        ("Figure 3", "mhad", {"samples": 1}, 16),
    ],
)
def test_a_table_runs_end_to_end_at_smoke_tier(
    table: str,
    dataset: str,
    options: dict[str, object],
    rows: int,  # of the recipe, and of logistic regression
    synthetic: Clips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artefacts, "load", lambda name: synthetic)
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path / "results"))
    experiments = longt_gan.comparison(table, dataset, tier="smoke", **options)
    fold = experiments[0].evaluation.weights.data.fold
    one_place = [e for e in experiments if e.evaluation.weights.data.fold == fold]
    found = [next(row for row in run.evaluate(e) if row.metric == metric(e)) for e in one_place[:rows]]
    assert len(found) == rows
    for row, e in zip(found, one_place, strict=False):
        assert (row.table, row.row, row.labels, row.selection) == (table, e.cell.row, e.cell.labels, "last")
        assert torch.isfinite(torch.tensor(row.value))
        if isinstance(labels := e.evaluation.weights.labels or e.evaluation.labels, PerClass):
            assert row.n_train <= 17 * labels.clips
