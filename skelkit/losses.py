"""Stateless losses, with the papers' symbols and equation numbers. Logits are 32-bit whatever the features are."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

Losses = dict[str, Float[Tensor, ""]]
"""What a method's `loss` returns: a scalar for each group of parameters, by the name of a submodule; "loss" is all."""


def info_nce(
    query: Float[Tensor, "b d"],
    positive: Float[Tensor, "b d"],
    negatives: Float[Tensor, "k d"] | Float[Tensor, "b k d"],
    temperature: float,
) -> Float[Tensor, ""]:
    """-log softmax of the positive key's similarity among the positive and k negatives, shared by the queries or each
    query's own; the mean over b.

    q, k+, k-_i and tau of Rao et al. 2021, Eq. 12 (dot products, not normalised there); Thoker et al. 2021, Eq. 5.
    """
    positive_logit = (query.float() * positive.float()).sum(1, keepdim=True)  # (b 1)
    logits = torch.cat([positive_logit, _products(query, negatives)], 1) / temperature  # (b 1+k)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def in_batch_info_nce(query: Float[Tensor, "b d"], key: Float[Tensor, "b d"], temperature: float) -> Float[Tensor, ""]:
    """InfoNCE whose negatives are the b - 1 other keys of the batch (Rao et al. 2021, Table I, "end to end")."""
    logits = _products(query, key) / temperature  # (b b), positives on the diagonal
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def normalised_distance(prediction: Float[Tensor, "b d"], target: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """Squared distance of the directions of q(z_1) and z_2, 2 - 2 cos of their angle; the mean over b.

    Moliner et al. 2022, Eq. 1. Differs from the paper: its text asks for the normalised distance, and Eq. 1 has no bar
    over z_2; here both have length 1, as in BYOL (Grill et al. 2020, Eq. 2).
    """
    difference = F.normalize(prediction.float(), dim=1) - F.normalize(target.float(), dim=1)
    return difference.square().sum(1).mean()


def frame_distance(x: Float[Tensor, "b 3 t v m"], x_hat: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, " b"]:
    """L_re = |x_i - x^_i| of each clip (Li and Shlizerman 2020, Eq. 1): the L1 distance of its frames, their mean.

    Differs from the paper: it prints no average; the mean over frames is that of the released codes of SESAR and
    Predict & Cluster. As in the latter's, frames of zeros are padding and do not count; a clip without any other frame
    has distance 0.
    """
    counted = x.ne(0).any(4).any(3).any(1)  # (b t)
    distance = (x.float() - x_hat.float()).abs().sum((1, 3, 4)) * counted
    return distance.sum(1) / counted.sum(1).clamp(min=1)


def soft_cross_entropy(
    student: Float[Tensor, "b c"], teacher: Float[Tensor, "b c"], temperature: float
) -> Float[Tensor, ""]:
    """H(softmax(z_t / tau), softmax(z_s / tau)) of the logits of teacher and student (Moliner et al. 2022, Eq. 6); the
    mean over b. No gradient reaches the teacher."""
    expected = (teacher.detach().float() / temperature).softmax(1)
    return F.cross_entropy(student.float() / temperature, expected)


def element_wise(
    x: Float[Tensor, "b 3 t v m"], x_hat: Float[Tensor, "b 3 t v m"], counted: Bool[Tensor, "b _ t _ _"]
) -> Float[Tensor, " b"]:
    """ele of Zheng et al. 2018, Eq. 1, of each clip: the squared L2 distance of the frames of x and x^, their mean.

    counted: the coordinates that count, and with them the frames; 0 where none do.
    Differs from the paper: it says "the L2 distance" and prints no average; the square, and the mean over the clip's
    own frames, are the released code's.
    """
    distance = torch.where(counted, x.float() - x_hat.float(), 0.0).square().sum((1, 3, 4))  # (b t)
    frames = counted.flatten(3).any(3).any(1).sum(1).clamp(min=1)
    return distance.sum(1) / frames


def adversarial(
    real: Float[Tensor, " b"], fake: Float[Tensor, " b"], from_z: Float[Tensor, " b"] | None, lambda_z: float
) -> Float[Tensor, ""]:
    """adv of Zheng et al. 2018, Eq. 2: log D(x) + log(1 - D(x^)) + lambda_z log(1 - D(x^_z)), the mean over clips.

    D is the sigmoid of the given logits. At most 0, where the discriminator is right about everything.
    """
    adv = F.logsigmoid(real.float()) + F.logsigmoid(-fake.float())  # 1 - D(x) is D's sigmoid of the negative logit
    if from_z is not None:
        adv = adv + lambda_z * F.logsigmoid(-from_z.float())
    return adv.mean()


def _products(query: Float[Tensor, "b d"], keys: Float[Tensor, "k d"] | Float[Tensor, "b k d"]) -> Float[Tensor, "b k"]:
    with torch.autocast(query.device.type, enabled=False):  # which would round the products to 16 bit
        query, keys = query.float(), keys.float()
        return query @ keys.T if keys.ndim == 2 else (keys @ query[:, :, None]).squeeze(2)
