"""What runs of active learning asked for, and what few labels are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from skelkit import artefacts, selections
from skelkit.evaluate.strategies import entropy
from skelkit.files import SkelkitError
from skelkit.recipes import sesar
from skelkit.recipes.experiment import Weights
from skelkit.report import sparse

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Weights]:
    """KT and KJS, two rounds of four labels each, in a store of their own."""
    found = {e.cell.row: e.evaluation.weights for e in sesar.table2(tier="smoke", endings=("",), labels=(50,))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKELKIT_STORE", str(tmp_path_factory.mktemp("store")))
        yield {row: found[row] for row in ("SESAR-KT", "SESAR-KJS")}


# ── selections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_spread_counts_the_classes_met_and_is_one_for_as_many_of_each() -> None:
    assert selections.spread(torch.tensor([0, 1, 2, 3]), 4) == (4, pytest.approx(1.0))
    assert selections.spread(torch.tensor([2, 2, 2]), 4) == (1, pytest.approx(0.0))
    classes, evenness = selections.spread(torch.tensor([0, 0, 0, 1]), 4)
    assert classes == 2
    assert evenness == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(4))


def test_every_round_s_line_tells_of_the_clips_that_the_session_holds(runs: dict[str, Weights]) -> None:
    table = selections.asked_for(runs)
    assert list(table.columns) == selections.ASKED
    assert table[["strategy", "round", "labels"]].to_numpy().tolist() == [[r, n, 4 * n] for r in runs for n in (1, 2)]
    for row, weights in runs.items():
        asked = artefacts.session_of(weights).table()
        met = [asked[asked["round"] <= number]["class"].nunique() for number in (1, 2)]
        assert table[table["strategy"] == row]["classes"].tolist() == met


def test_the_newly_asked_lie_as_far_from_the_labelled_as_a_loop_finds(runs: dict[str, Weights]) -> None:
    table = selections.asked_for({"KT": runs["SESAR-KT"]})
    session = artefacts.session_of(runs["SESAR-KT"])
    features, p = (each.double() for each in session.look_back(1))
    before, new = (list(one.clips) for one in session.rounds)

    def unlike(a: int, b: int) -> float:
        mean = (p[a] + p[b]) / 2
        return (entropy(mean) - (entropy(p[a]) + entropy(p[b])) / 2).item()

    def away(distance: object, clips: list[int]) -> float:
        return float(np.mean([min(distance(i, j) for j in before) for i in clips]))

    free = [i for i in range(len(features)) if i not in before]
    for name, distance in {
        "distance": lambda i, j: (features[i] - features[j]).norm().item(),
        "divergence": unlike,
    }.items():
        assert np.isnan(table[name][0])  # nothing had a label before
        assert table[name][1] == pytest.approx(away(distance, new) / away(distance, free), rel=1e-3)


def test_at_once_adds_one_line_with_all_labels_and_no_distance(runs: dict[str, Weights]) -> None:
    table = selections.asked_for(runs, at_once=["SESAR-KT"])
    assert table["strategy"].tolist() == ["SESAR-KT", "SESAR-KT, at once", "SESAR-KT", "SESAR-KJS", "SESAR-KJS"]
    line = table.iloc[1]
    assert (line["round"], line["labels"]) == (1, 8)
    assert np.isnan([line["distance"], line["divergence"]]).all()


def test_labels_by_class_are_those_that_the_session_trained_on(runs: dict[str, Weights]) -> None:
    counts = selections.by_class(runs)
    assert list(counts.index) == list(runs)
    for row, weights in runs.items():
        asked = artefacts.session_of(weights).table()["class"]
        assert counts.loc[row][lambda n: n > 0].to_dict() == asked.value_counts().sort_index().to_dict()


def test_agreement_is_that_of_two_selections_for_the_rounds_with_labels_before(runs: dict[str, Weights]) -> None:
    weights = runs["SESAR-KJS"]
    found = selections.agreement(weights, draws=2)
    assert found[["round", "draw"]].to_numpy().tolist() == [[2, 0], [2, 1]]
    session = artefacts.session_of(weights)
    known = torch.tensor(session.rounds[0].clips)
    for draw, shared in zip(found["draw"], found["shared"], strict=True):
        one, other = (
            replace(weights.active.strategy, uncertainty=kind).select(
                *session.look_back(1), known, 4, torch.Generator().manual_seed(draw)
            )
            for kind in ("variance ratio", "entropy")
        )
        assert shared == 100 * np.isin(one, other).mean()


def test_only_kjs_has_two_uncertainties_to_compare(runs: dict[str, Weights]) -> None:
    with pytest.raises(SkelkitError, match="KMeansTop"):
        selections.agreement(runs["SESAR-KT"])


def test_maps_show_every_training_clip_before_any_label_and_after_each_round(runs: dict[str, Weights]) -> None:
    weights = runs["SESAR-KT"]
    points = selections.iterations(weights)
    assert list(points.columns) == selections.MAPPED
    clips = len(artefacts.prepare(weights.data).split.train)
    assert points.groupby("after").size().to_dict() == dict.fromkeys(range(3), clips)
    for _, part in points.groupby("after"):
        assert part["labelled in"].value_counts().to_dict() == {0: clips - 8, 1: 4, 2: 4}
    known = points[(points["after"] == 0) & (points["labelled in"] > 0)]["action"]
    assert sorted(known) == sorted(artefacts.session_of(weights).table()["class"])


ASKED = pd.DataFrame(
    [
        ("SESAR-KT", 1, 4, 3, 0.7, np.nan, np.nan),
        ("SESAR-KT", 2, 8, 4, 0.8, 0.5, 1.5),
        ("SESAR-KJS", 1, 4, 2, 0.6, np.nan, np.nan),
        ("SESAR-KJS", 2, 8, 4, 0.9, 1.25, 1.0),
    ],
    columns=selections.ASKED,
)


def test_findings_name_the_extremes_at_the_end_and_set_kt_beside_kjs() -> None:
    classes, evenness, distance, divergence = selections.findings(ASKED)
    assert classes.endswith("most 4 (SESAR-KT, SESAR-KJS); least 4 (SESAR-KT, SESAR-KJS).")
    assert evenness == "**Evenness over classes**, with all labels: most 0.9 (SESAR-KJS); least 0.8 (SESAR-KT)."
    assert "SESAR-KT are 0.50 times as far from the labelled ones as any clip, more of what it has" in distance
    assert "SESAR-KJS 1.25 times, farther." in distance
    assert "1.50 times as far from the labelled ones as any clip, no more of what it has" in divergence
    assert "SESAR-KJS 1.00 times, no farther." in divergence


def test_findings_of_nothing_are_none_and_of_one_strategy_compare_nothing() -> None:
    assert selections.findings(ASKED[:0]) == []
    assert len(selections.findings(ASKED[:2])) == 2


# ── what few labels are worth ───────────────────────────────────────────────────────────────────────────────────────

GRID = pd.DataFrame({50: [40.0, 52.0, 30.0], 150: [55.0, 60.0, 35.0]}, ["C", "KT", "random"])


def test_columns_are_read_as_numbers_of_labels() -> None:
    grid = pd.DataFrame([[1.0, 2.0]], ["C"], ["50 labels", "4K labels, leak-free"])
    assert sparse.by_labels(grid).columns.tolist() == [50, 4000]


def test_labels_needed_are_those_of_the_first_column_that_reaches_the_threshold() -> None:
    assert sparse.needed(GRID, 52).to_dict() == {"C": 150, "KT": 50, "random": np.inf}
    assert sparse.needed(GRID.iloc[:, :0], 52).tolist() == [np.inf] * 3


def test_the_telling_threshold_has_the_most_different_answers_and_is_the_middle_one() -> None:
    assert sparse.telling(GRID) == 47.5  # 42.5 to 50 tell all three apart: of four the third
    assert sparse.needed(GRID, sparse.telling(GRID)).nunique() == 3


def test_a_cell_is_doubtful_where_the_threshold_lies_in_its_interval() -> None:
    assert sparse.doubtful(GRID, 50, clips=100) == ["C (150 labels)", "KT (50 labels)"]
    assert sparse.doubtful(GRID, 50, clips=100_000) == []


def test_the_course_of_a_training_says_when_it_had_nine_tenths_of_its_end() -> None:
    values = {"C": [10.0, 44.0, 46.0, 50.0], "KT": [50.0, 20.0, 40.0, 40.0]}
    lines = [(row, epoch, v) for row, own in values.items() for epoch, v in enumerate(own, 1)]
    found = sparse.course(pd.DataFrame(lines, columns=["row", "epoch", "top-1"]), "top-1")
    assert found.to_dict("index") == {
        "C": {"first": 10.0, "last": 50.0, "epochs": 3, "of": 4},
        "KT": {"first": 50.0, "last": 40.0, "epochs": 1, "of": 4},
    }


def test_bars_say_where_the_most_labels_did_not_do() -> None:
    (panel,) = sparse.labels_figure(sparse.needed(GRID, 52), 150, "needed").axes
    assert [text.get_text() for text in panel.texts] == ["150", "50", "more than 150"]
    assert (panel.get_xlabel(), panel.get_title()) == ("labels", "needed")
    assert panel.get_xlim()[1] > panel.patches[-1].get_width()


def test_what_was_asked_for_is_drawn_with_a_line_for_each_strategy() -> None:
    figure = sparse.asked_figure(ASKED, 17, "asked")
    classes, _, distance, _ = figure.axes
    assert (classes.get_xlabel(), classes.get_ylabel()) == ("labels", "classes with a label, of 17")
    assert [line.get_ydata().tolist() for line in classes.lines] == [[3, 4], [2, 4]]
    assert distance.lines[0].get_ydata()[1] == 0.5
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SESAR-KT", "SESAR-KJS"]


def test_iterations_ring_the_clips_that_had_a_label_by_then() -> None:
    part = pd.DataFrame({"action": ["a", "b", "a"], "x": range(3), "y": range(3), "labelled in": [1, 2, 0]})
    points = pd.concat([part.assign(after=number) for number in range(3)])
    figure = sparse.iterations_figure(points, (1, 2), "maps")
    titles = ["before any label", "iteration 0: 1 labels", "iteration 1: 2 labels"]
    assert [panel.get_title() for panel in figure.axes] == titles
    ringed = [sum(len(dots.get_offsets()) for dots in panel.collections[1::2]) for panel in figure.axes]
    assert ringed == [0, 1, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
