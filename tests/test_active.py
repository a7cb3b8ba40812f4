"""The active loop: budgets met exactly, every selection and label kept, a stopped run resumed, wrong labels refused."""

from __future__ import annotations

import copy
import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import clips_of, resident_of
from torch import Generator, Tensor, nn

from skelkit import store
from skelkit.data.views import DataSpec
from skelkit.evaluate import journal
from skelkit.evaluate.active import ActiveLearning, Pool, Session, evenly, run
from skelkit.evaluate.learner import Learner
from skelkit.evaluate.metrics import top_k
from skelkit.evaluate.monitors import watch_test_clips
from skelkit.evaluate.strategies import KJS, STRATEGIES, CoreSet, KMeansTop, Uniform
from skelkit.files import SkelkitError
from skelkit.methods import build
from skelkit.methods.supervised import SupervisedConfig
from skelkit.models.rnn import Recurrent
from skelkit.train import Adam, Steps, Training

CLIPS, CLASSES = 30, ("bow", "jump", "wave")
POOL = Pool(tuple(f"clip {i}" for i in range(CLIPS)), CLASSES)
TRUTH = [i % 3 for i in range(CLIPS)]
PLAN = ActiveLearning(CoreSet(), (3, 4, 9))
KNOBS: dict[str, dict[str, int]] = {"KT": {"clusters": 6}, "KJS": {"clusters": 6}, "DIS": {"hidden": 4, "steps": 5}}
pytestmark = pytest.mark.usefixtures("one_thread", "own_store")


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


class Toy(nn.Module):
    """Clips are points; training moves the nearest-mean classifier, and draws one number."""

    def __init__(self) -> None:
        super().__init__()
        self.points = torch.randn(CLIPS, 4, generator=Generator().manual_seed(0)).double()
        self.register_buffer("means", torch.zeros(3, 4).double())
        self.register_buffer("drawn", torch.zeros(1))
        self.trained: list[list[int]] = []

    def learn(self, labels: Tensor, seed: int) -> dict[str, Any]:
        self.trained.append(labels.tolist())
        self.drawn = self.drawn + torch.rand(1, generator=Generator().manual_seed(seed))
        for label in range(3):
            if (labels == label).any():
                self.means[label] += self.points[labels == label].mean(0)
        return {"drawn": float(self.drawn)}

    def look(self) -> tuple[Tensor, Tensor]:
        moved = self.points + self.drawn
        return moved, (moved @ self.means.T).softmax(1)


def session_of(plan: ActiveLearning = PLAN, toy: Toy | None = None, **more: Any) -> Session:
    toy = toy or Toy()
    return Session(plan, toy, toy.look, POOL, "toy", **more)


def finished(plan: ActiveLearning = PLAN, toy: Toy | None = None) -> Session:
    return run(session_of(plan, toy), TRUTH.__getitem__)


# ---- the loop


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_budgets_are_met_exactly_by_every_strategy(name: str) -> None:
    kind: Any = STRATEGIES[name]
    plan = ActiveLearning(kind(**KNOBS.get(name, {})), (3, 4, 9))
    session = finished(plan)
    assert [len(one.clips) for one in session.rounds] == [3, 1, 5]
    chosen = [clip for one in session.rounds for clip in one.clips]
    assert len(set(chosen)) == 9
    assert (session.labels >= 0).nonzero().flatten().tolist() == sorted(chosen)
    assert all(session.labels[clip] == TRUTH[clip] for clip in chosen)


def test_training_sees_no_label_first_and_then_those_of_every_round_so_far() -> None:
    toy = Toy()
    session = finished(toy=toy)
    assert [sum(label >= 0 for label in labels) for labels in toy.trained] == [0, 3, 4, 9]
    for before, after in zip(toy.trained, toy.trained[1:], strict=False):
        assert all(then in (-1, now) for then, now in zip(before, after, strict=True))
    assert toy.trained[-1] == session.labels.tolist()


def test_the_whole_pool_can_be_labelled() -> None:
    assert finished(ActiveLearning(KMeansTop(6), evenly(CLIPS, 4))).labels.tolist() == TRUTH


def test_probabilities_are_kept_back_until_a_clip_has_a_label() -> None:
    seen = []

    @dataclass(frozen=True)
    class Watching:
        def select(
            self, features: Tensor, probabilities: Any, labelled: Tensor, n: int, generator: Generator
        ) -> Tensor:
            seen.append(probabilities is not None)
            return Uniform().select(features, probabilities, labelled, n, generator)

    finished(ActiveLearning(Watching(), (2, 4)))
    assert seen == [False, True]


def test_the_seed_decides_the_selections_and_nothing_else_does() -> None:
    plan = ActiveLearning(Uniform(), (5, 10))
    one = finished(plan).rounds
    torch.manual_seed(9)
    toy = Toy()
    assert run(Session(plan, toy, toy.look, POOL, "toy again"), TRUTH.__getitem__).rounds != one  # another learner
    assert finished(plan).rounds == one
    assert finished(replace(plan, seed=1)).rounds != one


def test_a_finished_run_trains_nothing_unless_it_is_asked_again() -> None:
    finished()
    once, again = Toy(), Toy()
    run(session_of(toy=once), TRUTH.__getitem__)
    run(session_of(toy=again, again=True), TRUTH.__getitem__)
    assert (len(once.trained), len(again.trained)) == (0, 1 + len(PLAN.budgets))


def test_evenly_makes_equal_parts() -> None:
    assert evenly(50, 5) == (10, 20, 30, 40, 50)
    assert evenly(10, 3) == (3, 6, 10)
    assert evenly(7, 1) == (7,)


# ---- kept: audited and resumed


def test_strategies_share_one_pretraining(own_store: Path) -> None:
    pretrained = []
    for strategy in (Uniform(), CoreSet(), KMeansTop(6), KJS(6)):
        toy = Toy()
        session_of(ActiveLearning(strategy, (4,)), toy)
        pretrained += toy.trained
    assert len(pretrained) == 1
    assert len([path for path in (own_store / "active").iterdir() if path.is_dir()]) == 1


def test_a_second_run_trains_and_selects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first, toy = finished(), Toy()
    monkeypatch.setenv("SKELKIT_BUILD", "0")
    second = finished(toy=toy)
    assert second.rounds == first.rounds
    assert toy.trained == []
    assert torch.equal(toy.means, first.trainable.means)  # type: ignore[attr-defined]


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_run_stopped_in_a_training_goes_on_where_it_was(stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    toy, learned = Toy(), Toy.learn

    def breaking(self: Toy, labels: Tensor, seed: int) -> dict[str, Any]:
        found = learned(self, labels, seed)
        if len(self.trained) == stop:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Toy, "learn", breaking)
    with pytest.raises(KeyboardInterrupt):
        finished(toy=toy)
    monkeypatch.setattr(Toy, "learn", learned)
    resumed = Toy()
    rounds = finished(toy=resumed).rounds
    assert len(resumed.trained) == 4 - (stop - 1)
    monkeypatch.setenv("SKELKIT_STORE", str(store.store_folder().parent / "another"))
    whole = Toy()
    assert finished(toy=whole).rounds == rounds
    assert torch.equal(whole.means, resumed.means)
    assert torch.equal(whole.drawn, resumed.drawn)


def test_a_training_that_failed_is_tried_again_from_the_round_before(monkeypatch: pytest.MonkeyPatch) -> None:
    session, learned = session_of(), Toy.learn

    def failing(self: Toy, labels: Tensor, seed: int) -> dict[str, Any]:
        learned(self, labels, seed)
        raise RuntimeError("out of memory")

    for clip in session.waiting:
        session.answer(clip, TRUTH[clip])
    monkeypatch.setattr(Toy, "learn", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        session.advance()
    monkeypatch.setattr(Toy, "learn", learned)
    assert session.waiting == []
    assert run(session, TRUTH.__getitem__).rounds == finished().rounds
    assert torch.equal(session.trainable.means, finished().trainable.means)  # type: ignore[attr-defined]


def test_a_selection_that_failed_is_tried_again_without_training_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Tensor:
        raise SkelkitError("no selection today")

    toy = Toy()
    session, whole = session_of(toy=toy), CoreSet.select
    for clip in session.waiting:
        session.answer(clip, TRUTH[clip])
    monkeypatch.setattr(CoreSet, "select", failing)
    with pytest.raises(SkelkitError, match="no selection today"):
        session.advance()
    monkeypatch.setattr(CoreSet, "select", whole)
    session.advance()
    assert len(session.rounds) == 1
    assert len(session.waiting) == 1
    assert len(toy.trained) == 2


def test_other_clips_under_the_same_learner_share_nothing() -> None:
    toy, other = Toy(), Toy()
    session_of(toy=toy)
    Session(PLAN, other, other.look, Pool(tuple(f"other {i}" for i in range(CLIPS)), CLASSES), "toy")
    assert len(toy.trained) == len(other.trained) == 1


def test_the_table_holds_every_label_in_the_order_it_was_asked_for(own_store: Path) -> None:
    session = finished()
    table = session.table()
    assert table["round"].tolist() == [1] * 3 + [2] + [3] * 5
    assert table["order"].tolist() == [1, 2, 3, 1, 1, 2, 3, 4, 5]
    assert table["name"].tolist() == [f"clip {i}" for i in table["clip"]]
    assert table["class"].tolist() == [CLASSES[TRUTH[i]] for i in table["clip"]]
    for _, one in table.iterrows():
        kept = store.record(own_store / "selections" / one["selection"])
        assert kept["clips"][one["order"] - 1] == one["clip"]
        assert kept["names"][one["order"] - 1] == one["name"]
        assert (own_store / "active" / one["weights"] / "weights.safetensors").exists()


def test_verify_selects_the_same_again_and_names_the_round_that_was_changed(own_store: Path) -> None:
    session = finished(ActiveLearning(KJS(6), (3, 9)))
    means = session.trainable.means.clone()  # type: ignore[attr-defined]
    session.verify()
    assert torch.equal(session.trainable.means, means)  # type: ignore[attr-defined]
    path = own_store / "selections" / session.rounds[1].selection / "record.json"
    kept = json.loads(path.read_text())
    kept["clips"] = kept["clips"][::-1]
    path.write_text(json.dumps(kept))
    with pytest.raises(SkelkitError, match=r"round 2: selection \w+ is not what KJS selects from the stored weights"):
        finished(session.plan).verify()


def test_a_class_that_no_label_belongs_to_is_named_and_the_run_goes_on() -> None:
    session = session_of(ActiveLearning(CoreSet(), (4, 8)))
    assert session.unseen == ["bow", "jump", "wave"]
    assert run(session, lambda clip: clip % 2).unseen == ["wave"]


# ---- refused


@pytest.mark.parametrize("budgets", [(), (0, 3), (4, 4), (5, 3)])
def test_budgets_that_do_not_rise_are_refused(budgets: tuple[int, ...]) -> None:
    with pytest.raises(SkelkitError, match="do not rise from 1 on"):
        ActiveLearning(Uniform(), budgets)


@pytest.mark.parametrize(("labels", "rounds"), [(5, 0), (5, 6), (0, 1)])
def test_empty_rounds_are_refused(labels: int, rounds: int) -> None:
    with pytest.raises(SkelkitError, match=f"{labels} labels in {rounds} rounds"):
        evenly(labels, rounds)


def test_more_labels_than_clips_are_refused_before_anything_is_trained() -> None:
    toy = Toy()
    with pytest.raises(SkelkitError, match="31 labels asked for, and the pool has 30 clips; lower the budget"):
        session_of(ActiveLearning(Uniform(), (5, 31)), toy)
    assert toy.trained == []


@pytest.mark.parametrize("label", [-1, 3, 99])
def test_a_label_outside_the_classes_is_refused_by_clip(label: int) -> None:
    session = session_of()
    clip = session.waiting[0]
    said = rf"clip {clip} \(clip {clip}\): label {label} is none of the 3 classes; give 0 \(bow\) to 2 \(wave\)"
    with pytest.raises(SkelkitError, match=said):
        session.answer(clip, label)
    assert clip in session.waiting
    with pytest.raises(SkelkitError, match=said):
        run(session, lambda _: label)


def test_a_clip_that_is_not_asked_for_takes_no_label() -> None:
    session = session_of()
    other = next(clip for clip in range(CLIPS) if clip not in session.waiting)
    with pytest.raises(SkelkitError, match=f"clip {other}: is not asked for in round 1"):
        session.answer(other, 0)


def test_a_round_ends_when_every_clip_has_its_label_and_not_before() -> None:
    session = session_of()
    session.answer(session.waiting[0], 0)
    with pytest.raises(SkelkitError, match="round 1: 2 of 3 clips wait for a label; answer them first"):
        session.advance()
    run(session, TRUTH.__getitem__)
    assert session.waiting == []
    with pytest.raises(SkelkitError, match="the budget of 9 labels is spent"):
        session.advance()


def test_a_strategy_that_names_a_clip_twice_is_refused_and_nothing_is_kept(own_store: Path) -> None:
    @dataclass(frozen=True)
    class Twice:
        def select(
            self, features: Tensor, probabilities: Any, labelled: Tensor, n: int, generator: Generator
        ) -> Tensor:
            return torch.zeros(n, dtype=torch.long)

    with pytest.raises(SkelkitError, match="Twice: selected clip 0 twice; select 3 different ones"):
        session_of(ActiveLearning(Twice(), (3,)))
    assert not [path for path in (own_store / "selections").iterdir() if path.is_dir()]


# ---- a person's labels


def test_a_session_closed_half_way_loses_no_label(tmp_path: Path) -> None:
    path = tmp_path / "mine" / "labels.jsonl"
    session = session_of(answers=path)
    for clip in session.waiting[:2]:
        session.answer(clip, 2)
    again = session_of(answers=path)  # as after a crash
    assert again.waiting == session.waiting
    assert len(again.waiting) == 1
    asked: list[int] = []
    done = run(again, lambda clip: asked.append(clip) or 1)  # type: ignore[func-returns-value]
    assert done.rounds[0].labels == (2, 2, 1)
    assert len(asked) == 7
    third = run(session_of(answers=path), pytest.fail)  # nothing is left to ask
    assert third.rounds == done.rounds


def test_a_second_answer_takes_the_place_of_the_first(tmp_path: Path) -> None:
    session = session_of(answers=tmp_path / "labels")
    clip = session.waiting[0]
    session.answer(clip, 0)
    session.answer(clip, 2)
    assert journal.read(tmp_path / "labels", POOL) == {clip: 2}
    run(session, lambda _: 1)
    assert session.labels[clip] == 2


@pytest.mark.parametrize("cut", [*range(1, 60, 7)])
def test_a_journal_cut_anywhere_keeps_its_whole_lines_and_takes_more(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    for clip, label in ((3, 0), (7, 1)):
        journal.write(path, POOL, clip, label)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[: first + cut])
    kept = journal.read(path, POOL)
    assert kept == ({3: 0, 7: 1} if first + cut >= len(whole) - 1 else {3: 0})
    journal.write(path, POOL, 9, 2)
    assert journal.read(path, POOL) == {**kept, 9: 2}


def test_a_journal_of_other_clips_or_classes_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    journal.write(path, POOL, 3, 0)
    journal.write(path, POOL, 4, 1)
    with pytest.raises(SkelkitError, match=r"labels, line 1: clip 3 \(clip 3\) is not this pool's"):
        journal.read(path, Pool(("a", "b", "c", "d", "e"), CLASSES))
    with pytest.raises(SkelkitError, match=r"labels, line 2: class 1 \(jump\) is not this pool's"):
        journal.read(path, Pool(POOL.names, ("bow", "run", "wave")))
    assert journal.read(tmp_path / "none", POOL) == {}


def test_a_journal_knows_other_clips_of_the_same_names_by_their_prints(tmp_path: Path) -> None:
    path, one = tmp_path / "labels", replace(POOL, prints=tuple(f"print {i}" for i in range(CLIPS)))
    journal.write(path, POOL, 2, 1)  # a journal without prints is read as it was
    journal.write(path, one, 3, 0)
    assert journal.read(path, one) == journal.read(path, POOL) == {2: 1, 3: 0}
    with pytest.raises(SkelkitError, match=r"labels, line 2: clip 3 \(clip 3\) is not this pool's"):
        journal.read(path, replace(one, prints=one.prints[::-1]))


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\r\nb", 'a"b', "\u00e9"])
def test_whatever_a_clip_or_a_class_is_called_its_label_is_read_again(name: str, tmp_path: Path) -> None:
    pool = Pool((name, "other"), (name, "rest"))
    for clip in (0, 1):
        journal.write(tmp_path / "labels", pool, clip, clip)
    assert journal.read(tmp_path / "labels", pool) == {0: 0, 1: 1}


@pytest.mark.parametrize("text", ["clip,label\n0,walk\n", '{"cells": []}\n', "[1, 2]\n", "3\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(SkelkitError, match=r"labels.csv, line 1: is no label, so that this is no journal; name"):
        session_of(answers=path)
    assert path.read_text() == text


def test_zeros_that_a_power_cut_left_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    journal.write(path, POOL, 3, 0)
    path.write_bytes(path.read_bytes() + bytes(40))
    journal.write(path, POOL, 4, 1)
    assert journal.read(path, POOL) == {3: 0, 4: 1}


def test_a_label_that_cannot_be_written_down_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    session = session_of(answers=tmp_path / "labels")
    monkeypatch.setattr(journal.os, "fsync", full)
    with pytest.raises(SkelkitError, match=r"labels: cannot be written.*free space"):
        session.answer(session.waiting[0], 0)
    assert len(session.waiting) == 3


def test_a_journal_that_is_none_is_refused_before_anybody_answers(tmp_path: Path) -> None:
    with pytest.raises(SkelkitError, match="cannot be read"):
        session_of(answers=tmp_path)


# ---- a method of the project


def learner_of(epochs: int = 15, **more: Any) -> tuple[Learner, Any]:
    clips = clips_of(60, classes=3)
    data, spec = resident_of(clips), DataSpec(48, 3, clips.skeleton, clips.persons)
    torch.manual_seed(0)
    method = build(SupervisedConfig(), Recurrent("gru", 8).build(spec), spec, Generator())
    pool, test = np.arange(2, 50), np.arange(50, 60)
    training = Training(Adam(0.02), Steps(epochs), batch=8)
    watch = [watch_test_clips(data, test)]
    return Learner(method, data, pool, training, unlabelled=False, callbacks=watch, **more), clips.labels[pool]


@pytest.fixture
def supervised() -> Callable[..., Session]:
    def session(strategy: Any = KMeansTop(6), budgets: tuple[int, ...] = (6, 12)) -> Session:  # noqa: B008 (frozen)
        learner, truth = learner_of()
        pool = Pool(tuple(str(i) for i in range(48)), CLASSES)
        plan = ActiveLearning(strategy, budgets)
        return run(Session(plan, learner, learner.look, pool, "supervised"), lambda clip: int(truth[clip]))

    return session


@pytest.mark.parametrize("strategy", [Uniform(), KMeansTop(6), KJS(6)])
def test_a_supervised_method_learns_from_the_labels_it_asked_for(
    supervised: Callable[..., Session], strategy: Any, own_store: Path
) -> None:
    session = supervised(strategy)
    assert len(session.table()) == 12
    features, p = session.look()
    assert features.shape == (48, 8)
    assert p is not None
    assert top_k(p, torch.from_numpy(learner_of()[1]), 1) > 90
    kept = store.record(session.weights)["learned"]["history"]
    assert len(kept) == 15
    assert kept[-1]["test top-1"] > 80  # whose learning curve can be drawn


def test_a_supervised_run_is_repeated_bit_for_bit(
    supervised: Callable[..., Session], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = supervised(KJS(6))
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "another"))
    torch.manual_seed(77)
    other = supervised(KJS(6))
    assert one.rounds == other.rounds
    for mine, theirs in zip(one.trainable.state_dict().values(), other.trainable.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_learner_sees_no_label_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, _ = learner_of(epochs=1)
    seen: list[tuple[list[int], list[int]]] = []

    def watched(method: Any, data: Any, members: np.ndarray, *_: Any, **__: Any) -> list[Any]:
        seen.append((data.labels.tolist(), members.tolist()))
        return []

    monkeypatch.setattr("skelkit.evaluate.learner.train", watched)
    labels = torch.full((48,), -1)
    assert learner.learn(labels, 0)["history"] == []  # no pretraining was named
    labels[[1, 5]] = torch.tensor([2, 0])
    before = learner.data.labels.clone()
    learner.learn(labels, 0)
    everyone = copy.copy(learner)
    everyone.unlabelled, everyone.pretraining = True, learner.training
    everyone.learn(labels, 0)
    everyone.learn(torch.full((48,), -1), 0)
    hidden = [-1] * 60
    hidden[3], hidden[7] = 2, 0  # the pool begins at clip 2
    assert seen == [(hidden, [3, 7]), (hidden, [*range(2, 50)]), ([-1] * 60, [*range(2, 50)])]
    assert torch.equal(learner.data.labels, before)
