"""What is labelled: any clips, a network that learns from the labels, and how well it does so far.

The network is SESAR's (Li and Shlizerman 2020) at a size that a person can wait for: it reads every clip of the pool,
with a label or without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Integer
from torch import Generator

from skelkit import store
from skelkit.data.clips import Clips
from skelkit.data.preprocess import CentreActors, Units, ViewInvariant, preprocess
from skelkit.data.protocols import split
from skelkit.data.views import DataSpec, Resample, Resident
from skelkit.device import device
from skelkit.evaluate.active import ActiveLearning, Session
from skelkit.evaluate.features import extract
from skelkit.evaluate.journal import Pool
from skelkit.evaluate.learner import Learner
from skelkit.evaluate.strategies import STRATEGIES
from skelkit.evaluate.strategy import Strategy
from skelkit.files import SkelkitError
from skelkit.methods.sesar import SESAR, SESARConfig
from skelkit.models.decoder import WeakDecoder
from skelkit.models.gru import BiGRU
from skelkit.train import Adam, Steps, Training

DRAWN = 3
"""Where nothing is known of the people, one clip in so many is held out."""


@dataclass(frozen=True)
class Size:
    """How large the network is, and how many clips it sees."""

    width: int = 64
    """Units of each direction of the GRU; the paper has 1024."""
    layers: int = 1
    """The paper has 3."""
    frames: int = 32
    """Every clip is brought to so many frames."""
    pretraining: int = 10
    """Epochs before the first label."""
    clips: int | None = 400
    """At most so many clips of the pool, and so many held-out ones, drawn by the seed; None takes all."""
    lr: float = 2e-3
    """Adam's learning rate."""


SIZES = {
    "smoke": Size(width=8, frames=8, pretraining=1, clips=80),
    "small": Size(),
    "reduced": Size(width=256, frames=50, pretraining=30, clips=None, lr=1e-3),
    "paper": Size(width=1024, layers=3, frames=50, pretraining=100, clips=None, lr=1e-4),
}
"""What a tier means here. `small` was chosen for its speed, on the synthetic clips; nothing was tuned on real ones."""


@dataclass(frozen=True)
class Round:
    """What a round of labels brought."""

    labels: int
    """Labelled clips in all."""
    asked: int
    """Clips of this round."""
    agreed: int | None
    """Those whose label the classifier had guessed before it saw it; None in the first round, when it knew nothing."""
    accuracy: float | None
    """Top-1 on the held-out clips after it, in percent; None where no held-out clip has a label."""


class Task:
    """A session of active learning on some clips, round by round, with what each round brought.

    Made anew with the same arguments it is where it was: labels come from the journal, trainings from the store.
    """

    def __init__(
        self, clips: Clips, truth: Integer[np.ndarray, " k"], learner: Learner, held_out: np.ndarray, session: Session
    ):
        """clips: the pool's, in metres where that can be said. truth: their labels, -1 = unknown; only `answer_all` and
        `right` read them. held_out: numbers of the clips in the learner's data that tell the accuracy."""
        self.clips, self.truth, self.learner, self.session = clips, truth, learner, session
        self.held_out = torch.from_numpy(held_out).to(learner.data.device)
        self.rounds: list[Round] = []
        self._guesses: np.ndarray | None = None
        while session.known:  # was trained on before
            self.advance()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.session.pool.classes

    @property
    def chance(self) -> float:
        """What answering the largest class of the held-out clips scores, in percent; NaN without such clips."""
        labels = self.learner.data.labels[self.held_out]
        return 100 * float(labels.bincount().max()) / len(labels) if len(labels) else float("nan")

    @property
    def epochs(self) -> int:
        """Of a round's training."""
        return self.learner.training.schedule.epochs

    def watch(self, look: Callable[[int], None]) -> None:
        """Have a round's training call `look(epoch)`, from 1."""

        def callback(epoch: int, method: Any) -> dict[str, float]:
            look(epoch)
            return {}

        self.learner.callbacks = [callback]

    def advance(self) -> None:
        """Train on with this round's labels, note what they brought, and select the next. See `Session.advance`."""
        try:
            self.session.advance()
        finally:  # a selection may fail when its round is trained
            if len(self.session.rounds) > len(self.rounds):
                self._note()

    def answer_all(self) -> None:
        """Let the label column answer until the budget is spent. Raises SkelkitError for a clip without a label."""
        while not self.session.done:
            for clip in self.session.waiting:
                if self.truth[clip] < 0:
                    name = self.session.pool.names[clip]
                    raise SkelkitError(f"clip {clip} ({name}): the label column is empty; set oracle to 'person'")
                self.session.answer(clip, int(self.truth[clip]))
            self.advance()

    def counts(self) -> Integer[np.ndarray, " c"]:
        """Labels of each class so far, those of the round under way as well."""
        given = [label for one in self.session.rounds for label in one.labels] + [*self.session.answered.values()]
        return np.bincount(np.array(given, np.int64), minlength=len(self.classes))

    def right(self) -> tuple[int, int]:
        """How many given labels are the label column's, of how many that it knows: the person's own accuracy."""
        given = {c: label for one in self.session.rounds for c, label in zip(one.clips, one.labels, strict=True)}
        given |= self.session.answered
        known = [self.truth[clip] == label for clip, label in given.items() if self.truth[clip] >= 0]
        return int(sum(known)), len(known)

    def table(self) -> pd.DataFrame:
        """Every clip of the pool: its name, the label given ("" for none), the classifier's class and its probability.

        Labels of the round under way are there as well. Before the first round is trained the classifier's columns are
        empty.
        """
        given = dict(enumerate(self.session.labels.tolist())) | self.session.answered
        found = pd.DataFrame({"clip": self.session.pool.names})
        found["label"] = [self.classes[label] if label >= 0 else "" for label in given.values()]
        p = self._probabilities() if self.rounds else np.full((len(found), 1), np.nan)
        found["classifier"] = [self.classes[i] for i in p.argmax(1)] if self.rounds else ""
        found["probability"] = p.max(1)
        return found

    def _note(self) -> None:
        one = self.session.rounds[-1]
        agreed = None
        if self._guesses is not None:
            agreed = int((self._guesses[list(one.clips)] == np.array(one.labels)).sum())
        self._guesses = self._probabilities().argmax(1)
        accuracy, data = None, self.learner.plain
        if len(self.held_out):
            scores = extract(self.learner.method, data, self.held_out)
            accuracy = 100 * float((scores.argmax(1) == data.labels[self.held_out]).float().mean())
        labels = sum(len(each.clips) for each in self.session.rounds)
        self.rounds.append(Round(labels, len(one.clips), agreed, accuracy))

    def _probabilities(self) -> Float[np.ndarray, "k c"]:
        return self.learner.look()[1].cpu().numpy()


def open_task(
    clips: Clips,
    *,
    strategy: str = "KJS",
    labels_per_round: int = 10,
    rounds: int = 5,
    epochs: int = 10,
    seed: int = 0,
    tier: str = "small",
    oracle: str = "person",
    journal: Path | None = None,
) -> Task:
    """The task of labelling some clips: pretrained, with the first clips selected, or where it was left.

    strategy: a name in `STRATEGIES`. epochs: of each round's training. tier: a name in `SIZES`. oracle: who will
    answer, a "person" or the "labels" (`answer_all`). journal: the file that a person's labels are kept in, at once;
    the label column's are not kept. Of clips with labels some are held out, to tell the accuracy. Raises SkelkitError
    for what cannot be: one class, more labels than clips, another pool's journal.
    """
    if tier not in SIZES:
        raise SkelkitError(f"unknown tier {tier!r}; choose one of {', '.join(SIZES)}")
    if oracle not in ("person", "labels"):
        raise SkelkitError(f"unknown oracle {oracle!r}; choose person or labels")
    if min(labels_per_round, rounds, epochs) < 1:
        given = f"labels_per_round = {labels_per_round}, rounds = {rounds}, epochs = {epochs}"
        raise SkelkitError(f"labelling: {given}; give 1 or more of each")
    plan = ActiveLearning(
        _strategy(strategy, len(clips.classes)), tuple(labels_per_round * (i + 1) for i in range(rounds)), seed
    )
    size = SIZES[tier]
    pool, held_out = _sides(clips, size.clips, seed)
    seen = preprocess(clips.subset(np.concatenate([pool, held_out])), [Units()])
    members = np.arange(len(pool))
    data = Resident(_ready(seen), Resample(size.frames), device())
    spec = DataSpec(len(pool), len(clips.classes), clips.skeleton, data.persons)
    torch.manual_seed(seed)
    # Differs from the paper: torch's own initial weights; SESAR's U[-0.05, 0.05] needs more epochs than a person waits.
    config = SESARConfig(WeakDecoder(initial=None), initial=None)
    encoder = BiGRU(size.width, size.layers).build(spec)
    method = SESAR(config, encoder, spec, Generator(device()).manual_seed(seed)).to(device())
    training, pretraining = (Training(Adam(size.lr), Steps(n), clip=25) for n in (epochs, size.pretraining))
    learner = Learner(method, data, members, training, pretraining=pretraining)
    described = {
        "labelling": {"size": size, "epochs": epochs, "seed": seed, "clips": clips.fingerprint},
        "pool": pool.tolist(),
    }
    kept = journal if oracle == "person" else None
    prints = tuple(sha256(clips[i].tobytes()).hexdigest()[:12] for i in pool) if kept else ()
    named = Pool(tuple(str(name) for name in seen.table["name"][: len(pool)]), clips.classes, prints)
    session = Session(plan, learner, learner.look, named, store.key(described), kept)
    return Task(seen.subset(members), seen.labels[: len(pool)], learner, len(pool) + np.arange(len(held_out)), session)


def tell_classes(clips: Clips, classes: Sequence[str | int]) -> Clips:
    """The clips with the classes that a person will tell apart; () are the clips' own.

    A label stays where its class is named again, and becomes unknown elsewhere. Raises SkelkitError for fewer than two
    classes, an empty name and one that is there twice, and for a single text.
    """
    if isinstance(classes, str):
        raise SkelkitError(f"{clips.name}: classes: {classes!r} is one text; give a list of names")
    names = tuple(str(name) for name in classes) or clips.classes
    wrong = [name for i, name in enumerate(names) if not name.strip() or name in names[:i]]
    if len(names) < 2 or wrong:
        said = f"{wrong[0]!r} is empty or there twice" if wrong else f"{len(names)} of them, {list(names)}"
        raise SkelkitError(f"{clips.name}: classes: {said}; give at least two names, each once")
    number = {name: i for i, name in enumerate(names)}
    labels = np.array([*(number.get(name, -1) for name in clips.classes), -1])[clips.labels]
    return replace(clips, classes=names, table=clips.table.assign(label=labels))


def _strategy(name: str, classes: int) -> Strategy:
    if name not in STRATEGIES:
        raise SkelkitError(f"unknown strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    kind: Any = STRATEGIES[name]
    return kind(clusters=2 * classes) if name in ("KT", "KJS") else kind()  # the paper's at most 2C


def _sides(clips: Clips, most: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips that may be asked for, and clips whose labels only tell the accuracy: other people's, where people are
    known, else a third of the performances, drawn. Their clips without a label are on neither side; where all are
    without one, every clip may be asked for."""
    rng = np.random.default_rng(seed)
    everyone = np.arange(len(clips))
    try:
        people = split(clips, "xsub")
        pool, test = people.train, people.test
    except SkelkitError:  # no column of subjects, or one subject
        action = clips.column("action")
        action = np.where(action < 0, action.max() + 1 + everyone, action)  # what several cameras filmed stays together
        names = rng.permutation(np.unique(action))
        out = np.isin(action, names[: len(names) // DRAWN])
        pool, test = everyone[~out], everyone[out]
    judges = test[clips.labels[test] >= 0]
    return _some(pool if len(judges) else everyone, most, rng), _some(judges, most, rng)


def _some(index: np.ndarray, most: int | None, rng: np.random.Generator) -> np.ndarray:
    return index if most is None or len(index) <= most else np.sort(rng.permutation(index)[:most])


def _ready(clips: Clips) -> Clips:
    """As the network sees them: turned to face one way where the skeleton has shoulders and hips, else centred; and
    all divided by one number, so that units, metres or pixels, do not matter."""
    try:
        clips = preprocess(clips, [ViewInvariant()])
    except SkelkitError:
        clips = preprocess(clips, [CentreActors()])
    frames = np.asarray(clips.frames, np.float32)
    spread = float(np.abs(frames[frames != 0]).mean()) if frames.any() else 1.0
    return clips.with_frames(frames / np.float32(spread))
