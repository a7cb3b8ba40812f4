"""The linear evaluation protocols: a linear classifier on frozen features, or on a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.augment import Augmentation, CropResize, augment, check_places
from skelkit.data.views import Resident
from skelkit.evaluate.features import extract, standardised
from skelkit.evaluate.metrics import Result, result, top_k
from skelkit.files import SkelkitError
from skelkit.models.heads import linear_classifier
from skelkit.models.sequences import encode
from skelkit.train import SGD, Adam, Steps


@dataclass(frozen=True)
class Linear:
    """AS-CAL's schedule (Rao et al. 2021, Sec. IV-B2; the batch is Sec. IV-B3's): no batch norm, no weight decay."""

    optimiser: SGD | Adam = SGD(lr=1.0, momentum=0.9, nesterov=True)  # noqa: RUF009 (frozen)
    """Of the classifier; the features stand still."""
    schedule: Steps = Steps(epochs=90, drops=(15 / 90, 35 / 90, 60 / 90, 75 / 90), factor=0.5)  # noqa: RUF009 (frozen)
    """90 epochs; the rate is halved after 15, 35, 60 and 75 of them."""
    batch: int = 32
    """Clips a step; the last batch of an epoch may be smaller."""
    standardise: bool = False
    """Give each dimension mean 0 and standard deviation 1 over the training clips first (`features.standardised`), so
    that the scale of the features does not decide how far the classifier gets."""


@dataclass(frozen=True)
class AugmentedLinear:
    """The frozen encoder sees the training clips augmented anew in every epoch, and the test clips as they are.

    Both reach it at the same number of frames, so a crop (`CropResize`) has to say that of the test clips. Schedule
    and crop are those of the released code of Thoker et al. 2021, whose paper leaves them to a supplement. `Linear`
    with the same optimiser, schedule and batch is its shortcut: it encodes unaugmented clips once.
    """

    steps: tuple[Augmentation, ...] = (CropResize(shortest=0.5),)
    """What happens to the training clips before the encoder."""
    optimiser: SGD = SGD(lr=0.1)  # noqa: RUF009 (frozen)
    """Of the classifier; the encoder stands still."""
    schedule: Steps = Steps(epochs=80, drops=(50 / 80, 70 / 80))  # noqa: RUF009 (frozen)
    """80 epochs; the rate falls to a tenth after 50 of them, and again after 70."""
    batch: int = 64
    """Clips a step; the last batch of an epoch may be smaller."""


def linear(
    protocol: Linear,
    train: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
    rng: Generator,
) -> Result:
    """Train the classifier on (features, labels) and test it after every epoch; the last epoch is the result.

    rng: on the features' device; it draws the order. The classifier's start comes from torch's global generator.
    """
    features, labels = train
    if protocol.standardise:
        features, asked = standardised(features, test[0])
        test = asked, test[1]
    return _fit(protocol, lambda chosen: features[chosen], labels, test, classes, rng)


def augmented_linear(
    protocol: AugmentedLinear,
    encoder: nn.Module,
    train: tuple[Resident, Int[Tensor, " n"], Int[Tensor, " n"]],
    test: tuple[Resident, Int[Tensor, " k"], Int[Tensor, " k"]],
    classes: int,
    rng: Generator,
) -> Result:
    """As `linear`, but encode the training clips, augmented anew, in every epoch; the encoder is in evaluation mode.

    train, test: the clips as the encoder sees them, which of them train or are asked about, and the labels of these.
    The test clips are encoded once, as they are. rng: on the clips' device; it draws the order and the augmentations.
    Raises SkelkitError where the encoder reads lengths and a step moves frames of padded clips, and where training
    clips reach the encoder at another number of frames than they would as test clips.
    """
    (data, members, labels), (plain, asked, answers) = train, test
    cropped = bool(protocol.steps) and getattr(protocol.steps[0], "crops_lengths", False)
    padded = data.view.pads and not cropped
    if padded:
        check_places(protocol.steps, encoder)

    @torch.no_grad()
    def encoded(chosen: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        index = members[chosen]
        lengths = data.real(index)
        clips = augment(data.clips(index), protocol.steps, rng, lengths)
        tested = plain.view.positions(data.lengths[index]).shape[1]
        if clips.shape[2] != tested:
            raise SkelkitError(
                f"linear evaluation: the encoder sees training clips of {clips.shape[2]} frames and test clips of "
                f"{tested}; give both the same number, by the view or by CropResize(frames={tested})"
            )
        return encode(encoder, clips, lengths if padded else None).float()

    return _fit(protocol, encoded, labels, (extract(encoder, plain, asked), answers), classes, rng)


def _fit(
    protocol: Linear | AugmentedLinear,
    features_of: Callable[[Tensor], Tensor],
    labels: Int[Tensor, " n"],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
    rng: Generator,
) -> Result:
    """Train on features_of(index of training clips) and their labels."""
    classifier = linear_classifier(test[0].shape[1], classes).to(labels.device)
    optimiser = protocol.optimiser.build(classifier.parameters())
    curve: list[float] = []
    scores = torch.empty(0)
    for epoch in range(protocol.schedule.epochs):
        for group in optimiser.param_groups:
            group["lr"] = protocol.optimiser.lr * protocol.schedule.rate(epoch)
        for index in torch.randperm(len(labels), device=labels.device, generator=rng).split(protocol.batch):
            optimiser.zero_grad()
            F.cross_entropy(classifier(features_of(index)), labels[index]).backward()
            optimiser.step()
        scores = classifier(test[0]).detach()
        if not scores.isfinite().all():
            raise SkelkitError(
                f"linear evaluation: the classifier's scores are not finite after epoch {epoch + 1}; give its "
                f"optimiser a rate below {protocol.optimiser.lr:g}, or standardise the features"
            )
        curve.append(top_k(scores, test[1], 1))
    return result(scores, test[1], curve)
