"""What runs of active learning asked for, read back from the store: which clips, how they lie, what their map shows.

Everything here is a run's own: the clips it asked for and the weights of each round are in the store, and what the
store lacks of a run is asked for and trained first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import get_args, get_type_hints

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from skelkit.artefacts import prepare, session_of
from skelkit.evaluate.knn import beside_own
from skelkit.evaluate.strategies import KJS, entropy, nearest_divergence
from skelkit.files import SkelkitError
from skelkit.recipes.experiment import Weights
from skelkit.report import figures

ASKED = ["strategy", "round", "labels", "classes", "evenness", "distance", "divergence"]
"""The columns of `asked_for`."""
SHARED = ["round", "draw", "shared"]
"""Those of `agreement`."""
MAPPED = ["after", "action", "x", "y", "labelled in", "map", "features"]
"""Those of `iterations`."""


def asked_for(runs: Mapping[str, Weights], at_once: Collection[str] = ()) -> pd.DataFrame:
    """What runs asked for, one line a run and round, in the columns `ASKED`.

    labels: of all rounds so far. classes, evenness: `spread` of these. distance, divergence: how far the newly asked
    clips lie from those that had a label before, by features and by class probabilities (S, Eq. 5), as a multiple of
    the same for all clips without a label: below 1 a strategy asks for more of what it has. NaN in the first round.
    at_once: runs that get a second line for their first round, as if all of their labels had been asked for in it; by
    features alone, so of strategies that need no probabilities.
    """
    lines: list[tuple[object, ...]] = []
    for name, weights in runs.items():
        labels, classes = _labels(weights)
        for number, (before, new, features, p) in enumerate(_looks(weights), 1):
            known = [*before, *new]
            away = (_farther(features, before, new), _unlike(p, before, new)) if before else (np.nan, np.nan)
            lines.append((name, number, len(known), *spread(labels[known], classes), *away))
            if name in at_once and not before:
                clips = _at_once(weights, features)
                lines.append((f"{name}, at once", 1, len(clips), *spread(labels[clips], classes), np.nan, np.nan))
    return pd.DataFrame(lines, columns=ASKED)


def spread(labels: Int[Tensor, " l"], classes: int) -> tuple[int, float]:
    """Of how many classes there is a label, and how even the labels are: their entropy over classes, 1 for as many of
    each."""
    counts = labels.bincount(minlength=classes)
    return int((counts > 0).sum()), entropy(counts / counts.sum()).item() / float(np.log(classes))


def by_class(runs: Mapping[str, Weights]) -> pd.DataFrame:
    """How many labels runs asked for of each class, one line a run; a class that none of them met is left out."""
    counts = {name: session_of(weights).table()["class"].value_counts() for name, weights in runs.items()}
    return pd.DataFrame(counts).fillna(0).astype(int).sort_index().T


def agreement(weights: Weights, draws: int = 3) -> pd.DataFrame:
    """The share of the clips that KJS asks for with either uncertainty, in percent; one line a round and draw.

    Through the same weights, for the same labels before, with the same draw of the k-means. The first round has no
    probabilities, and is left out. Raises SkelkitError for weights whose strategy is another one.
    """
    strategy = weights.active and weights.active.strategy
    if not isinstance(strategy, KJS):
        raise SkelkitError(f"agreement: the labels were asked for by {strategy}; give weights of a KJS")
    kinds = get_args(get_type_hints(KJS)["uncertainty"])
    lines = []
    for number, (before, new, features, p) in enumerate(_looks(weights), 1):
        for draw in range(draws) if before else ():
            known = torch.tensor(before, device=features.device)
            either = []
            for kind in kinds:
                rng = Generator(features.device).manual_seed(draw)
                either.append(KJS(strategy.clusters, kind).select(features, p, known, len(new), rng).tolist())
            lines.append((number, draw, 100 * len(set.intersection(*map(set, either))) / len(new)))
    return pd.DataFrame(lines, columns=SHARED)


def iterations(weights: Weights) -> pd.DataFrame:
    """The t-SNE of a run's training clips before any label and after each round, one line a clip and map (`MAPPED`).

    after: rounds before the map. labelled in: the round in which the clip got its label, 0 for never. map, features:
    whether its nearest other clip has its action, on the map and by the distance of H.
    """
    session, (labels, _) = session_of(weights), _labels(weights)
    action = np.array(session.pool.classes)[labels]
    asked = session.table()
    labelled_in = np.zeros(len(action), int)
    labelled_in[asked["clip"]] = asked["round"]
    maps = []
    for number in range(len(session.rounds) + 1):
        features = session.look_back(number)[0].cpu().numpy()
        points = figures.embed(features, weights.seed)
        beside = {"map": beside_own(points, action), "features": beside_own(features, action)}
        places = {"x": points[:, 0], "y": points[:, 1]}
        maps.append(pd.DataFrame({"after": number, "action": action, **places, "labelled in": labelled_in, **beside}))
    return pd.concat(maps)


def findings(asked: pd.DataFrame, kt: str = "SESAR-KT", kjs: str = "SESAR-KJS") -> list[str]:
    """What `asked_for` says, in sentences: who meets most classes, who most evenly, and whether KT asks for more of the
    same where KJS asks farther off, as the paper expects. kt, kjs: their names in the table."""
    end = asked.sort_values("labels").groupby("strategy", sort=False).last()
    sentences = [_extremes(end[name], name) for name in ("classes", "evenness") if len(end)]
    ratios = asked.groupby("strategy", sort=False)[["distance", "divergence"]].mean().dropna()
    for name in ("distance", "divergence") if {kt, kjs} <= set(ratios.index) else ():
        ours, other = ratios[name][[kt, kjs]]
        sentences.append(
            f"**More of the same?** By {name} the new clips of {kt} are {ours:.2f} times as far from the labelled ones "
            f"as any clip, {'more' if ours < 1 else 'no more'} of what it has; those of {kjs} {other:.2f} times, "
            f"{'farther' if other > ours else 'no farther'}. The paper expects more, and farther."
        )
    return sentences


def _extremes(values: pd.Series, name: str) -> str:
    words = {"classes": "Classes met", "evenness": "Evenness over classes"}[name]
    parts = [
        f"{of} {value:.3g} ({', '.join(values.index[values == value])})"
        for of, value in (("most", values.max()), ("least", values.min()))
    ]
    return f"**{words}**, with all labels: {'; '.join(parts)}."


def _looks(weights: Weights) -> Iterator[tuple[list[int], Sequence[int], Tensor, Tensor]]:
    """Of each round the clips before it, its clips, and the features and probabilities that they were asked through."""
    session, before = session_of(weights), list[int]()
    for number, one in enumerate(session.rounds):
        features, p = session.look_back(number)
        if p is None:
            raise SkelkitError("selections: these weights have no classifier; give those of a SESAR row")
        yield list(before), one.clips, features, p
        before += one.clips


def _labels(weights: Weights) -> tuple[Int[Tensor, " k"], int]:
    """The label column of a run's pool, and how many classes there are."""
    prepared = prepare(weights.data)
    labels = prepared.clips.labels[prepared.split.train]
    return torch.from_numpy(labels), len(prepared.clips.classes)


def _farther(features: Float[Tensor, "k d"], before: Sequence[int], new: Sequence[int]) -> float:
    return _multiple(torch.cdist(features, features[before]).amin(1), before, new)


def _unlike(p: Float[Tensor, "k c"], before: Sequence[int], new: Sequence[int]) -> float:
    return _multiple(nearest_divergence(p, p[before]), before, new)


def _multiple(away: Float[Tensor, " k"], before: Sequence[int], new: Sequence[int]) -> float:
    """The mean of the new clips as a multiple of that of all clips without a label before."""
    free = torch.ones(len(away), dtype=torch.bool, device=away.device)
    free[list(before)] = False
    return (away[list(new)].mean() / away[free].mean()).item()


def _at_once(weights: Weights, features: Float[Tensor, "k d"]) -> list[int]:
    """The clips that a run's strategy asks for through these features, for all of its labels and none before."""
    assert weights.active is not None  # `session_of` has refused such weights
    none = torch.zeros(0, dtype=torch.long, device=features.device)
    rng = Generator(features.device).manual_seed(weights.seed)
    return list(weights.active.strategy.select(features, None, none, weights.active.budgets[-1], rng).tolist())
