"""Questions put to rows, the sentences that come of them, and the panels beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rows import ROW

from skelkit import notebook, run
from skelkit.evaluate.knn import KNN, beside_own, neighbours
from skelkit.evaluate.linear import Linear
from skelkit.readings import Question, answers, by_read_out, differences, over, printed
from skelkit.recipes import interskeleton
from skelkit.recipes.experiment import Evaluation, Experiment
from skelkit.report import panels
from skelkit.report.results import Row

FIRST = interskeleton.table1("synthetic")[0]


def experiment(name: str, column: str, seed: int = 0, table: str = "T") -> Experiment:
    cell = replace(FIRST.cell, table=table, row=name, column=column)
    weights = replace(FIRST.evaluation.weights, seed=seed)
    return replace(FIRST, cell=cell, evaluation=replace(FIRST.evaluation, weights=weights))


def row(name: str, column: str, value: float, seed: int = 0, table: str = "T") -> Row:
    return Row(
        *("interskeleton", table, name, column, "synthetic", "xview", "0%", "top-1", value, seed, -1),
        *("reduced", "paper", "last", 90, 100, f"{name}{column}{seed}", (), "unknown", False, {}, "cpu", 1.0, ""),
    )


def both(values: dict[str, Sequence[tuple[float, float]]], table: str = "T") -> tuple[list[Row], list[Experiment]]:
    """Rows and experiments of "ours" and "none": column -> (ours, none), seed by seed."""
    told = [
        (c, s, n, v) for c, pairs in values.items() for s, p in enumerate(pairs) for n, v in zip(NAMES, p, strict=True)
    ]
    return [row(n, c, v, s, table) for c, s, n, v in told], [experiment(n, c, s, table) for c, s, n, _ in told]


NAMES = ("ours", "none")
ABOVE, ALIKE = [(62.0, 60.0), (64.0, 61.0), (66.0, 62.0)], [(50.0, 51.0), (52.0, 50.0)]


def test_an_answer_has_the_verdict_and_the_difference_of_every_column() -> None:
    rows, experiments = both({"a": ABOVE, "b": ALIKE})
    (sentence,), unanswered = answers([Question("Training", *NAMES, said="The paper: +5.")], rows, experiments)
    assert sentence == (
        "**Training:** “ours” is above “none” in 1 of 2 columns (a: above it (+3.0 [+0.5, +5.5], 3 seeds); "
        "b: not significantly different from it (+0.5 [-18.6, +19.6], 2 seeds)). The paper: +5."
    )
    assert unanswered == []


def test_an_answer_of_one_column_is_told_without_counting_columns() -> None:
    rows, experiments = both({"a": ABOVE, "b": ALIKE})
    (sentence,), _ = answers([Question("Does it help?", *NAMES, column="b")], rows, experiments)
    assert (
        sentence
        == "**Does it help?** “ours” is not significantly different from “none” (b: +0.5 [-18.6, +19.6], 2 seeds)."
    )


def test_a_verdict_that_all_columns_share_is_told_once() -> None:
    rows, experiments = both({"a": ABOVE, "b": ABOVE})
    (sentence,), _ = answers([Question("Training", *NAMES)], rows, experiments)
    found = "+3.0 [+0.5, +5.5], 3 seeds"
    assert sentence == f"**Training:** “ours” is above “none” in both columns (a: {found}; b: {found})."


def test_what_no_row_answers_is_named_with_its_columns() -> None:
    rows, experiments = both({"a": ABOVE, "b": ALIKE})
    asked = [Question("Training", *NAMES, "T"), Question("Other", "ours", "nobody", "T")]
    sentences, unanswered = answers(asked, [r for r in rows if r.column == "a"], experiments)
    assert len(sentences) == 1
    assert unanswered == [
        "Training (T): “ours” beside “none”, 1 of 2 columns",
        "Other (T): “ours” beside “nobody”",
    ]


def test_a_question_looks_at_the_rows_of_its_own_table_alone() -> None:
    rows, experiments = both({"a": ABOVE})
    others = [replace(r, value=0.0) if r.row == "ours" else r for r in both({"a": ABOVE}, "U")[0]]
    found = differences(Question("", *NAMES, "T"), [*rows, *others], [*experiments, *both({"c": ABOVE}, "U")[1]])
    assert {column: each.mean for column, each in found.items()} == {"a": pytest.approx(3.0)}


def test_differences_to_several_rivals_begin_with_the_largest_and_leave_out_what_was_not_run() -> None:
    rows = [row(name, "a", value) for name, value in (("ours", 60.0), ("near", 59.0), ("far", 40.0))]
    found = over("ours", ["near", "far", "missing"], "a", rows)
    assert [(rival, each.mean) for rival, each in found.items()] == [("far", 20.0), ("near", 1.0)]


def test_what_a_paper_prints_of_two_rows_is_told_in_points_by_column() -> None:
    grid = pd.DataFrame({"a": [62.5, 60.0], "b": [50.0, 51.25]}, NAMES)
    assert printed(grid, *NAMES) == "The paper: +2.5 (a), -1.2 (b)."
    assert printed(grid, "ours", "nobody") == ""


def test_rows_stand_beside_each_other_by_each_way_of_reading_their_features() -> None:
    folds = [
        replace(ROW, column=f"Fold {k + 1}", fold=k, metric=metric, selection=selection, value=value + k)
        for k in range(5)
        for metric, selection, value in (
            ("top-1", "last", 40.0),
            ("top-1", "best test epoch", 45.0),
            ("kNN top-1", "last", 60.0),
        )
    ]
    found = by_read_out("ascal", "Table V", [*folds, replace(ROW, variant="official", value=1.0)])
    assert found.loc[("Ours (CAE)", "Average")].dropna().to_dict() == {
        "last epoch": 42.0,
        "best test epoch": 47.0,
        "kNN": 62.0,
    }


def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda *things: found.extend(things))
    return found


def test_sentences_are_told_as_a_list_and_what_was_not_run_below(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shown(monkeypatch)
    notebook.told(["one", "two"], ["three"])
    notebook.told([])
    texts = [each.data for each in found]
    assert texts == ["- one\n- two", "Not run: three.", "*No row answers this yet.*"]


def test_a_table_is_shown_with_its_statuses_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shown(monkeypatch)
    notebook.show_beside("interskeleton", "Table 1", [], ours="This paper")
    cells = notebook.compare("interskeleton", "Table 1", [])
    assert found[0].data.startswith("**Table 1**: ")
    assert sum(int(word) for word in found[0].data.split() if word.isdigit()) == len(cells)
    assert set(found[1].index) == {"This paper"}


def test_bars_count_the_cells_that_were_run() -> None:
    rows, experiments = both({"a": ABOVE, "b": ALIKE})
    figure = notebook.bars([r for r in rows if r.column == "a"], experiments, "T")
    assert figure.axes[0].get_title() == "T: 2 of 4 cells run, n = 3"
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx([64.0, 61.0])
    assert notebook.bars([], experiments, "T").data == "*T: 0 of 4 cells run, n = 0*"


def test_bars_of_one_column_stand_row_by_row() -> None:
    figure = notebook.bars(*both({"a": ABOVE}), "T")
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["ours", "none"]
    assert figure.axes[0].get_xlabel() == "network"
    assert figure.legends[0].get_title().get_text().startswith("test")


def test_features_are_at_hand_where_the_data_is_and_the_training_or_none_is_needed(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    trained = FIRST.evaluation.weights
    absent = replace(trained, data=replace(trained.data, name="ntu60"))
    named = {"trained": trained, "random": interskeleton.untrained(trained), "absent": absent}
    assert list(notebook.at_hand(named, missing="show")) == ["random"]
    assert list(notebook.at_hand(named)) == ["trained", "random"]
    assert capsys.readouterr().out.splitlines()[0] == "networks can be had of: random"


def test_scores_of_networks_are_those_of_their_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path))
    *_, smoke = (
        e.evaluation
        for e in interskeleton.table6("synthetic", sets=(("X_IMG", "X_SEQ"),), tier="smoke")
        if isinstance(e.evaluation.protocol, Linear)
    )
    weights = interskeleton.untrained(smoke.weights)
    protocols = {"kNN top-1": KNN(), "top-1": smoke.protocol}
    found = notebook.scores({("random", name): (weights, name) for name in ("X_IMG", "X_SEQ")}, protocols)
    assert found.columns.tolist() == ["kNN top-1", "top-1"]
    for metric, protocol in protocols.items():
        alone = run.measure(Evaluation(weights, protocol, "X_SEQ"))["scores"][metric]
        assert found.loc[("random", "X_SEQ"), metric] == alone


# ── maps and panels ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_beside_its_own_is_a_point_whose_nearest_other_has_its_label() -> None:
    points = np.array([[0.0], [1.0], [10.0], [12.0], [30.0]])
    found = beside_own(points, np.array(["a", "a", "b", "a", "b"]))
    assert found.tolist() == [True, True, False, False, False]


def test_beside_its_own_agrees_with_cosine_neighbours_of_directions() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(40, 6)), rng.integers(0, 3, 40)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    nearest = neighbours(torch.from_numpy(points), torch.from_numpy(points), 2)[:, 1].numpy()  # the first is the point
    assert np.array_equal(beside_own(points, labels), labels == labels[nearest])


HISTORY = pd.DataFrame(
    [
        {"row": name, "epoch": epoch, "loss": 4.0 / epoch, "kNN top-1": 50.0 if epoch % 4 == 0 else np.nan}
        for name in ("full", "plain")
        for epoch in range(1, 13)
    ]
)
MONITORS = {"loss": "loss (nats)", "kNN top-1": "kNN top-1 (%)"}


def test_watched_panels_are_labelled_and_begin_at_zero() -> None:
    figure = panels.watched(HISTORY, MONITORS, "watched", dashed={"loss": 6.0})
    loss, knn = figure.axes
    assert [(p.get_xlabel(), p.get_ylabel()) for p in (loss, knn)] == [("epoch", label) for label in MONITORS.values()]
    assert loss.get_ylim()[0] == knn.get_ylim()[0] == 0
    assert loss.get_ylim()[1] > 6.0  # the level to compare with is seen
    assert [len(line.get_xdata()) for line in knn.lines] == [3, 3]  # the looks alone
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["full", "plain"]
    assert figure.get_suptitle() == "watched"


def test_watched_panels_of_one_network_need_no_legend() -> None:
    assert panels.watched(HISTORY[HISTORY["row"] == "full"], MONITORS, "watched").legends == []


POINTS = pd.DataFrame(
    [
        {"panel": panel, "action": action, "x": x, "y": -x}
        for panel, actions in (("one", "ab"), ("two", "bc"))
        for action in actions
        for x in (0.0, 1.0)
    ]
)


def test_maps_share_a_legend_only_where_they_show_the_same_actions() -> None:
    apart, alike = panels.maps(POINTS, "panel", "maps"), panels.maps(POINTS[POINTS["panel"] == "one"], "panel", "maps")
    assert [p.get_title() for p in apart.axes] == ["one", "two", ""]
    assert [[t.get_text() for t in p.get_legend().get_texts()] for p in apart.axes[:2]] == [["a", "b"], ["b", "c"]]
    assert apart.legends == []
    assert [t.get_text() for t in alike.legends[0].get_texts()] == ["a", "b"]


def test_panels_leave_no_open_figure_behind() -> None:
    from matplotlib import pyplot

    panels.watched(HISTORY, MONITORS, "watched")
    panels.maps(POINTS, "panel", "maps")
    assert pyplot.get_fignums() == []
