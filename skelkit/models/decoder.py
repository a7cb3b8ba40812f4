"""The GRU decoder that gives back a clip from its representation, weakened as in Predict & Cluster (Su et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from skelkit.models.gru import over_frames, start_evenly


@dataclass(frozen=True)
class WeakDecoder:
    """A one-directional GRU as wide as the representation, and a linear layer from its state to a frame.

    A decoder that can do little by itself has the encoder put everything into the representation (Su et al. 2020).
    """

    weakening: Literal["fixed state", "fixed weights", "none"] = "fixed state"
    """ "fixed state" (FS): the state before every frame is the encoder's representation H; the decoder reads the frame
    that it gave last, at first the clip's own first frame, and gives the change from it. "fixed weights" (FW): it
    starts from H, reads zeros and keeps its random weights, which no optimiser moves. "none": the same, and its weights
    learn.
    SESAR (Li and Shlizerman 2020) says "we penalize the decoder as described in [28]", not how; its code is set to FS.
    Differs from the released code: the PyTorch ones set `requires_grad` on the module, which freezes none of its
    weights; P&C's TensorFlow code hands the encoder's weights alone to the optimiser, as here."""
    initial: float | None = 0.05
    """Weights and biases start as U[-initial, initial]; None: torch's own, U[-1/sqrt(H), 1/sqrt(H)]. 0.05 is SESAR's
    released code's, whose paper says nothing; P&C's has 0.04 for the linear layer."""

    def build(self, frame: int, representation: int) -> FrameDecoder:
        """frame: numbers of a frame. representation: numbers of H, and so the width of the GRU."""
        return FrameDecoder(self, frame, representation)


class FrameDecoder(nn.Module):
    """(b d), (b 3 t v m) -> (b 3 t v m): as many frames as the clip has, of which it sees the first or none."""

    def __init__(self, config: WeakDecoder, frame: int, representation: int):
        super().__init__()
        self.config = config
        self.gru = nn.GRU(frame, representation, batch_first=True)
        self.out = nn.Linear(representation, frame)
        if config.initial is not None:
            start_evenly(self, config.initial)
        # The method reaches every weight; the attribute `requires_grad` of a module reaches none.
        self.requires_grad_(config.weakening != "fixed weights")

    def forward(
        self, representation: Float[Tensor, "b d"], x: Float[Tensor, "b 3 t v m"]
    ) -> Float[Tensor, "b 3 t v m"]:
        """x^ of Li and Shlizerman 2020, Eq. 1. representation: H, the encoder's last state."""
        frames = x.transpose(1, 2).flatten(2)  # (b t 3vm)
        fixed = self.config.weakening == "fixed state"
        found = self._steps(representation, frames) if fixed else self._run(representation, frames)
        return found.unflatten(2, (3, *x.shape[3:])).transpose(1, 2)

    def _run(self, state: Float[Tensor, "b d"], frames: Float[Tensor, "b t f"]) -> Float[Tensor, "b t f"]:
        """Nothing is read, so that all frames are one call: the state goes its own way from H."""
        outputs: Tensor = self.out(over_frames(self.gru, torch.zeros_like(frames), state[None]))
        return outputs

    def _steps(self, state: Float[Tensor, "b d"], frames: Float[Tensor, "b t f"]) -> Float[Tensor, "b t f"]:
        """A GRU's step from the same state at every frame: torch's formula, with the part that H decides in front.

        The product with W_h, (b d) x (d 3d), is by far the largest of a step and the same at each; what depends on the
        frame is (b f) x (f 3d) and (b d) x (d f).
        """
        of_frames, of_states, frames_bias, states_bias = self.gru.all_weights[0]
        parts = (2 * self.gru.hidden_size, self.gru.hidden_size)  # reset and update, new
        gates_of_state, new_of_state = F.linear(state, of_states, states_bias).split(parts, 1)
        frame, found = frames[:, 0], []
        for _ in range(frames.shape[1]):
            gates_of_frame, new_of_frame = F.linear(frame, of_frames, frames_bias).split(parts, 1)
            reset, update = (gates_of_frame + gates_of_state).sigmoid().chunk(2, 1)
            new = (new_of_frame + reset * new_of_state).tanh()
            frame = frame + self.out(new + update * (state - new))
            found.append(frame)
        return torch.stack(found, 1)
