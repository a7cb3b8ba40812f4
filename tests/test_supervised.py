"""The supervised baseline: cross-entropy on an encoder and a linear layer, trained together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import Shear, augment
from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec, Resident, View
from skelkit.evaluate.features import extract
from skelkit.methods import METHODS, build
from skelkit.methods.supervised import Supervised, SupervisedConfig
from skelkit.models.rnn import Recurrent
from skelkit.train import Adam, Steps, Training, train

SPEC = DataSpec(clips=12, classes=3, skeleton=SBU, persons=1)


def method_of(config: SupervisedConfig = SupervisedConfig(), cell: Any = "lstm") -> Supervised:  # noqa: B008 (frozen)
    torch.manual_seed(0)
    return build(config, Recurrent(cell, width=8).build(SPEC), SPEC, Generator())


def batch_of(labels: list[int]) -> Batch:
    x = torch.randn(len(labels), 3, 5, 15, 1, generator=Generator().manual_seed(1))
    return Batch(x, torch.arange(len(labels)), torch.tensor(labels))


def loss_of(method: Supervised, batch: Batch, seed: int = 0) -> Tensor:
    (loss,) = method.loss(batch, Generator().manual_seed(seed)).values()
    return loss


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_loss_equals_the_cross_entropy_written_out(cell: str) -> None:
    method, batch = method_of(cell=cell), batch_of([2, 0, 1, 1])
    weights = {name: p.detach().numpy() for name, p in method.encoder.get_submodule("cell").named_parameters()}
    weight, bias = (p.detach().numpy() for p in method.classifier.parameters())
    total = 0.0
    for clip, label in zip(batch.clips.numpy(), batch.labels.tolist(), strict=True):
        scores = weight @ reference.recurrent_states(cell, weights, clip).mean(0) + bias
        total -= np.log(np.exp(scores[label]) / np.exp(scores).sum())
    assert loss_of(method, batch).item() == pytest.approx(total / 4, rel=1e-5)


def test_the_loss_of_an_undecided_classifier_by_hand_is_the_log_of_the_classes() -> None:
    method = method_of()
    torch.nn.init.zeros_(method.classifier.weight)
    assert loss_of(method, batch_of([0, 1, 2, 2])).item() == pytest.approx(np.log(3))


def test_the_loss_ignores_the_order_of_the_clips() -> None:
    method, batch = method_of(), batch_of([0, 1, 2, 2])
    turned = Batch(batch.clips.flip(0), batch.index.flip(0), batch.labels.flip(0))
    assert_close(loss_of(method, turned), loss_of(method, batch))


def test_unlabelled_clips_do_not_count() -> None:
    method, batch = method_of(), batch_of([0, -1, 2, -1])
    known = torch.tensor([0, 2])
    alone = Batch(batch.clips[known], batch.index[known], batch.labels[known])
    assert_close(loss_of(method, batch), loss_of(method, alone))


def test_clips_are_not_augmented_unless_asked() -> None:
    method, batch = method_of(), batch_of([0, 1, 2, 2])
    assert torch.equal(loss_of(method, batch, seed=1), loss_of(method, batch, seed=2))
    steps = (Shear(),)
    sheared = replace(batch, clips=augment(batch.clips, steps, Generator().manual_seed(1)))
    assert_close(loss_of(method_of(SupervisedConfig(steps)), batch, seed=1), loss_of(method, sheared))


def test_one_loss_trains_encoder_and_classifier() -> None:
    method = method_of()
    loss_of(method, batch_of([0, 1, 2, 2])).backward()
    assert all(p.grad is not None and p.grad.any() for p in method.parameters())
    assert method.after_step(0.5) is None


def test_the_encoder_of_the_method_is_the_one_it_was_given() -> None:
    torch.manual_seed(0)
    encoder = Recurrent("gru", width=8).build(SPEC)
    method = build(SupervisedConfig(), encoder, SPEC, Generator())
    assert list(method.encoders) == ["encoder"]
    assert method.encoders["encoder"] is encoder
    assert METHODS["supervised"] == (SupervisedConfig, Supervised)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_every_baseline_learns_three_poses_and_tests_its_own_classifier(cell: str) -> None:
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(3, 1, 3, 15, 1))
    frames = np.concatenate([poses[i % 3] + 0.1 * rng.normal(size=(4, 3, 15, 1)) for i in range(12)])
    columns = {"label": [i % 3 for i in range(12)]}
    clips = Clips.from_arrays(
        frames, np.arange(0, 49, 4), skeleton=SBU, classes=["a", "b", "c"], name="poses", columns=columns
    )
    data, method = Resident(clips, View(5)), method_of(cell=cell)
    training = Training(Adam(lr=0.01), Steps(epochs=10), batch=6)
    history = train(method, data, np.arange(12), training, Generator().manual_seed(0))
    assert history[0]["loss"] == pytest.approx(np.log(3), abs=0.2)
    assert history[-1]["loss"] < 0.6
    scores = extract(method, data, torch.arange(12))
    assert scores.argmax(1).tolist() == columns["label"]
