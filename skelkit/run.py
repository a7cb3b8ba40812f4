"""From an experiment to its rows: weights, features and evaluation are built once, committed rows are found again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skelkit import store
from skelkit.artefacts import (
    Prepared,
    features,
    labelled,
    named,
    of_split,
    prepare,
    seeded,
    trained,
    weights_folder,
)
from skelkit.augment import fitted
from skelkit.data.library import present
from skelkit.evaluate.cluster import Cluster, cluster
from skelkit.evaluate.compression import CompressedKNN, compressed_knn
from skelkit.evaluate.features import extract
from skelkit.evaluate.inpainting import Inpainting, inpainting
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.linear import AugmentedLinear, augmented_linear, linear
from skelkit.evaluate.logistic import Logistic, logistic
from skelkit.evaluate.metrics import Result, result
from skelkit.files import SkelkitError, changed, store_folder
from skelkit.models.representations import Joined
from skelkit.provenance import provenance
from skelkit.recipes.experiment import Evaluation, Experiment, OwnClassifier
from skelkit.report import predictions, results
from skelkit.report.predictions import Predictions
from skelkit.report.results import Row, place
from skelkit.train import History


def measure(evaluation: Evaluation, *, again: bool = False) -> dict[str, Any]:
    """The record of an evaluation: a `Result`'s fields, its predictions packed, n_train, n_test, seconds,
    provenance."""

    def make(folder: Path) -> dict[str, Any]:
        parents = weights_folder(evaluation.weights, again=again)
        started = time.monotonic()  # the training has told its own time
        training = store.record(parents)
        prepared = prepare(of_split(evaluation.weights.data, evaluation.split))
        found = _measure(evaluation, prepared, training["history"], again)
        labels, predicted = prepared.clips.labels[asked(prepared)], np.array(found.predicted, np.int64)
        kept = bool(found.predicted) and len(prepared.clips.classes) <= 256  # a byte a clip
        return {
            "scores": found.scores,
            "curve": found.curve,
            "confusion": found.confusion,
            "predictions": Predictions(_asked(prepared), labels, predicted).packed() if kept else None,
            "parents": [training["key"]],
            "n_train": _count(evaluation, prepared),
            "n_test": len(prepared.split.test),
            "seconds": training["seconds"] + time.monotonic() - started,
            **provenance(prepared.clips),
        }

    return store.record(store.stage("evaluations", evaluation, make, again=again))


def _seen_by_classifier(evaluation: Evaluation, prepared: Prepared) -> np.ndarray:
    """The labelled training clips that a classifier on frozen features sees."""
    clips = labelled(evaluation.labels, evaluation.weights.seed, prepared)
    return clips[prepared.clips.labels[clips] >= 0]  # unlabelled clips pretrain, and no more


def _count(evaluation: Evaluation, prepared: Prepared) -> int:
    """How many labelled clips the classifier saw, whatever has trained the encoder."""
    if not isinstance(evaluation.protocol, OwnClassifier):
        return len(labelled(evaluation.labels, evaluation.weights.seed, prepared))
    weights = evaluation.weights.teacher or evaluation.weights  # a student sees no label but those of its teacher
    if weights.active:
        return weights.active.budgets[-1]
    return len(labelled(weights.labels, weights.seed, prepared))


def _measure(evaluation: Evaluation, prepared: Prepared, history: History, again: bool) -> Result:
    weights, protocol = evaluation.weights, evaluation.protocol
    classes, seed = len(prepared.clips.classes), weights.seed
    if isinstance(protocol, Inpainting):
        every = torch.from_numpy(prepared.split.test)
        return inpainting(protocol, trained(weights), prepared.plain, every, prepared.clips.skeleton)
    test, seen = asked(prepared), _seen_by_classifier(evaluation, prepared)
    labels, test_labels = prepared.resident.labels[seen], prepared.resident.labels[test]
    if isinstance(protocol, OwnClassifier):
        scores = extract(trained(weights), prepared.plain, torch.from_numpy(test))
        return result(scores, test_labels, [epoch["test top-1"] for epoch in history])
    if evaluation.shuffled:
        rng = seeded(weights.seed)
        labels = labels[torch.randperm(len(labels), generator=rng, device=rng.device)]
    if isinstance(protocol, AugmentedLinear):
        encoders = [named(trained(weights), evaluation.encoder), *(named(trained(w), "") for w in evaluation.beside)]
        sides = [torch.from_numpy(index).to(labels.device) for index in (seen, test)]
        rng = seeded(seed)  # after the encoders, whose making draws numbers as well
        protocol = replace(protocol, steps=fitted(protocol.steps, prepared.clips.skeleton))
        shown, asked_of = (prepared.resident, sides[0], labels), (prepared.plain, sides[1], test_labels)
        return augmented_linear(protocol, Joined(*encoders), shown, asked_of, classes, rng)
    found = [features(weights, evaluation.encoder, evaluation.split, again=again)]
    found += [features(other, "", evaluation.split, again=again) for other in evaluation.beside]
    train_features, test_features = (torch.cat(side, 1) for side in zip(*found, strict=True))
    ours = train_features[np.searchsorted(prepared.split.train, seen)], labels
    theirs = test_features[np.searchsorted(prepared.split.test, test)], test_labels
    match protocol:
        case KNN():
            return knn(protocol, ours, theirs, classes)
        case Logistic():
            return logistic(protocol, ours, theirs, classes, seed)
        case Cluster():
            return cluster(protocol, ours, theirs, classes, seed)
        case CompressedKNN():
            return compressed_knn(protocol, ours, theirs, classes, seeded(seed))
    return linear(protocol, ours, theirs, classes, seeded(seed))


def asked(prepared: Prepared) -> np.ndarray:
    """The test clips that have a label, in their order."""
    test = prepared.split.test
    return test[prepared.clips.labels[test] >= 0]


def evaluate(experiment: Experiment, *, recompute: bool = False) -> list[Row]:
    """The rows of an experiment: committed ones if its key is among them, else measured, and kept.

    Rows and predictions of the tiers `paper` and `reduced` go to `results/`, the others to the store. One row a score,
    selection "last"; where a classifier was trained, a second top-1 row "best test epoch", which is chosen on the test
    clips and named so. recompute: train and measure again, in the place of what stands.
    """
    standing = rows_of(experiment)
    if standing and not recompute:
        results.append(standing, rows_folder(experiment.tier))  # adds nothing, unless another cell measured the same
        return standing
    return keep(experiment, measure(experiment.evaluation, again=recompute), again=recompute)


def keep(experiment: Experiment, found: dict[str, Any], *, again: bool = False) -> list[Row]:
    """The rows of a measurement, written beside the others with its predictions. again: in the place of standing
    ones."""
    scores = [(metric, value, "last") for metric, value in found["scores"].items()]
    if found["curve"]:
        scores.append(("top-1", max(found["curve"]), "best test epoch"))
    data, cell = experiment.evaluation.weights.data, experiment.cell
    rows = [
        Row(
            **asdict(cell),
            dataset=data.name,
            split=experiment.evaluation.split or data.split,
            metric=metric,
            value=round(value, 4),
            seed=experiment.evaluation.weights.seed,
            fold=-1 if data.fold is None else data.fold,
            tier=experiment.tier,
            variant=experiment.variant,
            selection=selection,
            key=found["key"],
            parents=tuple(found["parents"]),
            seconds=round(found["seconds"], 2),
            **{name: found[name] for name in ("n_train", "n_test", "commit", "dirty", "versions", "device", "started")},
        )
        for metric, value, selection in scores
    ]
    if found["predictions"]:
        answers = {found["key"]: Predictions.unpacked(found["predictions"])}
        predictions.append(cell.paper, answers, place(experiment.tier) / "predictions")
    results.append(rows, rows_folder(experiment.tier), again=again)
    return rows


def predicted(experiment: Experiment) -> Predictions | None:
    """What an experiment predicted of each test clip, where that was kept.

    Raises SkelkitError where the data set is here and its test clips are others than those that were asked.
    """
    cell, evaluation = experiment.cell, experiment.evaluation
    found = predictions.read(cell.paper, place(experiment.tier) / "predictions").get(store.key(evaluation))
    if found and present(evaluation.weights.data.name):
        prepared = prepare(of_split(evaluation.weights.data, evaluation.split))
        if _asked(prepared) != found.clips:
            raise SkelkitError(
                f"predictions of {cell.row}, {cell.column} ({cell.table}): they are of other test clips than those of "
                f"{evaluation.weights.data.name} here; import the data set again, or measure with recompute=True"
            )
    return found


def _asked(prepared: Prepared) -> str:
    """A digest of the test clips that have a label."""
    clips = asked(prepared)
    return predictions.digest(prepared.clips.table["name"].to_numpy()[clips], prepared.clips.labels[clips])


def rows_folder(tier: str) -> Path | None:
    """Where rows of a tier are kept: None is `results/rows`, which is committed."""
    return None if tier in ("paper", "reduced") else store_folder() / "rows"


def rows_of(experiment: Experiment) -> list[Row]:
    """The committed (or, below tier `reduced`, stored) rows of an experiment, found by key; the cell is the asker's."""
    paper, folder = experiment.cell.paper, rows_folder(experiment.tier)
    path = results.file_of(paper, folder)
    by_key = _read_rows(paper, folder, changed(path) if path.exists() else (0, 0))
    rows = by_key.get(store.key(experiment.evaluation), [])
    here = [replace(row, **asdict(experiment.cell), variant=experiment.variant) for row in rows]
    return list({(row.metric, row.selection): row for row in here}.values())


@lru_cache(maxsize=8)
def _read_rows(paper: str, folder: Path | None, changed: tuple[int, int]) -> dict[str, list[Row]]:
    by_key: dict[str, list[Row]] = {}
    for row in results.read(paper, folder):
        by_key.setdefault(row.key, []).append(row)
    return by_key


def curves(experiments: Iterable[Experiment]) -> list[dict[str, Any]]:
    """The training histories that the store holds of some experiments: one record an epoch, with the cell's names."""
    found = []
    for cell, weights in dict.fromkeys((e.cell, e.evaluation.weights) for e in experiments):  # one for all read-outs
        if store.built("weights", weights):
            history = store.record(store.folder_of("weights", weights))["history"]
            found += [{**asdict(cell), "seed": weights.seed, "fold": weights.data.fold, **e} for e in history]
    return found
