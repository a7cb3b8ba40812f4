"""Helpers that the notebooks begin with or repeat; nothing that a reader would want to see in the open."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

import skelkit
from skelkit import run, store
from skelkit.data.library import check_name, is_known, load, present
from skelkit.device import device, device_name
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.files import SkelkitError, store_folder
from skelkit.pending import ready
from skelkit.recipes.experiment import Evaluation, Experiment, Labels, Tier, Weights
from skelkit.recipes.places import FLOOR, no_network
from skelkit.report import claims as report_claims
from skelkit.report import figures, published, tables
from skelkit.report.differences import Difference as Difference
from skelkit.report.differences import by_seed as by_seed
from skelkit.report.differences import by_verdict
from skelkit.report.differences import difference as difference
from skelkit.report.results import EVERY, NO_NETWORK, RANDOM, Row

if TYPE_CHECKING:
    from IPython.display import Markdown
    from matplotlib.figure import Figure


def start(dataset: str, tier: str, missing: str = "run") -> None:
    """Check a notebook's parameters, and print versions, device and data.

    Raises SkelkitError for an unknown tier, for a data set that is neither here nor known to a recipe, and on the
    kernel `skelkit-gpu` where there is no CUDA device.
    """
    if tier not in get_args(Tier):
        raise SkelkitError(f"unknown tier {tier!r}; choose one of {', '.join(get_args(Tier))}")
    if missing not in ("run", "show"):
        raise SkelkitError(f"missing={missing!r}: give 'run' to train what has no row yet, 'show' to leave it out")
    check_name(dataset)
    print(f"skelkit {skelkit.__version__}, Python {platform.python_version()}, torch {torch.__version__}")
    print(f"device: {device()} ({device_name()}); store: {store_folder()}")
    there = f"{len(load(dataset))} clips" if present(dataset) else "not present: committed rows are shown"
    replaced = tier == "smoke" and is_known(dataset)  # as recipes/tiers.py does it
    stand_in = ", where synthetic clips stand in for it" if replaced else ""
    print(f"data: {dataset}, {there}; tier: {tier}{stand_in}")


def rows(experiments: Iterable[Experiment], *, missing: str = "run", recompute: bool = False) -> list[Row]:
    """The rows of experiments, with a progress bar: found again where they stand, else measured.

    missing: "show" measures nothing that has no row. An experiment whose data is not here is left out; the line
    printed at the end counts all three.
    """
    found: list[Row] = []
    standing, measured, without = 0, 0, 0
    for experiment in (bar := tqdm(list(experiments), unit="experiment", leave=False)):
        bar.set_description(f"{experiment.cell.row}, {experiment.cell.column}")
        known = [] if recompute else run.rows_of(experiment)
        if known:
            standing += 1
            found += known
        elif missing == "run" and ready(experiment.evaluation):
            measured += 1
            found += run.evaluate(experiment, recompute=recompute)
        else:
            without += 1
    print(f"{standing} experiments found again, {measured} measured, {without} not run")
    return found


def linear(experiments: Iterable[Experiment]) -> list[Experiment]:
    """The linear evaluations of encoders alone, one for each training: without other read-outs and `no network`."""
    kinds = Linear | AugmentedLinear
    found = [e for e in experiments if isinstance(e.evaluation.protocol, kinds)]
    return [e for e in found if e.cell.row != NO_NETWORK and e.cell.column != EVERY]


def histories(experiments: Iterable[Experiment], *, missing: str = "run", monitors: Sequence[str] = ()) -> pd.DataFrame:
    """The training curves of experiments, one line an epoch; what the store does not hold is trained first.

    missing: "show" trains nothing. The table is empty unless every training is there, so that no half of it is kept.
    monitors: columns to add, such as "kNN top-1" of pretraining; empty in the epochs that were not looked at.
    """
    chosen = [e for e in experiments if e.evaluation.weights.training.schedule.epochs]
    for experiment in (bar := tqdm(chosen, unit="training", leave=False)):
        bar.set_description(f"{experiment.cell.row}, {experiment.cell.column}")
        if missing == "run" and ready(experiment.evaluation):
            run.weights_folder(experiment.evaluation.weights)
    whole = all(store.built("weights", e.evaluation.weights) for e in chosen)
    names = ["row", "column", "seed", "fold", "epoch", "loss", *monitors]
    return pd.DataFrame(run.curves(chosen) if whole else []).reindex(columns=names)


def compare(paper: str, table: str, rows: Iterable[Row], **options: Any) -> pd.DataFrame:
    """`published.compare`, ours rounded (errors to three digits) and without empty columns, for the eye."""
    table_of = published.compare(paper, table, rows, **options)
    numbers = ["ours", "sd", "low", "high", "difference"]
    errors = table_of["metric"].isin(published.POINTS)
    table_of[numbers] = table_of[numbers].round(1).mask(errors, table_of[numbers].round(3)) + 0.0  # no -0.0
    shown = table_of.astype(dict.fromkeys(["published", *numbers], object))
    shown = shown.where(shown.notna(), "")
    absent = [name for name in shown["dataset"].unique() if not present(name)]
    ours = ~shown["note"].str.contains(r"\bcited\b")
    shown.loc[ours & shown["dataset"].isin(absent) & (shown["status"] == "not run"), "status"] += ": data not present"
    return shown.drop(columns=[c for c in ("labels", "split", "note") if shown[c].nunique() < 2]).set_index("row")


def show_beside(paper: str, table: str, rows: Iterable[Row], *, ours: str = "", **options: Any) -> None:
    """Show `compare` under the table's name and how many of its cells stand at which status.

    ours: only rows of the table whose name begins so (a regular expression) are shown; all of them are counted.
    """
    from IPython.display import Markdown, display

    found = compare(paper, table, rows, **options)
    display(Markdown(f"**{table}**: {', '.join(f'{n} {what}' for what, n in found['status'].value_counts().items())}"))
    columns = ["column", "dataset", "metric", "published", "ours", "low", "high", "over", "status"]
    display(found.loc[found.index.str.match(ours), [name for name in columns if name in found]])


def at_hand(weights: Mapping[str, Weights], *, missing: str = "run") -> dict[str, Weights]:
    """Those of some named weights whose features can be had; prints their names.

    Their data is here, and they are trained, or learn nothing, or may be trained: missing="show" trains nothing.
    """
    known = {}
    for name, each in weights.items():
        trained = not each.training.schedule.epochs or store.built("weights", each)
        if present(each.data.name) and (trained or missing == "run"):
            known[name] = each
    print(f"networks can be had of: {', '.join(known) or 'none'}")
    return known


def in_words(differences: Mapping[str, Difference]) -> str:
    """Differences to named cells in words: "above a (+3.1 [+1.9, +4.3], 3 seeds); below b (...)"."""
    return "; ".join(f"{verdict} {', '.join(named)}" for verdict, named in by_verdict(differences).items())


def pivot(
    rows: Iterable[Row], metric: str = "top-1", selection: str = "last", experiments: Iterable[Experiment] = ()
) -> pd.DataFrame:
    """Mean over folds and seeds, row by column, in the order of the rows: for ablations and heat maps.

    experiments: what was to be run; the table then has all their cells, NaN where a cell has no seed with all folds.
    Baselines of the whole table are left out: see `baselines`.
    """
    experiments = [e for e in experiments if e.cell.column != EVERY]
    seeds = by_seed((row for row in rows if row.column != EVERY), metric, selection, experiments)
    names = {name: [getattr(e.cell, name) for e in experiments] or seeds[name] for name in ("row", "column")}
    grid = seeds.groupby(["row", "column"])["value"].mean().unstack()
    return grid.reindex(index=pd.unique(pd.Series(names["row"])), columns=pd.unique(pd.Series(names["column"])))


def baselines(rows: Iterable[Row], metric: str = "top-1") -> dict[str, float]:
    """What the random encoder and no network have in a table, the mean over folds, seeds and columns; NaN: not run."""
    seeds = by_seed(rows, metric)
    return {name: float(seeds.loc[seeds["row"] == name, "value"].mean()) for name in (RANDOM, NO_NETWORK)}


def baseline_scores(weights: Weights, labels: Labels) -> pd.Series:
    """Top-1 of a linear layer with some labels, on the features of the random encoder and of no network: the baselines
    of networks that start from some weights."""
    schedule = replace(weights.training.schedule, epochs=0)
    random = replace(weights, training=replace(weights.training, schedule=schedule))
    asked = {RANDOM: random, NO_NETWORK: no_network(weights)}
    measured = {name: run.measure(Evaluation(each, FLOOR, labels=labels)) for name, each in asked.items()}
    return pd.Series({name: found["scores"]["top-1"] for name, found in measured.items()})


def scores(networks: Mapping[Any, Weights | tuple[Weights, str]], protocols: Mapping[str, Any]) -> pd.DataFrame:
    """What networks score on the test clips, a network a line, a protocol a column; measured where it is not yet.

    networks: by name, weights and which of their encoders is read; of weights alone the main one. protocols: by the
    metric, as the protocol itself calls it.
    """
    asked = {name: each if isinstance(each, tuple) else (each, "") for name, each in networks.items()}
    found = {
        metric: [
            run.measure(Evaluation(weights, protocol, encoder))["scores"][metric] for weights, encoder in asked.values()
        ]
        for metric, protocol in protocols.items()
    }
    return pd.DataFrame(found, index=pd.Index(list(networks)))  # names of several parts become levels


def bars(
    rows: Iterable[Row],
    experiments: Iterable[Experiment],
    title: str,
    *,
    xlabel: str = "test",
    legend: str = "network",
    metric: str = "top-1",
    unit: str = "top-1 (%)",
    lines: Mapping[str, float] | None = None,
) -> Figure | Markdown:
    """The cells of experiments as bars, the columns along the axis and a colour for each row; the title counts them.

    Where there is one column, its rows stand along the axis. xlabel, legend: what columns and rows are. metric, unit:
    what the bars show. lines: see `figures.bars`. Where none of them was run, the title alone.
    """
    from IPython.display import Markdown

    experiments = [e for e in experiments if e.cell.column != EVERY]
    cells = {(e.cell.row, e.cell.column) for e in experiments}
    kept = [row for row in rows if (row.row, row.column) in cells]
    seeds = by_seed(kept, metric, experiments=experiments)
    run_of = len(seeds.drop_duplicates(["row", "column"]))
    title += f": {run_of} of {len(cells)} cells run, n = {seeds['seed'].nunique()}"
    if not run_of:
        return Markdown(f"*{title}*")
    x, hue = (xlabel, legend) if len({column for _, column in cells}) > 1 else (legend, xlabel)
    named = seeds.rename(columns={"column": xlabel, "row": legend})
    return figures.bars(named, x, "value", hue, title, ylabel=unit, lines=lines)


def confusion(experiments: Iterable[Experiment], *, missing: str = "run") -> pd.DataFrame:
    """The confusion matrices of experiments, summed: clips by true class (rows) and predicted class (columns).

    Kept predictions are read; what has none is measured first, committed row or not. missing: "show" measures nothing.
    The table is empty unless every one is there, so that no half of it is kept. Raises SkelkitError where the kept
    predictions are of other clips than those that are here.
    """
    chosen = list(experiments)
    name = chosen[0].evaluation.weights.data.name
    if present(name) and missing == "run":
        for e in tqdm(chosen, unit="evaluation", leave=False):
            if run.predicted(e) is None:
                run.keep(e, run.measure(e.evaluation), again=True)
    found = [run.predicted(e) for e in chosen if present(name)]
    kept = [each for each in found if each is not None]
    if len(kept) < len(chosen):
        return pd.DataFrame(index=pd.Index([], name="true class"))
    classes = pd.Index(load(name).classes)
    counts = np.zeros((len(classes), len(classes)), int)
    for each in kept:
        np.add.at(counts, (each.labels, each.predicted), 1)
    return pd.DataFrame(counts, index=classes.rename("true class"), columns=classes)


def claims(paper: str) -> Markdown:
    """The claims of a paper with the verdicts of the committed rows, one a line."""
    from IPython.display import Markdown

    return Markdown(tables.plain(report_claims.table(paper).drop(columns="source").set_index("claim"), "claim"))


def reading(claims: Mapping[str, bool]) -> None:
    """Show sentences as a list, each beside the condition that backs it.

    Raises AssertionError with the first sentence that does not hold: prose that is written from rows cannot drift.
    """
    from IPython.display import Markdown, display

    for claim, holds in claims.items():
        assert holds, f"the rows no longer say: {claim}"
    display(Markdown("\n".join(f"- {claim}" for claim in claims)))


def told(sentences: Iterable[str], unanswered: Iterable[str] = ()) -> None:
    """Show sentences that are written from rows, whatever these say, as a list; after them what no row answers.

    Nothing backs them but the rows: prose that new rows could contradict is for `reading`.
    """
    from IPython.display import Markdown, display

    told_of = "\n".join(f"- {sentence}" for sentence in sentences)
    display(Markdown(told_of or "*No row answers this yet.*"))
    if left := "; ".join(unanswered):
        display(Markdown(f"Not run: {left}."))
