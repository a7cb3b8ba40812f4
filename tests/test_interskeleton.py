"""Intra- and inter-skeleton contrast: Eq. 5-8 written out, who learns from whom, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from tiny import clips_of, resident_of
from torch import Generator, Tensor, nn

from skelkit.augment import CropResize, Shear, augment
from skelkit.data.views import Batch, DataSpec
from skelkit.files import SkelkitError
from skelkit.methods import build
from skelkit.methods.interskeleton import InterSkeletonConfig
from skelkit.models.representations import Representations
from skelkit.models.rnn import Recurrent

pytestmark = pytest.mark.usefixtures("one_thread")
CLIPS = clips_of(20)
SPEC = DataSpec(len(CLIPS), len(CLIPS.classes), CLIPS.skeleton, CLIPS.persons)
THREE = {"SEQ": Recurrent("gru", 6), "IMG": Recurrent("rnn", 5), "STG": Recurrent("lstm", 4)}
CONFIG = InterSkeletonConfig(steps=(Shear(),), queue=12, head_dim=3)


def method_of(names: str = "SEQ IMG", config: InterSkeletonConfig = CONFIG, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    encoder = Representations(tuple((name, THREE[name]) for name in names.split())).build(SPEC)
    return build(config, encoder, SPEC, Generator().manual_seed(seed))


def batch(n: int = 8) -> Batch:
    return resident_of(CLIPS).batch(torch.arange(20), torch.arange(n))


def unit(z: Tensor) -> np.ndarray:
    rows = z.detach().double().numpy()
    return rows / np.sqrt((rows**2).sum(1, keepdims=True))


def written_out(z_q: np.ndarray, z_k: np.ndarray, negatives: np.ndarray, tau: float) -> float:
    """-log of the positive's share, clip by clip and negative by negative."""
    total = 0.0
    for q, k in zip(z_q, z_k, strict=True):
        positive = np.exp(sum(q * k) / tau)
        total -= np.log(positive / (positive + sum(np.exp(sum(q * n) / tau) for n in negatives)))
    return total / len(z_q)


def embeddings(method: Any, x: Tensor, who: str) -> dict[str, np.ndarray]:
    encode = {name: nn.Sequential(method.query[name], method.heads[name]) for name in method.query}
    chosen = encode if who == "query" else {name: key.module for name, key in method.keys.items()}
    return {name: unit(module(x)) for name, module in chosen.items()}


def test_crops_are_of_a_clips_own_frames_whatever_padding_follows_them() -> None:
    given, config = batch(), replace(CONFIG, steps=(CropResize(0.3, frames=5),))
    longer = replace(given, clips=torch.cat([given.clips, torch.zeros_like(given.clips)], 2))
    losses = [method_of(config=config).loss(b, Generator().manual_seed(1))["loss"] for b in (given, longer)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("names", ["SEQ", "SEQ IMG", "SEQ IMG STG"])
def test_the_loss_is_eq_5_of_one_representation_and_eq_6_to_8_of_every_pair_of_several(names: str) -> None:
    method = method_of(names)
    for name in method.keys:  # keys that differ from the queries
        nn.init.normal_(next(method.keys[name].module.parameters()))
    rng = Generator().manual_seed(1)
    x_q, x_k = (augment(batch().clips, CONFIG.steps, rng) for _ in range(2))
    z_q, z_k = embeddings(method, x_q, "query"), embeddings(method, x_k, "key")
    pairs = list(permutations(names.split(), 2)) or [(names, names)]
    wanted = sum(
        written_out(z_q[own], z_k[other], method.queues[other].keys.double().numpy(), 0.07) for own, other in pairs
    )
    found = method.loss(batch(), Generator().manual_seed(1))
    assert list(found) == ["loss"]
    assert float(found["loss"].detach()) == pytest.approx(wanted, rel=1e-4)
    assert len(pairs) == {1: 1, 2: 2, 3: 6}[len(names.split())]


def test_a_positive_that_equals_its_query_and_negatives_at_right_angles_give_log_1_plus_k_over_e_to_1_by_tau() -> None:
    """Worked by hand: the key encoder is still the query encoder, and without augmentation the views are equal."""
    method = method_of("SEQ", InterSkeletonConfig(steps=(), queue=12, head_dim=3, temperature=0.5))
    z = torch.from_numpy(embeddings(method, batch(1).clips, "query")["SEQ"]).float()[0]
    aside = torch.linalg.cross(z, torch.tensor([1.0, 0.0, 0.0]))
    method.queues["SEQ"].keys.copy_((aside / aside.norm()).expand(12, 3))
    found = float(method.loss(batch(1), Generator())["loss"].detach())
    assert found == pytest.approx(np.log(1 + 12 / np.exp(1 / 0.5)), rel=1e-5)


def test_the_loss_does_not_know_the_order_of_the_representations() -> None:
    one, other = method_of("SEQ IMG STG"), method_of("STG SEQ IMG", seed=1)
    other.load_state_dict(one.state_dict())
    losses = [float(m.loss(batch(), Generator().manual_seed(3))["loss"].detach()) for m in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_the_loss_does_not_know_the_length_of_an_embedding() -> None:
    method = method_of()
    before = float(method.loss(batch(), Generator().manual_seed(3))["loss"].detach())
    for head in (method.heads["SEQ"], method.keys["IMG"].module[1]):
        for parameter in head[2].parameters():
            parameter.data *= 7
    assert float(method.loss(batch(), Generator().manual_seed(3))["loss"].detach()) == pytest.approx(before, rel=1e-5)


def test_a_query_learns_from_the_other_representation_and_no_key_encoder_from_any() -> None:
    method = method_of()
    method.loss(batch(), Generator().manual_seed(0))["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.heads["IMG"].parameters())
    assert all(p.grad is None for p in method.keys.parameters())
    before = float(method.loss(batch(), Generator().manual_seed(0))["loss"].detach())
    method.queues["IMG"].keys.neg_()
    assert float(method.loss(batch(), Generator().manual_seed(0))["loss"].detach()) != before


def test_after_a_step_each_queue_holds_the_unit_keys_of_its_own_representation() -> None:
    method = method_of()
    method.loss(batch(), Generator().manual_seed(0))
    fresh = {name: keys.clone() for name, keys in method.fresh.items()}
    method.after_step(0.5)
    for name, keys in fresh.items():
        torch.testing.assert_close(method.queues[name].keys[:8], keys)
        torch.testing.assert_close(keys.norm(dim=1), torch.ones(8))
    assert not torch.equal(fresh["SEQ"], fresh["IMG"])


def test_key_encoders_move_by_one_thousandth_of_the_way() -> None:
    method = method_of()
    method.loss(batch(), Generator().manual_seed(0))
    old = method.keys["SEQ"].module[1][2].bias.clone()
    method.heads["SEQ"][2].bias.data += 1.0
    method.after_step(0.5)
    torch.testing.assert_close(method.keys["SEQ"].module[1][2].bias, old + 0.001, rtol=0, atol=1e-7)


def test_every_representation_and_every_pair_of_them_can_be_used_downstream() -> None:
    method = method_of("SEQ IMG STG").eval()
    assert list(method.encoders) == ["SEQ", "IMG", "STG", "SEQ + IMG", "SEQ + STG", "IMG + STG"]
    x = batch().clips
    joined = method.encoders["SEQ + STG"](x)
    torch.testing.assert_close(joined, torch.cat([method.encoders["SEQ"](x), method.encoders["STG"](x)], 1))
    assert method.encoders["SEQ + STG"].out_dim == joined.shape[1] == 10


def test_a_representation_named_twice_or_none_is_refused() -> None:
    with pytest.raises(SkelkitError, match="representations: SEQ is named twice"):
        Representations((("SEQ", THREE["SEQ"]), ("SEQ", THREE["IMG"])))
    with pytest.raises(SkelkitError, match="representations: none is named"):
        Representations(())


def test_a_queue_smaller_than_the_batch_is_refused() -> None:
    method = method_of(config=InterSkeletonConfig(steps=(), queue=7, head_dim=3))
    method.loss(batch(), Generator().manual_seed(0))
    with pytest.raises(SkelkitError, match="a batch of 8 does not fit 7 keys; raise queue or lower batch"):
        method.after_step(0.5)


def test_one_training_learns_to_tell_clips_apart() -> None:
    method = method_of("SEQ IMG", InterSkeletonConfig(steps=(), queue=16, head_dim=8))
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.1)
    losses = []
    for seed in range(40):
        optimiser.zero_grad()
        loss = method.loss(batch(), Generator().manual_seed(seed))["loss"]
        loss.backward()
        optimiser.step()
        method.after_step(0.5)
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
