"""Figures of several panels from plain tables: what was watched in training, and maps of features.

As in `figures`, each returns a matplotlib `Figure` made without pyplot, and matplotlib is imported on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from skelkit.report.canvas import new_figure
from skelkit.report.figures import LINES, PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 3
"""Panels in a row, at most, unless all fit into one."""


def watched(
    history: pd.DataFrame,
    monitors: Mapping[str, str],
    title: str,
    *,
    hue: str = "row",
    dashed: Mapping[str, float] | None = None,
) -> Figure:
    """What was watched while networks trained: a panel for each monitor, a line for each network, from zero on.

    history: one line an epoch, with the columns "epoch", `hue` and the monitors; where a monitor was not looked at
    (NaN), its line goes on to the next look. monitors: column -> what its axis says. dashed: the level to compare with,
    such as that of guessing, for some of the monitors. Several networks share one legend.
    """
    across = len(monitors) if len(monitors) <= ACROSS + 1 else ACROSS
    down = -(-len(monitors) // across)
    names = list(history[hue].unique())
    figure = new_figure(min(3.7 * across, 12.5), 3 * down + (0.7 if len(names) > 1 else 0.2))
    panels = figure.subplots(down, across, squeeze=False).flat
    for panel, (monitor, label) in zip(panels, monitors.items(), strict=False):
        for i, (_, part) in enumerate(history.groupby(hue, sort=False)):
            line = part.dropna(subset=monitor)
            look = {"color": PALETTE[i % len(PALETTE)], "linestyle": LINES[i % len(LINES)]}
            marker = "o" if len(line) <= 10 else ""  # what lies between was not measured
            panel.plot(line["epoch"], line[monitor], label=str(names[i]), marker=marker, markersize=3, **look)
        if dashed and monitor in dashed:
            panel.axhline(dashed[monitor], color="0.25", linestyle="--", linewidth=1.2)
        panel.set(xlabel="epoch", ylabel=label, ylim=(0, None), xlim=(0, history["epoch"].max() + 0.5))
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="0.9")
    for panel in panels:  # what no monitor fills
        panel.set_axis_off()
    if len(names) > 1:
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=min(len(names), 4), frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def maps(points: pd.DataFrame, by: str, title: str) -> Figure:
    """Maps of features, three in a row: a panel for each value of `by`, a colour for each action.

    points: one line a clip, with the columns "x", "y", "action" and `by`, in the order to be drawn. Where all panels
    show the same actions they share one legend; else each column of panels has its own, below the last one of it.
    """
    groups = list(points.groupby(by, sort=False))
    down = max(-(-len(groups) // ACROSS), 1)
    figure = new_figure(10.5, 3.2 * down + 0.6)
    panels = list(figure.subplots(down, ACROSS, squeeze=False).flat)
    for panel, (name, part) in zip(panels, groups, strict=False):
        for colour, (action, group) in zip(PALETTE, part.groupby("action"), strict=False):
            panel.scatter(group["x"], group["y"], s=7, color=colour, label=action)
        panel.set(title=name, xticks=[], yticks=[])
    for panel in panels[len(groups) :]:
        panel.set_axis_off()
    legend = {"frameon": False, "fontsize": 8, "markerscale": 1.6}
    if len({frozenset(part["action"]) for _, part in groups}) > 1:
        for panel in panels[: len(groups)][-ACROSS:]:
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, **legend)
    else:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, **legend)
    figure.suptitle(title)
    return figure
