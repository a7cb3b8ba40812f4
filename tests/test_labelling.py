"""Labelling by hand, without a browser: what each click does, and what is left of a session that was closed."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import clips_of, save_npz

from skelkit.batch import run_notebooks
from skelkit.data.clips import Clips
from skelkit.data.protocols import split
from skelkit.data.skeleton import Skeleton
from skelkit.evaluate import journal
from skelkit.evaluate.active import Session
from skelkit.evaluate.learner import Learner
from skelkit.evaluate.strategies import STRATEGIES
from skelkit.files import SkelkitError, project_root
from skelkit.labelling import Labeller, Task, open_task, tell_classes
from skelkit.labelling.picture import in_words, picture
from skelkit.labelling.task import _ready

pytestmark = pytest.mark.usefixtures("one_thread", "own_store")
NOTEBOOK = project_root() / "notebooks" / "tutorials" / "label_with_active_learning.ipynb"


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Task]:
    """The task of labelling tiny clips, two rounds of three, opened as often as it is called."""

    def open_it(clips: Clips | None = None, **changes: Any) -> Task:
        how = {"strategy": "KT", "labels_per_round": 3, "rounds": 2, "epochs": 1, "tier": "smoke"}
        clips = clips_of(36, classes=3) if clips is None else clips
        return open_task(clips, **{**how, "journal": tmp_path / "labels.jsonl", **changes})

    return open_it


def unlabelled(clips: Clips) -> Clips:
    return replace(clips, table=clips.table.assign(label=-1, subject=-1))


def labeller_of(task: Task) -> Labeller:
    return Labeller(task, pause=0)


def answer(labeller: Labeller, *labels: int) -> None:
    for label in labels:
        labeller.buttons[label].click()


def kept(path: Path) -> list[tuple[int, int]]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(line["clip"], line["label"]) for line in lines]


def on_stage(labeller: Labeller) -> str:
    text: str = labeller.stage.outputs[0]["data"]["text/html"]
    return text


# ---- clicks


def test_a_click_is_on_disk_at_once_and_the_next_clip_is_shown(opened: Callable[..., Task], tmp_path: Path) -> None:
    labeller = labeller_of(opened())
    first, second, _ = labeller.task.session.proposed
    assert "Round 1 of 2, clip 1 of 3" in labeller.heading.value
    before = on_stage(labeller)
    answer(labeller, 2)
    assert kept(tmp_path / "labels.jsonl") == [(first, 2)]
    assert labeller.shown == second
    assert "Clip 2 of 3" in on_stage(labeller) != before
    assert [chip.description for chip in labeller.round.children] == ["1: class 2", "2", "3"]
    assert "Clip 1: class 2. Kept in" in labeller.status.value


def test_neither_the_name_of_a_clip_nor_a_guess_is_shown(opened: Callable[..., Task]) -> None:
    clips = clips_of(36, classes=3)
    clips = replace(clips, table=clips.table.assign(name=[f"secret {i}" for i in range(36)]))
    labeller = labeller_of(opened(clips))
    answer(labeller, 0)
    assert "secret" not in labeller.heading.value + on_stage(labeller) + labeller.status.value


def test_back_shows_the_clip_before_and_a_second_label_takes_the_place_of_the_first(
    opened: Callable[..., Task], tmp_path: Path
) -> None:
    labeller = labeller_of(opened())
    first, second, third = labeller.task.session.proposed
    assert labeller.back.disabled
    answer(labeller, 0, 0)
    labeller.back.click()
    labeller.back.click()
    assert labeller.shown == first
    assert labeller.buttons[0].button_style == "success"  # what was said before
    answer(labeller, 1)
    assert labeller.shown == third  # the first that waits, not the next
    assert labeller.task.session.answered == {first: 1, second: 0}
    assert kept(tmp_path / "labels.jsonl") == [(first, 0), (second, 0), (first, 1)]


def test_a_complete_round_waits_for_the_button_and_its_list_leads_back(opened: Callable[..., Task]) -> None:
    labeller = labeller_of(opened())
    assert labeller.train.disabled
    answer(labeller, 0, 1, 2)
    assert "all 3 clips have their label" in labeller.heading.value
    assert not labeller.train.disabled
    assert all(button.disabled for button in labeller.buttons)  # nothing is on the stage to be labelled
    labeller.round.children[1].click()
    answer(labeller, 2)
    labeller.train.click()
    assert labeller.task.session.rounds[0].labels == (0, 2, 2)
    assert "Round 2 of 2, clip 1 of 3" in labeller.heading.value


def test_a_double_click_labels_one_clip(opened: Callable[..., Task]) -> None:
    labeller = Labeller(opened(), pause=60)
    answer(labeller, 0)  # the clip has not been on for a minute
    assert labeller.task.session.answered == {}
    labeller.pause = 0
    answer(labeller, 0)
    labeller.pause = 60
    answer(labeller, 0)
    assert len(labeller.task.session.answered) == 1


def test_the_table_has_the_labels_of_the_round_under_way(opened: Callable[..., Task]) -> None:
    labeller = labeller_of(opened())
    first, second, _ = labeller.task.session.proposed
    answer(labeller, 2, 1)
    table = labeller.task.table()
    assert table["label"][[first, second]].tolist() == ["class 2", "class 1"]
    assert (table["label"] != "").sum() == 2
    assert set(table["classifier"]) == {""}  # nothing is trained yet


def test_clicks_that_waited_while_it_trained_label_nothing_and_train_nothing(opened: Callable[..., Task]) -> None:
    labeller = labeller_of(opened())
    answer(labeller, 0, 1, 2)
    answer(labeller, 1)  # nothing is on the stage
    labeller.train.click()
    labeller.train.click()
    assert len(labeller.task.session.rounds) == 1
    assert labeller.task.session.answered == {}


def test_the_budget_ends_it(opened: Callable[..., Task], tmp_path: Path) -> None:
    labeller = labeller_of(opened())
    for _ in range(2):
        answer(labeller, 0, 1, 2)
        labeller.train.click()
    assert "Done: 6 labels in 2 rounds" in labeller.heading.value
    assert labeller.train.disabled
    assert labeller.back.disabled
    answer(labeller, 0)
    labeller.train.click()
    labeller.back.click()
    assert len(kept(tmp_path / "labels.jsonl")) == 6
    assert [one.labels for one in labeller.task.rounds] == [3, 6]
    table = labeller.task.table()
    assert sorted(table["label"].value_counts()) == [2, 2, 2, len(table) - 6]
    assert table["probability"].between(1 / 3, 1).all()


# ---- closed and opened again


def test_a_session_closed_half_way_goes_on_where_it_was_and_trains_nothing_again(
    opened: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    labeller = labeller_of(opened())
    answer(labeller, 0, 1, 2)
    labeller.train.click()
    answer(labeller, 1)
    monkeypatch.setenv("SKELKIT_BUILD", "0")
    again = labeller_of(opened())
    assert again.shown == labeller.shown
    assert again.heading.value == labeller.heading.value
    assert again.task.session.answered == labeller.task.session.answered
    assert again.task.rounds == labeller.task.rounds
    assert in_words(again.task) == in_words(labeller.task)
    assert "4 labels were found again" in again.status.value


def test_a_round_closed_before_its_training_can_still_be_corrected(opened: Callable[..., Task]) -> None:
    answer(labeller_of(opened()), 0, 1, 2)
    again = labeller_of(opened())
    assert again.task.rounds == []
    again.back.click()
    answer(again, 0)
    again.train.click()
    assert again.task.session.rounds[0].labels == (0, 1, 0)


def test_a_session_of_other_settings_takes_over_the_labels_it_asks_for_and_counts_the_others(
    opened: Callable[..., Task],
) -> None:
    labeller = labeller_of(opened())
    assert labeller.task.session.elsewhere == 0
    answer(labeller, 0, 1, 2)
    labeller.train.click()
    first = labeller.task.session.table().set_index("clip")["label"]
    assert opened(oracle="labels").session.elsewhere == 0
    for asked, found in ((16, range(1, 4)), (1, range(2))):  # of 18 clips; 3 have a label
        other = opened(strategy="U", labels_per_round=asked, rounds=1).session
        assert other.answered == {clip: first[clip] for clip in other.proposed if clip in first}
        assert len(other.answered) in found
        assert len(other.answered) + other.elsewhere == 3


def test_a_journal_of_other_clips_is_refused_in_one_line(opened: Callable[..., Task]) -> None:
    answer(labeller_of(opened()), 0)
    other = clips_of(36, classes=3)
    with pytest.raises(SkelkitError, match=r"labels.jsonl, line 1: .* is not this pool's; take another journal"):
        opened(replace(other, table=other.table.assign(name=[f"other {i}" for i in range(36)])))


def test_labels_of_clips_that_others_have_replaced_under_their_names_are_refused(opened: Callable[..., Task]) -> None:
    """A file without names calls its clips 0, 1, 2, ...: only their frames tell them from those of another."""
    answer(labeller_of(opened()), 0)
    other = clips_of(36, classes=3)
    with pytest.raises(SkelkitError, match=r"labels.jsonl, line 1: .* is not this pool's; take another journal"):
        opened(other.with_frames(other.frames + 1))


# ---- what goes wrong is said in one line


def test_a_label_outside_the_classes_is_refused_and_the_clip_stays(opened: Callable[..., Task], tmp_path: Path) -> None:
    labeller = labeller_of(opened())
    shown = labeller.shown
    labeller._label(3)
    assert "label 3 is none of the 3 classes; give 0 (class 0) to 2 (class 2)" in labeller.status.value
    assert labeller.shown == shown
    assert not (tmp_path / "labels.jsonl").exists()


def test_a_label_that_cannot_be_kept_is_refused_and_the_clip_stays(
    opened: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    labeller = labeller_of(opened())
    shown = labeller.shown
    monkeypatch.setattr(journal.os, "fsync", full)
    answer(labeller, 0)
    assert "The label was not taken." in labeller.status.value
    assert "free space or choose another file" in labeller.status.value
    assert labeller.shown == shown


@pytest.mark.parametrize("fault", [RuntimeError("out of <memory>\nat address 0"), KeyboardInterrupt()])
def test_a_training_that_fails_says_so_keeps_the_labels_and_can_be_tried_again(
    fault: BaseException, opened: Callable[..., Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(*_: Any) -> dict[str, Any]:
        raise fault

    labeller, learn = labeller_of(opened()), Learner.learn
    answer(labeller, 0, 1, 2)
    monkeypatch.setattr(Learner, "learn", failing)
    labeller.train.click()
    assert "The training failed; every label is kept." in labeller.status.value
    said = "RuntimeError: out of &lt;memory&gt;. Press" if str(fault) else "it was interrupted. Press"
    assert said in labeller.status.value
    assert len(kept(tmp_path / "labels.jsonl")) == 3
    assert not labeller.train.disabled
    monkeypatch.setattr(Learner, "learn", learn)
    labeller.train.click()
    assert [one.labels for one in labeller.task.rounds] == [3]


def test_a_selection_that_fails_leaves_its_round_trained_and_is_tried_again(
    opened: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise SkelkitError("no selection today")

    labeller, select = labeller_of(opened()), Session._proposal
    answer(labeller, 0, 1, 2)
    monkeypatch.setattr(Session, "_proposal", failing)
    labeller.train.click()
    assert "no selection today" in labeller.status.value
    assert "no clip is selected yet" in labeller.heading.value
    monkeypatch.setattr(Session, "_proposal", select)
    labeller.train.click()
    assert "Round 2 of 2, clip 1 of 3" in labeller.heading.value
    assert len(labeller.task.rounds) == 1


def test_a_training_that_is_under_way_shows_its_epochs(opened: Callable[..., Task]) -> None:
    labeller, seen = labeller_of(opened(epochs=3)), []
    labeller.progress.observe(lambda change: seen.append(change["new"]), "value")
    answer(labeller, 0, 1, 2)
    labeller.train.click()
    assert seen == [1, 2, 3, 0]
    assert labeller.progress.layout.visibility == "hidden"


def test_class_names_are_text_and_no_html(opened: Callable[..., Task]) -> None:
    labeller = labeller_of(opened(tell_classes(clips_of(36, classes=3), ["<b>a", "b & c"])))
    answer(labeller, 0)
    assert "&lt;b&gt;a" in labeller.status.value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "best"}, "unknown strategy 'best'; choose one of U, CS"),
        ({"oracle": "dog"}, "unknown oracle 'dog'; choose person or labels"),
        ({"tier": "tiny"}, "unknown tier 'tiny'; choose one of smoke"),
        ({"rounds": 0}, "rounds = 0, epochs = 1; give 1 or more of each"),
        ({"rounds": 99}, "297 labels asked for, and the pool has 18 clips; lower the budget"),
    ],
)
def test_parameters_that_cannot_be_are_refused_by_name(
    changes: dict[str, Any], said: str, opened: Callable[..., Task]
) -> None:
    with pytest.raises(SkelkitError, match=said):
        opened(**changes)


# ---- any clips


def test_clips_without_any_label_are_all_asked_about_and_judged_by_what_was_guessed(
    opened: Callable[..., Task],
) -> None:
    clips = tell_classes(unlabelled(clips_of(36, classes=3)), ["sniffing", "grooming"])
    labeller = labeller_of(opened(clips))
    assert len(labeller.task.clips) == 36
    assert [button.description for button in labeller.buttons] == ["sniffing", "grooming"]
    for _ in range(2):
        answer(labeller, 0, 1, 0)
        labeller.train.click()
    first, second = labeller.task.rounds
    assert first.agreed is first.accuracy is second.accuracy is None
    assert second.agreed in range(4)
    assert f"{second.agreed} of 3 in round 2" in labeller.curve.value
    assert labeller.task.right() == (0, 0)
    assert len(picture(labeller.task).axes[0].patches) == 1


def test_the_accuracy_is_that_on_people_who_are_not_asked_about(opened: Callable[..., Task]) -> None:
    clips = clips_of(36, classes=3)
    task = opened(clips, oracle="labels")
    asked = {int(name) for name in task.session.pool.names}
    assert {int(s) % 2 for s in clips.column("subject")[sorted(asked)]} == {1}
    assert len(asked) + len(task.held_out) == 36
    task.answer_all()
    scores = task.learner.method(task.learner.plain.clips(task.held_out)).argmax(1)
    right = (scores == task.learner.data.labels[task.held_out]).float().mean()
    assert task.rounds[-1].accuracy == pytest.approx(100 * float(right))
    assert task.right() == (6, 6)


def test_where_no_judge_has_a_label_every_clip_may_be_asked_for(opened: Callable[..., Task]) -> None:
    clips = clips_of(36, classes=3)
    train = split(clips, "xsub").train
    some = np.where(np.isin(np.arange(36), train[:5]), clips.labels, -1)
    task = opened(replace(clips, table=clips.table.assign(label=some)))
    assert (len(task.clips), len(task.held_out)) == (36, 0)
    one = np.where(np.isin(np.arange(36), train), -1, clips.labels)  # the others judge, and are not asked about
    task = opened(replace(clips, table=clips.table.assign(label=one)), seed=1)
    assert (len(task.clips), len(task.held_out)) == (len(train), 36 - len(train))


def test_where_nobody_knows_who_is_who_a_third_of_the_performances_is_held_out(opened: Callable[..., Task]) -> None:
    clips = clips_of(36, classes=3)
    clips = replace(clips, table=clips.table.assign(subject=-1, action=np.arange(36) // 2))
    task = opened(clips)
    assert len(task.held_out) == 12
    actions = [clips.column("action")[int(name)] for name in task.session.pool.names]
    assert all(actions.count(action) == 2 for action in actions)  # both cameras' clips are on one side


def test_a_label_keeps_its_class_where_that_is_named_again_and_is_forgotten_elsewhere() -> None:
    clips = clips_of(6, classes=3)
    told = tell_classes(clips, ["class 2", "new", "class 0"])
    assert told.labels.tolist() == [2, -1, 0, 2, -1, 0]
    assert tell_classes(clips, []).labels.tolist() == clips.labels.tolist()
    assert tell_classes(unlabelled(clips), []).labels.tolist() == [-1] * 6


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (["a"], "1 of them"),
        (["a", "a"], "'a' is empty or there twice"),
        (["a", " "], "' ' is empty"),
        ([1, "1"], "'1' is empty or there twice"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(classes: list[str | int], said: str) -> None:
    with pytest.raises(SkelkitError, match=f"tiny: classes: {said}.*give at least two names, each once"):
        tell_classes(clips_of(6), classes)


def test_classes_may_be_numbers_and_are_no_single_text() -> None:
    assert tell_classes(clips_of(6), [1, 2]).classes == ("1", "2")
    with pytest.raises(SkelkitError, match="tiny: classes: 'walk, run' is one text; give a list of names"):
        tell_classes(clips_of(6), "walk, run")


def test_the_label_column_cannot_answer_for_a_clip_that_it_does_not_know(opened: Callable[..., Task]) -> None:
    task = opened(unlabelled(clips_of(36, classes=3)), oracle="labels")
    with pytest.raises(SkelkitError, match=r"clip \d+ \(\d+\): the label column is empty; set oracle to 'person'"):
        task.answer_all()


def test_labels_of_the_column_are_not_written_into_a_persons_journal(
    opened: Callable[..., Task], tmp_path: Path
) -> None:
    opened(oracle="labels").answer_all()
    assert not (tmp_path / "labels.jsonl").exists()


def test_units_do_not_matter_and_a_body_without_shoulders_is_centred() -> None:
    fish = Skeleton("fish", ("head", "middle", "tail"), bones=((0, 1), (2, 1)), centre=1)
    clips = clips_of(6, skeleton=fish)
    ready = _ready(clips)
    assert not ready.frames[:, :, 1].any()
    assert np.allclose(ready.frames, _ready(clips.with_frames(1000 * clips.frames)).frames, atol=1e-4)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_proposes_clips_to_a_person(name: str, opened: Callable[..., Task]) -> None:
    assert len(set(opened(strategy=name).session.waiting)) == 3


# ---- the notebook


def test_the_notebook_runs_to_its_end_with_the_label_column_as_the_oracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_npz(clips_of(36, classes=3), tmp_path / "mine.npz")
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    given = {"dataset": "mine", "tier": "smoke", "labels_per_round": 3, "rounds": 2, "epochs": 1, "oracle": "labels"}
    journal = str(tmp_path / "labels.jsonl")
    (outcome,) = run_notebooks([NOTEBOOK], parameters={**given, "journal": journal}, out=tmp_path / "out", timeout=300)
    assert outcome.status == "passed", f"cell {outcome.cell}, `{outcome.line}`: {outcome.error}"
    lines = (tmp_path / "labels_labels_KJS.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "clip,label,classifier,probability"
    assert sum(line.split(",")[1] != "" for line in lines[1:]) == 6
