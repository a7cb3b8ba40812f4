"""The one training loop, over Hugging Face Accelerate; nothing else imports it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from skelkit.data.views import Resident
from skelkit.device import keep_freed_memory
from skelkit.files import SkelkitError, whole_file
from skelkit.losses import Losses


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent."""

    lr: float
    """The first learning rate; the highest, where the schedule warms up."""
    momentum: float = 0.9
    """The share of the last step's direction that is kept."""
    weight_decay: float = 0.0
    """The L2 penalty's factor, added to the gradient as torch does."""
    nesterov: bool = False
    """Whether the gradient is taken as if the momentum's step were done already."""

    def build(self, parameters: Iterable[Any]) -> torch.optim.Optimizer:
        """torch's optimiser, of parameters or of groups of them."""
        return torch.optim.SGD(
            parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay, nesterov=self.nesterov
        )


@dataclass(frozen=True)
class Adam:
    """Adam."""

    lr: float
    """The first learning rate; the highest, where the schedule warms up."""
    weight_decay: float = 0.0
    """The L2 penalty's factor, added to the gradient as torch does."""

    def build(self, parameters: Iterable[Any]) -> torch.optim.Optimizer:
        """torch's optimiser, of parameters or of groups of them."""
        return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class Steps:
    """A learning rate that drops at some fractions of the run."""

    epochs: int
    """Passes over the training clips."""
    drops: tuple[float, ...] = ()
    """Fractions of the run after which the rate is multiplied by `factor`: they survive a shorter tier."""
    factor: float = 0.1
    """The ratio of the rates after and before a drop."""

    def rate(self, epoch: float) -> float:
        """The multiplier of the first learning rate in an epoch, from 0; a step within it has a fraction more."""
        return self.factor ** sum(epoch >= round(drop * self.epochs) for drop in self.drops)


@dataclass(frozen=True)
class WarmupCosine:
    """A learning rate that rises along a line to its highest, and falls to 0 along half a cosine, step by step.

    Loshchilov and Hutter 2016 without restarts; the schedule of Moliner et al. 2022, Sec. 4.2.
    """

    epochs: int
    """Passes over the training clips."""
    warmup: float = 0.0
    """The share of the run in which the rate rises; Moliner et al. 2022: 10 of 1600 epochs."""
    start: float = 0.0
    """The first rate as a ratio of the highest; Moliner et al. 2022: 1e-6 to 0.2."""

    def rate(self, epoch: float) -> float:
        """The multiplier of the highest learning rate at a moment of the run, in epochs from 0."""
        done = epoch / self.epochs
        if done < self.warmup:
            return self.start + (1 - self.start) * done / self.warmup
        return (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup))) / 2


@dataclass(frozen=True)
class Decay:
    """A learning rate that shrinks again and again, as papers count steps: in a shorter run less often."""

    epochs: int
    """Passes over the training clips."""
    factor: float = 0.95
    """The rate is multiplied by it each time; Li and Shlizerman 2020: 0.95."""
    every: int = 1000
    """So many steps, or epochs, lie between two factors. Li and Shlizerman 2020, Implementation Details: 1000
    iterations for UWA3D and NW-UCLA, 500 for NTU RGB+D 60; their released code: 2 epochs."""
    of: Literal["steps", "epochs"] = "steps"
    """What `every` counts."""

    def rate(self, epoch: float, steps: int) -> float:
        """The multiplier of the first learning rate at a moment of the run, in epochs from 0, each of so many steps."""
        gone = round(epoch * steps) if self.of == "steps" else int(epoch)
        return self.factor ** (gone // self.every)


@dataclass(frozen=True)
class Training:
    """How a method is trained."""

    optimiser: SGD | Adam
    """Its rate is the schedule's highest; a method's `rates` may give a submodule a multiple of it."""
    schedule: Steps | WarmupCosine | Decay
    """The learning rate over the run, and how long the run is."""
    batch: int = 32
    """Clips a step; the last batch of an epoch may be smaller."""
    idle_epochs: int = 0
    """First epochs that run without an update and only fill the queue: one in the released AS-CAL code."""
    bf16: bool = False
    """Run the loss under bfloat16 autocast; weights and contrastive logits stay in 32 bit, and so does an LSTM on a
    processor that torch has no such kernel for."""
    performances: bool = False
    """Multi-viewpoint sampling (Moliner et al. 2022, Sec. 3.4): an epoch runs through performances, not clips, and two
    of a performance's clips are drawn, with replacement; the second is the batch's `partner`. A performance of which
    the training set has one clip is a pair of that clip with itself."""
    clip: float | None = None
    """A gradient of all trainable parameters that is longer (L2) is scaled down to this length; 25 in the released
    codes of Predict & Cluster (Su et al. 2020) and SESAR (Li and Shlizerman 2020). None: never."""


History = list[dict[str, int | float]]
"""One record an epoch: "epoch" from 1, "loss", and what the monitors add."""
Callback = Callable[[int, nn.Module], dict[str, float]]
"""A monitor: (epoch from 1, method) -> named numbers that join the epoch's record."""


def train(
    method: Any,
    data: Resident,
    members: np.ndarray,
    training: Training,
    rng: Generator,
    *,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 20.0,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
) -> History:
    """Train a method on some clips of a resident data set, and return one record an epoch (epoch, loss, monitors).

    members: indices of the training clips. rng: draws the order of clips and the augmentations, on data's device.
    checkpoint: a file that is rewritten at the end of an epoch, at most every `checkpoint_seconds`; where it exists,
    training goes on from it and ends, on the CPU with the same number of threads, with the weights that an
    uninterrupted run has, bit for bit. progress: None shows a bar on a terminal only.
    Raises SkelkitError when a loss is not finite, naming epoch and step, or a weight; the last good checkpoint stays.
    """
    keep_freed_memory()
    accelerator = Accelerator(cpu=data.device.type == "cpu")
    if accelerator.num_processes > 1:  # queues and their pointers would part company between processes
        raise SkelkitError(f"training: {accelerator.num_processes} processes were launched; start one, on one device")
    optimiser = training.optimiser.build(_parts(method))
    # The loss is the forward pass of a wrapper, so that a distributed wrapper around it sees every call.
    step, optimiser = accelerator.prepare(_Step(method).to(data.device), optimiser)
    train_set = torch.from_numpy(np.asarray(members, np.int64)).to(data.device)
    performances = data.performances(train_set) if training.performances else None
    before = spent(checkpoint)
    history = _resume(checkpoint, method, optimiser, rng) if checkpoint and checkpoint.exists() else []
    saved = started = time.monotonic()
    epochs = tqdm(
        range(len(history), training.schedule.epochs),
        initial=len(history),
        total=training.schedule.epochs,
        unit="epoch",
        leave=False,
        disable=None if progress is None else not progress,
    )
    method.train()
    for epoch in epochs:
        many = len(train_set) if performances is None else len(performances)
        batches = torch.randperm(many, device=data.device, generator=rng).split(training.batch)
        losses = []
        for i, chosen in enumerate(batches):
            _set_rates(method, optimiser, training, epoch + i / len(batches), len(batches))
            batch = data.batch(train_set, *((chosen,) if performances is None else performances.draw(chosen, rng)))
            with torch.autocast(data.device.type, torch.bfloat16, enabled=training.bf16):
                loss = step(batch, rng)
            if epoch >= training.idle_epochs:
                optimiser.zero_grad()
                _backward(accelerator, method, loss)
                if training.clip is not None:
                    accelerator.clip_grad_norm_(method.parameters(), training.clip)
                optimiser.step()
            method.after_step((epoch + (i + 1) / len(batches)) / training.schedule.epochs)
            losses.append(torch.stack([value.detach() for value in loss.values()]).sum())
        history.append({"epoch": epoch + 1, "loss": _mean(torch.stack(losses), epoch)})
        _check_weights(method, epoch)
        for callback in callbacks:
            history[-1] |= callback(epoch + 1, method)
            method.train()
        epochs.set_postfix(loss=f"{history[-1]['loss']:.3f}")
        if checkpoint and time.monotonic() - saved >= checkpoint_seconds:
            saved = time.monotonic()
            _save(checkpoint, method, optimiser, rng, history, before + saved - started)
    return history


def spent(checkpoint: Path | None) -> float:
    """Seconds of training that a checkpoint stands for; 0 without one, and of one that `train` will refuse."""
    try:
        with safe_open(checkpoint, "pt") as file:
            return float(file.metadata()["seconds"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return 0.0


class _Step(nn.Module):
    def __init__(self, method: Any):
        super().__init__()
        self.method = method

    def forward(self, batch: Any, rng: Generator) -> Losses:
        loss: Losses = self.method.loss(batch, rng)
        return loss


def _rates(method: Any, done: float) -> dict[str, float]:
    """What a method's optional member `rates` asks for: factors of the learning rate, by submodule."""
    return method.rates(done) if hasattr(method, "rates") else {}


def _parts(method: Any) -> list[dict[str, Any]]:
    """The optimiser's groups: all trainable parameters, but for those of submodules with a factor of their own."""
    parts: dict[str, list[nn.Parameter]] = {"": [], **{name: [] for name in _rates(method, 0.0)}}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            parts[next((part for part in parts if part and name.startswith(f"{part}.")), "")].append(parameter)
    return [{"params": parameters, "part": part} for part, parameters in parts.items()]


def _set_rates(method: Any, optimiser: Any, training: Training, epoch: float, steps: int) -> None:
    """Give each group its learning rate; a factor of 0 freezes the submodule: it gets no gradient, and no decay."""
    schedule, rates = training.schedule, _rates(method, epoch / training.schedule.epochs)
    rate = schedule.rate(epoch, steps) if isinstance(schedule, Decay) else schedule.rate(epoch)
    for group in optimiser.param_groups:
        factor = rates.get(group["part"], 1.0)
        group["lr"] = training.optimiser.lr * rate * factor
        for parameter in group["params"]:
            parameter.requires_grad_(factor > 0)


def _backward(accelerator: Accelerator, method: nn.Module, loss: Losses) -> None:
    """Each scalar reaches its own group only: the submodule of its name, or for "loss" every parameter."""
    for i, (group, value) in enumerate(loss.items()):
        inputs = None if group == "loss" else [p for p in method.get_submodule(group).parameters() if p.requires_grad]
        accelerator.backward(value, inputs=inputs, retain_graph=i + 1 < len(loss))


def _mean(losses: Tensor, epoch: int) -> float:
    """The epoch's mean loss; read once an epoch, so that a GPU is not made to wait at every step."""
    if not losses.isfinite().all():
        step = int((~losses.isfinite()).nonzero()[0, 0]) + 1
        raise SkelkitError(
            f"training: loss not finite at epoch {epoch + 1}, step {step}; lower the learning rate or check the data"
        )
    return float(losses.mean())


def _check_weights(method: nn.Module, epoch: int) -> None:
    """An epoch's last step can spoil the weights, and only the next loss would tell: after a checkpoint, or never."""
    state = method.state_dict()
    finite = torch.stack([tensor.isfinite().all() for tensor in state.values()])  # read once: a GPU waits for each look
    if not finite.all():
        name = [*state][finite.tolist().index(False)]
        raise SkelkitError(
            f"training: {name} not finite after epoch {epoch + 1}; lower the learning rate or check the data"
        )


def _save(path: Path, method: nn.Module, optimiser: Any, rng: Generator, history: History, seconds: float) -> None:
    tensors = {f"method.{name}": tensor for name, tensor in method.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": v for name, v in state.items() if isinstance(v, Tensor)}
    tensors |= {"rng.torch": torch.get_rng_state(), "rng.generator": rng.get_state()}
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    with whole_file(path) as part:
        save_file(
            {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()},
            part,
            {"history": json.dumps(history), "seconds": str(seconds)},
        )


def _resume(path: Path, method: nn.Module, optimiser: Any, rng: Generator) -> History:
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            history: History = json.loads(file.metadata()["history"])
        method.load_state_dict({k.removeprefix("method."): v for k, v in tensors.items() if k.startswith("method.")})
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, index, field = name.split(".", 2)
                state.setdefault(int(index), {})[field] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        torch.set_rng_state(tensors["rng.torch"])
        rng.set_state(tensors["rng.generator"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SkelkitError(f"{path}: not a checkpoint of this run ({reason}); delete it to start again") from error
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    return history
