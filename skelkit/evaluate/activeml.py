"""Strategies of scikit-activeml, as the comparison from outside: margin, BADGE and TypiClust."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from skelkit.evaluate.strategy import certain, seed_of, uniform, unlabelled
from skelkit.files import SkelkitError

MOST_NUMBERS = 2.5e8
"""BADGE holds a vector of classes x dimensions for every clip, 8 bytes a number: at most 2 GB of them."""


@dataclass(frozen=True)
class Margin:
    """The clips whose two likeliest classes are closest; as long as no clip has a label, a uniform draw."""

    def select(
        self,
        features: Float[Tensor, "k d"],
        probabilities: Float[Tensor, "k c"] | None,
        labelled: Int[Tensor, " l"],
        n: int,
        generator: Generator,
    ) -> Int[Tensor, " n"]:
        """See `Strategy.select`. Raises SkelkitError where clips have labels and there are no probabilities."""
        free = unlabelled(features, labelled, n)
        if not len(labelled):
            return uniform(free, n, generator)
        p = certain("margin", probabilities)
        asked = _pool().UncertaintySampling("margin_sampling", random_state=seed_of(generator))
        return _query(asked, features, labelled, n, X=_rows(features), clf=_network(features, p), fit_clf=False)


@dataclass(frozen=True)
class BADGE:
    """k-means++ over gradients of the last layer (Ash et al. 2020); as long as no clip has a label, a uniform draw.

    Differs from the paper: scikit-activeml counts a gradient of zero as a centre as well.
    """

    def select(
        self,
        features: Float[Tensor, "k d"],
        probabilities: Float[Tensor, "k c"] | None,
        labelled: Int[Tensor, " l"],
        n: int,
        generator: Generator,
    ) -> Int[Tensor, " n"]:
        """See `Strategy.select`. Raises SkelkitError where clips have labels and there are no probabilities, and where
        the gradients would take more than 2 GB."""
        free = unlabelled(features, labelled, n)
        if not len(labelled):
            return uniform(free, n, generator)
        p = certain("BADGE", probabilities)
        if features.numel() * p.shape[1] > MOST_NUMBERS:
            raise SkelkitError(
                f"BADGE: gradients of {len(features)} clips, {p.shape[1]} classes and {features.shape[1]} dimensions "
                f"take {8e-9 * features.numel() * p.shape[1]:.0f} GB; select among fewer clips, or use KJS"
            )
        asked = _pool().Badge("embeddings", random_state=seed_of(generator))
        return _query(asked, features, labelled, n, X=_rows(features), clf=_network(features, p), fit_clf=False)


@dataclass(frozen=True)
class TypiClust:
    """The most typical clip of each large k-means cluster without a label (Hacohen et al. 2022).

    There are as many clusters as there will be labels. Where clips are so alike that fewer are filled, scikit-activeml
    draws at random, and may name a clip twice or fail: what is missing is a uniform draw.
    """

    def select(
        self,
        features: Float[Tensor, "k d"],
        probabilities: Float[Tensor, "k c"] | None,
        labelled: Int[Tensor, " l"],
        n: int,
        generator: Generator,
    ) -> Int[Tensor, " n"]:
        """See `Strategy.select`."""
        free = unlabelled(features, labelled, n)
        asked = _pool().TypiClust(random_state=seed_of(generator))
        try:
            found = _query(asked, features, labelled, n, X=features.detach().cpu().numpy())
        except UnboundLocalError:  # its own slip, where not even one cluster is without a label
            found = free[:0]
        found = torch.tensor(list(dict.fromkeys(found.tolist())), dtype=torch.long, device=free.device)
        rest = free[~torch.isin(free, found)]
        return torch.cat([found, uniform(rest, n - len(found), generator)])


STRATEGIES = (Margin, BADGE, TypiClust)


def installed() -> bool:
    """Whether scikit-activeml is here, which is optional."""
    return find_spec("skactiveml") is not None


def _pool() -> ModuleType:
    """scikit-activeml's strategies. Raises SkelkitError where it is not installed."""
    try:
        import skactiveml.pool
    except ImportError as error:
        raise SkelkitError("this strategy is scikit-activeml's; pip install 'skelkit[active]'") from error
    pool: ModuleType = skactiveml.pool
    return pool


def _query(
    asked: Any, features: Float[Tensor, "k d"], labelled: Int[Tensor, " l"], n: int, **what: Any
) -> Int[Tensor, " n"]:
    """The clips that a strategy of scikit-activeml queries; it is told which have a label, not which one."""
    from sklearn.exceptions import ConvergenceWarning

    known = np.full(len(features), np.nan)
    known[labelled.cpu().numpy()] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # empty clusters
        return torch.as_tensor(np.asarray(asked.query(y=known, batch_size=n, **what)), device=features.device)


def _rows(features: Float[Tensor, "k d"]) -> np.ndarray:
    """(k, 1): each clip is its own number, by which `_network` knows it."""
    return np.arange(len(features))[:, None]


def _network(features: Float[Tensor, "k d"], probabilities: Float[Tensor, "k c"]) -> Any:
    """The trained network as a classifier of scikit-activeml, which looks up what it said of a clip."""
    from skactiveml.base import SkactivemlClassifier

    x, p = (tensor.detach().cpu().double().numpy() for tensor in (features, probabilities))

    class Network(SkactivemlClassifier):
        def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Network:
            return self

        def predict_proba(self, X: np.ndarray, embeddings: bool = False) -> Any:
            rows = X[:, 0].astype(int)
            return (p[rows], x[rows]) if embeddings else p[rows]

    return Network()
