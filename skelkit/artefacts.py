"""What an experiment's rows stand on: data on the device, trained weights, frozen features; each is built once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

from skelkit import store
from skelkit.data.clips import Clips
from skelkit.data.library import load
from skelkit.data.preprocess import preprocess
from skelkit.data.protocols import (
    Split,
    at_most,
    drawn_of_all,
    drawn_of_each_class,
    first_of_each_class,
    label_fraction,
    split,
)
from skelkit.data.views import DataSpec, Resident
from skelkit.device import device
from skelkit.evaluate import active
from skelkit.evaluate.features import extract
from skelkit.evaluate.journal import Pool
from skelkit.evaluate.learner import Learner
from skelkit.evaluate.monitors import watch_collapse, watch_discriminator, watch_neighbours, watch_test_clips
from skelkit.files import SkelkitError, store_folder
from skelkit.methods import build
from skelkit.provenance import provenance
from skelkit.recipes.experiment import Data, Drawn, Labels, PerClass, Weights
from skelkit.train import Callback, History, spent, train


@dataclass(frozen=True)
class Prepared:
    """A data set, split and on the device."""

    clips: Clips
    """As they were loaded."""
    split: Split
    """Which of them train, and which are asked about, cut down to `Data.clips` of each."""
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


def labelled(labels: Labels, seed: int, prepared: Prepared) -> np.ndarray:
    """The training clips whose labels are used: all of them, or those that `labels` describes, drawn by the seed. Those
    that active learning asks for stand in its `Session.table`."""
    train_set = prepared.split.train
    of_all = prepared.clips.labels[train_set]
    match labels:
        case None:
            return train_set
        case float():
            return train_set[label_fraction(of_all, labels, seed)]
        case Drawn():
            return train_set[drawn_of_all(of_all, labels.clips, seed)]
        case PerClass():
            return train_set[drawn_of_each_class(of_all, labels.clips, seed)]
    n = max(1, int(labels.share * len(of_all) / len(prepared.clips.classes)))
    return train_set[first_of_each_class(of_all, n)]


def _seen(weights: Weights, prepared: Prepared, method: Any) -> tuple[Resident, np.ndarray]:
    """What a training sees: the labelled clips; where it reads unlabelled ones, all, these with the label -1."""
    known = labelled(weights.labels, weights.seed, prepared)
    if getattr(method, "reads_unlabelled", False):
        return prepared.resident.labelled(torch.from_numpy(known)), prepared.split.train
    return prepared.resident, known


def untrained(weights: Weights) -> tuple[Any, Generator]:
    """The method as its training starts, and the generator that its training draws from."""
    prepared = prepare(weights.data)
    rng = seeded(weights.seed)
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


def seeded(seed: int) -> Generator:
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
        teacher = weights.teacher and trained(weights.teacher)  # first: it seeds torch's generator for itself
        method, rng = untrained(weights)  # trains what it starts from, where the store lacks it
        if teacher is not None:
            if not hasattr(method, "learn_from"):
                raise SkelkitError(
                    f"weights: {type(weights.method).__name__} takes no teacher; leave Weights.teacher out"
                )
            method.learn_from(teacher)
        if weights.active is not None:
            history, seconds = _asked(weights, method, again)
        else:
            history, seconds = _trained(weights, method, rng, progress)
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in method.state_dict().items()}
        save_file(state, folder / "weights.safetensors")
        return {"history": history, "seconds": seconds, **provenance(prepare(weights.data).clips)}

    return _of_these_clips(store.stage("weights", weights, make, again=again), weights.data)


def _of_these_clips(path: Path, data: Data) -> Path:
    """The same folder. Raises SkelkitError where it was made from other clips of that name: the key of an official
    set's artefacts holds its name alone."""
    here = prepare(data).clips.fingerprint
    made_of = store.record(path).get("versions", {}).get("data", here)  # features of an old store do not tell
    if made_of != here:
        raise SkelkitError(
            f"{path}: was made from other clips called {data.name} (fingerprint {made_of}, here {here}); "
            "measure again with recompute=True, or put the clips back"
        )
    return path


def _trained(weights: Weights, method: Any, rng: Generator, progress: bool | None) -> tuple[History, float]:
    """Train a method as its weights say: the history, and the seconds."""
    started, prepared = time.monotonic(), prepare(weights.data)
    checkpoint = store_folder() / "checkpoints" / f"{store.key(weights)}.safetensors"
    before = spent(checkpoint)
    history = train(
        method,
        *_seen(weights, prepared, method),
        weights.training,
        rng,
        checkpoint=checkpoint,
        callbacks=_monitors(weights, prepared, method),
        progress=progress,
    )
    for left in (checkpoint, *checkpoint.parent.glob(f".{checkpoint.name}.*.part")):  # the latter of killed runs
        left.unlink(missing_ok=True)
    return history, before + time.monotonic() - started


def _asked(weights: Weights, method: Any, again: bool) -> tuple[History, float]:
    """Train a method as far as its labels were asked for: the rounds' history, and their seconds.

    Every round is kept in the store, so that more labels of the same run go on from it.
    """
    session = session_of(weights, method, again=again)
    rounds = session.learned[1:]  # before them there was nothing to learn
    history = [{**epoch, "round": number} for number, one in enumerate(rounds, 1) for epoch in one["history"]]
    history = [{**epoch, "epoch": number} for number, epoch in enumerate(history, 1)]
    return history, sum(one["seconds"] for one in rounds)


def session_of(weights: Weights, method: Any = None, *, again: bool = False) -> active.Session:
    """The run of active learning behind some weights, its labels asked for and trained on: what the store holds of it
    is not done again, unless `again`. method: as its training starts."""
    if weights.active is None:
        raise SkelkitError("session_of: these weights asked for no labels; give some with Weights.active")
    prepared = prepare(weights.data)
    members, clips = prepared.split.train, prepared.clips
    method = untrained(weights)[0] if method is None else method
    watched = _monitors(weights, prepared, method)
    learner = Learner(method, prepared.resident, members, weights.training, plain=prepared.plain, callbacks=watched)
    pool = Pool(tuple(str(name) for name in clips.table["name"].iloc[members]), tuple(clips.classes))
    labels = clips.labels[members].tolist()
    session = active.Session(weights.active, learner, learner.look, pool, replace(weights, active=None), again=again)
    return active.run(session, labels.__getitem__)


def _monitors(weights: Weights, prepared: Prepared, method: Any) -> list[Callback]:
    """What is watched during a training; it changes and chooses nothing."""
    split, plain, epochs = prepared.split, prepared.plain, weights.training.schedule.epochs
    if hasattr(method, "classifier"):
        return [watch_test_clips(plain, split.test)]
    monitors = [watch_neighbours(plain, split.train, len(prepared.clips.classes), epochs)]
    monitors += [watch_collapse()] if hasattr(method, "projections") else []
    return [*monitors, watch_discriminator()] if hasattr(method, "newest") else monitors


def features(
    weights: Weights, encoder: str = "", split_name: str = "", *, again: bool = False
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "k d"]]:
    """Frozen features of the training and of the test clips, on the device; extracted once.

    encoder: a name among the method's `encoders`; "" is the main one. split_name: whose clips, by default those of the
    weights' own split. again: extract them anew.
    """

    def make(folder: Path) -> dict[str, Any]:
        chosen = named(trained(weights), encoder)
        prepared = prepare(of_split(weights.data, split_name))
        sides = {"train": prepared.split.train, "test": prepared.split.test}
        save_file(
            {side: extract(chosen, prepared.plain, torch.from_numpy(i)).cpu() for side, i in sides.items()},
            folder / "features.safetensors",
        )
        return provenance(prepared.clips)

    asked = {"split": split_name} if split_name else {}
    path = store.stage("features", {"weights": weights, "encoder": encoder, **asked}, make, again=again)
    _of_these_clips(path, weights.data)
    tensors = load_file(path / "features.safetensors", device=str(device()))
    return tensors["train"], tensors["test"]


def of_split(data: Data, name: str) -> Data:
    """The same data, split as an evaluation asks."""
    return replace(data, split=name) if name else data
