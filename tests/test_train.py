"""The training loop: bit-identical after a kill, gradients by group, faults that say where."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import PROCESSES, RUNS, clips_of, resident_of, training_run
from torch import Generator, Tensor, nn

from skelkit.data.views import Batch, DataSpec
from skelkit.files import SkelkitError
from skelkit.methods import build
from skelkit.methods.ascal import ASCALConfig
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.rnn import CELLS, Recurrent, runs_in
from skelkit.train import SGD, Adam, Decay, History, Steps, Training, WarmupCosine, spent, train

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS_AN_EPOCH = 3  # 20 clips in batches of 8


class OneNumber(nn.Module):
    """A method of one parameter x whose loss is a function of (x, step from 1)."""

    def __init__(self, loss: Callable[[Tensor, int], Tensor], start: float = 1.0):
        super().__init__()
        self.x = nn.Parameter(torch.tensor(start))
        self.of, self.step = loss, 0

    def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
        self.step += 1
        return {"loss": self.of(self.x, self.step)}

    def after_step(self, done: float) -> None:
        pass


def trained(method: Any, epochs: int = 4, **options: Any) -> History:
    """Train on twenty clips, three steps an epoch."""
    given = {name: options.pop(name) for name in ("optimiser", "schedule", "bf16", "idle_epochs") if name in options}
    training = Training(**{"optimiser": SGD(0.1, momentum=0), "schedule": Steps(epochs), "batch": 8, **given})
    rng = Generator().manual_seed(0)
    return train(method, resident_of(clips_of()), np.arange(20), training, rng, **options)


def real_method(config: Any, cell: str = "lstm", seed: int = 0) -> Any:
    torch.manual_seed(seed)
    clips = clips_of()
    spec = DataSpec(len(clips), 2, clips.skeleton, clips.persons)
    return build(config, Recurrent(cell, 8).build(spec), spec, Generator().manual_seed(0))


def in_a_process(*args: Any, **options: Any) -> Any:
    process = PROCESSES.Process(target=training_run, args=args, kwargs=options)
    process.start()
    return process


def finished(*args: Any, **options: Any) -> int:
    process = in_a_process(*args, **options)
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def assert_same_run(folder: Path, one: str, other: str) -> None:
    first, second = (load_file(folder / f"{tag}.safetensors") for tag in (one, other))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (folder / f"{one}.epochs").read_text() == (folder / f"{other}.epochs").read_text()


@pytest.fixture(scope="module", params=list(RUNS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A kind of training, and a folder with its uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs")
    assert finished(request.param, folder, "whole") == 0
    return request.param, folder


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(run: tuple[str, Path]) -> None:
    name, folder = run
    checkpoint, dice = folder / "killed.checkpoint", random.Random()  # really random: any moment must do
    kills = 0
    for _ in range(3):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = in_a_process(name, folder, "killed", pause=0.2)
        end = time.monotonic() + 60
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:  # at least one epoch further
            assert time.monotonic() < end
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.3))
        process.kill()
        process.join()
        if process.exitcode == 0:  # this process slept for so long that the run came to its end
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills
    assert finished(name, folder, "killed") == 0
    assert_same_run(folder, "whole", "killed")


@pytest.mark.parametrize("epoch", [1, 3, 8], ids="in epoch {}".format)
def test_a_run_killed_within_an_epoch_ends_with_the_same_bits(run: tuple[str, Path], epoch: int) -> None:
    name, folder = run
    tag, middle = f"step {epoch}", STEPS_AN_EPOCH * (epoch - 1) + 2
    assert finished(name, folder, tag, die_at_step=middle) == -signal.SIGKILL
    assert (folder / f"{tag}.checkpoint").exists() == (epoch > 1)
    assert finished(name, folder, tag) == 0
    assert_same_run(folder, "whole", tag)


def test_a_run_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(run: tuple[str, Path]) -> None:
    name, folder = run
    assert finished(name, folder, "torn", die_in_checkpoint=4) == -signal.SIGKILL
    with safe_open(folder / "torn.checkpoint", "pt") as file:
        assert len(json.loads(file.metadata()["history"])) == 3
    assert finished(name, folder, "torn") == 0
    assert_same_run(folder, "whole", "torn")


def test_idle_epochs_fill_the_queue_and_leave_the_weights() -> None:
    method = real_method(ASCALConfig(queue=16, momentum=0.5))
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    trained(method, epochs=2, idle_epochs=2)
    after = method.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["queue.keys", "queue.oldest"]
    trained(method, epochs=3, idle_epochs=2)
    assert not torch.equal(before["encoder.cell.weight_ih_l0"], after["encoder.cell.weight_ih_l0"])


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    def breaks(x: Tensor, step: int) -> Tensor:
        return x * float("nan") if step == 2 * STEPS_AN_EPOCH + 2 else x

    checkpoint = tmp_path / "a.safetensors"
    with pytest.raises(SkelkitError, match=r"loss not finite at epoch 3, step 2; lower the learning rate"):
        trained(OneNumber(breaks), checkpoint=checkpoint, checkpoint_seconds=0)
    with safe_open(checkpoint, "pt") as file:
        assert [record["epoch"] for record in json.loads(file.metadata()["history"])] == [1, 2]
        assert file.get_tensor("method.x").isfinite()


def test_weights_spoiled_by_an_epochs_last_step_are_neither_returned_nor_kept(tmp_path: Path) -> None:
    def breaks(x: Tensor, step: int) -> Tensor:  # a finite loss with an infinite slope
        return (x - x.detach()).abs().sqrt() if step == 2 * STEPS_AN_EPOCH else x

    checkpoint = tmp_path / "a.safetensors"
    with pytest.raises(SkelkitError, match="x not finite after epoch 2"):
        trained(OneNumber(breaks), epochs=2, checkpoint=checkpoint, checkpoint_seconds=0)
    with safe_open(checkpoint, "pt") as file:
        assert len(json.loads(file.metadata()["history"])) == 1


@pytest.mark.parametrize("epochs", [4, 8, 60])
def test_a_drop_at_half_time_survives_a_shorter_run(epochs: int) -> None:
    schedule = Steps(epochs, drops=(0.5, 0.75), factor=0.1)
    rates = [schedule.rate(epoch) for epoch in range(epochs)]
    expected = np.repeat([1, 0.1, 0.01], [epochs // 2, epochs // 4, epochs // 4])
    np.testing.assert_allclose(rates, expected)


def test_the_optimiser_steps_with_the_schedules_rate() -> None:
    seen: list[float] = []
    method = OneNumber(lambda x, _: x)  # a slope of 1: each step subtracts the rate
    trained(method, schedule=Steps(4, (0.5,)), callbacks=[lambda _, m: seen.append(m.x.item()) or {}])
    np.testing.assert_allclose(-np.diff([1.0, *seen]), [0.3, 0.3, 0.03, 0.03], atol=1e-6)


def test_warm_up_and_cosine_by_hand() -> None:
    """Ten epochs, two of them warm up from a tenth; then half a cosine over eight."""
    schedule = WarmupCosine(10, warmup=0.2, start=0.1)
    found = [schedule.rate(epoch) for epoch in (0, 1, 2, 4, 6, 8, 10)]
    half = (1 + 2**-0.5) / 2
    np.testing.assert_allclose(found, [0.1, 0.55, 1, half, 0.5, 1 - half, 0], atol=1e-12)


def test_without_a_warm_up_the_cosine_begins_at_the_highest_rate() -> None:
    np.testing.assert_allclose([WarmupCosine(4).rate(epoch) for epoch in (0, 2, 4)], [1, 0.5, 0], atol=1e-12)


def test_a_warm_up_survives_a_shorter_run() -> None:
    long, short = WarmupCosine(1600, 10 / 1600, 5e-6), WarmupCosine(80, 10 / 1600, 5e-6)
    for share in np.linspace(0, 1, 33):
        assert short.rate(80 * share) == pytest.approx(long.rate(1600 * share), abs=1e-9)


def test_the_rate_changes_from_step_to_step_and_drops_only_between_epochs() -> None:
    class Noting(OneNumber):
        def __init__(self) -> None:
            super().__init__(lambda x, _: x)  # a slope of 1: each step subtracts the rate
            self.seen, self.done = [1.0], list[float]()

        def after_step(self, done: float) -> None:
            self.seen.append(self.x.item())
            self.done.append(done)

    for schedule in (WarmupCosine(2, 0.5, 0.1), Steps(2, (0.5,))):
        method = Noting()
        trained(method, schedule=schedule)
        moments = np.arange(2 * STEPS_AN_EPOCH) / STEPS_AN_EPOCH
        expected = [0.1 * schedule.rate(float(epoch)) for epoch in moments]
        np.testing.assert_allclose(-np.diff(method.seen), expected, atol=1e-6)
        np.testing.assert_allclose(method.done, np.arange(1, 7) / 6)
    np.testing.assert_allclose(expected, [0.1] * 3 + [0.01] * 3)


def test_a_decay_by_hand_counts_steps_or_epochs() -> None:
    """Four steps an epoch: after 1000 steps, 250 epochs, the rate is 0.95, and after 2000 its square."""
    decay = Decay(600)
    found = [decay.rate(epoch, 4) for epoch in (0, 249.75, 250, 499.75, 500)]
    np.testing.assert_allclose(found, [1, 1, 0.95, 0.95, 0.9025], atol=1e-12)
    official = [Decay(6, 0.95, every=2, of="epochs").rate(epoch, 4) for epoch in (0, 1.75, 2, 3.75, 4)]
    np.testing.assert_allclose(official, [1, 1, 0.95, 0.95, 0.9025], atol=1e-12)


@pytest.mark.parametrize("steps", [3, 7, 49, 630])
def test_a_decay_falls_at_the_very_step_whatever_an_epoch_has(steps: int) -> None:
    decay = Decay(10, 0.5, every=10)
    found = [decay.rate(epoch + i / steps, steps) for epoch in range(10) for i in range(steps)]
    np.testing.assert_allclose(found, [0.5 ** (step // 10) for step in range(10 * steps)])


def test_the_loop_decays_step_by_step() -> None:
    seen: list[float] = []
    method = OneNumber(lambda x, _: x)  # a slope of 1: each step subtracts the rate
    schedule = Decay(4, 0.5, every=2 * STEPS_AN_EPOCH)
    trained(method, schedule=schedule, callbacks=[lambda _, m: seen.append(m.x.item()) or {}])
    np.testing.assert_allclose(-np.diff([1.0, *seen]), [0.3, 0.3, 0.15, 0.15], atol=1e-6)


# A slope of 3 and one of 4 make a gradient of length 5.
@pytest.mark.parametrize(("clip", "expected"), [(None, (3, 4)), (25.0, (3, 4)), (5.0, (3, 4)), (0.5, (0.3, 0.4))])
def test_a_longer_gradient_is_scaled_to_the_clips_length_and_keeps_its_direction(clip: Any, expected: Any) -> None:
    class Slopes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

        def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
            return {"loss": (3 * self.a + 4 * self.b).sum()}

        def after_step(self, done: float) -> None:
            pass

    method, clips = Slopes(), clips_of(4)
    training = Training(SGD(1.0, momentum=0.0), Steps(1), batch=4, clip=clip)
    train(method, resident_of(clips), np.arange(4), training, Generator().manual_seed(0))
    assert (-method.a.item(), -method.b.item()) == pytest.approx(expected, rel=1e-4)


class TwoRates(nn.Module):
    """Two numbers with a slope of 1; the first stands still for half of the run, and then moves at a tenth."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.seen: list[tuple[float, float]] = []
        self.slopes: list[bool] = []

    def rates(self, done: float) -> dict[str, float]:
        return {"slow": 0.0 if done < 0.5 else 0.1}

    def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
        self.slopes.append(self.slow.weight.requires_grad)
        return {"loss": (self.slow.weight + self.fast.weight).sum()}

    def after_step(self, done: float) -> None:
        self.seen.append((self.slow.weight.item(), self.fast.weight.item()))


@pytest.mark.parametrize("optimiser", [SGD(0.1, momentum=0), SGD(0.1, 0, weight_decay=1e-9)])
def test_a_submodule_with_a_rate_of_its_own_stands_still_and_then_moves_by_it(optimiser: SGD) -> None:
    method = TwoRates()
    start = method.slow.weight.item()
    trained(method, epochs=2, optimiser=optimiser)
    slow, fast = np.array(method.seen).T
    np.testing.assert_array_equal(slow[:3], [start] * 3)
    np.testing.assert_allclose(np.diff(slow[2:]), [-0.01] * 3, atol=1e-6)
    np.testing.assert_allclose(np.diff(fast), [-0.1] * 5, atol=1e-6)
    assert method.slopes == [False] * 3 + [True] * 3  # no gradient is worked out for what stands still


@pytest.mark.parametrize("stop", [1, 3])
def test_a_run_with_two_rates_resumes_with_the_same_bits(tmp_path: Path, stop: int) -> None:
    def run(name: str, stop: int | None = None) -> dict[str, Tensor]:
        def stops(epoch: int, _: Any) -> dict[str, float]:
            if epoch == stop:
                raise KeyboardInterrupt
            return {}

        method = real_method(SupervisedConfig(frozen=0.5, encoder_rate=0.1))
        options = {"checkpoint": tmp_path / name, "checkpoint_seconds": 0, "callbacks": [stops]}
        trained(method, epochs=4, optimiser=SGD(0.1), **options)
        return method.state_dict()

    with pytest.raises(KeyboardInterrupt):
        run("broken", stop + 1)
    whole, resumed = run("whole"), run("broken")
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


def test_a_buffer_that_is_spoiled_ends_the_run_as_a_weight_does(tmp_path: Path) -> None:
    class Spoiled(OneNumber):
        def after_step(self, done: float) -> None:
            self.get_buffer("statistics").fill_(float("inf") if done > 0.5 else 0.0)

    method = Spoiled(lambda x, _: x)
    method.register_buffer("statistics", torch.zeros(2))
    with pytest.raises(SkelkitError, match="statistics not finite after epoch 3"):
        trained(method, epochs=4)


class TwoGroups(nn.Module):
    """Two parts, each with a scalar of its own that depends on both."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def losses(self) -> dict[str, Tensor]:
        x = torch.ones(1, 2)
        mixed = self.second(torch.tanh(self.first(x)))
        return {"first": mixed.sum(), "second": (mixed**2).sum()}

    def loss(self, batch: Batch, rng: Generator) -> dict[str, Tensor]:
        return self.losses()

    def after_step(self, done: float) -> None:
        pass


def test_each_scalar_reaches_only_the_parameters_of_its_own_group() -> None:
    torch.manual_seed(0)
    method = TwoGroups()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    losses = method.losses()
    slopes: dict[str, Tensor] = {}
    for group, value in losses.items():
        own = dict(method.get_submodule(group).named_parameters(prefix=group))
        slopes |= dict(zip(own, torch.autograd.grad(value, list(own.values()), retain_graph=True), strict=True))
    rng = Generator().manual_seed(0)
    training = Training(SGD(0.1, momentum=0), Steps(1), batch=20)
    train(method, resident_of(clips_of()), np.arange(20), training, rng)
    for name, parameter in method.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] - 0.1 * slopes[name])


def test_the_record_holds_the_sum_of_a_methods_scalars() -> None:
    torch.manual_seed(0)
    method = TwoGroups()
    (expected,) = [sum(value.item() for value in method.losses().values())]
    assert trained(method, epochs=1, optimiser=SGD(0.0))[0]["loss"] == pytest.approx(expected)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("config", [ASCALConfig(queue=16), SupervisedConfig()], ids=["ascal", "supervised"])
def test_bf16_runs_on_the_cpu_and_keeps_32_bit_weights(config: Any, cell: str) -> None:
    method = real_method(config, cell)
    history = trained(method, epochs=2, bf16=True)
    assert all(np.isfinite(record["loss"]) for record in history)
    assert {p.dtype for p in method.parameters()} == {torch.float32}


def test_a_cell_that_a_processor_cannot_run_in_16_bit_runs_in_32(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unable(dtype: torch.dtype, cell: str, device_type: str) -> bool:
        asked.append((dtype, cell, device_type))
        return False

    monkeypatch.setattr("skelkit.models.rnn.runs_in", unable)
    encoder, x = real_method(SupervisedConfig()).encoder, torch.randn(2, 3, 5, 15, 1)
    exact = encoder(x)
    assert asked == []
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(x.bfloat16().float()), encoder(x.bfloat16()))
        assert torch.equal(encoder(x), exact)
    assert set(asked) == {(torch.bfloat16, "lstm", "cpu")}


def test_what_a_processor_runs_is_found_out_and_no_random_number_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unable(nn.LSTM):
        def forward(self, *_: Any) -> Any:
            raise RuntimeError("could not create a primitive descriptor")

    runs_in.cache_clear()
    before = torch.get_rng_state()
    with torch.no_grad(), torch.device("meta"):  # the device given is tried, not the default
        assert runs_in(torch.bfloat16, "rnn", "cpu")
    monkeypatch.setitem(CELLS, "lstm", Unable)
    assert not runs_in(torch.bfloat16, "lstm", "cpu")
    assert torch.equal(torch.get_rng_state(), before)
    runs_in.cache_clear()


def _without_a_history(path: Path) -> None:
    save_file(load_file(path), path)


def _of_another_method(path: Path) -> None:
    with safe_open(path, "pt") as file:
        history = file.metadata()
    save_file(load_file(path) | {"method.x": torch.zeros(3)}, path, history)


def _without_a_generator(path: Path) -> None:
    with safe_open(path, "pt") as file:
        history = file.metadata()
    save_file({k: v for k, v in load_file(path).items() if k != "rng.generator"}, path, history)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "garbage": lambda path: path.write_bytes(b"\x80\x04garbage" * 50),
    "without a history": _without_a_history,
    "of another method": _of_another_method,
    "without a generator": _without_a_generator,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    checkpoint = tmp_path / "a.safetensors"
    trained(OneNumber(lambda x, _: x), epochs=1, checkpoint=checkpoint, checkpoint_seconds=0)
    DAMAGES[damage](checkpoint)
    place = re.escape(f"{checkpoint}: not a checkpoint of this run")
    with pytest.raises(SkelkitError, match=f"{place}.*; delete it") as caught:
        trained(OneNumber(lambda x, _: x), epochs=2, checkpoint=checkpoint)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_stands_for_the_seconds_of_all_parts_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, now = tmp_path / "a.safetensors", [0.0]
    monkeypatch.setattr("skelkit.train.time.monotonic", lambda: now[0])

    def ten_seconds(*_: Any) -> dict[str, float]:
        now[0] += 10
        return {}

    assert spent(checkpoint) == 0
    for epochs, seconds in ((1, 10), (3, 30)):
        options = {"checkpoint": checkpoint, "checkpoint_seconds": 0, "callbacks": [ten_seconds]}
        trained(OneNumber(lambda x, _: x), epochs=epochs, **options)
        assert spent(checkpoint) == seconds
        now[0] += 1000  # the machine was off


def test_no_checkpoint_is_written_before_its_time(tmp_path: Path) -> None:
    checkpoint = tmp_path / "a.safetensors"
    trained(OneNumber(lambda x, _: x), checkpoint=checkpoint, checkpoint_seconds=3600)
    assert not checkpoint.exists()


def test_callbacks_numbers_join_the_record_and_leave_the_method_training() -> None:
    method = OneNumber(lambda x, _: x)
    modes: list[bool] = []

    def monitor(epoch: int, method: nn.Module) -> dict[str, float]:
        modes.append(method.training)
        method.eval()
        return {"ten times": 10.0 * epoch}

    history = trained(method, epochs=2, callbacks=[monitor, monitor])
    assert [(record["epoch"], record["ten times"]) for record in history] == [(1, 10.0), (2, 20.0)]
    assert modes == [True] * 4
    assert method.training


@pytest.mark.parametrize("config", [ASCALConfig(queue=16), SupervisedConfig()], ids=["ascal", "supervised"])
def test_the_curve_of_a_tiny_problem_falls(config: Any) -> None:
    falls = []
    for seed in range(3):
        history = trained(real_method(config, seed=seed), epochs=15, optimiser=Adam(0.02))
        curve = [record["loss"] for record in history]
        assert [record["epoch"] for record in history] == list(range(1, 16))
        falls.append(np.mean(curve[-3:]) / np.mean(curve[:3]))
    assert np.mean(falls) < 0.9  # one seed of AS-CAL's is at 0.57 to 0.81


def test_no_epochs_train_nothing() -> None:
    method = OneNumber(lambda x, _: x * float("nan"))
    assert trained(method, epochs=0) == []
    assert method.step == 0
