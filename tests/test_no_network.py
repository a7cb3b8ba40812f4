"""The baseline without a network: mean and standard deviation of each coordinate over a clip's own frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import clips_of
from torch import Generator, Tensor

from skelkit.data.skeleton import SBU
from skelkit.data.views import DataSpec, Resident, View, Whole
from skelkit.evaluate.features import extract
from skelkit.models.no_network import NoNetwork
from skelkit.recipes import PAPERS, ascal
from skelkit.recipes.experiment import OwnClassifier
from skelkit.recipes.places import no_network
from skelkit.report.results import NO_NETWORK, RANDOM


@pytest.fixture
def x(rng: Generator) -> Tensor:
    return torch.randn(5, 3, 9, len(SBU), 2, generator=rng)


def built(persons: int = 2) -> torch.nn.Module:
    return NoNetwork().build(DataSpec(5, 2, SBU, persons))


def test_it_equals_numpy_s_mean_and_standard_deviation(x: Tensor) -> None:
    clips = x.numpy()
    naive = np.concatenate([clips.mean(2).reshape(5, -1), clips.std(2).reshape(5, -1)], 1)
    found = built()(x)
    assert found.shape == (5, built().out_dim) == (5, 6 * len(SBU) * 2)
    assert torch.allclose(found, torch.from_numpy(naive), atol=1e-5)


def test_by_hand() -> None:
    x = torch.zeros(1, 3, 4, len(SBU), 1)
    x[0, 0, :, 0, 0] = torch.tensor([1.0, 3.0, 5.0, 99.0])  # the last frame is padding
    found = built(1)(x, torch.tensor([3])).view(2, 3, len(SBU))
    assert found[0, 0, 0] == 3
    assert found[1, 0, 0] == pytest.approx((8 / 3) ** 0.5)
    assert found.count_nonzero() == 2


def test_padding_and_the_order_of_frames_change_nothing(x: Tensor) -> None:
    lengths = torch.tensor([9, 7, 3, 1, 5])
    found = built()(x, lengths)
    spoilt = x.clone()
    for i, n in enumerate(lengths):
        spoilt[i, :, n:] = 1e3
        spoilt[i, :, :n] = spoilt[i, :, :n].flip(1)
    assert torch.allclose(built()(spoilt, lengths), found, atol=1e-5)
    for i, n in enumerate(lengths):
        assert torch.allclose(built()(x[i : i + 1, :, :n])[0], found[i], atol=1e-5)


def test_it_has_no_parameter_and_learns_nothing() -> None:
    assert list(built().parameters()) == list(built().buffers()) == []


def test_a_precision_of_16_bit_changes_nothing(x: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        half = built()(x)
    assert torch.equal(half, built()(x))


def test_it_sees_every_frame_of_a_clip_whatever_the_paper_s_view_cuts_off() -> None:
    weights = ascal.pretraining("sbu", "folds", 0)
    assert isinstance(weights.data.view, View)
    assert isinstance(no_network(weights).data.view, Whole)
    assert no_network(weights).data.steps == weights.data.steps
    clips = clips_of(6)
    found = extract(NoNetwork().build(DataSpec(6, 2, SBU, 1)), Resident(clips, Whole()), torch.arange(6))
    first = np.asarray(clips[0])  # (t 3 v m)
    assert np.allclose(found[0, : 3 * len(SBU)], first.mean(0).ravel(), atol=1e-5)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_has_both_baselines_wherever_an_encoder_is_read(paper: str) -> None:
    """In every table, on every data set and split, at every fold and seed; errors are no read-outs of an encoder."""
    places: dict[tuple[object, ...], set[str]] = {}
    for e in PAPERS[paper].everything():
        data = e.evaluation.weights.data
        if e.cell.column.startswith("MSE"):
            continue
        split = e.evaluation.split or data.split
        place = (e.cell.table, data.name, split, data.fold, e.tier, e.variant, e.evaluation.shuffled)
        places.setdefault(place, set()).add(e.cell.row)
    lacking = {place for place, rows in places.items() if not {NO_NETWORK, RANDOM} <= rows}
    assert not lacking


@pytest.mark.parametrize("paper", PAPERS)
def test_no_network_is_read_as_the_random_encoder_beside_it_is(paper: str) -> None:
    cells: dict[object, dict[str, set[object]]] = {}
    for e in PAPERS[paper].everything():
        if e.cell.row in (NO_NETWORK, RANDOM) and not isinstance(e.evaluation.protocol, OwnClassifier):
            place = (e.cell.table, e.cell.column, e.evaluation.weights.data.name, e.tier, e.evaluation.shuffled)
            asked = (e.evaluation.protocol, e.evaluation.labels, e.evaluation.split or e.evaluation.weights.data.split)
            cells.setdefault(place, {}).setdefault(e.cell.row, set()).add(asked)
    for place, rows in cells.items():
        if RANDOM in rows:
            assert rows[NO_NETWORK] == rows[RANDOM], place
