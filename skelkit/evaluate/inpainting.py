"""The inpainting error: how wrong a decoder's guess of hidden body parts is (Zheng et al. 2018, Table 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from skelkit.augment import PartMask
from skelkit.data.skeleton import Skeleton
from skelkit.data.views import Resident
from skelkit.evaluate.metrics import Result
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Inpainting:
    """Hide parts of the test clips, whole as they are, let the decoder fill them in, and measure the error.

    Scores: "MSE", the mean square over the coordinates that count, each clip's own mean first; "RMSE", the root of it:
    the paper writes "mean square root (MSE)". The unit is that of the clips, which reach from -1 to 1.
    """

    mask: PartMask = PartMask()  # noqa: RUF009 (frozen)
    """Which parts are hidden, whatever mask the training had: so that trainings are compared on the same question."""
    counted: Literal["hidden", "all"] = "hidden"
    """Which coordinates count: those that were hidden, or all of them, the first frame's as well. The paper does not
    say."""
    representation: Literal["own", "zeros"] = "own"
    """What the decoder is conditioned on: what its training conditioned it on (F, or zeros without F), or zeros in any
    case, which tells how much a decoder that was given F makes of it."""
    draws: int = 5
    """So many masks are drawn for each clip."""
    seed: int = 0
    """The same seed hides the same parts of the same clips, for every training."""


class Filled(NamedTuple):
    """Clips before and after inpainting."""

    x: Float[Tensor, "b 3 t v m"]
    """As they are."""
    x_hat: Float[Tensor, "b 3 t v m"]
    """As decoded."""
    hidden: Bool[Tensor, "b 3 t v 1"]
    """The coordinates that the decoder did not see."""
    there: Bool[Tensor, "b 1 t 1 1"]
    """The frames that are no padding."""


def inpainting(
    protocol: Inpainting,
    method: Any,
    data: Resident,
    index: Int[Tensor, " n"],
    skeleton: Skeleton,
    batch: int = 256,
) -> Result:
    """The error of a method's decoder on some clips. Clips of a single frame have nothing hidden, and do not count.

    Raises SkelkitError where the method has no decoder that fills in, the skeleton no parts that could be hidden, or no
    clip anything to fill in.
    """
    rng = Generator(data.device).manual_seed(protocol.seed)
    squares = []
    for part in index.to(data.device).split(batch):
        for _ in range(protocol.draws):
            found = filled_in(protocol, method, data, part, skeleton, rng)
            counted = found.there & found.hidden if protocol.counted == "hidden" else found.there
            squares.append(mean_square(found.x, found.x_hat, counted))
    errors = torch.cat(squares)
    if errors.isnan().all():
        raise SkelkitError("inpainting: no clip has a second frame, and the first stays whole; give longer clips")
    error = float(errors.nanmean())
    return Result([], {"MSE": error, "RMSE": error**0.5})


@torch.no_grad()
def filled_in(
    protocol: Inpainting, method: Any, data: Resident, index: Int[Tensor, " b"], skeleton: Skeleton, rng: Generator
) -> Filled:
    """Some clips with parts hidden that rng draws, and filled in again by the method, in evaluation mode.

    Raises SkelkitError where the method fills in nothing, or the skeleton has no parts that could be hidden.
    """
    if not hasattr(method, "decode"):
        raise SkelkitError(
            f"inpainting: {type(method).__name__} fills in nothing; give weights of a method that does (longt_gan)"
        )
    method.eval()
    x, lengths = data.clips(index), data.real(index)
    mask = protocol.mask.fitted(skeleton)
    hidden = mask.sample(x.shape, rng)
    representation = method.represent(x, lengths)
    if protocol.representation == "zeros":
        representation = torch.zeros_like(representation)
    x_hat = method.decode(representation, mask.apply(x, hidden), lengths)
    there = torch.arange(x.shape[2], device=x.device) < lengths[:, None]
    return Filled(x, x_hat, hidden, there[:, None, :, None, None])


def mean_square(
    x: Float[Tensor, "b 3 t v m"],
    x_hat: Float[Tensor, "b 3 t v m"],
    counted: Bool[
        Tensor,
        (
            b  # 3 t #v #m
        ),
    ],
) -> Float[Tensor, " b"]:
    """Each clip's mean of the squared differences over the coordinates that count; NaN where none does."""
    counted = counted.expand_as(x)
    squares = torch.where(counted, x - x_hat, 0.0).square().flatten(1).sum(1)
    return squares / counted.flatten(1).sum(1)


def still(found: Filled) -> Float[Tensor, "b 3 t v m"]:
    """The guess of a rival that has learned nothing: every body stands as in its first frame, which is whole."""
    return found.x[:, :, :1].expand_as(found.x)


def by_part(found: Filled, guess: Float[Tensor, "b 3 t v m"], skeleton: Skeleton) -> dict[str, float]:
    """The mean square of a guess over each part's hidden coordinates: of the clips in which it was hidden, the mean.

    NaN for a part that was hidden nowhere.
    """
    errors = {}
    for part, joints in skeleton.parts.items():
        member = torch.zeros(guess.shape[3], 1, dtype=torch.bool, device=guess.device)
        member[list(joints)] = True
        errors[part] = mean_square(found.x, guess, found.hidden & found.there & member).nanmean().item()
    return errors


def unstretched(decoded: Float[Tensor, "3 t v m"], original: Float[Tensor, "3 t v m"]) -> Float[Tensor, "3 t v m"]:
    """A decoded clip, within [-1, 1], in the proportions of the original that was stretched to it, without padding."""
    low, high = original.amin((1, 2, 3)).view(3, 1, 1, 1), original.amax((1, 2, 3)).view(3, 1, 1, 1)
    return low + (decoded + 1) / 2 * (high - low)
