"""AS-CAL's recipe: what the variant `official` takes from the released code, and the extensions on SBU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator

from skelkit import artefacts
from skelkit.augment import GaussianBlur, JointMask, Rotation
from skelkit.data.preprocess import CentreActors, Units
from skelkit.evaluate.linear import Linear
from skelkit.recipes import ascal
from skelkit.recipes.ascal_settings import on_labels
from skelkit.recipes.experiment import First, Weights
from skelkit.report.results import NO_NETWORK, RANDOM
from skelkit.train import SGD


def table5(variant: Any) -> dict[str, Weights]:
    """The weights of Table V's first fold and seed by their rows."""
    found = ascal.table5(variant=variant)
    assert {e.variant for e in found} == {variant}
    return {e.cell.row: e.evaluation.weights for e in reversed(found)}


def test_official_weights_differ_from_the_papers_as_the_table_says() -> None:
    ours, released = (table5(variant) for variant in ("paper", "official"))
    paper, official = ours["Ours (CAE)"], released["Ours (CAE)"]
    assert paper.data.steps == (Units("metres"), CentreActors())
    assert {weights.data.steps for weights in released.values()} == {(Units("official"), CentreActors(1))}
    assert (paper.training.idle_epochs, official.training.idle_epochs) == (0, 1)
    assert (paper.method.bank, official.method.bank) == ("shared", "instance discrimination")
    assert official.encoder == paper.encoder
    assert official.data.view == paper.data.view
    assert official.training.schedule == paper.training.schedule
    assert released["random encoder"].training.schedule.epochs == 0


def test_official_baselines_halve_their_rate_after_30_and_80_of_200_epochs() -> None:
    weights = table5("official")
    for row in ("RNN", "GRU", "LSTM"):
        training = weights[row].training
        assert training.optimiser == SGD(lr=0.01, momentum=0.9, weight_decay=0.0, nesterov=True)
        assert (training.schedule.epochs, training.batch, training.idle_epochs) == (200, 32, 0)
        rates = [training.schedule.rate(epoch) for epoch in (0, 29, 30, 79, 80, 199)]
        assert rates == [1, 1, 0.5, 0.5, 0.25, 0.25]
    (ntu,) = {e.evaluation.weights.training for e in ascal.table2(variant="official") if e.cell.row == "LSTM"}
    assert ntu == on_labels(60, (30, 40))


def test_official_fine_tuning_is_the_released_schedule_on_the_first_clips_of_each_class() -> None:
    tuned = [e for e in ascal.table10(variant="official") if isinstance(e.evaluation.protocol, Linear)]
    found = {e.cell.labels: e.evaluation for e in tuned}
    expected = {"1%": (0.01, 35, [15, 30]), "10%": (0.1, 15, [8]), "50%": (0.5, 10, [7])}
    for labels, (share, epochs, drops) in expected.items():
        weights = found[labels].weights
        schedule = weights.training.schedule
        halved = [epoch for epoch in range(1, epochs) if schedule.rate(epoch) == schedule.rate(epoch - 1) / 2]
        assert (weights.labels, schedule.epochs, halved) == (First(share), epochs, drops)
        assert weights.training.optimiser == SGD(lr=0.01, momentum=0.9, nesterov=True)


@pytest.mark.parametrize(("share", "each"), [(0.01, 1), (0.1, 6), (0.5, 30)])
def test_the_first_clips_of_each_class_are_a_share_of_all_clips_rounded_down(share: float, each: int) -> None:
    """By hand: of 1020 training clips of 17 classes 0.6 a class (so one, the least), 6 and 30."""
    weights = replace(ascal.pretraining("synthetic", "xsub"), labels=First(share))
    prepared = artefacts.prepare(weights.data)
    chosen, train = artefacts.labelled(weights.labels, 0, prepared), prepared.split.train
    assert len(chosen) == 17 * each
    for label in range(17):
        members = [i for i in train if prepared.clips.labels[i] == label]
        assert [i for i in chosen if prepared.clips.labels[i] == label] == members[:each]


@pytest.mark.parametrize(
    ("dataset", "shape", "frames"),
    [("sbu", (300, 3, 40, 15, 2), (20, 40)), ("uwa3d", (300, 3, 60, 15, 1), (20, 50)),
     ("nw_ucla", (300, 3, 60, 20, 1), (20, 50)), ("ntu60", (300, 3, 150, 25, 2), (50, 100))],
)  # fmt: skip
def test_the_official_joint_mask_hides_5_to_15_joints(
    dataset: str, shape: tuple[int, ...], frames: tuple[int, int]
) -> None:
    mask = ascal.augmentations(dataset, "official")["JM"]
    hidden = ~mask.sample(torch.Size(shape), Generator().manual_seed(0))[:, 0, :, :, 0]  # (b t v)
    joints, times = hidden.any(1).sum(1), hidden.any(2).sum(1)
    assert (joints.min(), joints.max()) == (5, 15)
    assert frames[0] <= times.min() <= frames[0] + 1
    assert frames[1] - 1 <= times.max() <= frames[1]


def test_the_other_official_transformations_are_the_papers_but_for_the_rotation() -> None:
    paper, official = (ascal.augmentations("sbu", variant) for variant in ("paper", "official"))
    assert {name for name in paper if paper[name] != official[name]} == {"Rotation", "JM"}
    assert official["Rotation"] == Rotation(others=0.0)
    assert ascal.augmentations("ntu60", "official")["JM"] == JointMask()


def test_the_three_units_stand_side_by_side_with_the_baselines_of_each() -> None:
    found = [e for e in ascal.units(seeds=2) if isinstance(e.evaluation.protocol, Linear)]
    first = {(e.cell.row, e.cell.column): e.evaluation.weights for e in found if e.evaluation.weights.data.fold == 0}
    assert len(found) == 2 * 5 * len(first)
    for row, epochs in {"Ours (CAE)": 60, RANDOM: 0, NO_NETWORK: 0}.items():
        columns = {column: weights for (name, column), weights in first.items() if name == row}
        assert [weights.data.steps[0].to for weights in columns.values()] == ["metres", "normalised", "official"]
        assert {weights.training.schedule.epochs for weights in columns.values()} == {epochs}
    assert {weights.data.steps[1:] for weights in first.values()} == {(CentreActors(),)}
    default = ascal.pretraining("sbu", "folds", 0, 1)
    assert first["Ours (CAE)", "metres"] == default, "the weights of the other tables"


def test_fig_9_has_a_blur_of_gain_1_beside_the_papers() -> None:
    steps = {e.cell.row: e.evaluation.weights.method.steps for e in ascal.figure9("sbu")}
    assert steps["GB"] == (GaussianBlur(),)
    assert steps["GB, normalised"] == (GaussianBlur(normalise=True),)
