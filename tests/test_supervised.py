"""The supervised baseline: cross-entropy on an encoder and a linear layer, trained together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
import tiny
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import GaussianBlur, OneOf, Reverse, Shear, augment
from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec, Resident, View, Whole
from skelkit.evaluate.features import extract
from skelkit.files import SkelkitError
from skelkit.methods import METHODS, build
from skelkit.methods.supervised import Supervised, SupervisedConfig
from skelkit.models.agcn import AGCN
from skelkit.models.rnn import Recurrent
from skelkit.models.sequences import Bidirectional
from skelkit.train import SGD, Adam, Steps, Training, train

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


def with_norm(config: SupervisedConfig) -> Supervised:
    torch.manual_seed(0)
    return build(config, AGCN(4).build(SPEC), SPEC, Generator())


def trained_for(method: Supervised, epochs: int, rate: float = 0.1) -> None:
    clips = tiny.clips_of(12, 3)
    training = Training(SGD(rate), Steps(epochs=epochs), batch=6)
    train(method, tiny.resident_of(clips), np.arange(12), training, Generator().manual_seed(0))


def test_a_frozen_encoder_keeps_its_weights_and_its_statistics_while_the_classifier_learns() -> None:
    method = with_norm(SupervisedConfig(frozen=1.0))
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    trained_for(method, 2)
    moved = [name for name, tensor in method.state_dict().items() if not torch.equal(tensor, before[name])]
    assert moved == ["classifier.weight", "classifier.bias"]


def test_a_third_of_the_run_is_frozen_and_then_the_encoder_moves_at_its_own_rate() -> None:
    config = SupervisedConfig(frozen=1 / 3, encoder_rate=1e-3)
    method = with_norm(config)
    assert [method.rates(done) for done in (0.0, 0.33, 0.34, 0.99)] == [
        {"encoder": 0.0},
        {"encoder": 0.0},
        {"encoder": 1e-3},
        {"encoder": 1e-3},
    ]
    moved: list[set[str]] = []
    after = method.after_step

    def noting(done: float) -> None:
        now = {name: tensor.clone() for name, tensor in method.state_dict().items()}
        moved.append({name.partition(".")[0] for name in now if not torch.equal(now[name], noting.last[name])})
        noting.last = now
        after(done)

    noting.last = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    method.after_step = noting
    trained_for(method, 3)  # two steps an epoch
    assert moved == [{"classifier"}] * 2 + [{"classifier", "encoder"}] * 4


def test_the_encoders_rate_multiplies_its_steps() -> None:
    """One step without momentum is as long as the rate: a thousandth of it with encoder_rate 1e-3."""
    steps = []
    for rate in (1.0, 1e-3):
        method = with_norm(SupervisedConfig(encoder_rate=rate))
        training = Training(SGD(0.1, momentum=0), Steps(epochs=1), batch=12)
        train(method, tiny.resident_of(tiny.clips_of(12, 3)), np.arange(12), training, Generator().manual_seed(0))
        steps.append(method.encoder.blocks[-1].temporal.norm.bias.detach())  # it starts at 0, so that no bit is lost
    assert steps[0].norm() > 0
    assert_close(steps[1].norm() / steps[0].norm(), torch.tensor(1e-3), rtol=0.05, atol=0)


def test_without_a_frozen_part_the_encoder_asks_for_no_rate_of_its_own() -> None:
    assert method_of().rates(0.0) == {}


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


# ── clips of any length ─────────────────────────────────────────────────────────────────────────────────────────────


def of_any_length(config: SupervisedConfig = SupervisedConfig()) -> Supervised:  # noqa: B008 (frozen)
    torch.manual_seed(0)
    return build(config, Bidirectional(6, dropout=0.0).build(SPEC), SPEC, Generator())


def test_a_padded_batch_has_the_loss_of_its_clips_alone_and_their_scores() -> None:
    method, data = of_any_length(SupervisedConfig((Shear(limit=0.0),))), Resident(tiny.clips_of(6, 3), Whole())
    everything = torch.arange(6)
    alone = [loss_of(method, data.batch(everything, everything[i : i + 1])) for i in range(6)]
    assert_close(loss_of(method, data.batch(everything, everything)), torch.stack(alone).mean())
    scores = torch.cat([method(data.clips(everything[i : i + 1])) for i in range(6)])
    assert_close(extract(method, data, everything), scores.detach())
    assert_close(
        extract(method.encoder, data, everything),
        method.eval().encoder(data.clips(everything), data.real(everything)).detach(),
    )


@pytest.mark.parametrize("step", [Reverse(), GaussianBlur(), OneOf((Shear(), Reverse()))], ids=str)
def test_a_step_that_moves_frames_is_refused_where_lengths_are_read(step: Any) -> None:
    name = "Reverse" if isinstance(step, OneOf) else type(step).__name__
    with pytest.raises(SkelkitError, match=f"{name}: moves frames, and BidirectionalEncoder reads how many .* leave"):
        of_any_length(SupervisedConfig((Shear(), step)))
    assert method_of(SupervisedConfig((step,))).steps
