"""Clustering accuracy: are groups found without labels the classes? The Acc(U) of Zheng et al. 2018, Table 3."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skelkit.evaluate.metrics import Result, balanced_accuracy, confusion
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Cluster:
    """Group frozen features without labels, name each group after a class, and count the clips named rightly.

    ACC of Xie et al. 2016, which Zheng et al. 2018 take (Ablation Study): of all ways to give groups different classes,
    the best. There are as many groups as classes among the clips.

    Differs from the paper: it says neither how nor which features it clusters; its released code tries Ward, k-means
    and Birch.
    """

    by: Literal["k-means", "Ward"] = "k-means"
    """k-means from several starts, of which the tightest groups count; or Ward's tree, which draws nothing."""
    clips: Literal["test", "all"] = "test"
    """Which clips are grouped and counted: the test clips, those of the accuracies beside it, or the whole data set."""
    starts: int = 20
    """Starts of k-means, drawn by the seed of the weights (k-means++)."""


def cluster(
    protocol: Cluster,
    train: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
    seed: int,
) -> Result:
    """Group the features of (features, labels) and compare the groups with the labels.

    The score is "clustering accuracy", in percent. Raises SkelkitError where fewer than two clips are to be grouped.
    """
    whole = protocol.clips == "all"
    features = torch.cat([train[0], test[0]]) if whole else test[0]
    labels = torch.cat([train[1], test[1]]) if whole else test[1]
    if len(features) < 2:
        raise SkelkitError(f"clustering: {len(features)} clip cannot be grouped; choose a split with more test clips")
    groups = _groups(protocol, features.cpu().double().numpy(), int(labels.unique().numel()), seed)
    named = _named(groups, labels.cpu(), classes)
    rightly = 100 * float((named == labels.cpu()).float().mean())
    table = confusion(named, labels.cpu(), classes)
    scores = {"clustering accuracy": rightly, "clustering balanced accuracy": balanced_accuracy(table)}
    return Result(table, scores, predicted=named[-len(test[1]) :].tolist())


def _groups(protocol: Cluster, features: np.ndarray, k: int, seed: int) -> Int[Tensor, " n"]:
    """A group from 0 for each clip."""
    from sklearn.cluster import AgglomerativeClustering, KMeans
    from sklearn.exceptions import ConvergenceWarning

    if protocol.by == "Ward":
        found = AgglomerativeClustering(k).fit_predict(features)
    else:
        with warnings.catch_warnings():  # fewer different clips than groups: a collapsed encoder, whose score says so
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = KMeans(k, n_init=protocol.starts, random_state=seed).fit_predict(features)
    return torch.from_numpy(np.asarray(found, np.int64))


def _named(groups: Int[Tensor, " n"], labels: Int[Tensor, " n"], classes: int) -> Int[Tensor, " n"]:
    """Each clip's class when the groups are named after different classes so that the most clips are right."""
    from scipy.optimize import linear_sum_assignment

    size = max(classes, int(groups.max()) + 1)
    shared = np.asarray(confusion(groups, labels, size))  # (class, group): so many clips
    class_of = np.empty(size, np.int64)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    class_of[columns] = rows
    return torch.from_numpy(class_of)[groups]
