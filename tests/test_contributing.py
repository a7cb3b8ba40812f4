"""What CONTRIBUTING.md tells a contributor to write works as it stands there."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, nn

from skelkit import artefacts, methods, run, store
from skelkit.augment import Augmentation, Reverse, Shear
from skelkit.data.importing import import_clips
from skelkit.data.views import Batch, DataSpec
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import Linear
from skelkit.evaluate.strategy import Strategy, propose
from skelkit.files import SkelkitError
from skelkit.recipes import ascal, at_tier, sesar_settings
from skelkit.recipes.ascal_settings import with_method
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, OwnClassifier, PerClass, Weights

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
HEAD = """
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.augment import Reverse
from skelkit.data.datasets import folder as files
from skelkit.data.formats import tables
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import SBU
from skelkit.data.views import Batch, DataSpec
from skelkit.evaluate.strategy import unlabelled
from skelkit.losses import Losses
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module of all the code that the page shows."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path_factory.mktemp("contributed") / "contributed.py"
    path.write_text(HEAD + "".join(map(textwrap.dedent, code)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        yield importlib.import_module("contributed")
    del sys.modules["contributed"]


def top_1(weights: Weights, protocol: Linear | KNN | OwnClassifier) -> float:
    cell = Cell("ascal", "Table V", "contributed", "C-Sub")
    (row, *_) = run.evaluate(at_tier(Experiment(cell, Evaluation(weights, protocol)), "smoke"))
    return row.value


@pytest.fixture
def ours(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Weights:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path))
    return ascal.pretraining("synthetic", "xsub")


def test_the_augmentation_scales_each_clip_by_one_factor_of_its_range(written: ModuleType) -> None:
    scale, x = written.Scale(0.5, 2.0), torch.rand(40, 3, 4, 5, 1) + 1
    assert isinstance(scale, Augmentation)
    found = scale.apply(x, scale.sample(x.shape, Generator().manual_seed(0))) / x
    factor = found[:, 0, 0, 0, 0]
    torch.testing.assert_close(found, factor[:, None, None, None, None].expand_as(x))
    assert factor.min() >= 0.5
    assert factor.max() <= 2.0
    assert factor.unique().numel() > 30


def test_ascal_trains_with_the_augmentation(written: ModuleType, ours: Weights) -> None:
    steps = (Reverse(), Shear(), written.Scale())
    assert 0 <= top_1(with_method(ours, steps=steps), KNN()) <= 100


def test_ascal_trains_with_the_encoder(written: ModuleType, ours: Weights) -> None:
    weights = replace(ours, encoder=written.MeanPose())
    assert 0 <= top_1(weights, Linear()) <= 100
    assert run.features(at_tier_weights(weights))[0].shape[1] == 8, "the tier's width reaches the encoder"


def at_tier_weights(weights: Weights) -> Weights:
    return at_tier(Experiment(Cell("", "", "", ""), Evaluation(weights, KNN())), "smoke").evaluation.weights


def test_the_method_trains_and_its_encoder_is_evaluated(
    written: ModuleType, ours: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(methods.METHODS, "direction", (written.DirectionConfig, written.Direction))
    weights = replace(ours, method=written.DirectionConfig())
    assert 0 <= top_1(weights, KNN()) <= 100
    first = run.trained(at_tier_weights(weights)).head[0]
    assert first.weight.shape == (16, 8), "the tier reaches the method's fields and the encoder's width"


@pytest.mark.parametrize("reads", [True, False])
def test_a_method_that_reads_unlabelled_clips_is_shown_them(
    reads: bool, written: ModuleType, ours: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels: list[int] = []

    class Noting(written.Direction):  # type: ignore[name-defined, misc]
        reads_unlabelled = reads

        def loss(self, batch: Batch, rng: Generator) -> dict[str, torch.Tensor]:
            labels.extend(batch.labels.tolist())
            return super().loss(batch, rng)

    monkeypatch.setitem(methods.METHODS, "direction", (written.DirectionConfig, Noting))
    run.trained(at_tier_weights(replace(ours, method=written.DirectionConfig(), labels=PerClass(1))))
    known = [label for label in labels if label >= 0]
    assert len(known) == len(set(known)) > 1  # the first of each class
    assert len(labels) == (40 if reads else len(known))


def test_a_method_with_a_classifier_is_tested_on_its_own(
    written: ModuleType, ours: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Classifying(written.Direction):  # type: ignore[name-defined, misc]
        def __init__(self, config: Any, encoder: nn.Module, data: DataSpec, rng: Generator):
            super().__init__(config, encoder, data, rng)
            self.classifier = nn.Linear(encoder.out_dim, data.classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.encoder(x))

    monkeypatch.setitem(methods.METHODS, "direction", (written.DirectionConfig, Classifying))
    weights = at_tier_weights(replace(ours, method=written.DirectionConfig()))
    record = store.record(artefacts.weights_folder(weights))
    assert [sorted(epoch) for epoch in record["history"]] == [["epoch", "loss", "test top-1"]]
    assert 0 <= top_1(replace(ours, method=written.DirectionConfig()), OwnClassifier()) <= 100


def test_the_strategy_asks_for_the_clips_nearest_the_centre(written: ModuleType) -> None:
    nearest, points = written.Nearest(sample=5), torch.tensor([[0.0], [4.0], [1.0], [3.0], [7.0]])  # centre 3
    assert isinstance(nearest, Strategy)
    assert propose(nearest, points, None, torch.tensor([3]), 3, Generator()).tolist() == [1, 2, 0]


def test_sesar_asks_for_its_labels_by_the_strategy(written: ModuleType, ours: Weights) -> None:
    start = sesar_settings.pretraining("synthetic", "xsub")
    weights = sesar_settings.asking(start, (3, 6), written.Nearest())
    assert 0 <= top_1(weights, OwnClassifier()) <= 100
    session = artefacts.session_of(at_tier_weights(weights))
    session.verify()
    assert len(session.table()) == 6


def test_the_reader_imports_its_files_and_refuses_what_is_none(
    written: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    raw = tmp_path / "raw"
    raw.mkdir()
    wave, bow = np.arange(90).reshape(2, 45), np.full((3, 45), 0.5)
    np.savetxt(raw / "s01_a2.txt", bow)
    np.savetxt(raw / "s02_a1.txt", wave, "%d")
    clips = import_clips(written.reading(raw), tmp_path / "mine", processes=1).clips
    assert clips.table[["name", "subject", "label"]].to_numpy().tolist() == [["s01_a2", 1, 1], ["s02_a1", 2, 0]]
    assert clips.lengths.tolist() == [3, 2]
    assert clips[1][1, :, 14, 0].tolist() == [87, 88, 89]
    (raw / "s01_a2.txt").write_bytes((raw / "s01_a2.txt").read_bytes()[:-1])
    with pytest.raises(SkelkitError, match=r"s01_a2\.txt, line 3: does not end, so the file is cut short"):
        import_clips(written.reading(raw), tmp_path / "mine", processes=1)
    (raw / "s01_a2.txt").rename(raw / "s01_a3.txt")
    with pytest.raises(SkelkitError, match=r"s01_a3\.txt: is not named sSS_aA\.txt with an action 1 or 2"):
        import_clips(written.reading(raw), tmp_path / "mine", processes=1)
