"""The selection strategies of SESAR (Li and Shlizerman 2020, Sec. 3): U, CS, DIS, KT and KJS; and the table of all.

Features and probabilities lie on any device; k-means runs on the CPU. No strategy holds a distance matrix of all pairs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from skelkit.evaluate.activeml import BADGE, Margin, TypiClust
from skelkit.evaluate.strategy import Strategy, certain, seed_of, uniform, unlabelled

BLOCK = 1024
"""So many clips at a time: a block of them, 2048 numbers each, stays in a processor's cache."""
MOST_NUMBERS = 10**7
"""So many numbers are held at once where clips are compared in pairs."""
WHOLE = 10_000
"""Of more clips than this, k-means learns in mini-batches."""


@dataclass(frozen=True)
class Uniform:
    """SESAR-U: clips without a label, each as likely as any other."""

    def select(
        self,
        features: Float[Tensor, "k d"],
        probabilities: Float[Tensor, "k c"] | None,
        labelled: Int[Tensor, " l"],
        n: int,
        generator: Generator,
    ) -> Int[Tensor, " n"]:
        """See `Strategy.select`."""
        return uniform(unlabelled(features, labelled, n), n, generator)


@dataclass(frozen=True)
class CoreSet:
    """SESAR-CS: k-centre greedy (Sener and Savarese 2018), each time the clip farthest from every labelled one.

    Where no clip has a label, the first one is drawn. Of equally far clips the first is taken.
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
        away = features.new_full((len(features),), math.inf)
        if len(labelled):
            blocks = features.split(max(1, min(BLOCK, MOST_NUMBERS // len(labelled))))
            away = torch.cat([torch.cdist(block, features[labelled]).amin(1) for block in blocks])
        away[labelled] = -math.inf
        chosen: list[Tensor] = []
        while len(chosen) < n:
            first = not len(labelled) and not chosen
            drawn = free[torch.randint(len(free), (), generator=generator, device=free.device)] if first else None
            chosen.append(away.argmax() if drawn is None else drawn)
            nearer = [torch.linalg.vector_norm(part - features[chosen[-1]], dim=1) for part in features.split(BLOCK)]
            away = away.minimum(torch.cat(nearer))
            away[chosen[-1]] = -math.inf
        return torch.stack(chosen)


@dataclass(frozen=True)
class Discriminator:
    """SESAR-DIS: a discriminator tells labelled from unlabelled clips; the surest unlabelled ones are selected.

    The paper gives no more than that; the network (one hidden layer) and its training are ours. As many labelled as
    unlabelled clips make a batch. Where no clip has a label there is nothing to tell apart: the draw is uniform.
    """

    hidden: int = 256
    """Units of the hidden layer."""
    steps: int = 500
    """Steps of training, from the start in every selection."""
    batch: int = 64
    """So many labelled and so many unlabelled clips a step, with replacement."""
    lr: float = 1e-3
    """Adam's learning rate."""

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
        if not len(labelled):
            return uniform(free, n, generator)
        inner, outer = (features.new_zeros(self.hidden, many) for many in (features.shape[1] + 1, 2))
        for layer in (inner, outer):
            layer.uniform_(-1, 1, generator=generator).div_(layer.shape[1] ** 0.5).requires_grad_()
        std, mean = torch.std_mean(features, 0)

        def score(part: Tensor) -> Tensor:
            """The logit of having no label; the last column of `inner` and `outer` is the bias."""
            x = (part - mean) / (std + 1e-6)
            return F.relu(F.linear(x, inner[:, :-1], inner[:, -1])) @ outer[:, 0] + outer[0, 1]

        optimiser = torch.optim.Adam([inner, outer], self.lr)
        for _ in range(self.steps):
            drawn = [
                side[torch.randint(len(side), (self.batch,), generator=generator, device=side.device)]
                for side in (labelled, free)
            ]
            with torch.enable_grad():
                known, other = score(features[drawn[0]]), score(features[drawn[1]])
                loss = F.softplus(known).mean() + F.softplus(-other).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            scores = torch.cat([score(features[part]) for part in free.split(BLOCK)])
        return free[scores.argsort(descending=True, stable=True)[:n]]


@dataclass(frozen=True)
class KMeansTop:
    """SESAR-KT: of each k-means cluster the clips nearest its centre, as many as its share of all clips."""

    clusters: int
    """At most so many; the paper: 2C. The released code takes 400 at 1 % of NTU RGB+D 60, which are more."""

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
        cluster, distance = clustered(features, self.clusters, generator)
        return _shared_out(cluster, free, n, lambda own, members, share: _by(distance[members], members))


@dataclass(frozen=True)
class KJS:
    """SESAR-KJS: of each k-means cluster clips unlike its labelled ones, and of these the least certain (Algorithm 1).

    A cluster without a labelled clip gives those nearest its centre, as in KT.
    """

    clusters: int
    """At most so many, M of Algorithm 1; the paper: 2C."""
    uncertainty: Literal["variance ratio", "entropy"] = "variance ratio"
    """"variance ratio": 1 - p of the likeliest class. "entropy": -sum p log p."""

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
            return KMeansTop(self.clusters).select(features, None, labelled, n, generator)
        p = certain("KJS", probabilities)
        cluster, distance = clustered(features, self.clusters, generator)

        def order(own: int, members: Tensor, share: int) -> Tensor:
            known = labelled[cluster[labelled] == own]
            if not len(known):  # lines 5 and 6
                return _by(distance[members], members)
            unlike = _by(-nearest_divergence(p[members], p[known]), members)[: 2 * share]  # lines 8 to 11
            return _by(-UNCERTAINTY[self.uncertainty](p[unlike]), unlike)  # lines 12 and 13

        return _shared_out(cluster, free, n, order)


def variance_ratio(p: Float[Tensor, "k c"]) -> Float[Tensor, " k"]:
    """1 - p of the likeliest class (Sec. 3: VR)."""
    return 1 - p.amax(1)


def entropy(p: Float[Tensor, "*k c"]) -> Float[Tensor, " *k"]:
    """-sum p log p, where 0 log 0 is 0 (Sec. 3: EP)."""
    return torch.special.entr(p).sum(-1)


UNCERTAINTY = {"variance ratio": variance_ratio, "entropy": entropy}


def divergence(p: Float[Tensor, "a c"], q: Float[Tensor, "b c"]) -> Float[Tensor, "a b"]:
    """The Jensen-Shannon divergence S of every pair of class distributions (Eq. 5-7), from 0 to log 2.

    D(p || m) / 2 + D(q || m) / 2 with m = (p + q) / 2 is the entropy of m less the mean entropy of p and q.
    """
    p, q = p.double(), q.double()  # near 0 it is a small difference of large numbers
    mean = (p[:, None] + q) / 2  # (a b c)
    return entropy(mean) - (entropy(p)[:, None] + entropy(q)) / 2


def nearest_divergence(p: Float[Tensor, "a c"], q: Float[Tensor, "b c"]) -> Float[Tensor, " a"]:
    """min_j S(x_i, x_j) over the labelled clips j (Algorithm 1, line 8), in blocks."""
    blocks = p.split(max(1, MOST_NUMBERS // q.numel()))
    return torch.cat([divergence(block, q).amin(1) for block in blocks])


def clustered(
    features: Float[Tensor, "k d"], clusters: int, generator: Generator
) -> tuple[Int[Tensor, " k"], Float[Tensor, " k"]]:
    """Each clip's k-means cluster, and its distance to that cluster's centre.

    scikit-learn's, started by k-means++. Where fewer clips differ than there are clusters, some clusters stay empty.
    The paper does not scale the features, nor do we. Differs from the paper: of more than `WHOLE` clips k-means learns
    in mini-batches.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    settings = {"n_clusters": min(clusters, len(features)), "random_state": seed_of(generator), "n_init": 1}
    means = KMeans(**settings) if len(features) <= WHOLE else MiniBatchKMeans(**settings, batch_size=4 * BLOCK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # empty clusters: they get no share
        cluster = torch.from_numpy(means.fit_predict(features.detach().cpu().numpy())).to(features.device).long()
    centres = torch.from_numpy(means.cluster_centers_).to(features)
    blocks = zip(features.split(BLOCK), cluster.split(BLOCK), strict=True)
    distance = [torch.linalg.vector_norm(block - centres[own], dim=1) for block, own in blocks]
    return cluster, torch.cat(distance)


def shares(sizes: list[int], free: list[int], n: int) -> list[int]:
    """How many of n labels each cluster gives: n_c = p N_c with p = n / k, in whole clips, and n in all.

    sizes: N_c, labelled clips included. free: clips without a label, which a share cannot exceed.
    Differs from the paper: p N_c is rounded so that the budget is met (largest remainders first), where the released
    code rounds each by itself; and what a cluster cannot give goes to the others.
    """
    wanted = [n * size / sum(sizes) for size in sizes]
    given = [min(math.floor(want), most) for want, most in zip(wanted, free, strict=True)]
    while sum(given) < n:
        open_to = [c for c, most in enumerate(free) if given[c] < most]
        given[max(open_to, key=lambda c: wanted[c] - given[c])] += 1
    return given


def _shared_out(
    cluster: Int[Tensor, " k"], free: Int[Tensor, " u"], n: int, order: Callable[[int, Tensor, int], Tensor]
) -> Int[Tensor, " n"]:
    """The first clips of each cluster as `order(cluster, its unlabelled clips, its share)` puts them."""
    most = int(cluster.max()) + 1
    sizes, left = (torch.bincount(part, minlength=most).tolist() for part in (cluster, cluster[free]))
    given = enumerate(shares(sizes, left, n))
    return torch.cat([order(own, free[cluster[free] == own], share)[:share] for own, share in given if share])


def _by(values: Float[Tensor, " m"], members: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
    """Members by rising value."""
    return members[values.argsort(stable=True)]


STRATEGIES: dict[str, type[Strategy]] = {
    "U": Uniform,
    "CS": CoreSet,
    "DIS": Discriminator,
    "KT": KMeansTop,
    "KJS": KJS,
    "margin": Margin,
    "BADGE": BADGE,
    "TypiClust": TypiClust,
}
"""Every strategy by the name that tables use; those after KJS are scikit-activeml's."""
