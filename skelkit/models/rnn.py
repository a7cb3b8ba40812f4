"""Recurrent encoders over joint coordinates: plain RNN, GRU, LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelkit.data.views import DataSpec
from skelkit.device import exact_on_cpu, on_cpu

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class Recurrent:
    """A one-directional recurrent encoder (Rao et al. 2021, Eq. 7-8, 10)."""

    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    """The recurrent cell; "rnn" is the plain tanh cell."""
    width: int = 256
    """Hidden units E of each layer, and the representation's dimension."""
    layers: int = 1
    """Stacked layers."""
    pool: Literal["mean", "last"] = "mean"
    """"mean" is temporal average pooling over all frames, padding included (TAP, Eq. 10); "last" the last state."""

    def build(self, data: DataSpec) -> RecurrentEncoder:
        """The module for this skeleton and number of persons; initialised from torch's global generator."""
        return RecurrentEncoder(self, len(data.skeleton), data.persons)


class RecurrentEncoder(nn.Module):
    """(b 3 t v m) -> (b d): hidden states h_1 .. h_T, pooled over time."""

    def __init__(self, config: Recurrent, joints: int, persons: int):
        super().__init__()
        self.config = config
        self.out_dim = config.width
        self.cell = CELLS[config.cell](3 * joints * persons, config.width, config.layers, batch_first=True)

    def states(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b t d"]:
        """The last layer's hidden states; a frame is read in the order axis, joint, person."""
        frames = x.transpose(1, 2).flatten(2)  # (b t 3vm)
        kind = frames.device.type
        half = on_cpu(frames) and not exact_on_cpu(frames)
        if half and not runs_in(torch.get_autocast_dtype(kind), self.config.cell, kind):
            with torch.autocast(kind, enabled=False):
                exact: Tensor = self.cell(frames.float())[0]
            return exact
        states: Tensor = self.cell(frames)[0]
        return states

    def forward(
        self, x: Float[Tensor, "b 3 t v m"], pool: Literal["mean", "last"] | None = None
    ) -> Float[Tensor, "b d"]:
        """pool: another pooling than the config's."""
        states = self.states(x)
        return states.mean(1) if (pool or self.config.pool) == "mean" else states[:, -1]


@cache
def runs_in(dtype: torch.dtype, cell: Literal["rnn", "gru", "lstm"], device_type: str) -> bool:
    """Whether torch runs a cell forward and backward under autocast to a dtype on this device; a small one is tried.

    Autocast hands an LSTM in bfloat16 to oneDNN even where that has no kernel for it, on a processor without AVX-512,
    and a RuntimeError comes back. No random number is drawn.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), torch.autocast(device_type, dtype):
            tried = CELLS[cell](2, 2, device=device_type)
            tried(torch.zeros(1, 2, 2, device=device_type))[0].sum().backward()
    except RuntimeError:
        return False
    return True
