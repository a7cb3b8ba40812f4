"""The inpainting error: what was hidden, by how much it is missed, and that nothing else counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Generator, Tensor, nn

from skelkit.augment import PartMask
from skelkit.data.skeleton import SBU
from skelkit.data.views import DataSpec, Resident, Whole
from skelkit.evaluate.inpainting import (
    Filled,
    Inpainting,
    by_part,
    filled_in,
    inpainting,
    mean_square,
    still,
    unstretched,
)
from skelkit.files import SkelkitError
from skelkit.methods import build
from skelkit.methods.autoencoder import AutoencoderConfig
from skelkit.methods.longt_gan import LongTGAN, LongTGANConfig
from skelkit.models.sequences import Bidirectional, Decoder

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = DataSpec(clips=6, classes=2, skeleton=SBU, persons=1)
INDEX = torch.arange(6)


def some_data(frames: int = 300) -> Resident:
    """Six clips of 5 to 11 frames, each at its own length."""
    return Resident(tiny.clips_of(6), Whole(frames))


def method_of(config: Any = None, seed: int = 0, **settings: Any) -> LongTGAN:
    torch.manual_seed(seed)
    config = config or LongTGANConfig(decoder=Decoder(6), lambda_adv=0.0, **settings)
    return build(config, Bidirectional(6).build(SPEC), SPEC, Generator())


def score(method: Any, data: Resident | None = None, **settings: Any) -> dict[str, float]:
    return inpainting(Inpainting(**settings), method, data or some_data(), INDEX, SBU).scores


class Untouched(nn.Module):
    """Gives back what it sees: hidden coordinates as zeros."""

    def represent(self, x: Tensor, lengths: Tensor) -> Tensor:
        return torch.zeros(len(x), 1)

    def decode(self, representation: Tensor, masked: Tensor, lengths: Tensor) -> Tensor:
        return masked


def constant(value: float, frames: int = 300) -> Resident:
    data = some_data(frames)
    data.frames[:-1] = value
    return data


@pytest.mark.parametrize("counted", ["hidden", "all"])
def test_the_error_equals_a_loop_over_draws_clips_frames_and_joints(counted: Any) -> None:
    data, method, protocol = some_data(), method_of(), Inpainting(draws=3, counted=counted)
    rng, errors = Generator().manual_seed(0), []
    method.eval()
    for _ in range(3):
        x = data.clips(INDEX)
        hidden = protocol.mask.fitted(SBU).sample(x.shape, rng)
        for i, length in enumerate(data.lengths.tolist()):
            clip, gone = x[i : i + 1, :, :length], hidden[i : i + 1, :, :length]
            seen, alone = torch.where(gone, 0.0, clip), torch.tensor([length])
            with torch.no_grad():
                guess = method.decode(method.represent(clip, alone), seen, alone)
            squares = [
                (float(clip[0, c, t, v, 0]) - float(guess[0, c, t, v, 0])) ** 2
                for c in range(3)
                for t in range(length)
                for v in range(15)
                if counted == "all" or gone[0, c, t, v, 0]
            ]
            errors.append(sum(squares) / len(squares))
    found = inpainting(protocol, method, data, INDEX, SBU)
    assert found.scores["MSE"] == pytest.approx(sum(errors) / 18, rel=1e-5)
    assert found.scores["RMSE"] == pytest.approx(found.scores["MSE"] ** 0.5)
    assert (found.confusion, found.curve) == ([], [])


def test_the_error_of_a_guess_of_zero_by_hand() -> None:
    """Every coordinate is one half, and what is hidden is guessed to be 0: a quarter, and of all coordinates a quarter
    of the hidden share, of which the first frame has none."""
    assert score(Untouched(), constant(0.5)) == {"MSE": pytest.approx(0.25), "RMSE": pytest.approx(0.5)}
    trunk = {"mask": PartMask(parts=1, joints=((0, 1, 2), (3, 4, 5))), "counted": "all"}
    assert score(Untouched(), constant(0.5, frames=5), **trunk)["MSE"] == pytest.approx(0.25 * 3 / 15 * 4 / 5)


def test_a_mean_square_by_hand() -> None:
    """Two clips of three numbers: of the first two count, off by 3 and 1; of the second none."""
    x = torch.zeros(2, 3, 1, 1, 1)
    x_hat = torch.tensor([3.0, 1, 9, 9, 9, 9]).view(2, 3, 1, 1, 1)
    counted = torch.tensor([[True, True, False], [False] * 3]).view(2, 3, 1, 1, 1)
    assert mean_square(x, x_hat, counted).tolist() == [5, pytest.approx(float("nan"), nan_ok=True)]


def test_what_follows_a_clip_and_who_stands_beside_it_changes_nothing() -> None:
    method, data, padded = method_of(), some_data(), some_data()
    padded.frames[-1] = 7.0  # the row that padding is taken from
    assert score(method, padded) == score(method, data)
    assert score(method, padded, counted="all") == score(method, data, counted="all")
    twice = inpainting(Inpainting(), Untouched(), constant(0.5), torch.cat([INDEX, INDEX]), SBU, batch=5)
    assert twice.scores["MSE"] == pytest.approx(0.25)


def test_every_training_is_asked_about_the_same_parts() -> None:
    one, other = (
        filled_in(Inpainting(), method_of(seed=s, mask=m), some_data(), INDEX, SBU, Generator().manual_seed(4))
        for s, m in ((0, PartMask()), (1, PartMask(parts=3, alike=True, axes=2)))
    )
    assert torch.equal(one.hidden, other.hidden)
    assert not torch.equal(one.x_hat, other.x_hat)
    assert one.hidden.any()
    assert not one.hidden[:, :, 0].any()


def test_zeros_in_the_place_of_f_matter_to_a_decoder_that_was_given_f_alone() -> None:
    conditioned, other = method_of(), method_of(conditioned=False)
    assert score(conditioned) != score(conditioned, representation="zeros")
    assert score(other) == score(other, representation="zeros")


def test_the_seed_draws_the_masks_and_dropout_is_off() -> None:
    method = method_of()
    method.train()
    assert score(method) == score(method)
    assert score(method) != score(method, seed=1)


def test_clips_of_one_frame_have_nothing_hidden_and_do_not_count() -> None:
    clips = tiny.clips_of(6)
    lengths = np.array([1, 5, 1, 6, 1, 4])
    index = np.concatenate([start + np.arange(t) for start, t in zip(clips.offsets, lengths, strict=False)])
    data = Resident(
        clips.with_frames(np.asarray(clips.frames)[index], np.concatenate([[0], lengths.cumsum()])), Whole()
    )
    data.frames[:-1] = 0.5
    assert score(Untouched(), data)["MSE"] == pytest.approx(0.25)
    with pytest.raises(SkelkitError, match="no clip has a second frame"):
        score(Untouched(), some_data(1))


def test_a_method_that_fills_in_nothing_and_a_skeleton_without_parts_are_refused() -> None:
    autoencoder = method_of(AutoencoderConfig(decoder=Decoder(6)))
    with pytest.raises(SkelkitError, match="Autoencoder fills in nothing"):
        score(autoencoder)
    with pytest.raises(SkelkitError, match="0 body parts"):
        inpainting(Inpainting(), method_of(), some_data(), INDEX, replace(SBU, parts={}))


def test_the_error_of_a_part_counts_its_own_hidden_coordinates_alone() -> None:
    """The guess is off by k at every joint of the k-th part, which is hidden in clip k and in no other."""
    clips, parts = len(SBU.parts), SBU.parts.values()
    x = torch.zeros(clips, 3, 4, len(SBU), 1)
    guess, hidden = x.clone(), torch.zeros(clips, 3, 4, len(SBU), 1, dtype=torch.bool)
    for k, joints in enumerate(parts):
        guess[..., list(joints), :] = float(k)
        hidden[k, :, 1:, list(joints)] = True
    there = torch.ones(clips, 1, 4, 1, 1, dtype=torch.bool)
    there[:, :, 3] = False
    guess[:, :, 3] = 99.0  # padding
    found = by_part(Filled(x, guess, hidden, there), guess, SBU)
    assert list(found) == list(SBU.parts)
    assert list(found.values()) == [float(k * k) for k in range(clips)]


def test_standing_still_repeats_the_first_frame() -> None:
    x = torch.randn(2, 3, 5, 15, 1)
    guess = still(Filled(x, x, x > 0, torch.ones(2, 1, 5, 1, 1, dtype=torch.bool)))
    assert torch.equal(guess[:, :, 4], x[:, :, 0])


def test_a_stretched_clip_is_brought_back_to_its_own_proportions() -> None:
    original = torch.randn(3, 6, 15, 1) * torch.tensor([0.3, 1.0, 2.0]).view(3, 1, 1, 1) + 5
    low, high = (edge(original.flatten(1), 1).view(3, 1, 1, 1) for edge in (torch.amin, torch.amax))
    stretched = 2 * (original - low) / (high - low) - 1
    assert torch.allclose(unstretched(stretched, original), original, atol=1e-5)
