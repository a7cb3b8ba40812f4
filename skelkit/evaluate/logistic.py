"""Logistic regression on frozen features, its strength of regularisation chosen on the training clips alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skelkit.evaluate.features import standardised
from skelkit.evaluate.metrics import Result, result
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Logistic:
    """scikit-learn's multinomial logistic regression on standardised features.

    It has no learning rate, no number of epochs and no batch size, so that the scale of the features and the number of
    clips decide nothing. `standardised` makes dimensions that are constant up to rounding 0; within the folds the
    others are standardised once more, by the clips that train there.
    """

    strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    """The values of scikit-learn's C that are compared; a smaller one regularises more."""
    folds: int = 5
    """Stratified folds of the training clips. The C with the best mean accuracy over them is taken."""


def logistic(
    protocol: Logistic,
    train: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "k d"], Int[Tensor, " k"]],
    classes: int,
    seed: int,
) -> Result:
    """Fit on (features, labels) of the training clips and classify the test clips; the metric is "logistic top-1".

    seed: draws the folds. Raises SkelkitError for a single class, fewer clips than folds, and features that are not
    finite.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    y = train[1].cpu().numpy()
    _check(protocol, y)
    x, asked = (side.cpu().double().numpy() for side in standardised(train[0], test[0]))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    folds = StratifiedKFold(protocol.folds, shuffle=True, random_state=seed)
    search = GridSearchCV(model, {"logisticregression__C": protocol.strengths}, cv=folds, error_score="raise")
    # Problems this small run faster on one thread than on several, which wait for each other.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a weakly regularised fit that separates the clips
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        search.fit(x, y)
    scores = np.zeros((len(test[0]), classes), np.float32)
    scores[:, search.classes_] = search.predict_proba(asked)
    return result(torch.from_numpy(scores).to(test[1].device), test[1], [], "logistic")


def _check(protocol: Logistic, y: np.ndarray) -> None:
    if len(np.unique(y)) < 2:
        raise SkelkitError("logistic regression: the training clips are of one class; choose a split with two or more")
    sizes = np.bincount(y)
    if (sizes > 1).sum() < 2:
        raise SkelkitError("logistic regression: only one class has two training clips or more; give more clips")
    most = int(sizes.max())
    if most < protocol.folds:
        raise SkelkitError(
            f"logistic regression: {protocol.folds} folds of {len(y)} training clips, of which no class has more than "
            f"{most}; give more clips, or fewer folds"
        )
