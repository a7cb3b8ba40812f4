"""The bidirectional GRU, X_SEQ of Thoker et al. 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.views import DataSpec
from skelkit.device import on_cpu


@dataclass(frozen=True)
class BiGRU:
    """The sequence encoder X_SEQ of Thoker et al. 2021 (Sec. 4.2): a 3-layer bidirectional GRU."""

    width: int = 1024
    """Hidden units H of each layer and direction; the representation has twice as many dimensions."""
    layers: int = 3
    """Stacked layers; each reads both directions of the one below."""
    directions: Literal["both ways", "two forward"] = "both ways"
    """"both ways" is a bidirectional GRU. "two forward" is what the released code computes: it steps such a GRU frame
    by frame, so that the second direction runs forward in time as well. The released PyTorch codes of Predict & Cluster
    (Su et al. 2020) and SESAR (Li and Shlizerman 2020) do so too; Predict & Cluster's TensorFlow code does not."""
    padding: Literal["read", "left out"] = "read"
    """Whether all-zero frames at a clip's end are read like any others, or left out, so that each direction begins and
    ends with the clip, as Predict & Cluster's `sequence_length` has it. Thoker et al. have none: they resample."""
    initial: float | Literal["xavier"] | None = None
    """Weights and biases start as U[-initial, initial]; None: torch's own, U[-1/sqrt(H), 1/sqrt(H)]. SESAR's released
    code has 0.05, and its paper says nothing. "xavier": each weight matrix W (3H x inputs), its three gates together,
    starts as U[-a, a] with a = sqrt(6 / (3H + inputs)), the biases as torch's own; so the released code of Thoker et
    al. has it (moco/builder_inter.py, weights_init_gru), and their paper says nothing."""

    def build(self, data: DataSpec) -> BiGRUEncoder:
        """The module for this skeleton and number of persons; initialised from torch's global generator."""
        return BiGRUEncoder(self, 3 * len(data.skeleton) * data.persons)


class BiGRUEncoder(nn.Module):
    """(b 3 t v m) -> (b 2h): each direction's state after its own last step.

    The paper does not say which state; a direction's last one is the only one that has read the whole clip. Run both
    ways, that is the second direction's state at the first frame.
    """

    def __init__(self, config: BiGRU, inputs: int):
        super().__init__()
        self.config = config
        self.out_dim = 2 * config.width
        sizes = [inputs] + [self.out_dim] * (config.layers - 1)
        self.first = nn.ModuleList(nn.GRU(size, config.width, batch_first=True) for size in sizes)
        self.second = nn.ModuleList(nn.GRU(size, config.width, batch_first=True) for size in sizes)
        if config.initial == "xavier":
            for matrix in (parameter for parameter in self.parameters() if parameter.dim() == 2):
                nn.init.xavier_uniform_(matrix)
        elif config.initial is not None:
            start_evenly(self, config.initial)

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
        """A frame is read in the order joint, axis, person, as in the released code."""
        states = x.permute(0, 2, 3, 1, 4).flatten(2)  # (b t v3m)
        lengths = last_frames(x) + 1 if self.config.padding == "left out" else None
        for first, second in zip(self.first, self.second, strict=True):
            # A direction runs over all frames in one call: twice as fast as both together frame by frame.
            forth, back = over_frames(first, states), over_frames(second, self._turned(states, lengths))
            states = torch.cat([forth, self._turned(back, lengths)], 2)  # (b t 2h)
        if lengths is None:
            return torch.cat([forth[:, -1], back[:, -1]], 1)
        end = (lengths - 1)[:, None, None].expand(-1, 1, forth.shape[2])
        return torch.cat([forth.gather(1, end), back.gather(1, end)], 2)[:, 0]  # what ran on after it is not read

    def _turned(self, states: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"] | None) -> Float[Tensor, "b t d"]:
        """Time as the second direction sees it; padding stays at the end."""
        if self.config.directions == "two forward":
            return states
        if lengths is None:
            return states.flip(1)
        time = torch.arange(states.shape[1], device=states.device)
        back = torch.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)  # (b t)
        return states.gather(1, back[:, :, None].expand_as(states))


def over_frames(
    gru: nn.Module, frames: Float[Tensor, "b t f"], start: Float[Tensor, "1 b h"] | None = None
) -> Float[Tensor, "b t h"]:
    """The states of a GRU after each frame. start: its state before the first; None: zeros.

    On a GPU in 32 bit, under autocast as well: cuDNN's recurrences would take float16 there in bfloat16's place, in
    which small gradients vanish.
    """
    if on_cpu(frames):
        kept: Tensor = gru(frames, start)[0]
    else:
        with torch.autocast(frames.device.type, enabled=False):
            kept = gru(frames.float(), None if start is None else start.float())[0]
    return kept


def last_frames(x: Float[Tensor, "b 3 t v m"]) -> Int[Tensor, " b"]:
    """The number of each clip's last frame that is not all zeros, from 0; 0 for a clip of zeros."""
    time = torch.arange(x.shape[2], device=x.device)
    return (time * x.ne(0).any(4).any(3).any(1)).amax(1)


def start_evenly(module: nn.Module, limit: float) -> None:
    """Draw every parameter from U[-limit, limit], by torch's global generator."""
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -limit, limit)
