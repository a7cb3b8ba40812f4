"""Whether the recipes make the cells that the papers' claims compare."""

from __future__ import annotations

from collections.abc import Iterable

from skelkit.evaluate.cluster import Cluster
from skelkit.evaluate.compression import CompressedKNN
from skelkit.evaluate.inpainting import Inpainting
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.logistic import Logistic
from skelkit.files import SkelkitError
from skelkit.recipes.experiment import Experiment
from skelkit.report.claims import Claim, claims
from skelkit.report.results import AVERAGE

METRICS = {
    KNN: "kNN top-1",
    CompressedKNN: "kNN top-1",
    Logistic: "logistic top-1",
    Cluster: "clustering accuracy",
    Inpainting: "MSE",
}
"""The metric that a claim names for each protocol; of every other it is "top-1"."""

CellKey = tuple[str, ...]


def check_claims(paper: str, experiments: Iterable[Experiment]) -> None:
    """Raise SkelkitError, in one line, where a claim of a paper names a cell that none of its experiments makes."""
    made = cells(experiments)
    for number, claim in enumerate(claims(paper), 2):
        for row, column in ((claim.row, claim.column), (claim.rival, claim.rival_column)):
            if _key(claim, row, column) not in made:
                raise SkelkitError(
                    f"results/claims/{paper}.csv, line {number}: no recipe makes {row!r}, {column!r} of {claim.table} "
                    f"on {claim.dataset} ({claim.split}) by {claim.metric} at tier {claim.tier}; name a cell of "
                    f"recipes/{paper}.py"
                )


def cells(experiments: Iterable[Experiment]) -> set[CellKey]:
    """The cells that experiments of the variant `paper` fill, as a claim names them; folds have their average as
    well."""
    found: set[CellKey] = set()
    for e in experiments:
        data, cell = e.evaluation.weights.data, e.cell
        place = (data.name, e.evaluation.split or data.split, METRICS.get(type(e.evaluation.protocol), "top-1"), e.tier)
        if e.variant == "paper":
            found.add((cell.table, cell.row, cell.column, *place))
            if cell.column.startswith("Fold "):
                found.add((cell.table, cell.row, AVERAGE, *place))
    return found


def _key(claim: Claim, row: str, column: str) -> CellKey:
    return (claim.table, row, column, claim.dataset, claim.split, claim.metric, claim.tier)
