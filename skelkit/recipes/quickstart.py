"""The quickstart: AS-CAL on the embedded synthetic clips, beside a random encoder and a supervised LSTM."""

from __future__ import annotations

from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import Linear
from skelkit.recipes.ascal import baseline, pretraining, untrained
from skelkit.recipes.experiment import Cell, Evaluation, Experiment, OwnClassifier, Tier
from skelkit.recipes.tiers import at_tier


def quickstart(tier: Tier = "small", seed: int = 0) -> list[Experiment]:
    """Three encoders, cross-subject: random, pretrained without labels, trained on labels."""
    ours = pretraining("synthetic", "xsub", seed=seed)
    rows = {"random encoder": untrained(ours), "AS-CAL, no labels": ours}
    found = [
        Experiment(Cell("quickstart", "Quickstart", row, column), Evaluation(weights, protocol))
        for row, weights in rows.items()
        for column, protocol in (("linear evaluation", Linear()), ("kNN", KNN()))
    ]
    supervised = Evaluation(baseline(ours, "lstm"), OwnClassifier())
    found.append(Experiment(Cell("quickstart", "Quickstart", "supervised LSTM", "own classifier", "100%"), supervised))
    return [at_tier(experiment, tier) for experiment in found]
