"""The convolution over frames against torch's own, and its transforms against the definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from skelkit.models.temporal import PIECE, correlate, over_frames


def layer(inputs: int, outputs: int, frames: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, (1, frames), (1, stride), (0, frames // 2)).double()


def clips(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@settings(deadline=None)
@given(st.integers(1, 3 * PIECE), st.sampled_from([1, 3, 5, 9]), st.integers(1, 3), st.integers(0, 99))
def test_values_and_gradients_are_those_of_a_convolution(t: int, frames: int, stride: int, seed: int) -> None:
    torch.manual_seed(seed)
    ours, x = layer(3, 4, frames, stride), clips(2, 3, t, 3)
    expected = ours(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    found = over_frames(ours, x)
    assert_close(found, expected)
    wanted = torch.randn_like(expected)
    inputs = [x, *ours.parameters()]
    for a, b in zip(
        torch.autograd.grad(found, inputs, wanted), torch.autograd.grad(expected, inputs, wanted), strict=True
    ):
        assert_close(a, b)


def test_three_frames_by_hand() -> None:
    x = torch.tensor([1.0, 10, 100, 1000]).view(1, 1, 4, 1)
    weight = torch.tensor([[[1.0, 2, 3]]])  # of the frame before, of the frame, of the one after
    assert_close(correlate(x, weight, None).flatten(), torch.tensor([32.0, 321, 3210, 2100]))
    assert_close(correlate(x, weight, torch.ones(1), stride=2).flatten(), torch.tensor([33.0, 3211]))


def test_it_is_as_exact_in_32_bit_as_a_convolution() -> None:
    """Both against 64 bit, on 64 frames of 64 channels: the transforms cost no digit."""
    torch.manual_seed(0)
    exact, x = layer(64, 8, 9), clips(1, 2, 64, 64)
    truth = over_frames(exact, x)
    single, y = layer(64, 8, 9).float(), x.detach().float()
    single.load_state_dict(exact.state_dict())
    plain = single(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    error, usual = ((found.double() - truth).abs().max() for found in (over_frames(single, y), plain))
    assert 0 < error < 10 * usual


@pytest.mark.parametrize("frames", [1, 9])
def test_under_autocast_the_layer_itself_runs(frames: int) -> None:
    torch.manual_seed(0)
    ours, x = layer(3, 4, frames).float(), torch.randn(2, 3, 20, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = over_frames(ours, x)
        assert found.dtype == torch.bfloat16
        assert_close(found, ours(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), rtol=2e-2, atol=2e-2)
