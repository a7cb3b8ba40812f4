"""The weakened decoder: each kind against a literal loop over the frames, values by hand, weights that stand still."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.bench.sesar import frame_by_frame
from skelkit.losses import frame_distance
from skelkit.models.decoder import FrameDecoder, WeakDecoder

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = get_args(get_type_hints(WeakDecoder)["weakening"])
every_kind = pytest.mark.parametrize("kind", KINDS)


def some_clips(b: int = 3, t: int = 7, m: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(b, 3, t, 5, m, generator=Generator().manual_seed(seed))


def states(b: int = 3, d: int = 6) -> Tensor:
    return torch.randn(b, d, generator=Generator().manual_seed(1))


def built(kind: Any, d: int = 6, m: int = 2, initial: float | None = 0.5) -> FrameDecoder:
    torch.manual_seed(0)
    return WeakDecoder(kind, initial).build(3 * 5 * m, d)


def written_out(decoder: FrameDecoder, h: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """One clip (3, t, v, m) from its state (d,): a GRU's gates, frame by frame, in 64 bit."""
    w = {name: p.detach().double().numpy() for name, p in decoder.named_parameters()}
    kind, d = decoder.config.weakening, len(h)
    frame, state, found = clip[:, 0].reshape(-1), h, []

    def gate(k: int, read: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(k * d, (k + 1) * d)
        of_read = w["gru.weight_ih_l0"][rows] @ read + w["gru.bias_ih_l0"][rows]
        return of_read, w["gru.weight_hh_l0"][rows] @ state + w["gru.bias_hh_l0"][rows]

    for _ in range(clip.shape[1]):
        read = frame if kind == "fixed state" else np.zeros_like(frame)
        reset, update = (1 / (1 + np.exp(-sum(gate(k, read)))) for k in (0, 1))
        of_read, of_state = gate(2, read)
        new = (1 - update) * np.tanh(of_read + reset * of_state) + update * state
        change = w["out.weight"] @ new + w["out.bias"]
        if kind == "fixed state":
            frame = frame + change  # the state stays
        else:
            frame, state = change, new
        found.append(frame.reshape(3, *clip.shape[2:]))
    return np.stack(found, 1)


@every_kind
@pytest.mark.parametrize("m", [1, 2])
def test_a_decoder_equals_its_equations_frame_by_frame(kind: str, m: int) -> None:
    decoder, x, h = built(kind, m=m), some_clips(m=m), states()
    expected = [written_out(decoder, a, b) for a, b in zip(h.double().numpy(), x.double().numpy(), strict=True)]
    assert_close(decoder(h, x), torch.from_numpy(np.stack(expected)).float(), rtol=1e-4, atol=1e-5)


@every_kind
def test_a_decoder_equals_torchs_gru_called_frame_by_frame_in_values_and_gradients(kind: str) -> None:
    decoder, x = built(kind), some_clips(t=12)
    gradients = []
    for decode in (decoder, lambda h, x: frame_by_frame(decoder, h, x)):
        h = states().requires_grad_()
        decoder.zero_grad()
        found = decode(h, x)
        found.square().sum().backward()
        gradients.append([found, h.grad, *(p.grad for p in decoder.parameters() if p.requires_grad)])
    for ours, literal in zip(*gradients, strict=True):
        assert_close(ours, literal, rtol=1e-4, atol=1e-4)


def test_a_fixed_state_by_hand_adds_the_same_change_at_every_frame() -> None:
    """One unit that reads nothing, without biases: reset and update are 1/2, new = tanh(H/2), and with H = 2 the state
    is (tanh(1) + 2) / 2. An output weight of 1 adds it to each number of the first frame, once a frame."""
    decoder = WeakDecoder("fixed state").build(3, 1)
    with torch.no_grad():
        for p in decoder.parameters():
            p.zero_()
        decoder.gru.weight_hh_l0[2] = 1.0
        decoder.out.weight.fill_(1.0)
    x = torch.zeros(1, 3, 4, 1, 1)
    x[0, :, 0, 0, 0] = torch.tensor([1.0, 2.0, 3.0])
    x[0, :, 1:] = 99.0  # is never looked at
    step = (math.tanh(1) + 2) / 2
    expected = torch.tensor([[start + (t + 1) * step for t in range(4)] for start in (1, 2, 3)])
    assert_close(decoder(torch.tensor([[2.0]]), x)[0, :, :, 0, 0], expected)


@pytest.mark.parametrize("kind", ["fixed weights", "none"])
def test_a_state_that_goes_its_own_way_by_hand_is_halved_at_every_frame(kind: str) -> None:
    """Without weights the gates are 1/2 and new is 0, so that h = H / 2, H / 4, ...; the output weight is 1."""
    decoder = WeakDecoder(kind).build(3, 1)  # type: ignore[arg-type]
    with torch.no_grad():
        for p in decoder.parameters():
            p.zero_()
        decoder.out.weight.fill_(1.0)
    found = decoder(torch.tensor([[8.0]]), torch.full((1, 3, 3, 1, 1), 99.0))
    assert found[0, :, :, 0, 0].tolist() == [[4.0, 2.0, 1.0]] * 3


@every_kind
def test_of_the_clip_a_decoder_sees_at_most_the_first_frame(kind: str) -> None:
    decoder, x, h = built(kind), some_clips(), states()
    later, first = x.clone(), x.clone()
    later[:, :, 1:] += 1
    first[:, :, 0] += 1
    assert torch.equal(decoder(h, later), decoder(h, x))
    assert torch.equal(decoder(h, first), decoder(h, x)) == (kind != "fixed state")


@every_kind
def test_clips_are_decoded_alike_in_any_batch_and_a_longer_clip_only_goes_on(kind: str) -> None:
    decoder, x, h = built(kind), some_clips(), states()
    whole = decoder(h, x)
    assert_close(decoder(h.flip(0), x.flip(0)).flip(0), whole)
    assert_close(decoder(h[1:2], x[1:2]), whole[1:2])
    assert_close(decoder(h, x[:, :, :4]), whole[:, :, :4])


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.Adam])
def test_no_fixed_weight_moves_whatever_the_optimiser_and_the_state_still_learns(optimiser: Any) -> None:
    decoder, x = built("fixed weights"), some_clips()
    assert len(list(decoder.parameters())) == 6
    assert not any(p.requires_grad for p in decoder.parameters())
    before = {name: p.clone() for name, p in decoder.state_dict().items()}
    h = states().requires_grad_()
    steps = optimiser([h, *decoder.parameters()], lr=0.05, weight_decay=0.1)
    losses = []
    for _ in range(20):
        steps.zero_grad()
        loss = frame_distance(x, decoder(h, x)).mean()
        loss.backward()
        steps.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(torch.equal(before[name], p) for name, p in decoder.state_dict().items())
    assert all(p.grad is None for p in decoder.parameters())


@pytest.mark.parametrize("kind", ["fixed state", "none"])
def test_every_other_weight_learns_but_those_of_an_input_that_is_zero(kind: str) -> None:
    decoder = built(kind)
    decoder(states(), some_clips()).square().sum().backward()
    still = {name for name, p in decoder.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == (set() if kind == "fixed state" else {"gru.weight_ih_l0"})


def test_the_published_decoder_has_the_released_number_of_parameters() -> None:
    """75 numbers a frame, 2048 units: 13,209,675, whatever its weakening."""
    for kind in KINDS:
        assert sum(p.numel() for p in WeakDecoder(kind).build(75, 2048).parameters()) == 13_209_675


def test_weights_start_evenly_up_to_the_limit() -> None:
    for p in built("fixed weights", d=64, initial=0.05).parameters():
        assert p.abs().max() <= 0.05
        assert p.abs().max() > 0.04
        assert abs(p.mean()) < 0.02
    default = built("none", d=64, initial=None)
    assert 0.11 < default.gru.weight_hh_l0.abs().max() <= 0.125  # torch's own, 1 / sqrt(64)


@every_kind
def test_a_decoder_runs_under_bf16(kind: str) -> None:
    decoder, x, h = built(kind), some_clips(), states()
    plain = decoder(h, x)
    for state in (h, h.bfloat16()):
        with torch.autocast("cpu", torch.bfloat16):
            half = decoder(state, x)
        assert (half - plain).norm() < 0.05 * plain.norm()


def test_the_kinds_are_those_of_predict_and_cluster() -> None:
    assert get_type_hints(WeakDecoder)["weakening"] == Literal["fixed state", "fixed weights", "none"]
    assert WeakDecoder().weakening == "fixed state"
