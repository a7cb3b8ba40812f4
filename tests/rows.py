"""A row to make others of, by `replace`."""

from __future__ import annotations

from skelkit.report.results import Row

ROW = Row(
    paper="ascal",
    table="Table V",
    row="Ours (CAE)",
    column="Fold 1",
    dataset="sbu",
    split="folds",
    labels="0%",
    metric="top-1",
    value=52.7,
    seed=0,
    fold=0,
    tier="paper",
    variant="paper",
    selection="last",
    n_train=227,
    n_test=55,
    key="a1",
    parents=("b2", "c3"),
    commit="0123abc",
    dirty=False,
    versions={"torch": "2.13.0"},
    device="cpu",
    seconds=15.5,
    started="2025-01-01T00:00:00+00:00",
)
