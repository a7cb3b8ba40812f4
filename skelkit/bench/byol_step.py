"""The whole training step of BYOL for skeletons: clips a second, the floor of its operations, and the paper's run."""

from __future__ import annotations

from collections.abc import Callable

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


def whole_step(batch: int | None = None, width: float = 1.0, frames: int = 150, rounds: int = 5) -> list[Line]:
    """Two views, both networks, backward, update and averages: in 32 bit and under bf16 autocast.

    batch: by default the paper's 512 on a GPU and 16 elsewhere, where a larger one is no quicker a clip.
    """
    keep_freed_memory()
    batch = batch or (512 if device().type == "cuda" else 16)
    weights, lines = pretraining("ntu60", "xsub", width=width), []
    clips = torch.randn(2, batch, 3, frames, len(KINECT_V2), 2, device=device())
    seconds = {}
    for name, half in (("32 bit", False), ("bf16", True)):
        step = training_step(weights, clips, half)
        with Roofline() as roofline:
            step()
        seconds[name] = turns([step], rounds)[0]
        floor = roofline.seconds(*peaks(half))
        what = f"BYOL's whole step at {width:g}x, batch {batch}, {frames} frames, {name}"
        lines.append(Line(what, "", f"{spread([batch / each for each in seconds[name]])} samples/s"))
        reached = f"{floor:.3g} s; reached {spread([100 * floor / each for each in seconds[name]], '.0f')} %"
        lines.append(Line(f"{what}: floor from its operations' FLOPs and bytes", "", reached))
    each = min(min(times) for times in seconds.values()) / batch
    hours = [1600 * many * each / 3600 for many in (NTU60_CLIPS / 3, NTU60_CLIPS)]
    what = "projection: 1600 epochs of NTU RGB+D 60 cross-subject, of performances / of clips (paper: 64 V100-hours)"
    return [*lines, Line(what, "", f"{hours[0]:.1f} / {hours[1]:.1f} h")]


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
