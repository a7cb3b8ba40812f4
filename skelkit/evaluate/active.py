"""Active learning: train, select clips, take their labels, train on, select again (Li and Shlizerman 2020, Sec. 3).

The loop knows neither method nor strategy: it holds the labels, meets the budgets, and stores each training and each
selection by content. A run that was stopped goes on where it was, and can be checked afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from skelkit import store
from skelkit.evaluate import journal
from skelkit.evaluate.journal import Pool
from skelkit.evaluate.strategy import Strategy, propose
from skelkit.files import SkelkitError

Oracle = Callable[[int], int]
"""The label of a clip, by its number in the pool: a person's answer, or the label column (`list.__getitem__`)."""
Look = Callable[[], tuple[Float[Tensor, "k d"], Float[Tensor, "k c"] | None]]
"""Features and class probabilities of all clips of the pool, as the trained network sees them now."""


@runtime_checkable
class Trainable(Protocol):
    """What the loop trains."""

    def learn(self, labels: Int[Tensor, " k"], seed: int) -> dict[str, Any]:
        """Train on, with the labels that are known: -1 elsewhere, and everywhere before the first round (pretraining).

        Whatever is random in it derives from the seed. Returns what the record is to keep, as JSON has it.
        """
        ...

    def state_dict(self) -> Any:
        """Named tensors: all that training changes."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """Become what `state_dict` has told."""
        ...


@dataclass(frozen=True)
class ActiveLearning:
    """How labels are asked for."""

    version: ClassVar[int] = 1
    """Raised when the code's meaning changes."""
    strategy: Strategy
    """Which clips are asked for."""
    budgets: tuple[int, ...]
    """Labelled clips in all after each round, rising; as many rounds. `evenly` makes equal parts. The paper does not
    say in how many rounds the labels of its tables were selected."""
    seed: int = 0
    """Draws of the selections derive from it; those of a training from what was trained on."""

    def __post_init__(self) -> None:
        rounds = list(zip((0, *self.budgets), self.budgets, strict=False))
        if not rounds or any(after <= before for before, after in rounds):
            raise SkelkitError(f"active learning: budgets {self.budgets} do not rise from 1 on; give (10, 20, 50)")


def evenly(labels: int, rounds: int) -> tuple[int, ...]:
    """Budgets that reach `labels` in rounds of equal size, up to one clip. Raises SkelkitError for empty rounds."""
    if not 1 <= rounds <= labels:
        raise SkelkitError(f"active learning: {labels} labels in {rounds} rounds; give 1 to {labels} rounds")
    return tuple(labels * (i + 1) // rounds for i in range(rounds))


@dataclass(frozen=True)
class Round:
    """A selection and its labels."""

    clips: tuple[int, ...]
    """Numbers in the pool, in the order of the selection."""
    labels: tuple[int, ...]
    """The oracle's answers, in the same order."""
    weights: str
    """The store's key (kind "active") of the training that the selection looked through."""
    selection: str
    """The store's key (kind "selections") of the selection."""


class Session:
    """A run of active learning, label by label: `waiting` clips are to be answered, then `advance` trains on.

    Made anew with the same arguments, it is where it was: trainings and selections come from the store, a person's
    labels from the journal.
    """

    def __init__(
        self,
        plan: ActiveLearning,
        trainable: Trainable,
        look: Look,
        pool: Pool,
        learner: Any,
        answers: Path | None = None,
        *,
        again: bool = False,
    ):
        """Pretrain, and select the first clips.

        trainable: as `learner` makes it, before any training. look: through it. learner: its specification, a part of
        the store's keys; what it leaves out must not change the training. answers: the journal that a person's labels
        are written to at once; None for an oracle that can be asked again. again: train and select anew what
        the store holds. Raises SkelkitError where the budget exceeds the clips.
        """
        if plan.budgets[-1] > len(pool.names):
            raise SkelkitError(
                f"active learning: {plan.budgets[-1]} labels asked for, and the pool has {len(pool.names)} clips; "
                "lower the budget"
            )
        self.plan, self.trainable, self.look, self.pool, self.answers = plan, trainable, look, pool, answers
        self.again = again
        self.learner = {"learner": learner, "pool": store.key({"names": pool.names, "classes": pool.classes})}
        self.rounds: list[Round] = []
        self._train(None)
        self._select()

    @property
    def labels(self) -> Int[Tensor, " k"]:
        """The labels that were trained on, -1 elsewhere."""
        labels = torch.full((len(self.pool.names),), -1)
        for one in self.rounds:
            labels[list(one.clips)] = torch.tensor(one.labels)
        return labels

    @property
    def waiting(self) -> list[int]:
        """Clips of this round without an answer, in the order of the selection."""
        return [clip for clip in self.proposed if clip not in self._answered]

    @property
    def answered(self) -> dict[int, int]:
        """The labels of this round so far, by clip, in the order of the selection."""
        return {clip: self._answered[clip] for clip in self.proposed if clip in self._answered}

    @property
    def elsewhere(self) -> int:
        """Labels in the journal of clips that are not asked for here so far: a session of other settings has asked."""
        kept = {} if self.answers is None else journal.read(self.answers, self.pool)
        asked = {clip for one in self.rounds for clip in one.clips}
        return len(kept.keys() - asked - set(self.proposed))

    @property
    def known(self) -> bool:
        """Whether just these labels of this round were trained on before: `advance` then finds the weights again."""
        if self.waiting or not self.proposed:
            return False
        return store.built("active", self._spec([*self.rounds, self._round()]))

    @property
    def done(self) -> bool:
        """Whether the budget is spent, and trained on."""
        return len(self.rounds) == len(self.plan.budgets)

    @property
    def unseen(self) -> list[str]:
        """Classes that no clip trained on belongs to: the classifier cannot know them."""
        seen = set(self.labels.tolist())
        return [name for label, name in enumerate(self.pool.classes) if label not in seen]

    def answer(self, clip: int, label: int) -> None:
        """Take a label of a clip of this round; a second one takes the place of the first.

        Raises SkelkitError for a clip that is not asked for, and a label outside the classes.
        """
        if clip not in self.proposed:
            raise SkelkitError(f"clip {clip}: is not asked for in round {len(self.rounds) + 1}; answer those waiting")
        label = self.pool.label(clip, label)
        if self.answers is not None:
            journal.write(self.answers, self.pool, clip, label)
        self._answered[clip] = label

    def advance(self) -> None:
        """Train on with the labels of this round, and select the next clips. Raises SkelkitError while clips wait,
        and once the budget is spent."""
        if self.done:
            raise SkelkitError(f"active learning: the budget of {self.plan.budgets[-1]} labels is spent; raise it")
        if self.waiting:
            raise SkelkitError(
                f"round {len(self.rounds) + 1}: {len(self.waiting)} of {len(self.proposed)} clips wait for a label; "
                "answer them first"
            )
        if self.proposed:  # else the selection failed, after this round's training
            self.rounds.append(self._round())
            try:
                self._train(self.weights)
            except BaseException:
                self.rounds.pop()  # as before, to be tried again
                raise
        self._select()

    @property
    def learned(self) -> list[dict[str, Any]]:
        """What `learn` returned: at first without a label, then after each round."""
        keys = [*(one.weights for one in self.rounds), self.weights.name]
        return [store.record(self._folder(key))["learned"] for key in keys]

    def look_back(self, rounds: int) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k c"] | None]:
        """Features and class probabilities of the pool as they were after so many rounds; 0: before the first."""
        keys = [*(one.weights for one in self.rounds), self.weights.name]
        self._restore(self._folder(keys[rounds]))
        found = self.look()
        self._restore(self.weights)
        return found

    def table(self) -> pd.DataFrame:
        """Every label that was trained on: round from 1, order in it, clip, name, label, class, the store's keys."""
        lines = [
            (number, order, clip, self.pool.names[clip], label, self.pool.classes[label], one.weights, one.selection)
            for number, one in enumerate(self.rounds, 1)
            for order, (clip, label) in enumerate(zip(one.clips, one.labels, strict=True), 1)
        ]
        columns = ["round", "order", "clip", "name", "label", "class", "weights", "selection"]
        return pd.DataFrame(lines, columns=columns)

    def verify(self) -> None:
        """Select each round again, through the weights of its time. Raises SkelkitError for the first that differs."""
        known: list[int] = []
        for number, one in enumerate(self.rounds, 1):
            self._restore(self._folder(one.weights))
            again = self._proposal(known, len(one.clips), one.selection)
            if again != list(one.clips):
                raise SkelkitError(
                    f"round {number}: selection {one.selection} is not what {type(self.plan.strategy).__name__} "
                    "selects from the stored weights; remove it from the store, and run again"
                )
            known += one.clips
        self._restore(self.weights)

    def _round(self) -> Round:
        labels = tuple(self._answered[clip] for clip in self.proposed)
        return Round(self.proposed, labels, self.weights.name, self._selection)

    def _spec(self, rounds: list[Round]) -> dict[str, Any]:
        history = [list(zip(one.clips, one.labels, strict=True)) for one in rounds]
        return {**self.learner, "rounds": history}

    def _train(self, before: Path | None) -> None:
        spec = self._spec(self.rounds)

        def make(folder: Path) -> dict[str, Any]:
            if before is not None:
                self._restore(before)  # an earlier try may have been broken off
            found = self.trainable.learn(self.labels, _seed(store.key(spec)))
            state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.trainable.state_dict().items()}
            save_file(state, folder / "weights.safetensors")
            return {"learned": found}

        self.weights: Path = store.stage("active", spec, make, again=self.again)
        self._restore(self.weights)

    def _select(self) -> None:
        self.proposed: tuple[int, ...] = ()
        self._answered: dict[int, int] = {}
        if self.done:
            return
        known = [clip for one in self.rounds for clip in one.clips]
        n = self.plan.budgets[len(self.rounds)] - len(known)
        spec = {"weights": self.weights.name, "strategy": self.plan.strategy, "n": n, "seed": self.plan.seed}

        def make(folder: Path) -> dict[str, Any]:
            chosen = self._proposal(known, n, store.key(spec))
            return {"clips": chosen, "names": [self.pool.names[clip] for clip in chosen]}

        path = store.stage("selections", spec, make, again=self.again)
        self._selection, self.proposed = path.name, tuple(store.record(path)["clips"])
        if self.answers is not None:
            before = journal.read(self.answers, self.pool)
            self._answered = {clip: before[clip] for clip in self.proposed if clip in before}

    def _proposal(self, known: list[int], n: int, key: str) -> list[int]:
        features, probabilities = self.look()
        labelled = torch.tensor(known, dtype=torch.long, device=features.device)
        generator = Generator(features.device).manual_seed(_seed(key))
        said = probabilities if known else None  # what a classifier says before its first label is noise
        chosen: list[int] = propose(self.plan.strategy, features, said, labelled, n, generator).tolist()
        return chosen

    def _folder(self, key: str) -> Path:
        return store.store_folder() / "active" / key

    def _restore(self, weights: Path) -> None:
        self.trainable.load_state_dict(load_file(weights / "weights.safetensors"))


def run(session: Session, oracle: Oracle) -> Session:
    """Answer and advance until the budget is spent. Raises SkelkitError where the oracle's label is none."""
    while not session.done:
        for clip in session.waiting:
            session.answer(clip, oracle(clip))
        session.advance()
    return session


def _seed(key: str) -> int:
    """48 bits of a key of the store: the same whether or not a run was resumed."""
    return int(key[:12], 16)
