"""The autoencoder, and the composite model of reconstruction and prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import Pieces
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec, Resident, Whole
from skelkit.files import SkelkitError
from skelkit.methods import METHODS, build
from skelkit.methods.autoencoder import Autoencoder, AutoencoderConfig
from skelkit.models.sequences import Bidirectional, Decoder, frames_of
from skelkit.train import Adam, Steps, Training, train

SPEC = DataSpec(clips=4, classes=2, skeleton=SBU, persons=1)
LENGTHS = torch.tensor([4, 1, 7, 5])
pytestmark = pytest.mark.usefixtures("one_thread")


def batch_of(padding: float = 0.0, lengths: Tensor = LENGTHS) -> Batch:
    x = torch.randn(len(lengths), 3, 7, 15, 1, generator=Generator().manual_seed(0))
    x = torch.where((torch.arange(7) < lengths[:, None])[:, None, :, None, None], x, padding)
    return Batch(x, torch.arange(len(lengths)), torch.zeros(len(lengths), dtype=torch.long), None, lengths)


def method_of(**settings: Any) -> Autoencoder:
    torch.manual_seed(0)
    encoder = Bidirectional(6, dropout=0.0).build(SPEC)
    config = AutoencoderConfig(**({"decoder": Decoder(6, dropout=0.0), "pieces": None} | settings))
    return build(config, encoder, SPEC, Generator())


def loss_of(method: Autoencoder, batch: Batch) -> Tensor:
    (loss,) = method.loss(batch, Generator().manual_seed(0)).values()
    return loss


def error(decoder: Any, representation: Tensor, wanted: Tensor, fed: bool) -> float:
    """Squared distance of (t f) frames decoded one after the other: what comes before is read, or zeros."""
    total, read = 0.0, [torch.zeros(45)]
    for t in range(len(wanted)):
        given = decoder(representation, torch.stack(read)[None])[0, t]
        total += (given - wanted[t]).square().sum().item()
        read.append(wanted[t] if fed else torch.zeros(45))
    return total / max(len(wanted), 1)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("fed", [False, True])
@pytest.mark.parametrize(("future", "seen"), [(0.0, [4, 1, 7, 5]), (0.45, [3, 1, 4, 3])])
def test_the_loss_equals_each_clip_by_itself_frame_by_frame(
    future: float, seen: list[int], fed: bool, reverse: bool
) -> None:
    method, batch = method_of(future=future, fed=fed, reverse=reverse), batch_of()
    total = 0.0
    for x, length, n in zip(batch.clips, LENGTHS, seen, strict=True):
        representation = method.encoder(x[None, :, :n])
        frames = frames_of(x[None])[0]
        again = frames[:n].flip(0) if reverse else frames[:n]
        total += error(method.decoder, representation, again, fed)
        if future:
            total += error(method.predictor, representation, frames[n:length], fed)
    assert loss_of(method, batch).item() == pytest.approx(total / 4, rel=1e-4)


def test_the_loss_of_decoders_that_give_zeros_by_hand() -> None:
    """Four frames of ones, 45 numbers each, a quarter of them to come: 45 a frame, back and ahead."""
    batch = batch_of(lengths=torch.tensor([4]))
    batch.clips[:, :, :4] = 1.0
    for future, expected in ((0.0, 45.0), (0.25, 90.0)):
        method = method_of(future=future)
        for parameter in method.parameters():
            torch.nn.init.zeros_(parameter)
        assert loss_of(method, batch).item() == pytest.approx(expected)


@pytest.mark.parametrize("settings", [{}, {"future": 0.45, "reverse": True, "fed": True}], ids=str)
def test_a_padded_batch_has_the_loss_of_its_clips_alone(settings: Any) -> None:
    method, batch = method_of(**settings), batch_of()
    alone = []
    for i, n in enumerate(LENGTHS):
        one = slice(i, i + 1)
        alone.append(loss_of(method, Batch(batch.clips[one, :, :n], batch.index[one], batch.labels[one])))
    assert_close(loss_of(method, batch), torch.stack(alone).mean())
    assert_close(loss_of(method, batch_of(padding=9.0)), loss_of(method, batch))


def test_the_composite_model_sees_16_of_29_frames_and_its_encoder_none_of_the_others() -> None:
    method = method_of(future=13 / 29, pieces=Pieces(29, 29))
    seen: list[Any] = []
    method.encoder.register_forward_pre_hook(lambda _, given: seen.append(given))
    x = torch.randn(2, 3, 40, 15, 1)
    batch = Batch(x, torch.arange(2), torch.zeros(2, dtype=torch.long), None, torch.tensor([40, 29]))
    assert loss_of(method, batch).isfinite()
    ((frames, lengths),) = seen
    assert lengths.tolist() == [16, 16]
    assert frames[:, :, :16].any()
    assert not frames[:, :, 16:].any()
    assert torch.equal(frames[1, :, :16], x[1, :, :16])


def test_clips_of_one_frame_have_nothing_to_predict_and_a_finite_loss() -> None:
    batch = batch_of(lengths=torch.tensor([1, 1]))
    whole, both = (loss_of(method_of(future=future), batch) for future in (0.0, 0.9))
    assert torch.equal(both, whole)
    both.backward()


def test_the_representation_alone_tells_of_the_clip_unless_a_decoder_is_fed() -> None:
    read: list[Tensor] = []
    for fed in (False, True):
        method = method_of(fed=fed)
        method.decoder.register_forward_pre_hook(lambda _, given: read.append(given[1]))
        loss_of(method, batch_of())
    assert not read[0].any()
    assert torch.equal(read[1][:, 1:], frames_of(batch_of().clips)[:, :-1])
    assert not read[1][:, 0].any()


@pytest.mark.parametrize("future", [-0.1, 1.0])
def test_a_future_that_leaves_nothing_to_see_is_refused(future: float) -> None:
    with pytest.raises(SkelkitError, match=f"future = {future:g} is no share of a clip; give 0 to below 1"):
        AutoencoderConfig(future=future)


def test_it_learns_to_give_clips_back() -> None:
    method = method_of(decoder=Decoder(24, dropout=0.0))
    data, rng = Resident(tiny.clips_of(16), Whole()), Generator().manual_seed(0)
    history = train(method, data, np.arange(16), Training(Adam(0.01), Steps(30), batch=16), rng)
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]


def test_the_method_and_its_encoder_are_found_by_name() -> None:
    assert METHODS["autoencoder"] == (AutoencoderConfig, Autoencoder)
    method = method_of()
    assert method.encoders == {"encoder": method.encoder}
