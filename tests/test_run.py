"""From an experiment to its rows: nothing is trained twice, nothing is measured on what it was trained to know."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import clips_of
from torch import Generator

from skelkit import artefacts, run, store
from skelkit.augment import LeftRightDrop
from skelkit.data.clips import Clips
from skelkit.data.library import load
from skelkit.data.views import Resample, View
from skelkit.evaluate.cluster import Cluster, cluster
from skelkit.evaluate.compression import CompressedKNN
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.linear import AugmentedLinear, Linear, linear
from skelkit.evaluate.logistic import Logistic
from skelkit.files import SkelkitError
from skelkit.methods.byol import BYOLConfig
from skelkit.methods.distillation import DistillationConfig
from skelkit.methods.predict_cluster import PredictClusterConfig
from skelkit.methods.sesar import SESARConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.agcn import AGCN
from skelkit.models.gru import BiGRU
from skelkit.models.rnn import RecurrentEncoder
from skelkit.recipes import ascal, at_tier
from skelkit.recipes.experiment import Cell, Data, Evaluation, Experiment, OwnClassifier, Weights
from skelkit.report import results
from skelkit.train import SGD, Adam, Steps, Training, WarmupCosine

pytestmark = pytest.mark.usefixtures("one_thread")
CELL = Cell("ascal", "Table V", "Ours (CAE)", "Fold 1")


def weights(**changes: Any) -> Weights:
    """AS-CAL on forty synthetic clips, one epoch."""
    (experiment,) = [at_tier(Experiment(CELL, Evaluation(ascal.pretraining("synthetic", "xsub"), KNN())), "smoke")]
    return replace(experiment.evaluation.weights, **changes)


def smoke(protocol: Any = None, **changes: Any) -> Experiment:
    protocol = protocol or Linear(schedule=Steps(2))
    return Experiment(CELL, Evaluation(weights(**changes), protocol), tier="smoke")


@pytest.fixture(scope="session")
def synthetic() -> Clips:
    """The embedded clips, once a session."""
    return artefacts.load("synthetic")


@pytest.fixture(autouse=True)
def _places(synthetic: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store and a results folder of each test's own; the clips are opened once."""
    monkeypatch.setattr(artefacts, "load", lambda name: synthetic)
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path / "results"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Count the calls of a function that artefacts.py or run.py calls."""

    def count(name: str) -> list[str]:
        calls: list[str] = []
        room = artefacts if name in ("train", "extract") else run
        real = getattr(room, name)

        def noted(*args: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*args, **options)

        monkeypatch.setattr(room, name, noted)
        return calls

    return count


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("this should have been found again")


def test_a_second_evaluation_trains_extracts_and_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run.evaluate(smoke())
    for name in ("train", "extract"):
        monkeypatch.setattr(artefacts, name, never)
    for name in ("extract", "linear", "knn", "measure", "weights_folder", "features"):
        monkeypatch.setattr(run, name, never)
    assert run.evaluate(smoke()) == first


def test_a_row_says_what_was_measured_on_what() -> None:
    rows = run.evaluate(smoke())
    assert [(r.metric, r.selection) for r in rows] == [
        ("top-1", "last"),
        ("balanced accuracy", "last"),
        ("top-5", "last"),
        ("top-1", "best test epoch"),
    ]
    for row in rows:
        assert {name: getattr(row, name) for name in asdict(CELL)} == asdict(CELL)
        assert (row.dataset, row.split, row.fold, row.seed, row.tier) == ("synthetic", "xsub", -1, 0, "smoke")
        assert (row.n_train, row.n_test) == (40, 40)
        assert row.key == store.key(smoke().evaluation)
        assert row.parents == (store.key(weights()),)
        assert {"python", "torch", "numpy", "skelkit", "data"} <= row.versions.keys()
        assert row.device.startswith("cpu")
        assert row.seconds > 0


def test_a_row_s_seconds_hold_its_training_once(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = artefacts.train

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(2)
        return quick(*arguments, **options)

    monkeypatch.setattr(artefacts, "train", slow)
    measured = run.evaluate(smoke())[0].seconds
    trained = store.record(store.folder_of("weights", weights()))["seconds"]
    assert 2 <= trained < measured < trained + 2  # the evaluation itself is a matter of milliseconds


def test_the_best_test_epoch_is_a_second_row_and_never_the_first() -> None:
    last, best = (
        next(r for r in run.evaluate(smoke()) if (r.metric, r.selection) == ("top-1", selection))
        for selection in ("last", "best test epoch")
    )
    curve = run.measure(smoke().evaluation)["curve"]
    assert len(curve) == 2
    assert last.value == pytest.approx(curve[-1], abs=1e-3)
    assert best.value == pytest.approx(max(curve), abs=1e-3)


def test_a_protocol_without_epochs_has_no_best_one() -> None:
    assert [(r.metric, r.selection) for r in run.evaluate(smoke(KNN()))] == [
        ("kNN top-1", "last"),
        ("kNN balanced accuracy", "last"),
    ]


def test_clustering_reads_the_stored_features_and_its_seed_is_that_of_the_weights() -> None:
    experiment = smoke(Cluster())
    rows = run.evaluate(experiment)
    assert [(row.metric, row.selection) for row in rows] == [
        ("clustering accuracy", "last"),
        ("clustering balanced accuracy", "last"),
    ]
    prepared = run.prepare(weights().data)
    labels = prepared.resident.labels
    sides = [labels[torch.from_numpy(i)] for i in (prepared.split.train, prepared.split.test)]
    known, asked = zip(run.features(weights()), sides, strict=True)
    scores = cluster(Cluster(), known, asked, 17, weights().seed).scores
    assert {row.metric: row.value for row in rows} == {metric: round(value, 4) for metric, value in scores.items()}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"labels": 0.5},
        {"method": replace(weights().method, temperature=0.1)},
        {"encoder": replace(weights().encoder, cell="gru")},
        {"data": replace(weights().data, view=View(10))},
        {"training": replace(weights().training, batch=16)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_knob_makes_a_new_key(change: dict[str, Any]) -> None:
    assert store.key(smoke(**change).evaluation) != store.key(smoke().evaluation)
    assert store.key(weights(**change)) != store.key(weights())


def test_a_changed_knob_of_the_classifier_trains_the_encoder_no_second_time(
    counted: Callable[[str], list[str]],
) -> None:
    trainings, extractions = counted("train"), counted("extract")
    first, second = run.evaluate(smoke()), run.evaluate(smoke(Linear(schedule=Steps(3))))
    assert first[0].key != second[0].key
    run.evaluate(smoke(KNN()))
    assert (len(trainings), len(extractions)) == (1, 2)  # the training clips and the test clips


def test_a_cells_name_is_no_part_of_the_key() -> None:
    """Two cells with one measurement: it is made once, and each has its row."""
    other = replace(smoke(), cell=replace(CELL, table="Fig. 9", row="None"))
    first = run.evaluate(smoke())
    assert [(r.table, r.row, r.value) for r in run.evaluate(other)] == [("Fig. 9", "None", r.value) for r in first]
    assert len(results.read("ascal", run.rows_folder("smoke"))) == 2 * len(first)


def test_rows_are_found_by_key_in_a_fresh_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = replace(smoke(), tier="paper")
    first = run.evaluate(committed)
    assert (tmp_path / "results" / "rows" / "ascal.jsonl").exists()
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "another"))
    monkeypatch.setattr(artefacts, "train", never)
    monkeypatch.setattr(artefacts, "load", never)  # neither data nor weights are asked for
    assert run.rows_of(committed) == first
    assert run.evaluate(committed) == first
    assert not (tmp_path / "another").exists()


def test_smoke_rows_never_go_to_the_results(tmp_path: Path) -> None:
    run.evaluate(smoke())
    run.evaluate(replace(smoke(), tier="small"))
    assert not (tmp_path / "results").exists()
    assert {r.tier for r in results.read("ascal", tmp_path / "store" / "rows")} == {"smoke"}
    with pytest.raises(SkelkitError, match="smoke row is never committed"):
        results.append(run.rows_of(smoke()))


def test_a_random_encoder_needs_no_training() -> None:
    chosen = ascal.untrained(weights())
    experiment = Experiment(CELL, Evaluation(chosen, KNN()), tier="smoke")
    run.evaluate(experiment)
    assert store.record(run.weights_folder(chosen))["history"] == []
    start, _ = artefacts.untrained(chosen)
    ends = run.trained(chosen).state_dict()
    assert all(torch.equal(tensor, ends[name]) for name, tensor in start.state_dict().items())


def test_training_starts_from_the_random_encoder_of_its_seed() -> None:
    start, _ = artefacts.untrained(weights())
    other, _ = artefacts.untrained(ascal.untrained(weights()))
    further, _ = artefacts.untrained(weights(seed=1))
    states = [m.encoder.state_dict()["cell.weight_ih_l0"] for m in (start, other, further)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_recompute_trains_extracts_and_measures_again(counted: Callable[[str], list[str]]) -> None:
    first = run.evaluate(smoke())
    path = store.folder_of("features", {"weights": weights(), "encoder": ""})
    made = path.stat().st_ino
    calls = {name: counted(name) for name in ("train", "extract", "linear")}
    second = run.evaluate(smoke(), recompute=True)
    assert {name: len(list_) for name, list_ in calls.items()} == {"train": 1, "extract": 2, "linear": 1}
    assert path.stat().st_ino != made
    assert [r.value for r in second] == [r.value for r in first]  # the same bits, on the same machine
    assert len(results.read("ascal", run.rows_folder("smoke"))) == len(first)


def test_a_resumed_trainings_rows_tell_the_seconds_of_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "spent", lambda checkpoint: 5000.0 * (store.key(weights()) in checkpoint.name))
    assert all(5000 < row.seconds < 6000 for row in run.evaluate(smoke()))


def test_a_fault_after_training_leaves_the_weights_and_neither_checkpoint_nor_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = tmp_path / "store" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / f".{store.key(weights())}.safetensors.0badcafe.part").touch()  # of a run that was killed
    (checkpoints / ".of another.safetensors.0badcafe.part").touch()
    with monkeypatch.context() as patch:
        patch.setattr(artefacts, "extract", never)
        with pytest.raises(AssertionError):
            run.evaluate(smoke())
    assert store.built("weights", weights())
    assert [path.name for path in checkpoints.iterdir()] == [".of another.safetensors.0badcafe.part"]
    assert not store.built("features", {"weights": weights(), "encoder": ""})
    assert not store.built("evaluations", smoke().evaluation)
    assert results.read("ascal", run.rows_folder("smoke")) == []


def test_cae_plus_is_query_and_key_side_by_side() -> None:
    query, key, both = (run.features(weights(), name) for name in ("CAE", "k", "CAE+"))
    for side in (0, 1):
        assert torch.equal(torch.cat([query[side], key[side]], 1), both[side])
    assert not torch.equal(query[0], key[0])
    main = run.features(weights())
    assert torch.equal(main[0], query[0])


def test_features_are_of_the_splits_own_clips_in_order() -> None:
    train, test = run.features(weights(), "CAE")
    prepared = run.prepare(weights().data)
    encoder = run.trained(weights()).eval().encoder
    for features, index in ((train, prepared.split.train), (test, prepared.split.test)):
        one_by_one = torch.cat([encoder(prepared.resident.clips(torch.tensor([int(i)]))) for i in index])
        torch.testing.assert_close(features, one_by_one.detach(), rtol=1e-4, atol=1e-6)
    subjects = prepared.clips.column("subject")
    assert not set(subjects[prepared.split.train]) & set(subjects[prepared.split.test])


def test_on_shuffled_training_labels_the_representation_is_near_chance() -> None:
    """Were test labels to leak anywhere into features or read-out, this would be far above chance."""
    data = Data("synthetic", "xsub", view=View(20), clips=340)
    base = ascal.pretraining("synthetic", "xsub")
    chosen = replace(
        base,
        data=data,
        encoder=replace(base.encoder, width=32),
        method=replace(base.method, queue=128),
        training=replace(base.training, schedule=Steps(2)),
    )
    train, test = run.features(chosen, "CAE")
    prepared = run.prepare(data)
    labels = prepared.resident.labels
    sides = [labels[torch.from_numpy(i)] for i in (prepared.split.train, prepared.split.test)]
    protocol, classes = Linear(SGD(0.5, nesterov=True), Steps(10), 32), len(prepared.clips.classes)

    def top1(of_training: torch.Tensor) -> float:
        torch.manual_seed(0)
        found = linear(protocol, (train, of_training), (test, sides[1]), classes, Generator().manual_seed(0))
        return found.scores["top-1"]

    rng, chance = Generator().manual_seed(0), 100 / classes
    shuffled = [top1(sides[0][torch.randperm(len(sides[0]), generator=rng)]) for _ in range(20)]
    assert np.mean(shuffled) < 1.7 * chance  # one draw is at 0.2 to 2 chances, so that a few would not do
    assert top1(sides[0]) > 2 * chance  # with other seeds 2.8 to 3.3


@pytest.mark.parametrize("protocol", [Linear(schedule=Steps(2)), KNN()], ids=["linear", "knn"])
def test_shuffled_labels_are_the_training_labels_in_another_order_and_the_test_labels_stay(
    protocol: Linear | KNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, Any]] = []
    function = {Linear: linear, KNN: knn}[type(protocol)]

    def watched(protocol: Any, ours: Any, theirs: Any, *rest: Any) -> Any:
        seen.append((ours, theirs))
        return function(protocol, ours, theirs, *rest)

    monkeypatch.setattr(run, function.__name__, watched)
    plain = Evaluation(ascal.untrained(weights()), protocol, "CAE")
    for shuffled in (False, True):
        run.measure(replace(plain, shuffled=shuffled))
    ((features, labels), theirs), ((same, exchanged), others) = seen
    assert torch.equal(features, same)
    assert torch.equal(theirs[1], others[1])
    assert not torch.equal(labels, exchanged)
    assert torch.equal(labels.bincount(), exchanged.bincount())


def test_a_supervised_method_is_tested_by_its_own_classifier_and_its_history_has_the_best_epoch() -> None:
    baseline = ascal.baseline(weights(), "gru")
    baseline = replace(baseline, training=replace(baseline.training, schedule=Steps(3)))
    rows = run.evaluate(Experiment(CELL, Evaluation(baseline, OwnClassifier()), tier="smoke"))
    history = store.record(run.weights_folder(baseline))["history"]
    curve = [record["test top-1"] for record in history]
    values = {(r.metric, r.selection): r.value for r in rows}
    assert values["top-1", "last"] == pytest.approx(curve[-1], abs=1e-3)
    assert values["top-1", "best test epoch"] == pytest.approx(max(curve), abs=1e-3)


def test_a_label_fraction_trains_on_so_many_clips_and_starts_from_the_pretrained_encoder() -> None:
    chosen = weights()
    tuned = replace(ascal.baseline(chosen, "lstm"), labels=0.5, start=chosen)
    start, _ = artefacts.untrained(tuned)
    pretrained = run.trained(chosen).encoder.state_dict()
    assert all(torch.equal(tensor, pretrained[name]) for name, tensor in start.encoder.state_dict().items())
    prepared = run.prepare(tuned.data)
    half = run.labelled(tuned.labels, tuned.seed, prepared)
    assert set(half) < set(prepared.split.train)
    assert run.measure(Evaluation(tuned, OwnClassifier()))["n_train"] == len(half)


def distilled(**changes: Any) -> Weights:
    """A student of four units, taught by a baseline of eight."""
    teacher = ascal.baseline(weights(), "gru")
    student = replace(teacher, encoder=replace(teacher.encoder, width=4), method=DistillationConfig(), teacher=teacher)
    return replace(student, **changes)


SEMI = Training(Adam(0.001), Steps(1), batch=20)


def test_a_method_that_reconstructs_sees_every_training_clip_and_a_few_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    quick = artefacts.train

    def noting(method: Any, data: Any, members: np.ndarray, *arguments: Any, **options: Any) -> Any:
        seen.append((len(members), int((data.labels >= 0).sum())))
        return quick(method, data, members, *arguments, **options)

    monkeypatch.setattr(artefacts, "train", noting)
    for config in (SESARConfig(), SESARConfig(decoder=None)):
        chosen = weights(encoder=BiGRU(4, 1), method=config, training=SEMI, labels=0.5)
        rows = run.evaluate(Experiment(CELL, Evaluation(chosen, OwnClassifier()), tier="smoke"))
        assert {(row.metric, row.selection) for row in rows} >= {("top-1", "last"), ("top-1", "best test epoch")}
        assert {row.n_train for row in rows} == {20}
    everyone = len(run.prepare(chosen.data).clips)
    assert seen == [(40, 20), (20, everyone)]  # C is not shown what it cannot learn from


def test_ric_starts_from_encoder_and_decoder_of_its_pretraining() -> None:
    before = weights(encoder=BiGRU(4, 1), method=PredictClusterConfig(), training=SEMI)
    after = replace(before, method=SESARConfig(), start=before, labels=0.5)
    ours, theirs = artefacts.untrained(after)[0].state_dict(), run.trained(before).state_dict()
    assert {name for name in ours if name not in theirs} == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_compressed_features_have_a_row_of_their_own_and_repeat_themselves() -> None:
    chosen = weights(encoder=BiGRU(8, 1), method=PredictClusterConfig(), training=SEMI)
    whole = at_tier(Experiment(CELL, Evaluation(chosen, CompressedKNN(parts=(2, 4)))), "smoke")
    assert whole.evaluation.protocol == CompressedKNN(parts=(2, 4), epochs=2)
    rows = run.evaluate(whole)
    assert [(row.metric, row.selection, row.n_train) for row in rows] == [
        ("kNN top-1", "last", 40),
        ("kNN balanced accuracy", "last", 40),
    ]
    assert [row.value for row in run.evaluate(whole, recompute=True)] == [row.value for row in rows]


def test_a_distilled_student_is_tested_by_its_own_classifier_and_its_weights_hold_no_teacher() -> None:
    rows = run.evaluate(Experiment(CELL, Evaluation(distilled(), OwnClassifier()), tier="smoke"))
    folder = run.weights_folder(distilled())
    (curve,) = [[epoch["test top-1"] for epoch in store.record(folder)["history"]]]
    assert {r.selection: r.value for r in rows if r.metric == "top-1"}["last"] == pytest.approx(curve[-1], abs=1e-3)
    names = set(load_file(folder / "weights.safetensors"))
    assert names == set(artefacts.untrained(replace(distilled(), teacher=None))[0].state_dict())
    assert run.trained(distilled()).teacher_scores is None  # which the student no longer needs
    # It saw its teacher's scores on all clips, and no label but those that the teacher had seen.
    few = replace(distilled().teacher, labels=0.5)
    taught = run.measure(Evaluation(distilled(teacher=few), OwnClassifier()))
    assert taught["n_train"] == run.measure(Evaluation(few, OwnClassifier()))["n_train"] < rows[0].n_train


def test_a_student_is_the_same_whether_its_teacher_was_there_or_had_to_be_trained_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = load_file(run.weights_folder(distilled()) / "weights.safetensors")
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "other"))
    run.weights_folder(distilled().teacher)
    torch.rand(7)  # torch's own generator may stand anywhere
    later = load_file(run.weights_folder(distilled()) / "weights.safetensors")
    assert [name for name in later if not torch.equal(later[name], at_once[name])] == []


def test_another_teacher_makes_another_key_and_none_leaves_the_key_as_it_was() -> None:
    one, other = distilled(), distilled(teacher=replace(distilled().teacher, seed=5))
    assert store.key(one) != store.key(other)
    assert "teacher" not in store.canonical(weights())


def test_a_teacher_of_a_method_that_takes_none_is_refused() -> None:
    with pytest.raises(SkelkitError, match=r"SupervisedConfig takes no teacher; leave Weights\.teacher out"):
        run.weights_folder(distilled(method=SupervisedConfig()))


def test_a_pretraining_of_byol_is_watched_for_collapse_and_gives_the_online_encoders_features() -> None:
    base = weights(encoder=AGCN(8), method=BYOLConfig(hidden=16, head_dim=8))
    chosen = replace(base, training=Training(SGD(0.05), WarmupCosine(2, 0.1, 1e-3), batch=10, performances=True))
    history = store.record(run.weights_folder(chosen))["history"]
    assert [set(epoch) for epoch in history] == [{"epoch", "loss", "spread", "effective rank", "kNN top-1"}] * 2
    assert all(0.01 < epoch["spread"] < 2 and 1 <= epoch["effective rank"] <= 8 for epoch in history)
    online, target = (run.features(chosen, name)[1] for name in ("online", "target"))
    assert torch.equal(run.features(chosen)[1], online)
    assert not torch.equal(online, target)


def test_every_evaluation_has_a_confusion_matrix_that_its_accuracies_agree_with() -> None:
    for protocol, name in ((Linear(schedule=Steps(2)), ""), (KNN(), "kNN "), (Logistic(folds=2), "logistic ")):
        found = run.measure(smoke(protocol).evaluation)
        confusion = np.array(found["confusion"])
        assert confusion.sum() == found["n_test"] == 40
        assert 100 * confusion.trace() / 40 == pytest.approx(found["scores"][f"{name}top-1"], abs=1e-3)
        hit, there = confusion.diagonal(), confusion.sum(1)
        of_each = 100 * hit[there > 0] / there[there > 0]
        assert of_each.mean() == pytest.approx(found["scores"][f"{name}balanced accuracy"], abs=1e-3)


def test_skelkit_build_0_measures_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKELKIT_BUILD", "0")
    with pytest.raises(SkelkitError, match="SKELKIT_BUILD=0; run: "):
        run.evaluate(smoke())
    assert os.listdir(tmp_path) == []


def test_curves_are_the_stored_histories() -> None:
    assert run.curves([smoke()]) == []
    run.evaluate(smoke())
    (point,) = run.curves([smoke()])
    assert (point["row"], point["epoch"], point["seed"]) == ("Ours (CAE)", 1, 0)
    assert np.isfinite(point["loss"])


# ── other clips under the same name ─────────────────────────────────────────────────────────────────────────────────


def test_weights_that_were_trained_on_other_clips_of_that_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = weights(data=Data("mine", "xsub", view=View(6)))

    def hold(clips: Clips) -> None:
        monkeypatch.setattr(artefacts, "load", lambda name: clips)
        run.prepare.cache_clear()

    hold(clips_of(24))
    folder = run.weights_folder(mine)
    hold(clips_of(24))
    assert run.weights_folder(mine) == folder
    hold(clips_of(24, seed=1))
    with pytest.raises(SkelkitError, match=f"{folder}: was made from other clips called mine .*recompute=True"):
        run.trained(mine)
    run.prepare.cache_clear()


def test_features_of_other_clips_of_that_name_are_refused_until_they_are_extracted_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = weights(data=Data("mine", "xsub", view=View(6)))

    def hold(clips: Clips) -> None:
        monkeypatch.setattr(artefacts, "load", lambda name: clips)
        run.prepare.cache_clear()

    hold(clips_of(24))
    before, _ = run.features(mine)
    hold(clips_of(24, seed=1))
    run.weights_folder(mine, again=True)  # or somebody removed the old one
    with pytest.raises(SkelkitError, match=r"features.* was made from other clips called mine .*recompute=True"):
        run.features(mine)
    assert not torch.equal(run.features(mine, again=True)[0], before)
    run.prepare.cache_clear()


@pytest.mark.parametrize("name", ["mine", "nw_ucla"])
def test_clips_of_ones_own_are_known_by_what_they_hold_and_official_ones_by_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path / "data"))
    keys = [store.key(Data(name, "xsub"))]
    corrected = clips_of(24)
    corrected = replace(corrected, table=corrected.table.assign(label=1 - corrected.table["label"]))
    for clips in (clips_of(24), corrected, clips_of(24, seed=1), clips_of(24)):
        replace(clips, name=name).save(tmp_path / "data" / name)
        keys.append(store.key(Data(name, "xsub")))
    assert (len(set(keys)), keys[1] == keys[4]) == ((4, True) if name == "mine" else (1, True))


def test_rows_of_clips_of_ones_own_are_measured_again_when_a_label_is_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(artefacts, "load", load)
    clips = replace(clips_of(24), name="mine")
    found = []
    for label in (0, 1):
        clips.table.loc[0, "label"] = label
        clips.save(tmp_path / "data" / "mine")
        found.append(run.evaluate(smoke(KNN(), data=Data("mine", "xsub", view=View(6)))))
    assert {row.key for row in found[0]}.isdisjoint(row.key for row in found[1])
    run.prepare.cache_clear()


def test_another_generator_of_synthetic_clips_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = store.key(Data("synthetic", "xsub")), store.key(Data("sbu", "folds", 0))
    monkeypatch.setattr("skelkit.data.datasets.synthetic.VERSION", 99)
    assert store.key(Data("synthetic", "xsub")) != before
    assert store.key(replace(Data("sbu", "folds", 0), name="synthetic")) == store.key(Data("synthetic", "folds", 0))
    assert store.key(Data("sbu", "folds", 0)) == real


# ── other views, other encoders, augmentation while the classifier trains ───────────────────────────────────────────


def test_what_nothing_augments_is_seen_through_the_view_for_evaluation() -> None:
    middle = Resample(6, share=0.5)
    chosen = weights(data=replace(weights().data, eval_view=middle))
    prepared = run.prepare(chosen.data)
    encoder, index = run.trained(chosen).eval().encoder, torch.from_numpy(prepared.split.test)
    expected = encoder(prepared.resident.through(middle).clips(index)).detach()
    torch.testing.assert_close(run.features(chosen)[1], expected, rtol=1e-4, atol=1e-6)
    assert prepared.resident.clips(index).shape[2] == chosen.data.view.frames
    assert store.key(chosen) != store.key(weights())
    same = run.prepare(weights().data)
    assert torch.equal(same.plain.clips(index), same.resident.clips(index))


def test_a_supervised_method_is_tested_through_the_view_for_evaluation() -> None:
    tuned = ascal.baseline(weights(data=replace(weights().data, eval_view=Resample(5, share=0.3))), "gru")
    found = run.measure(Evaluation(tuned, OwnClassifier()))
    prepared = run.prepare(tuned.data)
    index = torch.from_numpy(prepared.split.test)
    scores = run.trained(tuned).eval()(prepared.plain.clips(index))
    expected = 100 * (scores.argmax(1) == prepared.plain.labels[index]).float().mean().item()
    assert found["scores"]["top-1"] == found["curve"][-1] == pytest.approx(expected)


def test_a_classifiers_augmentation_knows_the_skeleton() -> None:
    whole, dropped = (AugmentedLinear(steps=(LeftRightDrop(p),), schedule=Steps(2)) for p in (0.0, 1.0))
    found = {protocol: run.measure(smoke(protocol).evaluation)["confusion"] for protocol in (whole, dropped)}
    assert found[whole] != found[dropped]


def test_augmented_linear_evaluation_encodes_in_every_epoch_and_the_cached_shortcut_does_not() -> None:
    without = AugmentedLinear(steps=(), schedule=Steps(3))
    cached = Linear(without.optimiser, without.schedule, without.batch)
    found = {protocol: run.measure(smoke(protocol).evaluation) for protocol in (without, cached)}
    assert found[without]["curve"] == pytest.approx(found[cached]["curve"], abs=2.6)  # one of 40 clips may turn over
    assert found[without]["n_train"] == found[cached]["n_train"] == 40
    assert found[without]["key"] != found[cached]["key"]
    encoded = 0

    def note(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        nonlocal encoded
        encoded += len(arguments[0]) if isinstance(module, RecurrentEncoder) else 0

    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        run.measure(smoke(AugmentedLinear(schedule=Steps(3))).evaluation)
        assert encoded == 3 * 40 + 40  # and the test clips once
        run.measure(smoke(replace(cached, batch=32)).evaluation)
        assert encoded == 3 * 40 + 40
    finally:
        hook.remove()


def test_augmented_linear_evaluation_takes_the_encoder_that_is_named() -> None:
    protocol = AugmentedLinear(steps=(), schedule=Steps(2))
    curves = {
        name: run.measure(Evaluation(weights(), kind, name))["curve"]
        for name in ("CAE", "CAE+")
        for kind in (protocol, Linear(protocol.optimiser, protocol.schedule, protocol.batch))
    }
    assert all(len(curve) == 2 for curve in curves.values())
    with pytest.raises(SkelkitError, match="no encoder 'SEQ' in ASCAL; choose among CAE, CAE"):
        run.measure(Evaluation(weights(), protocol, "SEQ"))


def test_fine_tuning_starts_from_the_encoder_that_is_named() -> None:
    chosen = weights()
    tuned = replace(ascal.baseline(chosen, "lstm"), labels=0.5, start=chosen)
    pretrained = run.trained(chosen).encoders
    for name, width in (("", 8), ("k", 8), ("CAE+", 16)):
        start, _ = artefacts.untrained(replace(tuned, start_encoder=name))
        expected = pretrained[name or "CAE"].state_dict()
        found = start.encoder.state_dict()
        assert start.classifier.in_features == width
        assert all(torch.equal(tensor, found[key]) for key, tensor in expected.items())
    assert store.key(replace(tuned, start_encoder="k")) != store.key(tuned)
    with pytest.raises(SkelkitError, match="no encoder 'STG' in ASCAL"):
        artefacts.untrained(replace(tuned, start_encoder="STG"))


def test_five_seeds_draw_five_label_subsets_and_supervised_only_sees_the_same_ones() -> None:
    """One pretraining, fine-tuned on five draws of a tenth of the labels, beside training from scratch on each."""
    ours = weights(data=replace(weights().data, clips=400))
    schedule = Steps(50, drops=(30 / 50, 40 / 50))
    training = replace(ours.training, optimiser=Adam(1e-4), schedule=schedule)
    assert [round(schedule.rate(epoch), 6) for epoch in (0, 29, 30, 39, 40)] == [1, 1, 0.1, 0.1, 0.01]
    scratch = [replace(ascal.baseline(ours, "lstm"), training=training, labels=0.1, seed=s) for s in range(5)]
    tuned = [replace(each, start=ours) for each in scratch]
    starts = [artefacts.untrained(each)[0].classifier.weight for each in tuned]
    assert not any(torch.equal(starts[0], other) for other in starts[1:])
    prepared = run.prepare(ours.data)
    subsets = [tuple(run.labelled(each.labels, each.seed, prepared)) for each in tuned]
    assert subsets == [tuple(run.labelled(each.labels, each.seed, prepared)) for each in scratch]
    assert len(set(subsets)) == 5
    counts = [np.bincount(prepared.clips.labels[list(subset)]) for subset in subsets]
    assert all(np.array_equal(counts[0], each) for each in counts)  # as many of each class
    assert {each.start and each.start.seed for each in tuned} == {0}
    assert len({store.key(each) for each in (*scratch, *tuned)}) == 10
