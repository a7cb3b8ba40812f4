"""Predictions of every test clip: kept beside the rows, found by key, and held to their clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skelkit import run
from skelkit.files import SkelkitError
from skelkit.recipes import ascal
from skelkit.report import predictions
from skelkit.report.predictions import Predictions, digest


def some(clips: str = "c", n: int = 4, wrong: int = 1) -> Predictions:
    labels = np.arange(n) % 3
    return Predictions(clips, labels, np.where(np.arange(n) < wrong, (labels + 1) % 3, labels))


def test_predictions_come_back_by_key_as_they_were_kept(tmp_path: Path) -> None:
    predictions.append("ascal", {"a": some(), "b": some(wrong=0)}, tmp_path)
    predictions.append("ascal", {"b": some(wrong=2), "d": some("other", 7)}, tmp_path)
    found = predictions.read("ascal", tmp_path)
    assert {key: int(each.right.sum()) for key, each in found.items()} == {"a": 3, "b": 2, "d": 6}
    assert found["a"].labels.tolist() == [0, 1, 2, 0]
    assert found["a"].predicted.tolist() == [1, 1, 2, 0]


def test_the_true_classes_of_a_set_of_clips_are_kept_once(tmp_path: Path) -> None:
    predictions.append("ascal", {key: some() for key in "abc"}, tmp_path)
    text = (tmp_path / "ascal.jsonl").read_text(encoding="utf-8")
    assert text.count("labels") == 1


def test_nothing_stands_where_nothing_was_kept(tmp_path: Path) -> None:
    assert predictions.read("ascal", tmp_path) == {}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"key": "a", "clips": "unknown", "predicted": "AA=="}',
        '{"key": "a", "clips": "c", "predicted": "AA=="}',  # one prediction of four clips
        '{"key": "a", "clips": "c", "predicted": "%%"}',
        '{"clips": "c"}',
    ],
)
def test_a_damaged_line_is_named_with_its_file(tmp_path: Path, line: str) -> None:
    predictions.append("ascal", {"a": some()}, tmp_path)
    path = tmp_path / "ascal.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(SkelkitError, match=r"ascal\.jsonl, line 3: .*restore the file"):
        predictions.read("ascal", tmp_path)


def test_more_classes_than_a_byte_holds_are_refused() -> None:
    with pytest.raises(SkelkitError, match="256 classes"):
        Predictions("c", np.array([0, 300]), np.array([0, 1])).packed()


def test_a_digest_tells_order_names_and_classes_of_clips() -> None:
    labels = np.array([0, 1])
    first = digest(["a", "b"], labels)
    assert first == digest(np.array(["a", "b"]), labels)
    assert len({first, digest(["b", "a"], labels), digest(["a", "b"], labels[::-1]), digest(["a", "c"], labels)}) == 4


def test_an_evaluation_keeps_its_predictions_and_refuses_those_of_other_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path))
    smoke = next(e for e in ascal.comparison("Table V", "synthetic", tier="smoke") if e.cell.row == "no network")
    (row, *_) = run.evaluate(smoke)
    found = run.predicted(smoke)
    assert found is not None
    assert 100 * found.right.mean() == pytest.approx(row.value, abs=1e-3)
    kept = {row.key: replace(found, clips="others")}
    predictions.append("ascal", kept, tmp_path / "predictions")
    with pytest.raises(SkelkitError, match="other test clips than those of synthetic here"):
        run.predicted(smoke)
