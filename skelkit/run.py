"""From an experiment to its rows: weights, features and evaluation are built once, committed rows are found again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

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
from skelkit.data.protocols import drawn_of_all
from skelkit.evaluate.cluster import Cluster, cluster
from skelkit.evaluate.compression import CompressedKNN, compressed_knn
from skelkit.evaluate.features import extract
from skelkit.evaluate.inpainting import Inpainting, inpainting
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.linear import AugmentedLinear, Linear, augmented_linear, linear
from skelkit.evaluate.metrics import Result, result
from skelkit.files import store_folder
from skelkit.models.representations import Joined
from skelkit.provenance import provenance
from skelkit.recipes.experiment import Evaluation, Experiment, OwnClassifier
from skelkit.report import results
from skelkit.report.results import Row
from skelkit.train import History


def measure(evaluation: Evaluation, *, again: bool = False) -> dict[str, Any]:
    """The record of an evaluation: a `Result`'s fields, n_train, n_test, seconds and provenance."""

    def make(folder: Path) -> dict[str, Any]:
        parents = weights_folder(evaluation.weights, again=again)
        started = time.monotonic()  # the training has told its own time
        training = store.record(parents)
        prepared = prepare(of_split(evaluation.weights.data, evaluation.split))
        found = _measure(evaluation, prepared, training["history"], again)
        return {
            **asdict(found),
            "per_class": found.per_class(),
            "parents": [training["key"]],
            "n_train": _labels(evaluation, prepared),
            "n_test": len(prepared.split.test),
            "seconds": training["seconds"] + time.monotonic() - started,
            **provenance(prepared.clips),
        }

    return store.record(store.stage("evaluations", evaluation, make, again=again))


def _labels(evaluation: Evaluation, prepared: Prepared) -> int:
    """How many labelled clips the classifier saw: its own ones, or all, whatever has trained the encoder."""
    weights = evaluation.weights
    if not isinstance(evaluation.protocol, OwnClassifier):
        return evaluation.labels.clips if evaluation.labels else len(prepared.split.train)
    weights = weights.teacher or weights  # a student sees no label but those that its teacher has seen
    return weights.active.budgets[-1] if weights.active else len(labelled(weights, prepared))


def _measure(evaluation: Evaluation, prepared: Prepared, history: History, again: bool) -> Result:
    labels = prepared.resident.labels
    train_labels, test_labels = (labels[torch.from_numpy(i)] for i in (prepared.split.train, prepared.split.test))
    classes, protocol = len(prepared.clips.classes), evaluation.protocol
    known, asked = train_labels >= 0, test_labels >= 0  # unlabelled clips pretrain, and no more
    if evaluation.labels is not None:
        of_all = prepared.clips.labels[prepared.split.train]
        seen = drawn_of_all(of_all, evaluation.labels.clips, evaluation.weights.seed)
        known = torch.zeros_like(known).index_fill(0, torch.from_numpy(seen).to(known.device), True)
    train_labels, test_labels = train_labels[known], test_labels[asked]
    if evaluation.shuffled:
        rng = seeded(evaluation.weights.seed)
        train_labels = train_labels[torch.randperm(len(train_labels), generator=rng, device=rng.device)]
    if isinstance(protocol, AugmentedLinear):
        encoders = [named(trained(evaluation.weights), evaluation.encoder)]
        encoders += [named(trained(other), "") for other in evaluation.beside]
        members, others = (torch.from_numpy(i).to(labels.device) for i in (prepared.split.train, prepared.split.test))
        shown = prepared.resident, members[known], train_labels
        asked_of = prepared.plain, others[asked], test_labels
        rng = seeded(evaluation.weights.seed)  # after the encoders, whose making draws numbers as well
        protocol = replace(protocol, steps=fitted(protocol.steps, prepared.clips.skeleton))
        return augmented_linear(protocol, Joined(*encoders), shown, asked_of, classes, rng)
    if isinstance(protocol, Linear | KNN | CompressedKNN | Cluster):
        found = [features(evaluation.weights, evaluation.encoder, evaluation.split, again=again)]
        found += [features(other, "", evaluation.split, again=again) for other in evaluation.beside]
        train_features, test_features = (torch.cat(side, 1) for side in zip(*found, strict=True))
        train_features, test_features = train_features[known], test_features[asked]
        ours, theirs = (train_features, train_labels), (test_features, test_labels)
        if isinstance(protocol, KNN):
            return knn(protocol, ours, theirs, classes)
        if isinstance(protocol, Cluster):
            return cluster(protocol, ours, theirs, classes, evaluation.weights.seed)
        if isinstance(protocol, CompressedKNN):
            return compressed_knn(protocol, ours, theirs, classes, seeded(evaluation.weights.seed))
        return linear(protocol, ours, theirs, classes, seeded(evaluation.weights.seed))
    if isinstance(protocol, Inpainting):
        test = torch.from_numpy(prepared.split.test)
        return inpainting(protocol, trained(evaluation.weights), prepared.plain, test, prepared.clips.skeleton)
    scores = extract(trained(evaluation.weights), prepared.plain, torch.from_numpy(prepared.split.test))
    return result(scores[asked], test_labels, [epoch["test top-1"] for epoch in history])


def evaluate(experiment: Experiment, *, recompute: bool = False) -> list[Row]:
    """The rows of an experiment: committed ones if its key is among them, else measured, and appended.

    Rows of the tiers `paper` and `reduced` go to `results/rows`, the others to the store. One row a score, selection
    "last"; where a classifier was trained, a second top-1 row "best test epoch", which is chosen on the test clips and
    named so.
    """
    standing = rows_of(experiment)
    if standing and not recompute:
        results.append(standing, rows_folder(experiment.tier))  # adds nothing, unless another cell measured the same
        return standing
    found = measure(experiment.evaluation, again=recompute)
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
    results.append(rows, rows_folder(experiment.tier))
    return rows


def rows_folder(tier: str) -> Path | None:
    """Where rows of a tier are kept: None is `results/rows`, which is committed."""
    return None if tier in ("paper", "reduced") else store_folder() / "rows"


def rows_of(experiment: Experiment) -> list[Row]:
    """The committed (or, below tier `reduced`, stored) rows of an experiment, found by key; the cell is the asker's."""
    paper, folder = experiment.cell.paper, rows_folder(experiment.tier)
    path = results.file_of(paper, folder)
    by_key = _read_rows(paper, folder, path.stat().st_mtime_ns if path.exists() else 0)
    rows = by_key.get(store.key(experiment.evaluation), [])
    here = [replace(row, **asdict(experiment.cell), variant=experiment.variant) for row in rows]
    return list({(row.metric, row.selection): row for row in here}.values())


@lru_cache(maxsize=8)
def _read_rows(paper: str, folder: Path | None, changed: int) -> dict[str, list[Row]]:
    by_key: dict[str, list[Row]] = {}
    for row in results.read(paper, folder):
        by_key.setdefault(row.key, []).append(row)
    return by_key


def curves(experiments: Iterable[Experiment]) -> list[dict[str, Any]]:
    """The training histories that the store holds of some experiments: one record an epoch, with the cell's names."""
    found = []
    for experiment in experiments:
        weights = experiment.evaluation.weights
        if store.built("weights", weights):
            history = store.record(store.folder_of("weights", weights))["history"]
            found += [
                {**asdict(experiment.cell), "seed": weights.seed, "fold": weights.data.fold, **e} for e in history
            ]
    return found
