"""Rows of one table can be compared: one read-out each, clips of one length, features free of scale, at every tier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import pytest
import torch
from configs import everything
from torch import Generator

from skelkit.augment import CropResize
from skelkit.data.views import AnyView, Whole
from skelkit.evaluate.cluster import Cluster
from skelkit.evaluate.compression import CompressedKNN
from skelkit.evaluate.inpainting import Inpainting
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import AugmentedLinear, Linear, linear
from skelkit.evaluate.logistic import Logistic
from skelkit.recipes import PAPERS, Experiment, at_tier, places
from skelkit.recipes.experiment import Evaluation, OwnClassifier, Tier, Weights
from skelkit.recipes.quickstart import quickstart
from skelkit.train import Steps

METRICS = {Linear: "top-1", AugmentedLinear: "top-1", KNN: "kNN top-1", CompressedKNN: "compressed kNN top-1"}
METRICS |= {Logistic: "logistic top-1", Cluster: "clustering accuracy", Inpainting: "MSE"}
"""What each frozen read-out measures; own classifiers are no read-outs."""
PLACES = ("ntu60", "nw_ucla")
"""The data sets on which the tests build every table of the released variants: a published one and a small one."""

every_tier = pytest.mark.parametrize("tier", get_args(Tier))


@cache
def whole() -> tuple[Experiment, ...]:
    """The experiments of every recipe as they are before a tier shortens them, the extensions too: of those of a table
    and data set that are measured and trained by the same settings one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "at_tier", lambda experiment, tier: experiment)
        found = [e for recipe in PAPERS.values() for e in recipe.everything()]
        for recipe in (PAPERS[name] for name in PAPERS if name != "byol"):  # no code was released of it
            found += [e for make in recipe.TABLES.values() for d in PLACES for e in make(d, variant="official")]
    return tuple({kind(e): e for e in [*found, *quickstart("paper")]}.values())


def kind(e: Experiment) -> tuple[Any, ...]:
    """What decides a read-out and the lengths of clips, and little else."""
    weights, beside = e.evaluation.weights, tuple(each.method for each in e.evaluation.beside)
    trained = tuple((w.data.name, w.method, w.data.view) for w in (weights, weights.start, weights.teacher) if w)
    return e.cell.paper, e.cell.table, e.variant, e.evaluation.protocol, trained, beside


@cache
def at(tier: Tier) -> tuple[tuple[Experiment, Experiment], ...]:
    """Each experiment whole, and at a tier."""
    return tuple((e, at_tier(e, tier)) for e in whole())


def test_all_recipes_are_looked_at_at_full_length_with_their_extensions() -> None:
    assert {e.tier for e in whole()} == {"paper"}
    made = {(e.cell.paper, e.cell.table) for e in whole()}
    assert {(e.cell.paper, e.cell.table) for e in everything()} <= made
    assert {e.variant for e in whole()} == {"paper", "official"}


# ── one read-out ────────────────────────────────────────────────────────────────────────────────────────────────────


def read_outs(experiments: Sequence[tuple[Experiment, Experiment]]) -> dict[tuple[str, ...], set[Any]]:
    """The protocols of each table, data set (as it was asked for) and metric, by variant."""
    found = defaultdict(set)
    for asked, e in experiments:
        protocol, name = e.evaluation.protocol, asked.evaluation.weights.data.name
        if isinstance(protocol, OwnClassifier):
            continue
        if isinstance(protocol, Inpainting):  # which F the decoder is given is what a row is about ("w/o F")
            protocol = replace(protocol, representation="own")
        found[e.cell.paper, e.cell.table, name, METRICS[type(protocol)], e.variant].add(protocol)
    return found


@every_tier
def test_the_frozen_rows_of_a_table_share_one_read_out(tier: Tier) -> None:
    assert {place: kinds for place, kinds in read_outs(at(tier)).items() if len(kinds) > 1} == {}


def test_a_table_of_two_read_outs_is_found() -> None:
    one = next(e for e in whole() if isinstance(e.evaluation.protocol, Linear))
    other = replace(one, evaluation=replace(one.evaluation, protocol=AugmentedLinear()))
    (kinds,) = read_outs([(one, one), (other, other)]).values()
    assert kinds == {one.evaluation.protocol, AugmentedLinear()}


# ── one length ──────────────────────────────────────────────────────────────────────────────────────────────────────


def frames_after(view: AnyView, steps: Sequence[Any] = ()) -> int | str:
    """How many frames of a clip leave a view and the steps after it: a number, or its own."""
    frames: int | str = f"its own, at most {view.frames}" if isinstance(view, Whole) else view.frames
    for step in steps:
        frames = step.frames or frames if isinstance(step, CropResize) else frames
    return frames


def lengths(evaluation: Evaluation) -> Iterator[tuple[str, int | str, int | str]]:
    """What learns, the frames that it learns from, and the frames that the encoder is shown of a test clip: the
    classifier on augmented clips, and each training that the measurement stands on by its augmentations."""

    def tested(weights: Weights) -> int | str:
        return frames_after(weights.data.eval_view or weights.data.view)

    def trained(weights: Weights) -> Iterator[tuple[str, int | str, int | str]]:
        for name in ("steps", "t1", "t2"):
            if hasattr(weights.method, name) and weights.training.schedule.epochs:
                yield name, frames_after(weights.data.view, getattr(weights.method, name)), tested(weights)
        for before in (weights.start, weights.teacher):
            if before is not None:
                yield from trained(before)

    for weights in (evaluation.weights, *evaluation.beside):
        if isinstance(evaluation.protocol, AugmentedLinear):
            yield "read-out", frames_after(weights.data.view, evaluation.protocol.steps), tested(weights)
        yield from trained(weights)
        if isinstance(evaluation.protocol, OwnClassifier):  # also of methods that augment nothing
            yield "own", frames_after(weights.data.view, getattr(weights.method, "steps", ())), tested(weights)


@every_tier
def test_training_and_test_clips_reach_the_encoder_at_one_length(tier: Tier) -> None:
    apart = {
        (e.cell.paper, e.cell.table, e.evaluation.weights.data.name, e.variant, *each)
        for _, e in at(tier)
        for each in lengths(e.evaluation)
        if each[1] != each[2]
    }
    assert apart == set()


def test_a_crop_that_keeps_the_length_of_the_training_view_is_found() -> None:
    given = PAPERS["interskeleton"].table1("ntu60")[0].evaluation
    inherits = replace(given, protocol=AugmentedLinear())
    assert ("read-out", 128, 64) in lengths(inherits)
    assert ("read-out", 64, 64) in lengths(given)


# ── no scale ────────────────────────────────────────────────────────────────────────────────────────────────────────


def judged(protocol: Linear, scale: float) -> tuple[Any, ...]:
    """What a read-out says of three classes of features of standard deviation 1, all multiplied by a number."""
    rng = Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    features = torch.randn(60, 8, generator=rng) + torch.randn(3, 8, generator=rng)[labels]
    sides = ((scale * features[side], labels[side]) for side in torch.arange(60).split([45, 15]))
    torch.manual_seed(0)
    found = linear(replace(protocol, schedule=Steps(3)), *sides, 3, Generator().manual_seed(0))
    return found.scores, found.curve, found.confusion


@every_tier
def test_a_read_out_that_standardises_is_free_of_scale(tier: Tier) -> None:
    """Also at standard deviations of 1e-7, as those of a random ST-GCN."""
    kinds = {e.evaluation.protocol for _, e in at(tier) if getattr(e.evaluation.protocol, "standardise", False)}
    assert kinds
    for protocol in kinds:
        assert judged(protocol, 2.0**-23) == judged(protocol, 1.0) == judged(protocol, 2.0**23)
