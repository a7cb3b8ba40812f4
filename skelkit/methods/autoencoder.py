"""The baselines of Zheng et al. 2018: the autoencoder, and the unsupervised LSTM of Srivastava et al. 2015."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from skelkit.augment import Pieces, cut
from skelkit.augment.chain import frames_at
from skelkit.data.views import Batch, DataSpec
from skelkit.files import SkelkitError
from skelkit.losses import Losses, element_wise
from skelkit.models.sequences import Decoder, FrameDecoder, clips_of, encode, frames_of


@dataclass(frozen=True)
class AutoencoderConfig:
    """The knobs of reconstruction and prediction; defaults are the autoencoder's.

    The composite model of Srivastava et al. 2015 is `future = 13 / 29`, `reverse = True`, and pieces of one length, 29:
    it sees 16 frames and predicts 13. Zheng et al. 2018 give no lengths of theirs.
    """

    pieces: Pieces | None = Pieces()  # noqa: RUF009 (frozen)
    """The sub-sequences that are trained on; None: whole clips, as the view gives them."""
    future: float = 0.0
    """The share of a piece, at its end and rounded down, that the encoder does not see and a second decoder predicts; 0
    predicts nothing. Differs from the paper: a clip that is shorter than the pieces is shared out alike, where
    Srivastava et al. take inputs of one length only."""
    reverse: bool = False
    """Whether what was seen comes back last frame first, as with Srivastava et al. 2015 (Sec. 2.2)."""
    fed: bool = False
    """Whether a decoder reads the frame before the one it gives ("conditional", Srivastava et al. 2015, Sec. 2.4), or,
    but for F, zeros. The paper does not say; without, F alone has to tell of the clip."""
    decoder: Decoder = Decoder()  # noqa: RUF009 (frozen)
    """The decoder, and the second one: "the same baseline network" as LongT GAN's."""

    def __post_init__(self) -> None:
        if not 0 <= self.future < 1:
            raise SkelkitError(f"autoencoder: future = {self.future:g} is no share of a clip; give 0 to below 1")


class Autoencoder(nn.Module):
    """Give back the frames that the encoder saw, and those that follow them, from its representation alone."""

    def __init__(self, config: AutoencoderConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`."""
        super().__init__()
        self.config = config
        frame, width = 3 * len(data.skeleton) * data.persons, int(encoder.out_dim)  # type: ignore[arg-type]
        self.encoder = encoder
        self.decoder = config.decoder.build(frame, width)
        self.predictor = config.decoder.build(frame, width) if config.future else None

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """The element-wise losses of reconstruction and prediction, under the one group "loss"."""
        x, lengths = cut(self.config.pieces, batch, rng)
        # The small number keeps 13 / 29 of 29 from becoming 12.
        hidden = (lengths * self.config.future + 1e-4).long()
        seen = lengths - hidden
        time = torch.arange(x.shape[2], device=x.device)
        first = x * _there(time, seen)
        representation = encode(self.encoder, first, seen)
        back = (seen[:, None] - 1 - time).clamp(min=0)
        again = frames_at(first, back) * _there(time, seen) if self.config.reverse else first
        loss = self._error(self.decoder, representation, again, seen)
        if self.predictor is not None:
            later = frames_at(x, (seen[:, None] + time).clamp(max=x.shape[2] - 1)) * _there(time, hidden)
            loss = loss + self._error(self.predictor, representation, later, hidden)
        return {"loss": loss.mean()}

    def _error(
        self,
        decoder: FrameDecoder,
        representation: Float[Tensor, "b d"],
        wanted: Float[Tensor, "b 3 t v m"],
        lengths: Int[Tensor, " b"],
    ) -> Float[Tensor, " b"]:
        """How far each clip's decoded frames are from the wanted ones; 0 where none is wanted."""
        before = torch.zeros_like(wanted)
        if self.config.fed:
            before[:, :, 1:] = wanted[:, :, :-1]
        decoded = clips_of(decoder(representation, frames_of(before), lengths), *wanted.shape[3:])
        return element_wise(wanted, decoded, _there(torch.arange(wanted.shape[2], device=wanted.device), lengths))

    def after_step(self, done: float) -> None:
        """Nothing follows a step."""

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The encoder."""
        return {"encoder": self.encoder}


def _there(time: Int[Tensor, " t"], lengths: Int[Tensor, " b"]) -> Bool[Tensor, "b 1 t 1 1"]:
    return (time < lengths[:, None])[:, None, :, None, None]
