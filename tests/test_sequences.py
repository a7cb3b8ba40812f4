"""Recurrent networks over clips of any length: against loops over frames, by hand, and blind to padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
import torch
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.data.skeleton import KINECT_V1, SBU
from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.representations import Joined
from skelkit.models.rnn import Recurrent
from skelkit.models.sequences import Bidirectional, Decoder, FrameDecoder, Summary, clips_of, encode, frames_of

LENGTHS = torch.tensor([4, 1, 7, 5])
pytestmark = pytest.mark.usefixtures("one_thread")


def spec(persons: int = 1) -> DataSpec:
    return DataSpec(4, 2, SBU, persons)


def some_clips(persons: int = 1, padding: float = 0.0) -> Tensor:
    """Four clips of different lengths, `padding` after them."""
    x = torch.randn(4, 3, 7, 15, persons, generator=Generator().manual_seed(0))
    return torch.where((torch.arange(7) < LENGTHS[:, None])[:, None, :, None, None], x, padding)


def built(config: Any, *sizes: Any) -> Any:
    torch.manual_seed(0)
    return config.build(*sizes).eval()


def direction(cell: str, layers: nn.Module, suffix: str, inputs: np.ndarray) -> np.ndarray:
    """(t, h) states of one layer in one direction; suffix as in torch's names, inputs (t, d)."""
    weights = {}
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        weights[f"{name}_l0"] = layers.get_parameter(f"{name}_{suffix}").detach().numpy()
    return reference.recurrent_states(cell, weights, inputs.T[:, :, None, None])


def summarised(cell: str, summary: Summary, frames: np.ndarray) -> np.ndarray:
    """What the two directions end in, one layer after the other, through the linear layer."""
    for layer in range(2):
        forth = direction(cell, summary.layers, f"l{layer}", frames)
        back = direction(cell, summary.layers, f"l{layer}_reverse", frames[::-1])
        frames = np.concatenate([forth, back[::-1]], 1)
    last = np.concatenate([forth[-1], back[-1]])
    return summary.out.weight.detach().numpy() @ last + summary.out.bias.detach().numpy()


@pytest.mark.parametrize("persons", [1, 2])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_encoder_equals_each_clip_by_itself_frame_by_frame(cell: Any, persons: int) -> None:
    encoder, x = built(Bidirectional(8, cell=cell), spec(persons)), some_clips(persons)
    expected = []
    for clip, length in zip(x.numpy(), LENGTHS, strict=True):
        frames = np.stack([clip[:, t].ravel() for t in range(length)])  # axis, joint, person
        expected.append(np.tanh(summarised(cell, encoder.summary, frames)))
    assert_close(encoder(x, LENGTHS), torch.tensor(np.stack(expected), dtype=torch.float32))
    assert encoder.out_dim == 45 * persons, "as wide as an input frame"


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_decoder_equals_each_clip_by_itself_step_by_step(cell: Any) -> None:
    decoder, x = built(Decoder(6, cell=cell), 45, 45), frames_of(some_clips())
    representation = torch.randn(4, 45, generator=Generator().manual_seed(1))
    found = decoder(representation, x, LENGTHS)
    for i, length in enumerate(LENGTHS):
        states = torch.cat([representation[i : i + 1], x[i, :length]]).numpy()  # step 0 reads F
        for layer in range(2):
            states = direction(cell, decoder.layers, f"l{layer}", states)
        weight, bias = (p.detach().numpy() for p in decoder.out.parameters())
        expected = states[1:] @ weight.T + bias  # and gives no frame
        assert_close(found[i, :length], torch.tensor(expected, dtype=torch.float32))


def half_open(layers: Any) -> None:
    """A GRU whose update gate is half open and whose candidate is tanh of its first input: h' = (tanh x + h) / 2."""
    for parameter in layers.parameters():
        nn.init.zeros_(parameter)
    for name, parameter in layers.named_parameters():
        if "weight_ih" in name:
            parameter.data[-1, 0] = 1.0


def test_the_encoder_by_hand() -> None:
    """Frames 1 and 2, one unit a direction: forth (tanh 2 + tanh 1 / 2) / 2, back (tanh 1 + tanh 2 / 2) / 2."""
    summary = Summary(Bidirectional(2, layers=1), 1, 2).eval()
    half_open(summary.layers)
    nn.init.eye_(summary.out.weight)
    nn.init.zeros_(summary.out.bias)
    one, two = np.tanh(1), np.tanh(2)
    found = summary(torch.tensor([[[1.0], [2.0], [99.0]]]), torch.tensor([2]))
    assert found.tolist() == [pytest.approx([(two + one / 2) / 2, (one + two / 2) / 2])]


def test_the_decoder_by_hand() -> None:
    """F = 1, frames 2 and 0: states tanh 1 / 2, (tanh 2 + tanh 1 / 2) / 2, and half of that; the first gives none."""
    decoder = FrameDecoder(Decoder(1, layers=1), 1, 1).eval()
    half_open(decoder.layers)
    nn.init.ones_(decoder.out.weight)
    nn.init.zeros_(decoder.out.bias)
    second = (np.tanh(2) + np.tanh(1) / 2) / 2
    found = decoder(torch.tensor([[1.0]]), torch.tensor([[[2.0], [0.0]]]))
    assert found.flatten().tolist() == pytest.approx([second, second / 2])


@pytest.mark.parametrize("output", ["linear", "recurrent"])
def test_what_stands_after_a_clips_end_reaches_nothing_that_counts_and_no_gradient(output: Any) -> None:
    x = some_clips(padding=float("nan"))
    networks = [built(Bidirectional(8), spec()), built(Decoder(6, output=output), 45, 45)]
    found = []
    for length in (None, LENGTHS):
        for network in networks:
            network.zero_grad()
        for i in range(4) if length is None else [slice(None)]:
            one = x[i : i + 1, :, : LENGTHS[i]] if length is None else x
            features = networks[0](one, length)
            decoded = networks[1](features, frames_of(one), length)
            real = decoded if length is None else torch.cat([d[:n] for d, n in zip(decoded, LENGTHS, strict=True)])
            real.square().sum().backward()
        found.append([p.grad.clone() for network in networks for p in network.parameters()])
    for alone, together in zip(*found, strict=True):
        assert together.isfinite().all()
        assert_close(together, alone, rtol=1e-4, atol=1e-6)


def test_without_lengths_every_frame_is_read() -> None:
    encoder, x = built(Bidirectional(8), spec()), some_clips()
    assert_close(encoder(x), encoder(x, torch.full((4,), 7)))
    assert not torch.allclose(encoder(x)[0], encoder(x, LENGTHS)[0]), "padding is"


def test_a_decoders_frame_does_not_depend_on_later_ones_and_does_on_the_representation() -> None:
    decoder, x = built(Decoder(6), 45, 45), frames_of(some_clips())
    representation = torch.randn(4, 45, generator=Generator().manual_seed(1))
    before = decoder(representation, x)
    changed = x.clone()
    changed[:, 3] += 1
    after = decoder(representation, changed)
    assert torch.equal(after[:, :3], before[:, :3])
    assert (after[:, 3:] != before[:, 3:]).any(2).all(), "frame t is read before output t"
    assert (decoder(representation + 1, x) != before).any(2).all()


def test_a_decoder_is_led_to_a_representation_of_any_width_and_a_recurrent_output_stays_within_1() -> None:
    decoder, x = built(Decoder(6, output="recurrent"), 45, 9), 100 * frames_of(some_clips())
    found = decoder(torch.zeros(4, 9), x)
    assert found.shape == (4, 7, 45)
    assert found.abs().max() <= 1
    assert isinstance(built(Decoder(6), 45, 45).inlet, nn.Identity)


def test_frames_and_clips_are_each_others_inverse_in_the_order_axis_joint_person() -> None:
    x = some_clips(2)
    assert torch.equal(clips_of(frames_of(x), 15, 2), x)
    assert frames_of(x)[2, 4, 2 * 30 + 11 * 2 + 1] == x[2, 2, 4, 11, 1]


def test_the_papers_networks_have_800_units_a_layer_and_the_released_gates() -> None:
    """By hand, 60 numbers a frame: a GRU of h units over d inputs has 3 h (d + h + 2) numbers."""
    encoder = Bidirectional().build(DataSpec(1, 1, KINECT_V1, 1))
    gru = 2 * 3 * 400 * (60 + 400 + 2) + 2 * 3 * 400 * (800 + 400 + 2)
    assert sum(p.numel() for p in encoder.parameters()) == gru + 800 * 60 + 60
    decoder = Decoder().build(60, 60)
    gru = 3 * 800 * (60 + 800 + 2) + 3 * 800 * (800 + 800 + 2)
    assert sum(p.numel() for p in decoder.parameters()) == gru + 800 * 60 + 60


def test_dropout_acts_between_layers_alone_unless_everywhere() -> None:
    x, h = some_clips(), LENGTHS
    for config, repeats in (
        (Bidirectional(8, layers=1, dropout=0.5), True),
        (Bidirectional(8, dropout=0.5), False),
        (Bidirectional(8, layers=1, dropout=0.5, everywhere=True), False),
    ):
        encoder = built(config, spec()).train()
        assert torch.equal(encoder(x, h), encoder(x, h)) == repeats
        assert torch.equal(encoder.eval()(x, h), encoder(x, h))
    assert built(Bidirectional(8), spec()).summary.layers.dropout == 0.2
    assert built(Decoder(8, everywhere=True), 45, 45).layers.dropout == pytest.approx(0.36)


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(SkelkitError, match="width = 7 cannot be halved; give an even number"):
        Bidirectional(7).build(spec())


def test_only_an_encoder_that_reads_lengths_is_told_them_also_side_by_side() -> None:
    x = some_clips()
    reader, other = built(Bidirectional(8), spec()), built(Recurrent(width=4), spec())
    assert torch.equal(encode(reader, x, LENGTHS), reader(x, LENGTHS))
    assert torch.equal(encode(other, x, LENGTHS), other(x))
    joined = Joined(reader, other)
    assert joined.reads_lengths
    assert not Joined(other).reads_lengths
    assert torch.equal(encode(joined, x, LENGTHS), torch.cat([reader(x, LENGTHS), other(x)], 1))
