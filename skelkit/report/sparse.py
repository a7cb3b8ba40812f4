"""What few labels are worth, from plain tables: labels that a threshold takes, a training's course, and maps of rounds.

Figures are matplotlib's, made without pyplot, as in `figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skelkit.report.canvas import new_figure
from skelkit.report.figures import MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def by_labels(grid: pd.DataFrame) -> pd.DataFrame:
    """A table of rows by columns "50 labels", "4K labels, leak-free", with the numbers of labels as its columns."""
    counts = [int(column.split()[0].replace("K", "000")) for column in grid.columns]
    return grid.set_axis(pd.Index(counts, name="labels"), axis=1)


def needed(grid: pd.DataFrame, threshold: float) -> pd.Series:
    """The fewest labels with which each row of a table reaches a threshold; infinite where none of its columns does.

    grid: percent, of rows by numbers of labels.
    """
    reached = grid >= threshold
    fewest = {row: min(grid.columns[reached.loc[row]], default=np.inf) for row in grid.index}
    return pd.Series(fewest, index=grid.index, dtype=float)


def telling(grid: pd.DataFrame, step: float = 2.5) -> float:
    """The threshold, in steps of so many points, that rows need the most different numbers of labels for; of equally
    telling ones the middle one."""
    steps = np.arange(step, 100, step)
    different = np.array([needed(grid, threshold).nunique() for threshold in steps])
    best = steps[different == different.max()]
    return float(best[len(best) // 2])


def doubtful(grid: pd.DataFrame, threshold: float, clips: int) -> list[str]:
    """The cells whose side of a threshold another draw of so many test clips could change (95 %): "KT (50 labels)"."""
    half = 1.96 * (grid * (100 - grid) / clips) ** 0.5
    near = (grid - threshold).abs() <= half
    return [f"{row} ({labels} labels)" for row in grid.index for labels in grid.columns if near.loc[row, labels]]


def course(curves: pd.DataFrame, value: str, share: float = 0.9) -> pd.DataFrame:
    """How each run of a table of curves begins and ends, and in how many of its epochs it has a share of the end.

    curves: one line an epoch, in their order, with the columns "row" and `value`. Columns: first, last, epochs, of.
    """
    lines = {}
    for row, part in curves.groupby("row", sort=False):
        values = part[value].to_numpy()
        epochs = int(np.argmax(values >= share * values[-1])) + 1
        lines[row] = {"first": values[0], "last": values[-1], "epochs": epochs, "of": len(values)}
    return pd.DataFrame.from_dict(lines, orient="index")


def labels_figure(counts: pd.Series, most: int, title: str) -> Figure:
    """Bars of the labels that rows need (`needed`); grey, and "more than" on them, where `most` labels did not do."""
    reached = counts <= most
    figure = new_figure(9, 4)
    panel = figure.subplots()
    colours = [PALETTE[0] if each else "0.8" for each in reached]
    bars = panel.barh(counts.index, counts.where(reached, 1.15 * most), color=colours)
    words = [f"{value:.0f}" if each else f"more than {most}" for value, each in zip(counts, reached, strict=True)]
    panel.bar_label(bars, words, fontsize=8, padding=3)
    panel.set(xlabel="labels", xlim=(0, 1.4 * most), ylim=(len(counts) - 0.5, -0.5), title=title)
    return figure


def asked_figure(asked: pd.DataFrame, classes: int, title: str) -> Figure:
    """What runs of active learning asked for, by labels: classes, evenness, and how far off the new clips lie.

    asked: of `selections.asked_for`, a line for each of its strategies; a round without a distance is left out.
    """
    labels = {
        "classes": f"classes with a label, of {classes}",
        "evenness": "evenness (1: as many of each)",
        "distance": "distance / that of any clip",
        "divergence": "divergence / that of any clip",
    }
    figure = new_figure(12, 6.4)
    figure.suptitle(title)
    for panel, (name, label) in zip(figure.subplots(2, 2).flat, labels.items(), strict=True):
        for i, (strategy, line) in enumerate(asked.groupby("strategy", sort=False)):
            look: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)], "marker": MARKERS[i % len(MARKERS)]}
            panel.plot("labels", name, data=line, label=strategy, markersize=4, **look)
        panel.set(xlabel="labels", ylabel=label)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def iterations_figure(points: pd.DataFrame, budgets: Sequence[int], title: str) -> Figure:
    """Maps of one run's clips: before any label, then after each round (Li and Shlizerman 2020, Fig. 3).

    points: one line a clip and map, with the columns "after" (rounds), "action", "x", "y" and "labelled in" (the round,
    0 for never); clips that had their label by then are large and ringed. budgets: labels in all after each round.
    """
    figure = new_figure(13, 4.4)
    figure.suptitle(title)
    panels = figure.subplots(1, len(budgets) + 1)
    for number, panel in enumerate(panels):
        part = points[points["after"] == number]
        for i, (action, group) in enumerate(part.groupby("action")):
            known = group["labelled in"].between(1, number)
            look: dict[str, Any] = {
                "color": PALETTE[i % len(PALETTE)],
                "marker": MARKERS[i // len(PALETTE) % len(MARKERS)],
            }
            panel.scatter("x", "y", s=5, linewidths=0, data=group[~known], label=action, **look)
            panel.scatter("x", "y", s=26, edgecolors="0.1", linewidths=0.9, data=group[known], label="_", **look)
        when = f"iteration {number - 1}: {budgets[number - 1]} labels" if number else "before any label"
        panel.set(title=when, xticks=[], yticks=[])
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5, frameon=False, markerscale=2, fontsize=9)
    return figure
