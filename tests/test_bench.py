"""The benchmark compares like with like, changes nothing that it measures, and prints one table. Nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import reference
import torch

from skelkit import bench, run
from skelkit.augment import CropResize, JointJitter, Reverse, Shear
from skelkit.bench import Line, augmentation, byol_step, selection, sequences
from skelkit.bench.roofline import Roofline, peaks
from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.views import View, spread_over
from skelkit.files import SkelkitError
from skelkit.methods.ascal import ASCALConfig
from skelkit.models.rnn import Recurrent, RecurrentEncoder
from skelkit.recipes.ascal_settings import pretraining
from skelkit.recipes.experiment import Weights
from skelkit.recipes.quickstart import quickstart
from skelkit.train import Steps, train

pytestmark = pytest.mark.usefixtures("one_thread")
FRAMES = 8
"""Halved twice they leave two. Of one, torch's convolution in bfloat16 reads memory that nobody wrote, on processors
with AMX."""


@pytest.mark.parametrize("loop", [augmentation.plain_loop, augmentation.planar_loop])
def test_the_numpy_loops_make_the_views_that_augment_makes(
    loop: Callable[..., np.ndarray], rng: torch.Generator
) -> None:
    x = torch.randn(6, 3, 9, 5, 2, generator=rng)
    flags, matrices = Reverse().sample(x.shape, rng), Shear().sample(x.shape, rng)
    ours = Shear().apply(Reverse().apply(x, flags), matrices).numpy()
    np.testing.assert_allclose(loop(x.numpy(), flags.numpy(), matrices.numpy()), ours, rtol=1e-5, atol=1e-6)


def test_the_plain_loop_is_the_tests_reference(rng: torch.Generator) -> None:
    x = torch.randn(4, 3, 9, 5, 2, generator=rng).numpy()
    flags, matrices = np.array([True, False, True, False]), np.float32(np.random.default_rng(0).normal(size=(4, 3, 3)))
    np.testing.assert_array_equal(
        augmentation.plain_loop(x, flags, matrices), reference.sheared_reversals(x, flags.tolist(), matrices)
    )


def test_the_crop_loop_makes_the_views_that_augment_makes() -> None:
    x = torch.randn(16, 3, 150, 25, 2, generator=torch.Generator().manual_seed(0))
    starts, lengths, joints, matrices = augmentation.crops(np.random.default_rng(0), 16)
    place = spread_over(torch.from_numpy(starts).float(), torch.from_numpy(lengths).float(), 150)
    chosen = torch.from_numpy(joints)[:, None, None, :, None].expand(-1, 1, 1, -1, 2)
    ours = JointJitter().apply(CropResize().apply(x, place), (torch.from_numpy(matrices), chosen))
    loop = augmentation.crop_loop(x.numpy(), starts, lengths, joints, matrices)
    np.testing.assert_allclose(loop, ours.numpy(), rtol=1e-4, atol=1e-4)
    poses = joints.all(1)
    assert set(joints.sum(1)) == {15, 25}
    assert (matrices[poses].diagonal(axis1=1, axis2=2) == 1).all()
    assert (matrices[~poses].diagonal(axis1=1, axis2=2) != 1).all()


def test_the_sides_take_turns_after_one_call_each(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, called = count(), []
    monkeypatch.setattr("skelkit.bench.timing.now", lambda: float(next(ticks)))
    times = bench.turns([lambda: called.append("a"), lambda: called.append("b")], rounds=2, calls=2)
    assert "".join(called) == "ab" + "aabb" * 2
    assert times == [[1, 1], [1, 1]]


def test_measuring_a_training_step_changes_no_weight() -> None:
    weights = pretraining("sbu", "folds")
    weights = replace(
        weights,
        data=replace(weights.data, view=View(8)),
        encoder=Recurrent(width=6),
        method=ASCALConfig(queue=64),
    )
    clips = bench.random_clips(SBU, 40, 8)
    pairs, measured = bench.encoder_seconds(weights, clips, epochs=2)
    assert len(pairs) == 2
    assert all(0 < inside < whole for whole, inside in pairs)

    spec = bench.DataSpec(len(clips), 1, SBU, 2)
    torch.manual_seed(weights.seed)
    rng = torch.Generator().manual_seed(weights.seed)
    plain = bench.build(weights.method, weights.encoder.build(spec), spec, rng)
    data = bench.Resident(clips, View(8))
    train(plain, data, np.arange(40), replace(weights.training, schedule=Steps(2)), rng, progress=False)
    assert all(
        torch.equal(a, b) for a, b in zip(measured.state_dict().values(), plain.state_dict().values(), strict=True)
    )


def test_two_evaluations_of_the_same_weights_encode_each_clip_once() -> None:
    experiments = [e for e in quickstart("smoke", seed=7) if e.cell.row == "random encoder"]
    assert len(experiments) == 2
    encoded = 0

    def note(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        nonlocal encoded
        encoded += len(arguments[0]) if isinstance(module, RecurrentEncoder) else 0

    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        for experiment in experiments:
            run.evaluate(experiment)
    finally:
        hook.remove()
    split = run.prepare(experiments[0].evaluation.weights.data).split
    assert encoded == len(split.train) + len(split.test)


def test_the_sparse_folder_opens_as_float16_clips(tmp_path: Path) -> None:
    bench.sparse_ntu60(tmp_path / "ntu60", clips=300)
    clips = Clips.open(tmp_path / "ntu60")
    assert (len(clips), clips.frames.dtype, clips.frames.shape[1:]) == (300, np.float16, (3, 25, 2))
    assert (clips.lengths.min(), clips.lengths.max()) == (100, 199)
    seconds, added = bench.opened(str(tmp_path / "ntu60"))
    assert seconds >= 0
    assert added >= 0


def test_the_shortened_quickstart_differs_in_epochs_alone() -> None:
    def leaves(tree: dict, path: str = "") -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in tree.items():
            found |= leaves(value, f"{path}{name}.") if isinstance(value, dict) else {path + name: value}
        return found

    for experiment in quickstart("small"):
        whole, short = leaves(asdict(experiment)), leaves(asdict(bench.shortened(experiment)))
        assert whole.keys() == short.keys()
        assert all(name.endswith("schedule.epochs") for name in whole if whole[name] != short[name])


def test_the_report_is_one_markdown_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Line("a", "6 x", "7.0 x", True), Line("b", "6 x", "5.0 x", False), Line("c", "", "1 h")]
    monkeypatch.setattr(bench, "PARTS", {"one": lambda: lines, "two": lambda: lines[:1]})
    bench.main([])
    printed = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert f"{torch.get_num_threads()} threads" in printed[0][1]
    assert [row[0] for row in printed[2:]] == ["one", "one", "one", "two"]
    assert printed[2] == ["one", "a", "6 x", "7.0 x", "yes"]
    assert printed[3][-1] == "no"
    bench.main(["two"])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_part_that_fails_is_told_and_the_parts_after_it_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Line]:
        raise ValueError("no such kernel")

    monkeypatch.setattr(bench, "PARTS", {"one": broken, "two": lambda: [Line("a", "", "1 h")]})
    with pytest.raises(SkelkitError, match="bench: one failed, as told above"):
        bench.main([])
    told = capsys.readouterr()
    assert "| two | a |" in told.out
    assert "no such kernel" in told.err


def test_the_measured_parts_fill_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    crops = augmentation.interskeleton_views(clips=2, rounds=1)
    graphs = bench.agcn(batch=2, frames=FRAMES, rounds=1, width=8)
    equal, equal_in_half, *bodies = bench.stgcn(batch=2, frames=FRAMES, rounds=1, width=8)
    same, *steps = bench.longt_gan(clips=3, rounds=1, width=8)
    for line in (equal, equal_in_half, same):
        assert line.met
        assert "|" not in line.measured + line.reached
    monkeypatch.setattr(byol_step, "peaks", partial(peaks, size=(64, 2**12)))
    step, projections = [], []
    for line in byol_step.whole_step(batch=2, width=0.125, frames=FRAMES, rounds=1):
        (projections if "projection" in line.measured else step).append(line)
    assert len(step) == 4
    assert [line.measured.partition(",")[0] for line in projections] == ["projection", "projection"]
    assert all(" / " in line.reached for line in projections)
    ratios, differences = (bench.decoders(2, 4, 8, 5, rounds=1)[i::2] for i in (0, 1))
    assert len(ratios) == len(differences) == 3
    assert all(line.met for line in differences)
    for lines in (
        bench.views(clips=2, rounds=2),
        ratios,
        crops,
        graphs,
        bodies,
        steps,
        step,
        bench.features(clips=3, rounds=1),
    ):
        assert all("|" not in line.measured + line.reached and " to " in line.reached for line in lines)


def test_a_step_takes_the_half_of_its_batch_as_often_as_the_memory_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def within_two(weights: Weights, clips: torch.Tensor, half: bool) -> Callable[[], None]:
        tried.append(clips.shape[1])
        if clips.shape[1] > 2:
            raise torch.OutOfMemoryError
        return training_step(weights, clips, half)

    training_step = byol_step.training_step
    monkeypatch.setattr(byol_step, "training_step", within_two)
    monkeypatch.setattr(byol_step, "peaks", partial(peaks, size=(64, 2**12)))
    first, *_ = byol_step.whole_step(batch=8, width=0.125, frames=FRAMES, rounds=1)
    assert "batch 2," in first.measured
    assert tried == [8, 4, 2] * 2
    monkeypatch.setattr(byol_step, "training_step", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError))
    with pytest.raises(torch.OutOfMemoryError):
        next(byol_step.whole_step(batch=8, width=0.125, frames=FRAMES, rounds=1))


def test_the_roofline_counts_a_products_arithmetic_and_every_number_once() -> None:
    a, b = torch.ones(4, 5), torch.ones(5, 6)
    with Roofline() as roofline:
        (a @ b).T.relu()
    product, relu = (2 * 4 * 5 * 6, 4 * (20 + 30 + 24)), (0, 4 * (24 + 24))
    assert roofline.operations == [product, relu]
    assert roofline.seconds(flops=240, memory=96) == 296 / 96 + 192 / 96  # memory is the slower one
    assert roofline.seconds(flops=24, memory=96) == 10 + 192 / 96


def test_the_roofline_counts_a_product_that_is_added_in_place() -> None:
    total, batched = torch.zeros(4, 6), torch.zeros(2, 4, 6)
    with Roofline() as roofline:
        total.addmm_(torch.ones(4, 5), torch.ones(5, 6))
        batched.baddbmm_(torch.ones(2, 4, 5), torch.ones(2, 5, 6))
    assert [flops for flops, _ in roofline.operations if flops] == [240, 480]


def test_the_peaks_leave_the_products_as_exact_as_they_were() -> None:
    before = torch.get_float32_matmul_precision()
    assert all(rate > 0 for half in (False, True) for rate in peaks(half, rounds=1, size=(8, 64)))
    assert torch.get_float32_matmul_precision() == before


def test_the_roofline_sees_the_backward_pass() -> None:
    weight = torch.ones(5, 6, requires_grad=True)
    with Roofline() as roofline:
        (torch.ones(4, 5) @ weight).sum().backward()
    assert [flops for flops, _ in roofline.operations if flops] == [240, 240]


def test_stepping_a_decoder_frame_by_frame_gives_the_same_frames() -> None:
    decoder = sequences.method_of(8).decoder
    start, frames = torch.randn(3, 93), torch.randn(3, 5, 93)
    torch.testing.assert_close(sequences.step_by_step(decoder, start, frames), decoder(start, frames))


def test_lengths_run_from_hdm05s_shortest_to_its_longest() -> None:
    lengths = sequences.drawn_lengths(21).tolist()
    assert lengths[::2] == list(sequences.LENGTHS)
    assert lengths == sorted(lengths)


def test_each_strategy_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def here(call: str, module: str) -> tuple[float, float]:
        asked.append((call, module))
        return 121.0, 3999.0

    monkeypatch.setattr("skelkit.bench.selection.in_a_process", here)
    lines = selection.selections(clips=400, dim=8, classes=3)
    calls = [f"selected({name!r}, 400, 8, 3)" for name in ("KT", "KJS", "CS")]
    assert asked == [(call, "skelkit.bench.selection") for call in calls]
    assert [line.met for line in lines] == [False, True, False, True, None, True]
    assert lines[0].measured.startswith("KT selects 4 of 400 clips")


@pytest.mark.parametrize("name", selection.MADE)
def test_a_measured_selection_is_made_and_its_memory_counted(name: str) -> None:
    seconds, peak = selection.selected(name, 500, 4, 3)
    assert seconds > 0
    assert peak > 0


def test_the_clips_to_select_from_lie_around_a_centre_a_class() -> None:
    features, probabilities = selection.features_of(3000, 50, 3)
    assert features.dtype == torch.float32
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3000))
    rng = torch.Generator().manual_seed(0)
    noise, centres = torch.randn(3000, 50, generator=rng), torch.randn(3, 50, generator=rng)
    away = (features - noise - centres[:, None]).abs().amax(2)  # (3 centres, 3000 clips)
    assert (away < 1e-5).sum(0).tolist() == [1] * 3000
    assert (away < 1e-5).any(1).all()


def test_a_part_that_does_not_exist_is_named() -> None:
    with pytest.raises(SkelkitError, match=r"no part 'speed'; choose among views, step, features, open, memory, data"):
        bench.main(["speed"])


def test_the_spread_is_median_least_and_greatest() -> None:
    assert bench.spread([3.0, 1.0, 2.0]) == "2.0 (1.0 to 3.0)"
