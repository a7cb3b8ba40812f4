"""LongT GAN: long-term dynamics by conditional skeleton inpainting (Zheng et al. 2018)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from skelkit.augment import PartMask, Pieces, cut
from skelkit.data.views import Batch, DataSpec
from skelkit.losses import Losses, adversarial, element_wise
from skelkit.models.sequences import Bidirectional, Decoder, Summary, clips_of, encode, frames_of

NEWEST = 1000
"""At most so many steps' losses wait for the monitor."""


@dataclass(frozen=True)
class LongTGANConfig:
    """The knobs of conditional inpainting; defaults are the paper's (Important Issues in Training, Experiments Setup).

    The released code's are others for `mask`, for `lambda_adv`, and for `everywhere` and `output` of `decoder` and
    encoder. It trains a Wasserstein GAN, four steps of the critic for one of the others, whose weight is 0 in its
    committed settings: `lambda_adv = 0` is what those train. The Wasserstein loss itself is left out here.
    """

    pieces: Pieces | None = Pieces()  # noqa: RUF009 (frozen)
    """The sub-sequences that are trained on, 7 to 35 frames; None: whole clips, as the view gives them."""
    mask: PartMask = PartMask()  # noqa: RUF009 (frozen)
    """Which body parts the decoder does not see."""
    counted: Literal["all", "hidden"] = "all"
    """Which coordinates the element-wise loss counts: "the L2 distance between the inpainted sequence and the original
    sequence" reads as all of them, in all frames; "hidden" are those of the masked parts alone."""
    lambda_adv: float = 0.1
    """The weight of the adversarial loss for the decoder (Eq. 1); 0 trains without a discriminator (Table 3), and reads
    neither `lambda_z` nor `discriminator`."""
    lambda_z: float = 0.1
    """The weight of inpainting from a random z in the adversarial loss (Eq. 2); 0 leaves it out."""
    conditioned: bool = True
    """Whether the decoder reads F; without, zeros in its place ("w/o F", Table 3), and the encoder stays random."""
    decoder: Decoder = Decoder()  # noqa: RUF009 (frozen)
    """Dec."""
    discriminator: Bidirectional = Bidirectional(width=200)  # noqa: RUF009 (frozen)
    """Dis; small, or else "it tends to focus on some trivial distinctions"."""


class LongTGAN(nn.Module):
    """Fill in hidden body parts from a representation of the whole clip, against a discriminator (Algorithm 1)."""

    def __init__(self, config: LongTGANConfig, encoder: nn.Module, data: DataSpec, rng: Generator):
        """encoder: (b 3 t v m) -> (b d), with `out_dim`; the paper's has the width of a frame. Raises SkelkitError
        where the skeleton lacks parts, or the mask would hide them all."""
        super().__init__()
        self.config = config
        self.mask = config.mask.fitted(data.skeleton)
        frame = 3 * len(data.skeleton) * data.persons
        self.encoder = encoder  # Enc
        self.width = int(encoder.out_dim)  # type: ignore[arg-type]
        self.decoder = config.decoder.build(frame, self.width)  # Dec
        if config.lambda_adv:
            self.discriminator = Summary(config.discriminator, frame, 1)  # Dis
        self.newest: deque[Tensor] = deque(maxlen=NEWEST)  # (ele, the discriminator's loss) of the newest steps

    def loss(self, batch: Batch, rng: Generator) -> Losses:
        """Lines 3 to 11 of Algorithm 1 on a batch: a loss each for "encoder", "decoder" and "discriminator".

        Their sum, which a training's record calls "loss", means little: the monitor adds ele and the last by name.
        """
        x, lengths = cut(self.config.pieces, batch, rng)
        hidden = self.mask.sample(x.shape, rng)
        z = torch.randn(len(x), self.width, device=x.device, generator=rng)  # line 8: of N(0, I)
        return self.losses(x, lengths, hidden, z)

    def losses(
        self,
        x: Float[Tensor, "b 3 t v m"],
        lengths: Int[Tensor, " b"],
        hidden: Bool[Tensor, "b 3 t v 1"],
        z: Float[Tensor, "b d"],
    ) -> Losses:
        """The same of clips whose masks and z are drawn already; no number depends on the frames after `lengths`."""
        config, losses = self.config, {}
        masked = self.mask.apply(x, hidden)
        x_hat = self.decode(self.represent(x, lengths), masked, lengths)  # line 6, Dec(x~, F)
        there = (torch.arange(x.shape[2], device=x.device) < lengths[:, None])[:, None, :, None, None]
        ele = element_wise(x, x_hat, there & hidden if config.counted == "hidden" else there).mean()  # line 7
        if config.conditioned:
            losses["encoder"] = ele  # line 12: never adv, which would have F tell what makes frames look real
        losses["decoder"] = ele  # line 13 without lambda_adv
        judged = ele.detach().new_full((), float("nan"))
        if config.lambda_adv:
            x_hat_z = self.decode(z, masked, lengths) if config.lambda_z else None  # line 9, Dec(x~, z)
            adv = self._adversarial(x, x_hat, x_hat_z, lengths)  # line 10
            losses["decoder"] = ele + config.lambda_adv * adv  # Eq. 1
            # Differs from the paper: line 14 as printed has the discriminator descend along adv, as the decoder does,
            # and so call real clips fake. The sign is a slip: a discriminator maximises Eq. 2 (Goodfellow et al. 2014).
            losses["discriminator"] = -adv
            judged = -adv.detach()
        self.newest.append(torch.stack([ele.detach(), judged]))
        return losses

    def _adversarial(self, x: Tensor, x_hat: Tensor, x_hat_z: Tensor | None, lengths: Tensor) -> Tensor:
        sequences = [x, x_hat] if x_hat_z is None else [x, x_hat, x_hat_z]
        frames = frames_of(torch.cat(sequences))
        logits = self.discriminator(frames, lengths.repeat(len(sequences))).squeeze(1)
        real, fake, *from_z = logits.chunk(len(sequences))
        return adversarial(real, fake, from_z[0] if from_z else None, self.config.lambda_z)

    def represent(self, x: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """F = Enc(x), or zeros where the decoder is not conditioned on it."""
        return encode(self.encoder, x, lengths) if self.config.conditioned else x.new_zeros(len(x), self.width)

    def decode(
        self, representation: Float[Tensor, "b d"], masked: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b 3 t v m"]:
        """Dec(x~, F): clips as inpainted from a representation, be it F, z or zeros."""
        frames = self.decoder(representation, frames_of(masked), lengths)
        return clips_of(frames, *masked.shape[3:])

    def after_step(self, done: float) -> None:
        """Nothing follows a step."""

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The encoder, whose output F is what classifiers get."""
        return {"encoder": self.encoder}
