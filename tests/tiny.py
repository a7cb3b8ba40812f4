"""Small things that several test files share: clips made of noise, and work that tests do in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from skelkit import store, train
from skelkit.augment import GaussianNoise, Reverse, Shear
from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU, Skeleton
from skelkit.data.views import Batch, DataSpec, Resident, View
from skelkit.methods import build
from skelkit.methods.ascal import ASCALConfig
from skelkit.models.rnn import Recurrent
from skelkit.train import SGD, Adam, Steps, Training

PROCESSES = multiprocessing.get_context("forkserver")  # real processes; torch is imported once for all of them
PROCESSES.set_forkserver_preload(["pytest", "torch._dynamo", "skelkit.methods", "skelkit.train"])


def clips_of(
    n: int = 20,
    classes: int = 2,
    skeleton: Skeleton = SBU,
    persons: int = 1,
    name: str = "tiny",
    dtype: type = np.float32,
    seed: int = 0,
) -> Clips:
    """Noise around one random pose a class: separable, with every metadata column."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 12, n)
    label = np.arange(n) % classes
    poses = rng.normal(0, 1, (classes, 3, len(skeleton), persons))
    frames = np.concatenate(
        [poses[c] + rng.normal(0, 0.3, (t, *poses[c].shape)) for t, c in zip(lengths, label, strict=True)]
    )
    columns = {
        "label": label,
        "subject": 1 + np.arange(n) // classes % 4,
        "camera": 1 + np.arange(n) // classes % 3,
        "setup": 1 + np.arange(n) // classes % 2,
        "fold": np.arange(n) // classes % 5,
    }
    return Clips.from_arrays(
        frames.astype(dtype),
        np.concatenate([[0], np.cumsum(lengths)]),
        skeleton=skeleton,
        classes=[f"class {c}" for c in range(classes)],
        name=name,
        columns=columns,
    )


def resident_of(clips: Clips, frames: int = 8) -> Resident:
    return Resident(clips, View(frames))


def performances_of(clips: Clips, cameras: int) -> Clips:
    """The same clips, where `cameras` in a row show one performance, numbered from 0."""
    return replace(clips, table=clips.table.assign(action=np.arange(len(clips)) // cameras))


def save_npz(clips: Clips, path: Path, **changes: Any) -> None:
    """The interchange file of clips, with some arrays changed."""
    arrays = {
        "frames": clips.frames.transpose(0, 3, 2, 1),
        "offsets": clips.offsets,
        "class_names": np.array(clips.classes),
        "joint_names": np.array(clips.skeleton.joints),
        "units": np.array(clips.units),
        **{name: clips.column(name) for name in ("label", "subject", "camera", "setup", "fold")},
    }
    np.savez(path, **{**arrays, **changes})


class Dropping(nn.Module):
    """A method whose loss draws from torch's own generator as well."""

    def __init__(self, data: Resident):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(data.joints * 3, 8), nn.Dropout(0.5), nn.Linear(8, 2))

    def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
        noisy = batch.clips + GaussianNoise().sample(batch.clips.shape, rng)
        return {"loss": nn.functional.cross_entropy(self.layers(noisy.mean((2, 4)).flatten(1)), batch.labels)}

    def after_step(self, done: float) -> None:
        pass


RUNS: dict[str, Training] = {
    "SGD with momentum": Training(SGD(0.05), Steps(10, (0.5,)), batch=8, idle_epochs=2),
    "Adam": Training(Adam(0.01), Steps(10, (0.5,)), batch=8),
}


def training_run(
    name: str,
    folder: Path,
    tag: str,
    *,
    pause: float = 0.0,
    die_at_step: int | None = None,
    die_in_checkpoint: int | None = None,
) -> None:
    """Train, in this process, with a checkpoint after every epoch; `<tag>.safetensors` and `<tag>.epochs` come last.

    die_at_step: SIGKILL while the loss of that step is worked out. die_in_checkpoint: SIGKILL while it is written.
    """
    torch.set_num_threads(1)
    torch.manual_seed(3)
    clips = clips_of()
    data, rng = resident_of(clips), Generator().manual_seed(3)
    if name == "Adam":
        method: Any = Dropping(data)
    else:
        spec = DataSpec(len(clips), 2, clips.skeleton, clips.persons)
        config = ASCALConfig(steps=(Reverse(), Shear()), queue=16, momentum=0.9)
        method = build(config, Recurrent("lstm", 6).build(spec), spec, rng)
    method.loss = _dying(method.loss, die_at_step)
    train.save_file = _dying(save_file, die_in_checkpoint, after=True)
    history = train.train(
        method,
        data,
        np.arange(len(clips)),
        RUNS[name],
        rng,
        checkpoint=folder / f"{tag}.checkpoint",
        checkpoint_seconds=0,
        callbacks=[lambda epoch, method: time.sleep(pause) or {}],
    )
    (folder / f"{tag}.epochs").write_text(str([record["loss"] for record in history]))
    save_file({k: v.clone() for k, v in method.state_dict().items()}, folder / f"{tag}.safetensors")


def _dying(function: Callable[..., Any], at: int | None, after: bool = False) -> Callable[..., Any]:
    calls = 0

    def counted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = function(*args)
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return counted


def build_slowly(folder: Path, start: Any = None) -> None:
    """Stage an artefact as one of many: each build leaves a line in `folder/builds`."""
    os.environ["SKELKIT_STORE"] = str(folder)
    os.environ.pop("SKELKIT_BUILD", None)

    def make(part: Path) -> dict[str, Any]:
        with open(folder / "builds", "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        (part / "answer").write_text("42")
        return {"seconds": 0.3}

    if start is not None:
        start.wait()
    path = store.stage("things", {"n": 1}, make)
    assert (path / "answer").read_text() == "42"


def build_and_die(folder: Path) -> None:
    """Stage an artefact and be killed with half of it written."""
    os.environ["SKELKIT_STORE"] = str(folder)
    os.environ.pop("SKELKIT_BUILD", None)

    def make(part: Path) -> None:
        (part / "answer").write_text("4")
        os.kill(os.getpid(), signal.SIGKILL)

    store.stage("things", {"n": 1}, make)
