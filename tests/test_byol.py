"""BYOL: Eq. 1-4 of Moliner et al. 2022, its two cameras, and a run that ends the same whenever it is interrupted."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import clips_of, performances_of, resident_of
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from skelkit.augment import Shear, aggressive, conservative
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec, Performances
from skelkit.evaluate.monitors import spread
from skelkit.losses import normalised_distance
from skelkit.methods import METHODS, build
from skelkit.methods.byol import BYOL, NEWEST, BYOLConfig
from skelkit.models.agcn import AGCN
from skelkit.models.heads import VectorNorm, normalised_head
from skelkit.models.momentum_norm import Target
from skelkit.models.rnn import Recurrent
from skelkit.train import SGD, Steps, Training, WarmupCosine, train

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = DataSpec(clips=12, classes=3, skeleton=SBU, persons=1)
PLAIN = BYOLConfig(t1=(), t2=(), hidden=16, head_dim=8)


def method_of(config: BYOLConfig = PLAIN, encoder: Any = AGCN(4)) -> BYOL:  # noqa: B008 (frozen)
    torch.manual_seed(0)
    return build(config, encoder.build(SPEC), SPEC, Generator())


def clips(n: int = 6, seed: int = 1) -> Tensor:
    return torch.randn(n, 3, 8, 15, 1, generator=Generator().manual_seed(seed))


def batch_of(n: int = 6, partner: bool = False) -> Batch:
    return Batch(clips(n), torch.arange(n), torch.zeros(n, dtype=torch.long), clips(n, 2) if partner else None)


def loss_of(method: BYOL, batch: Batch, seed: int = 0) -> Tensor:
    return method.loss(batch, Generator().manual_seed(seed))["loss"]


def step(method: BYOL, done: float, lr: float = 0.1) -> None:
    loss_of(method, batch_of(), seed=round(100 * done)).backward()
    with torch.no_grad():
        for p in method.parameters():
            if p.grad is not None:
                p -= lr * p.grad
                p.grad = None
    method.after_step(done)


# ── the loss, Eq. 1 and 2 ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_distance_equals_the_written_out_sum() -> None:
    q, z = torch.randn(2, 5, 4, generator=Generator().manual_seed(0)).numpy()
    total = 0.0
    for one, other in zip(q, z, strict=True):
        one, other = one / math.sqrt((one**2).sum()), other / math.sqrt((other**2).sum())
        total += sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    found = normalised_distance(torch.from_numpy(q), torch.from_numpy(z)).item()
    assert found == pytest.approx(total / 5, rel=1e-5)


def test_the_distance_by_hand_is_2_less_twice_the_cosine() -> None:
    """Angles of 0, 90 and 180 degrees: 0, 2 and 4, whatever the lengths."""
    q = torch.tensor([[3.0, 0.0], [0.0, 5.0], [-0.1, 0.0]])
    z = torch.tensor([[7.0, 0.0], [1.0, 0.0], [100.0, 0.0]])
    assert normalised_distance(q, z).item() == pytest.approx(2.0)
    for i, expected in enumerate((0.0, 2.0, 4.0)):
        assert normalised_distance(q[i : i + 1], z[i : i + 1]).item() == pytest.approx(expected)


def test_the_distance_ignores_lengths_and_the_order_of_clips() -> None:
    q, z = torch.randn(2, 5, 4, generator=Generator().manual_seed(0))
    expected = normalised_distance(q, z)
    assert_close(normalised_distance(10 * q, 0.1 * z), expected)
    assert_close(normalised_distance(q.flip(0), z.flip(0)), expected)


def test_the_distance_is_32_bit_whatever_comes_in() -> None:
    q, z = torch.randn(2, 5, 4, generator=Generator().manual_seed(0)).bfloat16()
    assert torch.equal(normalised_distance(q, z), normalised_distance(q.float(), z.float()))


def test_the_loss_equals_eq_2_written_out() -> None:
    """Each view through the online network and predictor, the other through the target, and both terms."""
    method, batch = method_of(), batch_of(partner=True)
    twin = copy.deepcopy(method)
    v_1, v_2 = batch.clips, batch.partner
    expected = 0.0
    for one, other in ((v_1, v_2), (v_2, v_1)):
        q = twin.predictor(twin.projector(twin.encoder(one)))
        z = twin.target.module[1](twin.target.module[0](other))
        expected += (2 - 2 * F.cosine_similarity(q, z)).mean().item()
    assert loss_of(method, batch).item() == pytest.approx(expected, rel=1e-4)


def test_swapping_the_views_changes_nothing_where_both_pipelines_are_the_same() -> None:
    batch = batch_of(partner=True)
    swapped = replace(batch, clips=batch.partner, partner=batch.clips)
    assert_close(loss_of(method_of(), swapped), loss_of(method_of(), batch))


def test_v_1_is_augmented_by_t1_and_v_2_by_t2() -> None:
    batch = batch_of(partner=True)
    sheared = Shear().apply(batch.clips, Shear().sample(batch.clips.shape, Generator().manual_seed(3)))
    expected = loss_of(method_of(), replace(batch, clips=sheared))
    assert_close(loss_of(method_of(replace(PLAIN, t1=(Shear(),))), batch, seed=3), expected)
    sheared = Shear().apply(batch.partner, Shear().sample(batch.clips.shape, Generator().manual_seed(3)))
    expected = loss_of(method_of(), replace(batch, partner=sheared))
    assert_close(loss_of(method_of(replace(PLAIN, t2=(Shear(),))), batch, seed=3), expected)


def test_without_a_partner_both_views_are_of_the_clip_itself() -> None:
    batch = batch_of()
    assert_close(loss_of(method_of(), batch), loss_of(method_of(), replace(batch, partner=batch.clips)))


def test_no_gradient_reaches_the_target() -> None:
    method = method_of()
    loss_of(method, batch_of()).backward()
    assert all(p.grad is None and not p.requires_grad for p in method.target.parameters())
    online = (method.encoder, method.projector, method.predictor)
    assert all(p.grad is not None for part in online for p in part.parameters())
    assert all(any(p.grad.any() for p in part.parameters()) for part in online)


def test_the_defaults_are_the_papers_pipelines_and_byols_own_widths() -> None:
    config = BYOLConfig()
    assert (config.t1, config.t2) == (aggressive(), conservative())
    method = method_of(config, Recurrent("gru", 6))
    sizes = {name: tuple(p.shape) for name, p in method.named_parameters() if "encoder" not in name and p.ndim == 2}
    assert sizes == {
        "projector.0.weight": (4096, 6),
        "projector.3.weight": (256, 4096),
        "predictor.0.weight": (4096, 256),
        "predictor.3.weight": (256, 4096),
        "target.module.1.0.weight": (4096, 6),
        "target.module.1.3.weight": (256, 4096),
    } | {name: size for name, size in sizes.items() if name.startswith("target.module.0.")}
    assert METHODS["byol"] == (BYOLConfig, BYOL)


def test_the_head_is_linear_batch_norm_relu_linear_written_out() -> None:
    torch.manual_seed(0)
    head, x = normalised_head(3, 5, 2), torch.randn(4, 3)
    h = x @ head[0].weight.T + head[0].bias
    h = (h - h.mean(0)) / (h.var(0, correction=0) + 1e-5).sqrt()
    assert_close(head(x), h.clamp(min=0) @ head[3].weight.T)


def test_a_single_vector_is_normalised_by_the_running_statistics_and_leaves_them() -> None:
    norm = VectorNorm(2)
    norm(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
    before = norm.running_mean.clone()
    assert_close(norm(torch.tensor([[3.0, 4.0]])), norm.eval()(torch.tensor([[3.0, 4.0]])))
    assert torch.equal(norm.running_mean, before)


# ── the target, Eq. 3 and 4 ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_target_begins_as_the_online_network() -> None:
    method = method_of()
    online = nn.Sequential(method.encoder, method.projector)
    assert all(torch.equal(a, b) for a, b in zip(method.target.module.parameters(), online.parameters(), strict=True))


@pytest.mark.parametrize(("done", "lam"), [(1e-9, 0.9), (0.5, 0.95), (1 / 3, 0.925), (1.0, 1.0)])
def test_eq_3_by_hand_with_lambda_on_its_cosine_from_its_start_to_1(done: float, lam: float) -> None:
    """lambda = 1 - 0.1 (cos(pi done) + 1) / 2: at a third of the run cos is 1/2, and it is 1 - 0.075."""
    method = method_of(replace(PLAIN, momentum=0.9))
    before = [p.clone() for p in method.target.parameters()]
    step(method, done)
    online = [*method.encoder.parameters(), *method.projector.parameters()]
    for kept, theirs, now in zip(before, online, method.target.parameters(), strict=True):
        assert_close(now, lam * kept + (1 - lam) * theirs.detach(), rtol=1e-5, atol=1e-7)
    assert any(not torch.equal(a, b) for a, b in zip(before, online, strict=True))


def test_eq_4_by_hand_over_several_steps() -> None:
    """Two norms in a row, two batches a step: mu and sigma are recomputed from the numbers that the norms receive."""
    torch.manual_seed(0)
    online = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2), nn.BatchNorm1d(2))
    target, alpha = Target(online, 0.9), 0.9
    expected: dict[int, tuple[Tensor, Tensor]] = {}
    for i in range(4):
        means: dict[int, list[Tensor]] = {0: [], 2: []}
        variances: dict[int, list[Tensor]] = {0: [], 2: []}
        for _ in range(2):
            x = (i + 1) * torch.randn(5, 3) + i
            with target.watching(online):
                online(x)
            normed = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
            for at, received in ((0, x), (2, online[1](normed * online[0].weight + online[0].bias))):
                means[at].append(received.detach().mean(0))
                variances[at].append(received.detach().var(0))
        for at in (0, 2):
            mu_b, sigma_b = sum(means[at]) / 2, sum(variances[at]) / 2
            mu, sigma = expected.get(at, (mu_b, sigma_b))
            expected[at] = alpha * mu + (1 - alpha) * mu_b, alpha * sigma + (1 - alpha) * sigma_b
        with torch.no_grad():  # a training's step
            online[1].weight.mul_(1.5)
            online[0].bias.add_(1)
        target.follow(online, 0.5)
    for at, (mu, sigma) in expected.items():
        assert_close(target.module[at].running_mean, mu, rtol=1e-4, atol=1e-5)
        assert_close(target.module[at].running_var, sigma, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(online[at].running_mean, mu, rtol=0.01)  # it is not the online network's buffer
        assert target.module[at].num_batches_tracked == 4
    assert_close(target.module[0].bias, torch.full((3,), 3.0 + 1 / 16), rtol=0, atol=1e-6)  # parameters go by Eq. 3


def test_the_first_batches_statistics_are_taken_whole_and_a_pretrained_encoders_are_kept_in_the_average() -> None:
    x = torch.tensor([[0.0], [4.0]])  # mean 2, variance 8
    fresh = nn.Sequential(nn.BatchNorm1d(1))
    started = copy.deepcopy(fresh)
    started(torch.zeros(2, 1))  # has seen a batch: its running mean is 0, its variance 0.9
    for online, mean, variance in ((fresh, 2.0, 8.0), (started, 0.2, 0.9 * 0.9 + 0.8)):
        target = Target(online, 0.9)
        with target.watching(online):
            online(x)
        target.follow(online, 0.99)
        assert target.module[0].running_mean.item() == pytest.approx(mean)
        assert target.module[0].running_var.item() == pytest.approx(variance, rel=1e-5)


def test_the_online_networks_own_running_statistics_are_torchs() -> None:
    watched, plain = (nn.Sequential(nn.BatchNorm1d(3)) for _ in range(2))
    target, x = Target(watched, 0.5), torch.randn(4, 3, generator=Generator().manual_seed(0))
    for _ in range(3):
        with target.watching(watched):
            assert torch.equal(watched(x), plain(x))
        target.follow(watched, 0.5)
    assert all(torch.equal(a, b) for a, b in zip(watched.state_dict().values(), plain.state_dict().values()))  # noqa: B905


def test_the_target_normalises_by_its_statistics_and_drops_nothing_while_the_method_trains() -> None:
    online = nn.Sequential(nn.BatchNorm1d(1), nn.Dropout(0.9))
    online[0].running_mean.fill_(3.0)
    online[0].running_var.fill_(4.0)
    method = nn.ModuleDict({"online": online, "target": Target(online, 0.5)}).train()
    assert_close(method["target"](torch.tensor([[3.0], [5.0]])), torch.tensor([[0.0], [1.0]]), rtol=1e-4, atol=1e-4)
    assert online.training
    assert method["target"].module[0].running_mean.item() == 3.0  # and looking moves nothing


def test_of_its_own_batch_the_target_normalises_by_that_and_drops_nothing() -> None:
    online = nn.Sequential(nn.BatchNorm1d(1), nn.Dropout(0.9))
    target = nn.ModuleDict({"target": Target(online, 0.5, own_batch=True)}).train()["target"]
    x = torch.tensor([[3.0], [5.0]])  # mean 4, variance 1 by n, 2 by n - 1
    assert_close(target(x), torch.tensor([[-1.0], [1.0]]), rtol=1e-4, atol=1e-4)
    assert_close(target(10 * x), torch.tensor([[-1.0], [1.0]]), rtol=1e-4, atol=1e-4)
    assert not any(each.training for each in target.module.modules())


def test_the_running_statistics_of_a_target_of_its_own_batch_are_torchs_and_serve_in_evaluation() -> None:
    """A tenth of the way at each batch that the target sees; following the online network moves them not at all."""
    online = nn.Sequential(nn.BatchNorm1d(1))
    target = Target(online, 0.5, own_batch=True)
    norm = target.module[0]
    x = torch.tensor([[3.0], [5.0]])
    with target.watching(online):
        online(torch.full((2, 1), 100.0))
    target(x)
    assert (norm.running_mean.item(), norm.running_var.item()) == pytest.approx((0.1 * 4, 0.9 + 0.1 * 2))
    target.follow(online, 0.5)
    assert (norm.running_mean.item(), norm.running_var.item()) == pytest.approx((0.4, 1.1))
    assert (norm.num_batches_tracked.item(), target.seen) == (1, [])
    assert_close(target.module(x), (x - 0.4) / (1.1 + 1e-5) ** 0.5)
    assert norm.running_mean.item() == pytest.approx(0.4)  # and looking moves nothing


def test_parameters_of_a_target_of_its_own_batch_follow_by_eq_3_and_no_gradient_reaches_them() -> None:
    config = replace(PLAIN, momentum=0.9, statistics="batch")
    method = method_of(config)
    before = [p.clone() for p in method.target.parameters()]
    step(method, 0.5)
    online = [*method.encoder.parameters(), *method.projector.parameters()]
    for kept, theirs, now in zip(before, online, method.target.parameters(), strict=True):
        assert_close(now, 0.95 * kept + 0.05 * theirs.detach(), rtol=1e-5, atol=1e-7)
        assert now.grad is None


def test_with_batch_statistics_the_loss_is_that_of_a_twin_whose_target_trains_its_norms() -> None:
    """After steps in which online network and target have gone apart, both terms, each view a batch of its own."""
    method, batch = method_of(replace(PLAIN, statistics="batch")), batch_of(partner=True)
    for i in range(3):
        step(method, (i + 1) / 4)
    twin = copy.deepcopy(method)
    encoder, projector = twin.target.module
    twin.target.module.train(True)  # nothing is dropped out in either
    expected = 0.0
    for one, other in ((batch.clips, batch.partner), (batch.partner, batch.clips)):
        q = twin.predictor(twin.projector(twin.encoder(one)))
        z = projector(encoder(other))
        expected += (2 - 2 * F.cosine_similarity(q, z)).mean().item()
    momentum = copy.deepcopy(method)
    momentum.target.own_batch = False
    assert loss_of(method, batch).item() == pytest.approx(expected, rel=1e-4)
    assert abs(loss_of(momentum, batch).item() - expected) > 0.01
    state = twin.target.module.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in method.target.module.state_dict().items())


def test_the_target_encoder_of_batch_statistics_is_asked_by_its_running_ones() -> None:
    method = method_of(replace(PLAIN, statistics="batch"))
    for i in range(3):
        step(method, (i + 1) / 3)
    target = method.eval().encoders["target"]
    x = clips()
    assert_close(target(x)[:2], target(x[:2]))  # a clip's features do not hang on the others of its batch
    fresh = method_of(replace(PLAIN, statistics="batch")).eval().encoders["target"]
    fresh.load_state_dict(target.state_dict())
    assert torch.equal(fresh(x), target(x))


def test_momentum_statistics_are_the_default_bit_for_bit() -> None:
    """And another run than that of batch statistics, by the target alone."""
    methods = [method_of(PLAIN)]
    methods += [method_of(replace(PLAIN, statistics=how)) for how in ("momentum", "batch")]
    for method in methods:
        for i in range(3):
            step(method, (i + 1) / 3)
    default, momentum, batch = (method.state_dict() for method in methods)
    assert default.keys() == momentum.keys() == batch.keys()
    assert all(torch.equal(tensor, momentum[name]) for name, tensor in default.items())
    assert not all(torch.equal(tensor, batch[name]) for name, tensor in default.items())


def test_by_default_the_target_is_its_module_in_evaluation_bit_for_bit_and_a_loss_moves_none_of_its_state() -> None:
    method, x = method_of(), clips()
    for i in range(2):
        step(method, (i + 1) / 3)
    before = {name: tensor.clone() for name, tensor in method.target.state_dict().items()}
    twin = copy.deepcopy(method.target.module).eval()
    assert torch.equal(method.target(x), twin(x))
    loss_of(method, batch_of())
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.target.state_dict().items())


def test_buffers_that_are_no_norms_are_copied() -> None:
    online = nn.Sequential(nn.BatchNorm1d(2))
    online.register_buffer("counter", torch.tensor(1))
    target = Target(online, 0.5)
    with target.watching(online):
        online(torch.randn(3, 2, generator=Generator().manual_seed(0)))
    online.get_buffer("counter").fill_(7)
    target.follow(online, 0.5)
    assert target.module.get_buffer("counter") == 7


def test_the_statistics_of_the_target_are_part_of_its_state() -> None:
    method, other = method_of(), method_of()
    for i in range(3):
        step(method, (i + 1) / 3)
    other.load_state_dict(method.state_dict())
    x = clips()
    assert torch.equal(other.target(x), method.target(x))
    assert not torch.equal(method_of().target(x), method.target(x))


# ── multi-viewpoint sampling, Sec. 3.4 ──────────────────────────────────────────────────────────────────────────────


def test_a_pair_shares_its_performance_and_every_camera_is_drawn() -> None:
    """By hand: performance 7 has clips 0, 2 and 5, performance 4 has 1 and 6, clips 3 and 4 are alone."""
    performances = Performances(torch.tensor([7, 4, 7, -1, -1, 7, 4]))
    groups = {frozenset({0, 2, 5}), frozenset({1, 6}), frozenset({3}), frozenset({4})}
    assert len(performances) == 4
    rng = Generator().manual_seed(0)
    seen: dict[frozenset[int], set[tuple[int, int]]] = {group: set() for group in groups}
    for _ in range(200):
        drawn = [each.tolist() for each in performances.draw(torch.arange(4), rng)]
        for pair in zip(*drawn, strict=True):
            (own,) = [group for group in groups if pair[0] in group]
            assert pair[1] in own
            seen[own].add(pair)
    for group, pairs in seen.items():  # with replacement: a clip meets itself as well
        assert pairs == {(a, b) for a in group for b in group}


def test_each_camera_is_as_likely_as_any_other() -> None:
    performances = Performances(torch.tensor([1, 1, 1]))
    one, other = performances.draw(torch.zeros(9000, dtype=torch.long), Generator().manual_seed(0))
    counts = torch.bincount(3 * one + other, minlength=9)
    assert (counts - 1000).abs().max() < 150  # five standard deviations


def test_partners_never_leave_the_training_set() -> None:
    """Clips 0, 1 and 2 are one performance; of it only 0 and 2 train."""
    data = resident_of(performances_of(clips_of(9), 3))
    train_set = torch.tensor([2, 0, 4, 8])
    performances = data.performances(train_set)
    assert len(performances) == 3
    rng = Generator().manual_seed(0)
    for _ in range(50):
        drawn = performances.draw(torch.arange(3), rng)
        batch = data.batch(train_set, *drawn)
        assert torch.equal(batch.clips, data.clips(train_set[drawn[0]]))
        assert torch.equal(batch.partner, data.clips(train_set[drawn[1]]))
        assert torch.equal(batch.index, drawn[0])
        assert torch.equal(data.actions[train_set[drawn[0]]], data.actions[train_set[drawn[1]]])


class Watching(nn.Module):
    """A method that notes its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(1.0))
        self.batches: list[Batch] = []
        self.done: list[float] = []

    def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
        self.batches.append(batch)
        return {"loss": self.x.square()}

    def after_step(self, done: float) -> None:
        self.done.append(done)


@pytest.mark.parametrize("performances", [True, False])
def test_an_epoch_runs_through_performances_or_clips(performances: bool) -> None:
    data, method = resident_of(performances_of(clips_of(20), 4)), Watching()
    training = Training(SGD(0.1), Steps(3), batch=2, performances=performances)
    train(method, data, np.arange(2, 18), training, Generator().manual_seed(0))  # 5 performances, of 2, 4, 4, 4 and 2
    for epoch in np.split(np.arange(len(method.batches)), 3):
        batches = [method.batches[i] for i in epoch]
        index = torch.cat([batch.index for batch in batches])
        if performances:
            assert [len(batch.clips) for batch in batches] == [2, 2, 1]
            assert sorted((data.actions[2 + index]).tolist()) == [0, 1, 2, 3, 4]
        else:
            assert index.sort()[0].tolist() == list(range(16))
            assert all(batch.partner is None for batch in batches)
    steps = len(method.batches)
    np.testing.assert_allclose(method.done, np.arange(1, steps + 1) / steps)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_resumed_run_ends_with_the_same_bits_schedules_and_target_included(tmp_path: Any) -> None:
    data = resident_of(performances_of(clips_of(20), 3))
    training = Training(SGD(0.05, weight_decay=1e-4), WarmupCosine(6, 0.2, 1e-3), batch=4, performances=True)
    spec = DataSpec(20, 2, SBU, 1)

    def run(stop: int | None = None, name: str = "whole") -> dict[str, Tensor]:
        torch.manual_seed(0)
        rng = Generator().manual_seed(0)
        config = BYOLConfig(hidden=16, head_dim=8, statistics_momentum=0.7)
        method = build(config, AGCN(4).build(spec), spec, rng)

        def stops(epoch: int, _: Any) -> dict[str, float]:
            if epoch == stop:
                raise KeyboardInterrupt
            return {}

        place = tmp_path / f"{name}.safetensors"
        options = {"checkpoint": place, "checkpoint_seconds": 0, "callbacks": [stops]}
        train(method, data, np.arange(20), training, rng, **options)
        return method.state_dict()

    whole = run()
    for stop in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            run(stop, "broken")
    resumed = run(name="broken")
    assert resumed.keys() == whole.keys()
    assert any("target" in name and "running_var" in name for name in whole)
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


@pytest.mark.parametrize("bf16", [False, True])
def test_the_curve_of_a_tiny_problem_falls_and_nothing_collapses(bf16: bool) -> None:
    data = resident_of(clips_of(20))
    spec = DataSpec(20, 2, SBU, 1)
    torch.manual_seed(0)
    rng = Generator().manual_seed(0)
    method = build(BYOLConfig(t1=(Shear(0.3),), t2=(), hidden=32, head_dim=8), AGCN(8).build(spec), spec, rng)
    training = Training(SGD(0.1), WarmupCosine(40, 0.1), batch=10, bf16=bf16)
    curve = [record["loss"] for record in train(method, data, np.arange(20), training, rng)]
    assert np.mean(curve[-3:]) < 0.8 * np.mean(curve[:3])  # measured: 0.03 to 0.16 with three seeds
    assert spread(method.projections) > 0.1  # measured: 0.5 to 0.6


def test_the_newest_projections_are_kept_for_the_monitor() -> None:
    method, batch = method_of(), batch_of(partner=True)
    twin = copy.deepcopy(method)
    loss_of(method, batch)
    z_1, z_2 = (twin.projector(twin.encoder(x)).detach() for x in (batch.clips, batch.partner))
    assert_close(method.projections, torch.cat([z_2, z_1]))
    for _ in range(20):
        loss_of(method, batch)
    assert method.projections.shape == (NEWEST, 8)
    assert "projections" not in method.state_dict()
