"""Recurrent networks over clips of any length, for which padding does not exist: Enc, Dec and Dis of Zheng et al. 2018.

A batch is packed: torch runs each clip for as many steps as it has frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.rnn import CELLS


def encode(
    encoder: nn.Module, x: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"] | None
) -> Float[Tensor, "b d"]:
    """An encoder's output; one that says `reads_lengths` is told how many frames of each clip are real."""
    found: Tensor = encoder(x, lengths) if getattr(encoder, "reads_lengths", False) else encoder(x)
    return found


def frames_of(x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b t f"]:
    """Frames as vectors, f = 3 v m, in the order axis, joint, person."""
    return x.transpose(1, 2).flatten(2)


def clips_of(frames: Float[Tensor, "b t f"], joints: int, persons: int) -> Float[Tensor, "b 3 t v m"]:
    """The inverse of `frames_of`."""
    return frames.unflatten(2, (3, joints, persons)).transpose(1, 2)


@dataclass(frozen=True)
class Bidirectional:
    """Two directions over the whole clip, and one linear layer on the last states (Zheng et al. 2018, Fig. 2).

    Built for a data set it is the encoder; the discriminator "shares a same bidirectional GRUs architecture".
    """

    width: int = 800
    """Units of a layer, half of them for each direction: 2 x 400, as in the released code. The paper says "each layer
    of the Enc and Dec has 800 hidden units", and 200 for the Dis. An even number."""
    layers: int = 2
    """Stacked layers; each reads both directions of the one below."""
    cell: Literal["gru", "lstm"] = "gru"
    """The recurrent cell: GRUs "achieve better performances"."""
    dropout: float = 0.2
    """The chance that an activation is dropped on its way from one layer to the next."""
    everywhere: bool = False
    """Drop at the input and at the output of each layer, as in the released code: what reaches the first layer as well,
    and what passes between layers twice."""

    def build(self, data: DataSpec) -> BidirectionalEncoder:
        """The encoder for this skeleton and number of persons; initialised from torch's global generator.

        Raises SkelkitError where the width is odd.
        """
        return BidirectionalEncoder(self, 3 * len(data.skeleton) * data.persons)


class Summary(nn.Module):
    """(b t f), lengths -> (b o): the states in which the last layer's two directions end, through a linear layer."""

    def __init__(self, config: Bidirectional, inputs: int, outputs: int):
        super().__init__()
        if config.width % 2 or config.width < 2:
            raise SkelkitError(f"Bidirectional: width = {config.width} cannot be halved; give an even number")
        self.layers = _layers(config, inputs, config.width // 2, bidirectional=True)
        self.drop_inputs = config.dropout if config.everywhere else 0.0
        self.out = nn.Linear(config.width, outputs)

    def forward(self, frames: Float[Tensor, "b t f"], lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b o"]:
        """lengths: how many of the frames are real; None: all. What stands in the others is never read."""
        frames = F.dropout(frames, self.drop_inputs, self.training)
        last = self.layers(frames if lengths is None else _packed(frames, lengths))[1]
        last = last[0] if isinstance(last, tuple) else last  # (layers x 2, b, h); an LSTM has its cells beside it
        summary: Tensor = self.out(torch.cat([last[-2], last[-1]], 1))
        return summary


class BidirectionalEncoder(nn.Module):
    """(b 3 t v m) -> (b f): a representation F as wide as an input frame, which the decoder reads as one.

    F is a tanh, as in the released code (the paper names none): within [-1, 1], like the coordinates.
    """

    reads_lengths = True

    def __init__(self, config: Bidirectional, frame: int):
        super().__init__()
        self.config = config
        self.out_dim = frame
        self.summary = Summary(config, frame, frame)

    def forward(self, x: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b d"]:
        """lengths: how many of each clip's frames are real; None: all."""
        return self.summary(frames_of(x), lengths).tanh()


@dataclass(frozen=True)
class Decoder:
    """One direction over time, from a representation and a sequence of frames to as many frames."""

    width: int = 800
    """Units of a layer."""
    layers: int = 2
    """Stacked layers."""
    cell: Literal["gru", "lstm"] = "gru"
    """The recurrent cell."""
    dropout: float = 0.2
    """The chance that an activation is dropped on its way from one layer to the next."""
    everywhere: bool = False
    """Drop at the input and at the output of each layer, as in the released code."""
    output: Literal["linear", "recurrent"] = "linear"
    """What makes a frame of a state. The paper does not say; in the released code it is a third GRU as wide as a frame,
    "recurrent"."""

    def build(self, frame: int, representation: int) -> FrameDecoder:
        """frame: numbers of a frame. representation: numbers of F."""
        return FrameDecoder(self, frame, representation)


class FrameDecoder(nn.Module):
    """F (b d), frames (b t f) -> (b t f), teacher-forced in one call.

    Step 0 reads F, step t = 1..T reads frame t and gives output frame t; step 0 gives none. Zheng et al. 2018 have F
    "as the first-frame data" and the masked sequence "from the second step", the first frame of which stays whole "as
    an initial reference": so that frame is read, as in the released code, and T + 1 steps are run.
    """

    def __init__(self, config: Decoder, frame: int, representation: int):
        super().__init__()
        # An encoder whose representation is no frame, one of another paper, needs a way in.
        self.inlet = nn.Identity() if representation == frame else nn.Linear(representation, frame)
        self.layers = _layers(config, frame, config.width)
        self.drop = config.dropout if config.everywhere else 0.0
        recurrent = config.output == "recurrent"
        self.out = nn.GRU(config.width, frame, batch_first=True) if recurrent else nn.Linear(config.width, frame)

    def forward(
        self,
        representation: Float[Tensor, "b d"],
        frames: Float[Tensor, "b t f"],
        lengths: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b t f"]:
        """lengths: how many of the frames are real; None: all. Outputs after them mean nothing."""
        steps = torch.cat([self.inlet(representation)[:, None], frames], 1)  # (b 1+t f)
        steps = F.dropout(steps, self.drop, self.training)
        if lengths is None:
            states = self.layers(steps)[0]
        else:
            packed = self.layers(_packed(steps, lengths + 1))[0]
            states = pad_packed_sequence(packed, batch_first=True, total_length=steps.shape[1])[0]
        states = F.dropout(states, self.drop, self.training)
        found = self.out(states)
        outputs: Tensor = found[0] if isinstance(found, tuple) else found
        return outputs[:, 1:]


def _layers(config: Bidirectional | Decoder, inputs: int, width: int, bidirectional: bool = False) -> nn.RNNBase:
    between = 1 - (1 - config.dropout) ** 2 if config.everywhere else config.dropout
    return CELLS[config.cell](
        inputs,
        width,
        config.layers,
        batch_first=True,
        bidirectional=bidirectional,
        dropout=between if config.layers > 1 else 0.0,  # torch warns of dropout between layers that are not there
    )


def _packed(frames: Tensor, lengths: Tensor) -> nn.utils.rnn.PackedSequence:
    # Lengths are wanted on the CPU: of a GPU's batch, a wait of a few microseconds.
    return pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
