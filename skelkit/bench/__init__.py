"""Speed and memory, as ratios measured in one run: `skelkit bench [PART...]`.

The two sides of a ratio take turns, so that a busy machine slows both; what is printed is the median over the turns,
with the least and the greatest. Nothing here passes or fails a test.
"""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from skelkit.bench.agcn import agcn
from skelkit.bench.augmentation import interskeleton_views, views
from skelkit.bench.byol_step import whole_step
from skelkit.bench.mocap import kinematics
from skelkit.bench.reading import data
from skelkit.bench.selection import selections
from skelkit.bench.sequences import longt_gan
from skelkit.bench.sesar import decoders
from skelkit.bench.stgcn import stgcn
from skelkit.bench.timing import Line, in_a_process, now, resident_mb, spread, turns
from skelkit.data.clips import COLUMNS, Clips
from skelkit.data.skeleton import KINECT_V2, SBU, Skeleton
from skelkit.data.views import DataSpec, Resident
from skelkit.device import device, device_name
from skelkit.evaluate.features import extract
from skelkit.evaluate.linear import Linear, linear
from skelkit.files import SkelkitError
from skelkit.methods import build
from skelkit.recipes.ascal_settings import pretraining
from skelkit.recipes.experiment import Experiment, OwnClassifier, Weights
from skelkit.recipes.quickstart import quickstart
from skelkit.train import Steps, train

NTU60_CLIPS, NTU60_CROSS_VIEW = 56_578, 37_646
"""Clips of NTU RGB+D 60 without those that lack a skeleton: all, and the training clips of C-View."""


def main(parts: list[str]) -> None:
    """Measure the parts (all of `PARTS` by default) and print a Markdown table, a line as soon as it is known.

    Raises SkelkitError for a part that does not exist, and at the end for those that failed; the others are measured.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise SkelkitError(f"bench: no part {unknown[0]!r}; choose among {', '.join(PARTS)}")
    print(f"| part | {device_name()}, torch {torch.__version__} | must reach | reached (least to greatest) | |")
    print("|---|---|---|---|---|", flush=True)
    failed = []
    for part in parts or PARTS:
        try:
            for line in PARTS[part]():
                verdict = {None: "", True: "yes", False: "no"}[line.met]
                print(f"| {part} | {line.measured} | {line.must_reach} | {line.reached} | {verdict} |", flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(part)
    if failed:
        raise SkelkitError(f"bench: {', '.join(failed)} failed, as told above")


def random_clips(skeleton: Skeleton, clips: int, frames: int, classes: int = 1) -> Clips:
    """Noise of two persons in the shape of a data set, every clip of the same length."""
    noise = np.random.default_rng(0).standard_normal((clips * frames, 3, len(skeleton), 2), dtype=np.float32)
    known = {
        "skeleton": skeleton,
        "classes": [str(c) for c in range(classes)],
        "columns": {"label": np.arange(clips) % classes},
    }
    return Clips.from_arrays(noise, np.arange(clips + 1) * frames, name="noise", **known)  # type: ignore[arg-type]


def encoder_seconds(weights: Weights, clips: Clips, epochs: int) -> tuple[list[tuple[float, float]], nn.Module]:
    """Train AS-CAL with the real loop, and time in each epoch (all, the encoders' forward and backward).

    The encoders' part runs from a query's or key's clips to its features, and from the loss's gradient on the query
    features to the last weight's gradient. Returns the pairs, and the trained method.
    """
    spec = DataSpec(len(clips), len(clips.classes), clips.skeleton, clips.persons)
    resident = Resident(clips, weights.data.view, device())
    torch.manual_seed(weights.seed)
    rng = Generator(device()).manual_seed(weights.seed)
    method = build(weights.method, weights.encoder.build(spec), spec, rng).to(device())
    inside, since, epoch_ends = 0.0, 0.0, [(now(), 0.0)]

    def enter(*_: Any) -> None:
        nonlocal since
        since = now()

    def leave(*_: Any) -> None:
        nonlocal inside
        inside += now() - since

    def leave_query(_: nn.Module, __: Any, features: Tensor) -> None:
        leave()
        features.register_hook(enter)  # backward: the loss's gradient has come to the features

    def end_of_epoch(_: int, __: nn.Module) -> dict[str, float]:
        epoch_ends.append((now(), inside))
        return {}

    method.encoder.register_forward_pre_hook(enter)
    method.encoder.register_forward_hook(leave_query)
    method.key_encoder.register_forward_pre_hook(enter)
    method.key_encoder.register_forward_hook(leave)
    before_update = register_optimizer_step_pre_hook(leave)  # the backward pass is over
    training = replace(weights.training, schedule=Steps(epochs))
    try:
        train(method, resident, np.arange(len(clips)), training, rng, callbacks=[end_of_epoch], progress=False)
    finally:
        before_update.remove()
    return [(b - a, y - x) for (a, x), (b, y) in pairwise(epoch_ends)], method


def step() -> list[Line]:
    """The encoders' share of AS-CAL's training time, and what NTU RGB+D 60 would take."""
    lines, ntu = [], pretraining("ntu60", "xview")
    for weights, skeleton, clips in ((pretraining("sbu", "folds"), SBU, 226), (ntu, KINECT_V2, 64)):
        frames, training = weights.data.view.frames, weights.training
        pairs, _ = encoder_seconds(weights, random_clips(skeleton, clips, frames), epochs=6)
        shares = [100 * part / whole for whole, part in pairs[1:]]
        each = median(whole for whole, _ in pairs[1:]) / -(-clips // training.batch)
        shape = f"{weights.encoder}, batch {training.batch}, {frames} frames"
        what = f"encoders' forward and backward, share of a step; {shape}, 2 x {len(skeleton)} joints"
        lines.append(
            Line(what, "85 %", f"{spread(shares, '.0f')} %; {1000 * each:.0f} ms a step", median(shares) >= 85)
        )
    steps = ntu.training.schedule.epochs * -(-NTU60_CROSS_VIEW // ntu.training.batch)
    what = f"projection: NTU RGB+D 60 C-View as published, {steps:,} steps"
    return [*lines, Line(what, "", f"{steps * each / 3600:.1f} h")]


def features(clips: int = 96, rounds: int = 3) -> list[Line]:
    """Encoding each clip once, against encoding it in every epoch of linear evaluation: NTU RGB+D 60's setting."""
    weights, protocol, classes = pretraining("ntu60", "xview"), Linear(), 60
    made = random_clips(KINECT_V2, clips, weights.data.view.frames, classes)
    data = Resident(made, weights.data.view, device())
    encoder = weights.encoder.build(DataSpec(clips, classes, KINECT_V2, 2)).to(device())
    train_set, test = torch.arange(clips, device=device()).tensor_split([2 * clips // 3])
    rng, n = Generator(device()).manual_seed(0), protocol.schedule.epochs

    def encode() -> list[tuple[Tensor, Tensor]]:
        return [(extract(encoder, data, part), data.labels[part]) for part in (train_set, test)]

    found = encode()
    times = turns([encode, lambda: linear(protocol, found[0], found[1], classes, rng)], rounds)
    ratios = [(n * encoding + rest) / (encoding + rest) for encoding, rest in zip(*times, strict=True)]
    what = f"linear evaluation, {n} epochs: clips encoded in every epoch / once; from the time of one encoding"
    return [Line(what, "more than 1 x", f"{spread(ratios, '.0f')} x", median(ratios) > 1)]


def sparse_ntu60(folder: Path, clips: int = NTU60_CLIPS) -> None:
    """A `Clips` folder of NTU RGB+D 60's size (float16, 100 to 199 frames a clip) whose frames take no disk space."""
    random_clips(KINECT_V2, 1, 1).save(folder)
    lengths = 100 + np.arange(clips) % 100
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    np.lib.format.open_memmap(folder / "frames.npy", "w+", np.float16, (int(offsets[-1]), 3, 25, 2))
    np.save(folder / "offsets.npy", offsets)
    table = pd.DataFrame(dict.fromkeys(COLUMNS, np.zeros(clips, np.int64)))
    table["name"] = [f"S{i % 17:03d}C{i % 3:03d}P{i % 40:03d}R{i % 2:03d}A{i % 60:03d}" for i in range(clips)]
    table.to_csv(folder / "clips.csv", index=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"clips": clips, "frames": int(offsets[-1])}))


def opened(folder: str) -> tuple[float, float]:
    """Seconds that opening a clips folder takes, and the memory in MB that it adds at its peak."""
    before, started = resident_mb("VmRSS"), time.perf_counter()
    clips = Clips.open(folder)
    seconds, peak = time.perf_counter() - started, resident_mb("VmHWM")
    del clips  # until here it counts
    return seconds, peak - before


def opening() -> list[Line]:
    """Opening NTU RGB+D 60, in time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        sparse_ntu60(Path(folder) / "ntu60")
        runs = [in_a_process(f"opened({str(Path(folder) / 'ntu60')!r})") for _ in range(3)]
    seconds, added = zip(*runs, strict=True)
    what = f"opening {NTU60_CLIPS:,} clips of 100 to 199 frames"
    return [
        Line(what, "under 1 s", f"{spread(seconds, '.2f')} s", median(seconds) < 1),
        Line(f"{what}: memory added", "under 300 MB", f"{spread(added, '.0f')} MB", median(added) < 300),
    ]


def shortened(experiment: Experiment, epochs: int = 2) -> Experiment:
    """The same experiment with at most so many epochs: as much memory, less time."""
    evaluation, protocol = experiment.evaluation, experiment.evaluation.protocol
    training = evaluation.weights.training
    schedule = replace(training.schedule, epochs=min(training.schedule.epochs, epochs))
    weights = replace(evaluation.weights, training=replace(training, schedule=schedule))
    if isinstance(protocol, Linear):
        protocol = replace(protocol, schedule=replace(protocol.schedule, epochs=epochs))
    return replace(experiment, evaluation=replace(evaluation, weights=weights, protocol=protocol))


def quickstart_peak(tsne: bool) -> float:
    """The peak in MB of the quickstart's trainings, evaluations and t-SNE, with two epochs each."""
    from skelkit import run
    from skelkit.report.figures import embed

    experiments = [shortened(experiment) for experiment in quickstart("small")]
    for experiment in experiments:
        run.evaluate(experiment)
    weights = next(e.evaluation.weights for e in experiments if not isinstance(e.evaluation.protocol, OwnClassifier))
    if tsne:
        embed(torch.cat(run.features(weights)).cpu().numpy(), seed=0)
    return resident_mb("VmHWM")


def memory() -> list[Line]:
    """The quickstart's peak, in a store of its own that starts empty: the synthetic clips are made as well."""
    tsne = find_spec("openTSNE") is not None
    with tempfile.TemporaryDirectory() as store:
        peak = in_a_process(f"quickstart_peak({tsne})", SKELKIT_STORE=store, SKELKIT_BUILD="1")
    work = "train, evaluate, t-SNE" if tsne else "train and evaluate (no openTSNE here)"
    what = f"the quickstart's peak at tier small, 2 epochs of each training: {work}"
    return [Line(what, "under 1,500 MB", f"{peak:,.0f} MB", peak < 1500)]


def interskeleton() -> list[Line]:
    """Inter-skeleton contrast: two spatio-temporal views, and the graph encoder."""
    return [*interskeleton_views(), *agcn()]


def byol() -> Iterator[Line]:
    """Bootstrapped representation learning: the graph encoder, and the whole step."""
    yield from stgcn()
    yield from whole_step()


def sesar() -> list[Line]:
    """Sparse semi-supervised learning: the weakened decoders, and which clips are labelled."""
    return [*decoders(), *selections()]


Part = Callable[[], Iterable[Line]]
PARTS: dict[str, Part] = {
    "views": views,
    "step": step,
    "features": features,
    "open": opening,
    "memory": memory,
    "data": data,
    "mocap": kinematics,
    "interskeleton": interskeleton,
    "byol": byol,
    "longt_gan": longt_gan,
    "sesar": sesar,
}
"""Every part by the name that the command line takes."""
