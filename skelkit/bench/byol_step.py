"""The whole training step of BYOL for skeletons: clips a second, the floor of its operations, and the paper's run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from skelkit.bench.roofline import Roofline, peaks
from skelkit.bench.timing import Line, spread, turns
from skelkit.data.skeleton import KINECT_V2
from skelkit.data.views import Batch, DataSpec
from skelkit.device import device, keep_freed_memory
from skelkit.methods import build
from skelkit.recipes.byol_settings import pretraining
from skelkit.recipes.experiment import Weights

NTU60_CLIPS = 40_091
"""Training clips of NTU RGB+D 60 cross-subject; three cameras saw each performance."""


def whole_step(batch: int | None = None, width: float = 1.0, frames: int = 150, rounds: int = 5) -> Iterator[Line]:
    """Two views, both networks, backward, update and averages: in 32 bit and under bf16 autocast.

    batch: by default the paper's 512 on a GPU, or the half, the quarter, ... of it that fits its memory, and 16
    elsewhere, where a larger one is no quicker a clip.
    """
    keep_freed_memory()
    weights = pretraining("ntu60", "xsub", width=width)
    for name, half in (("32 bit", False), ("bf16", True)):
        step, roofline, many = _fitting(weights, batch or (512 if device().type == "cuda" else 16), frames, half)
        seconds = turns([step], rounds)[0]
        floor = roofline.seconds(*peaks(half))
        what = f"BYOL's whole step at {width:g}x, batch {many}, {frames} frames, {name}"
        yield Line(what, "", f"{spread([many / each for each in seconds])} samples/s")
        reached = f"{floor:.3g} s; reached {spread([100 * floor / each for each in seconds], '.0f')} %"
        yield Line(f"{what}: floor from its operations' FLOPs and bytes", "", reached)
        hours = [1600 * clips * median(seconds) / many / 3600 for clips in (NTU60_CLIPS / 3, NTU60_CLIPS)]
        what = "1600 epochs of NTU RGB+D 60 cross-subject, of performances / of clips (paper: 64 V100-hours)"
        yield Line(f"projection, {name}: {what}", "", f"{hours[0]:.1f} / {hours[1]:.1f} h")


def _fitting(weights: Weights, batch: int, frames: int, half: bool) -> tuple[Callable[[], None], Roofline, int]:
    """A step with its operations counted, and its batch: as many clips as were asked for, or what of them fits."""
    while True:
        try:
            clips = torch.randn(2, batch, 3, frames, len(KINECT_V2), 2, device=device())
            step = training_step(weights, clips, half)
            with Roofline() as roofline:
                step()
            return step, roofline, batch
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2


def training_step(weights: Weights, clips: Float[Tensor, "2 b 3 t v m"], half: bool) -> Callable[[], None]:
    """A step as the training loop takes it, on two viewpoints that are in memory already."""
    torch.manual_seed(0)
    rng = Generator(device()).manual_seed(0)
    spec = DataSpec(len(clips[0]), 60, KINECT_V2, 2)
    method = build(weights.method, weights.encoder.build(spec), spec, rng).to(device()).train()
    optimiser = weights.training.optimiser.build(method.parameters())
    index = torch.arange(len(clips[0]), device=device())
    batch = Batch(clips[0], index, torch.full_like(index, -1), clips[1])

    def step() -> None:
        with torch.autocast(device().type, torch.bfloat16, enabled=half):
            loss = method.loss(batch, rng)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        method.after_step(0.5)

    return step
