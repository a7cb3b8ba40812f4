"""From an experiment to its rows: weights, features and evaluation are built once, committed rows are found again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

from skelkit import store
from skelkit.augment import fitted
from skelkit.data.clips import Clips
from skelkit.data.library import load
from skelkit.data.preprocess import preprocess
from skelkit.data.protocols import Split, at_most, drawn_of_each_class, first_of_each_class, label_fraction, split
from skelkit.data.views import DataSpec, Resident
from skelkit.device import device
from skelkit.evaluate.cluster import Cluster, cluster
from skelkit.evaluate.compression import CompressedKNN, compressed_knn
from skelkit.evaluate.features import extract
from skelkit.evaluate.inpainting import Inpainting, inpainting
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.linear import AugmentedLinear, Linear, augmented_linear, linear
from skelkit.evaluate.metrics import Result, result
from skelkit.evaluate.monitors import watch_collapse, watch_discriminator, watch_neighbours, watch_test_clips
from skelkit.files import SkelkitError, store_folder
from skelkit.methods import build
from skelkit.methods.distillation import DistillationConfig
from skelkit.methods.sesar import SESARConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.representations import Joined
from skelkit.provenance import provenance
from skelkit.recipes.experiment import Data, Evaluation, Experiment, OwnClassifier, PerClass, Weights
from skelkit.report import results
from skelkit.report.results import Row
from skelkit.train import Callback, History, train


@dataclass(frozen=True)
class Prepared:
    """A data set, split and on the device."""

    clips: Clips
    """As they were loaded."""
    split: Split
    resident: Resident
    """Preprocessed, as the training sees it."""
    plain: Resident
    """The same, as an encoder sees clips that nothing augments."""

    @property
    def spec(self) -> DataSpec:
        return DataSpec(len(self.split.train), len(self.clips.classes), self.clips.skeleton, self.resident.persons)


@lru_cache(maxsize=4)
def prepare(data: Data) -> Prepared:
    """Load, preprocess and split a data set, and put it on the device; the latest few are kept.

    Raises SkelkitError where a step changes the number of clips: the split would no longer name them.
    """
    clips = load(data.name)
    chosen = split(clips, data.split, data.fold)
    chosen = Split(chosen.name, *(at_most(clips, side, data.clips) for side in (chosen.train, chosen.test)))
    ready = preprocess(clips, data.steps)
    if len(ready) != len(clips):
        raise SkelkitError(
            f"{data.name}: preprocessing made {len(ready)} clips of {len(clips)}; leave such a step (Subsequences) out "
            "of the data's steps, it is for training clips after the split"
        )
    resident = Resident(ready, data.view, device())
    return Prepared(clips, chosen, resident, resident.through(data.eval_view or data.view))


def labelled(weights: Weights, prepared: Prepared) -> np.ndarray:
    """The training clips of some weights: all of them, or the labelled share."""
    train_set = prepared.split.train
    labels = prepared.clips.labels[train_set]
    if weights.labels is None:
        return train_set
    if isinstance(weights.labels, float):
        return train_set[label_fraction(labels, weights.labels, weights.seed)]
    if isinstance(weights.labels, PerClass):
        return train_set[drawn_of_each_class(labels, weights.labels.clips, weights.seed)]
    return train_set[first_of_each_class(labels, weights.labels)]


def _seen(weights: Weights, prepared: Prepared) -> tuple[Resident, np.ndarray]:
    """What a training sees: the labelled clips; where it reconstructs, all, the others with the label -1."""
    known = labelled(weights, prepared)
    if isinstance(weights.method, SESARConfig) and weights.method.decoder is not None:
        return prepared.resident.labelled(torch.from_numpy(known)), prepared.split.train
    return prepared.resident, known


def untrained(weights: Weights) -> tuple[Any, Generator]:
    """The method as its training starts, and the generator that its training draws from."""
    prepared = prepare(weights.data)
    rng = _seeded(weights.seed)
    encoder: nn.Module = weights.encoder.build(prepared.spec)
    start = weights.start and trained(weights.start)
    if weights.start is not None:
        encoder = named(start, weights.start_encoder)
        if weights.start.seed != weights.seed:  # the start was made from its own
            torch.manual_seed(weights.seed)
    method = build(weights.method, encoder, prepared.spec, rng).to(device())
    if start is not None and hasattr(method, "take_over"):
        method.take_over(start)
    return method, rng


def _seeded(seed: int) -> Generator:
    """A generator on the device, and torch's own, as they start from a seed."""
    torch.manual_seed(seed)
    return Generator(device()).manual_seed(seed)


def trained(weights: Weights, *, again: bool = False, progress: bool | None = None) -> Any:
    """The trained method, on the device; trained only if the store does not hold it."""
    path = weights_folder(weights, again=again, progress=progress)
    method, _ = untrained(weights)
    method.load_state_dict(load_file(path / "weights.safetensors"))
    return method


def named(method: Any, encoder: str) -> nn.Module:
    """One of a method's `encoders` by its name there; "" is the main one. Raises SkelkitError for an unknown name."""
    encoders: dict[str, nn.Module] = method.encoders
    if encoder and encoder not in encoders:
        raise SkelkitError(f"no encoder {encoder!r} in {type(method).__name__}; choose among {', '.join(encoders)}")
    return encoders[encoder] if encoder else next(iter(encoders.values()))


def weights_folder(weights: Weights, *, again: bool = False, progress: bool | None = None) -> Path:
    """The store's folder of some weights: weights.safetensors, and a record that holds the training's history."""

    def make(folder: Path) -> dict[str, Any]:
        prepared = prepare(weights.data)
        teacher = weights.teacher and trained(weights.teacher)  # first: it seeds torch's generator for itself
        method, rng = untrained(weights)  # trains what it starts from, where the store lacks it
        if teacher is not None:
            if not hasattr(method, "learn_from"):
                raise SkelkitError(
                    f"weights: {type(weights.method).__name__} takes no teacher; leave Weights.teacher out"
                )
            method.learn_from(teacher)
        started = time.monotonic()
        checkpoint = store_folder() / "checkpoints" / f"{store.key(weights)}.safetensors"
        history = train(
            method,
            *_seen(weights, prepared),
            weights.training,
            rng,
            checkpoint=checkpoint,
            callbacks=_monitors(weights, prepared, method),
            progress=progress,
        )
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in method.state_dict().items()}, folder / "weights.safetensors"
        )
        for left in (checkpoint, *checkpoint.parent.glob(f".{checkpoint.name}.*.part")):  # the latter of killed runs
            left.unlink(missing_ok=True)
        return {"history": history, "seconds": time.monotonic() - started, **provenance(prepared.clips)}

    path = store.stage("weights", weights, make, again=again)
    trained_on, here = store.record(path)["versions"]["data"], prepare(weights.data).clips.fingerprint
    if trained_on != here:  # the key names the data set, and a folder of that name may come to hold other clips
        raise SkelkitError(
            f"{path}: was trained on other clips called {weights.data.name} (fingerprint {trained_on}, here {here}); "
            "remove that folder, or put the clips back"
        )
    return path


def _monitors(weights: Weights, prepared: Prepared, method: Any) -> list[Callback]:
    """What is watched during a training; it changes and chooses nothing."""
    split, plain, epochs = prepared.split, prepared.plain, weights.training.schedule.epochs
    if isinstance(weights.method, SupervisedConfig | DistillationConfig | SESARConfig):
        return [watch_test_clips(plain, split.test)]
    monitors = [watch_neighbours(plain, split.train, len(prepared.clips.classes), epochs)]
    monitors += [watch_collapse()] if hasattr(method, "projections") else []
    return [*monitors, watch_discriminator()] if hasattr(method, "newest") else monitors


def features(
    weights: Weights, encoder: str = "", split_name: str = "", *, again: bool = False
) -> tuple[Tensor, Tensor]:
    """Frozen features of the training and the test clips, (n, d) and (k, d), on the device; extracted once.

    encoder: a name among the method's `encoders`; "" is the main one. split_name: whose clips, by default those of the
    weights' own split. again: extract them anew.
    """

    def make(folder: Path) -> None:
        chosen = named(trained(weights), encoder)
        prepared = prepare(_of_split(weights.data, split_name))
        sides = {"train": prepared.split.train, "test": prepared.split.test}
        save_file(
            {side: extract(chosen, prepared.plain, torch.from_numpy(i)).cpu() for side, i in sides.items()},
            folder / "features.safetensors",
        )

    asked = {"split": split_name} if split_name else {}
    path = store.stage("features", {"weights": weights, "encoder": encoder, **asked}, make, again=again)
    tensors = load_file(path / "features.safetensors", device=str(device()))
    return tensors["train"], tensors["test"]


def _of_split(data: Data, name: str) -> Data:
    """The same data, split as an evaluation asks."""
    return replace(data, split=name) if name else data


def measure(evaluation: Evaluation, *, again: bool = False) -> dict[str, Any]:
    """The record of an evaluation: a `Result`'s fields, n_train, n_test, seconds and provenance."""

    def make(folder: Path) -> dict[str, Any]:
        parents = weights_folder(evaluation.weights, again=again)
        started = time.monotonic()  # the training has told its own time
        training = store.record(parents)
        prepared = prepare(_of_split(evaluation.weights.data, evaluation.split))
        own = isinstance(evaluation.protocol, OwnClassifier)  # other classifiers see every label, whatever trained f_q
        found = _measure(evaluation, prepared, training["history"], again)
        return {
            **asdict(found),
            "per_class": found.per_class(),
            "parents": [training["key"]],
            "n_train": len(labelled(evaluation.weights, prepared) if own else prepared.split.train),
            "n_test": len(prepared.split.test),
            "seconds": training["seconds"] + time.monotonic() - started,
            **provenance(prepared.clips),
        }

    return store.record(store.stage("evaluations", evaluation, make, again=again))


def _measure(evaluation: Evaluation, prepared: Prepared, history: History, again: bool) -> Result:
    labels = prepared.resident.labels
    train_labels, test_labels = (labels[torch.from_numpy(i)] for i in (prepared.split.train, prepared.split.test))
    classes, protocol = len(prepared.clips.classes), evaluation.protocol
    known, asked = train_labels >= 0, test_labels >= 0  # unlabelled clips pretrain, and no more
    train_labels, test_labels = train_labels[known], test_labels[asked]
    if isinstance(protocol, Linear | AugmentedLinear | KNN | CompressedKNN | Cluster):
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
            return compressed_knn(protocol, ours, theirs, classes, _seeded(evaluation.weights.seed))
        if isinstance(protocol, Linear):
            return linear(protocol, ours, theirs, classes, _seeded(evaluation.weights.seed))
        encoders = [named(trained(evaluation.weights), evaluation.encoder)]
        encoders += [named(trained(other), "") for other in evaluation.beside]
        clips = prepared.resident, torch.from_numpy(prepared.split.train).to(labels.device)[known]
        rng = _seeded(evaluation.weights.seed)  # after the encoders, whose making draws numbers as well
        protocol = replace(protocol, steps=fitted(protocol.steps, prepared.clips.skeleton))
        return augmented_linear(protocol, Joined(*encoders), clips, theirs, classes, rng)
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
