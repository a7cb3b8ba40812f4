"""AS-CAL (Rao et al. 2021) against Algorithm 1, Table I and Sec. III-C, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.augment import ChannelMask, GaussianNoise, Reverse, Shear, augment
from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec, Resident, View
from skelkit.losses import in_batch_info_nce, info_nce
from skelkit.methods import METHODS, build
from skelkit.methods.ascal import ASCAL, ASCALConfig
from skelkit.models.rnn import Recurrent
from skelkit.train import SGD, Steps, Training, train

SPEC = DataSpec(clips=10, classes=2, skeleton=SBU, persons=2)
CONFIG = ASCALConfig(queue=12, temperature=0.5, momentum=0.9)
TRAINING = Training(SGD(lr=0.1, momentum=0.9, weight_decay=1e-4), Steps(epochs=1), batch=4)
LSTM = Recurrent("lstm", width=6)
every_paradigm = pytest.mark.parametrize("paradigm", ["queue", "end to end", "memory bank"])


def method_of(config: ASCALConfig = CONFIG, encoder: Recurrent = LSTM) -> ASCAL:
    torch.manual_seed(0)
    return build(config, encoder.build(SPEC), SPEC, Generator().manual_seed(0))


def batch_of(*index: int, t: int = 5) -> Batch:
    x = torch.randn(10, 3, t, 15, 2, generator=Generator().manual_seed(1))
    chosen = torch.tensor(index or (4, 0, 7, 2))
    return Batch(x[chosen], chosen, torch.zeros(len(chosen), dtype=torch.long))


def ten_clips() -> Resident:
    frames = np.random.default_rng(0).normal(size=(50, 3, 15, 2)).astype(np.float32)
    columns = {"label": [0, 1] * 5}
    clips = Clips.from_arrays(
        frames, np.arange(0, 51, 5), skeleton=SBU, classes=["a", "b"], name="ten", columns=columns
    )
    return Resident(clips, View(5))


def copied(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def step_of(method: ASCAL, batch: Batch, rng: Generator) -> Tensor:
    """One step of training by plain SGD, as the training loop takes it."""
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.1)
    (loss,) = method.loss(batch, rng).values()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    method.after_step(0.5)
    return loss.detach()


def cell_weights(module: Any) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy().copy() for name, p in module.cell.named_parameters()}


# ---- Algorithm 1


@pytest.mark.parametrize("layers", [1, 2])
def test_the_loss_equals_algorithm_1_written_out_in_numpy_for_two_steps(layers: int) -> None:
    method = method_of(encoder=replace(LSTM, layers=layers))
    rng, stream = Generator().manual_seed(5), Generator().manual_seed(5)
    f_q = cell_weights(method.encoder)
    f_k, queue = dict(f_q), method.queue.keys.tolist()  # "copy to f_k", "randomly initialize negative keys"
    for batch in (batch_of(4, 0, 7, 2), batch_of(1, 3, 5)):
        views = []
        for _ in range(2):  # Aug_1, then Aug_2: reverse and shear
            flags = Reverse().sample(batch.clips.shape, stream)
            matrices = Shear().sample(batch.clips.shape, stream)
            views.append(reference.sheared_reversals(batch.clips.numpy(), flags.tolist(), matrices.numpy()))
        query = np.stack([reference.recurrent_states("lstm", f_q, x).mean(0) for x in views[0]])  # Eq. 7, 10
        key = np.stack([reference.recurrent_states("lstm", f_k, x).mean(0) for x in views[1]])  # Eq. 8, 11
        expected = reference.info_nce(query, key, np.array(queue), CONFIG.temperature)  # Eq. 12

        assert step_of(method, batch, rng).item() == pytest.approx(expected, rel=1e-4)

        f_q = cell_weights(method.encoder)  # "update f_q to minimize L": autograd's part
        f_k = {name: 0.9 * f_k[name] + 0.1 * f_q[name] for name in f_k}  # Eq. 9, with the updated f_q
        queue = [*queue, *key.tolist()][len(key) :]  # "enqueue keys of current mini-batch, dequeue the oldest"
        for name, found in cell_weights(method.encoders["k"]).items():
            np.testing.assert_allclose(found, f_k[name], rtol=1e-4, atol=1e-6)
        found = method.queue.keys.roll(-int(method.queue.oldest), 0)
        np.testing.assert_allclose(found.numpy(), queue, rtol=1e-4, atol=1e-5)


def test_the_update_of_f_q_is_the_numerical_gradient_of_eq_12() -> None:
    method = method_of(replace(CONFIG, steps=())).double()
    batch = replace(batch_of(), clips=batch_of().clips.double())
    rng = Generator().manual_seed(5)
    method.loss(batch, rng)["loss"].backward()
    weight = method.encoder.cell.weight_hh_l0
    for place in ((0, 0), (13, 4), (23, 5)):
        sides = []
        for shift in (1e-3, -2e-3):
            with torch.no_grad():
                weight[place] += shift
            sides.append(method.loss(batch, rng)["loss"].item())
        with torch.no_grad():
            weight[place] += 1e-3
        assert weight.grad[place].item() == pytest.approx((sides[0] - sides[1]) / 2e-3, rel=0.02, abs=2e-4)


def test_the_first_loss_by_hand_is_the_log_of_the_number_of_keys() -> None:
    """An encoder of zeros says 0, so all 1 + K similarities are equal, whatever is in the queue."""
    method = method_of()
    with torch.no_grad():
        for p in method.parameters():
            p.zero_()
    assert method.loss(batch_of(), Generator())["loss"].item() == pytest.approx(np.log(1 + 12))


def test_the_loss_ignores_the_order_of_the_clips_and_of_the_queue() -> None:
    config = replace(CONFIG, steps=())
    method, turned = method_of(config), method_of(config)
    turned.queue.keys.copy_(turned.queue.keys.flip(0))
    assert_close(method.loss(batch_of(4, 0, 7), Generator()), turned.loss(batch_of(7, 4, 0), Generator()))


def test_query_and_key_are_two_draws_of_one_composition(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (GaussianNoise(), ChannelMask())
    method, batch, rng = method_of(replace(CONFIG, steps=steps)), batch_of(), Generator().manual_seed(5)
    seen: list[Tensor] = []
    for encoder in (method.encoder, method.key_encoder):
        encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    method.loss(batch, rng)
    stream = Generator().manual_seed(5)
    expected = [augment(batch.clips, steps, stream) for _ in range(2)]
    assert_close(seen, expected)
    assert not torch.equal(*seen)


def test_one_generator_state_gives_one_loss_and_no_global_generator_is_read() -> None:
    losses = []
    for seed in (0, 1):
        method = method_of()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        losses.append(method.loss(batch_of(), Generator().manual_seed(5))["loss"])
        assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*losses)


# ---- the order of a step: optimiser, then Eq. 9, then the queue


def test_in_training_f_k_follows_the_updated_f_q_and_the_queue_takes_the_keys_of_before() -> None:
    """One step of the real training loop on four clips."""
    method, data = method_of(replace(CONFIG, steps=())), ten_clips()
    before_q, before_k, before_queue = (copied(m) for m in (method.encoder, method.encoders["k"], method.queue))
    members = np.array([3, 8, 1, 6])
    with torch.no_grad():
        keys = method.encoders["k"](data.clips(torch.from_numpy(members)))
    train(method, data, members, TRAINING, Generator().manual_seed(0))
    after_q = copied(method.encoder)
    for name, ours in method.encoders["k"].state_dict().items():
        assert not torch.equal(after_q[name], before_q[name])
        assert_close(ours, 0.9 * before_k[name] + 0.1 * after_q[name])
    fresh = method.queue.keys[:4]
    assert_close(fresh.sort(0).values, keys.sort(0).values)  # in the order of the batch, which is drawn
    assert torch.equal(method.queue.keys[4:], before_queue["keys"][4:])
    assert int(method.queue.oldest) == 4


def test_the_dictionary_stays_as_it_was_until_after_the_backward_pass() -> None:
    method = method_of()
    before = copied(method.queue)
    method.loss(batch_of(), Generator())["loss"].backward()
    assert_close(copied(method.queue), before, rtol=0, atol=0)
    method.after_step(0.5)
    assert not torch.equal(method.queue.keys[:4], before["keys"][:4])


def test_the_positive_is_not_yet_among_the_negatives() -> None:
    method = method_of(replace(CONFIG, steps=()))
    batch = batch_of()
    with torch.no_grad():
        query, key = method.encoder(batch.clips), method.encoders["k"](batch.clips)
    expected = info_nce(query, key, method.queue.keys.clone(), CONFIG.temperature)
    assert_close(method.loss(batch, Generator())["loss"], expected)


def test_an_idle_first_epoch_only_fills_the_queue() -> None:
    """The released code's first epoch."""
    method, data = method_of(), ten_clips()
    encoders = copied(method.encoder), copied(method.key_encoder)
    queue = copied(method.queue)
    train(method, data, np.arange(10), replace(TRAINING, idle_epochs=1), Generator().manual_seed(0))
    assert_close((copied(method.encoder), copied(method.key_encoder)), encoders, rtol=0, atol=0)
    changed = (method.queue.keys != queue["keys"]).any(1)
    assert changed.tolist() == [True] * 10 + [False] * 2


# ---- Table I


def test_the_queue_paradigm_sends_gradients_to_f_q_only() -> None:
    method = method_of(replace(CONFIG, head="linear", head_dim=3))
    method.loss(batch_of(), Generator())["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in method.encoder.parameters())
    assert all(p.grad is not None and p.grad.any() for p in method.head.parameters())
    assert all(p.grad is None and not p.requires_grad for p in method.key_encoder.parameters())
    assert not method.queue.keys.requires_grad
    assert not method.fresh_keys.requires_grad


def test_end_to_end_trains_both_encoders_and_keeps_no_dictionary() -> None:
    method = method_of(replace(CONFIG, paradigm="end to end"))
    query, key = copied(method.encoder), copied(method.encoders["k"])
    step_of(method, batch_of(), Generator())
    moved_q = {name: p - query[name] for name, p in method.encoder.state_dict().items()}
    moved_k = {name: p - key[name] for name, p in method.encoders["k"].state_dict().items()}
    for name in moved_q:
        assert moved_q[name].any()
        assert moved_k[name].any()
        assert not torch.allclose(moved_k[name], 0.1 * moved_q[name]), "by its own gradient, not by Eq. 9"
    assert not list(method.buffers())


def test_end_to_end_contrasts_with_the_other_keys_of_the_batch() -> None:
    method = method_of(replace(CONFIG, paradigm="end to end"))
    rng, stream = Generator().manual_seed(5), Generator().manual_seed(5)
    batch = batch_of()
    query = method.encoder(augment(batch.clips, CONFIG.steps, stream))
    key = method.encoders["k"](augment(batch.clips, CONFIG.steps, stream))
    assert_close(method.loss(batch, rng)["loss"], in_batch_info_nce(query, key, CONFIG.temperature))


def test_end_to_end_starts_both_encoders_alike() -> None:
    """By hand: an encoder of zeros leaves b equal similarities."""
    method = method_of(replace(CONFIG, paradigm="end to end"))
    assert_close(copied(method.encoder), copied(method.encoders["k"]))
    with torch.no_grad():
        for p in method.parameters():
            p.zero_()
    assert method.loss(batch_of(), Generator())["loss"].item() == pytest.approx(np.log(4))


def test_the_memory_bank_contrasts_the_query_with_stored_keys_of_the_same_and_of_drawn_clips() -> None:
    method = method_of(replace(CONFIG, paradigm="memory bank", bank_momentum=0.9))
    rng, stream = Generator().manual_seed(5), Generator().manual_seed(5)
    batch = batch_of()
    assert method.bank.keys.shape == (10, 6), "one key a training clip"
    query = method.encoder(augment(batch.clips, CONFIG.steps, stream))
    negatives = method.bank.draw((CONFIG.queue,), stream)
    expected = info_nce(query, method.bank.keys[batch.index], negatives, CONFIG.temperature)
    assert_close(method.loss(batch, rng)["loss"], expected)


def test_the_memory_bank_has_a_momentum_of_its_own_and_no_use_for_a_key_encoder() -> None:
    method = method_of(replace(CONFIG, paradigm="memory bank", bank_momentum=0.9))
    method.key_encoder.register_forward_pre_hook(lambda *_: pytest.fail("there is no f_k in a memory bank"))
    keys, key_encoder, batch = method.bank.keys.clone(), copied(method.key_encoder), batch_of()
    stream = Generator().manual_seed(5)
    with torch.no_grad():
        query = method.encoder(augment(batch.clips, CONFIG.steps, stream))  # the representation of before the step
    step_of(method, batch, Generator().manual_seed(5))
    expected = keys.clone()
    for i, fresh in zip(batch.index.tolist(), query, strict=True):
        expected[i] = 0.9 * keys[i] + 0.1 * fresh
    assert_close(method.bank.keys, expected)
    assert_close(copied(method.key_encoder), key_encoder, rtol=0, atol=0)
    assert all(p.grad is None for p in method.key_encoder.parameters())


def test_instance_discrimination_equals_a_loop_over_clips_for_two_steps() -> None:
    """Wu et al. 2018: each query has a draw of its own, and a key that moves is divided by its norm."""
    config = replace(CONFIG, paradigm="memory bank", bank="instance discrimination", bank_momentum=0.7)
    method = method_of(config)
    rng, stream = Generator().manual_seed(5), Generator().manual_seed(5)
    bank = method.bank.keys.double().numpy().copy()
    for batch in (batch_of(4, 0, 7, 2), batch_of(1, 4)):
        clips = augment(batch.clips, CONFIG.steps, stream)
        query = method.encoder(clips).detach().double().numpy()
        drawn = torch.randint(10, (len(query), CONFIG.queue), generator=stream)
        losses = []
        for q, clip, others in zip(query, batch.index.tolist(), drawn.tolist(), strict=True):
            positive, *negatives = (np.exp(q @ bank[i] / CONFIG.temperature) for i in (clip, *others))
            losses.append(-np.log(positive / (positive + sum(negatives))))
        assert step_of(method, batch, rng).item() == pytest.approx(np.mean(losses), rel=1e-5)
        for q, clip in zip(query, batch.index.tolist(), strict=True):
            moved = 0.7 * bank[clip] + 0.3 * q
            bank[clip] = moved / np.sqrt((moved**2).sum())
        np.testing.assert_allclose(method.bank.keys.numpy(), bank, rtol=1e-4, atol=1e-6)


@every_paradigm
def test_every_paradigm_learns_to_tell_ten_clips_apart(paradigm: Any) -> None:
    config = ASCALConfig(queue=16, temperature=0.2, momentum=0.5, paradigm=paradigm, steps=(GaussianNoise(),))
    method = method_of(config, replace(LSTM, width=12))
    training = replace(TRAINING, optimiser=SGD(lr=0.05), schedule=Steps(epochs=15), batch=5)
    history = train(method, ten_clips(), np.arange(10), training, Generator().manual_seed(0))
    losses = [record["loss"] for record in history]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


@every_paradigm
@pytest.mark.parametrize("head", ["none", "linear", "nonlinear"])
def test_a_head_projects_what_is_contrasted_and_not_the_representations(paradigm: Any, head: Any) -> None:
    method = method_of(replace(CONFIG, paradigm=paradigm, head=head, head_dim=3))
    step_of(method, batch_of(), Generator())
    contrasted = {"queue": "queue.keys", "memory bank": "bank.keys"}.get(paradigm)
    if contrasted:
        assert method.state_dict()[contrasted].shape[1] == (6 if head == "none" else 3)
    widths = {name: encoder(batch_of().clips).shape[1] for name, encoder in method.encoders.items()}
    assert widths == {"CAE": 6, "CAE+": 12, "k": 6, "h~_T": 6, "h_T": 6}


# ---- Sec. III-C


@pytest.mark.parametrize("pool", ["mean", "last"])
def test_the_five_representations_equal_their_definitions(pool: Any) -> None:
    method = method_of(encoder=replace(LSTM, pool=pool))
    step_of(method, batch_of(), Generator().manual_seed(5))  # so that f_q and f_k differ
    x = batch_of(1, 8).clips
    f_q, f_k = (cell_weights(method.encoders[name]) for name in ("CAE", "k"))
    h_q, h_k = (
        np.stack([reference.recurrent_states("lstm", weights, clip) for clip in x.numpy()]) for weights in (f_q, f_k)
    )
    pooled = [h.mean(1) if pool == "mean" else h[:, -1] for h in (h_q, h_k)]
    expected = {
        "CAE": pooled[0],  # Eq. 13
        "CAE+": np.concatenate(pooled, 1),
        "k": pooled[1],
        "h~_T": h_q[:, -1],
        "h_T": h_k[:, -1],
    }
    assert list(method.encoders) == list(expected), "the main one first"
    for name, encoder in method.encoders.items():
        np.testing.assert_allclose(encoder(x).detach().numpy(), expected[name], rtol=1e-4, atol=1e-6)
    assert not np.allclose(*pooled)


def test_representations_are_of_unaugmented_clips_and_read_no_generator() -> None:
    method = method_of(replace(CONFIG, steps=(GaussianNoise(),)))
    for encoder in method.encoders.values():
        assert torch.equal(encoder(batch_of().clips), encoder(batch_of().clips))


# ---- the configuration


def test_the_defaults_are_the_papers() -> None:
    """Sec. IV-B3: reverse and shear, m = .999, K = 16384, tau = .06, no head."""
    config = ASCALConfig()
    assert config.steps == (Reverse(p=0.5), Shear(limit=1.0))
    assert (config.momentum, config.queue, config.temperature) == (0.999, 16384, 0.06)
    assert (config.paradigm, config.head) == ("queue", "none")
    assert METHODS["ascal"] == (ASCALConfig, ASCAL)


@every_paradigm
def test_a_restored_method_goes_on_with_the_same_losses(paradigm: Any) -> None:
    method, restored = (method_of(replace(CONFIG, paradigm=paradigm)) for _ in range(2))
    step_of(method, batch_of(), Generator().manual_seed(5))
    restored.load_state_dict(copied(method))
    losses = [step_of(each, batch_of(1, 3), Generator().manual_seed(6)) for each in (method, restored)]
    assert torch.equal(*losses)
    assert_close(copied(restored), copied(method), rtol=0, atol=0)
