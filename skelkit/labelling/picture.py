"""The picture of a labelling session: how well it goes, and which classes have been met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skelkit.labelling.task import Task
from skelkit.report.canvas import new_figure
from skelkit.report.figures import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def picture(task: Task) -> Figure:
    """Left the accuracy on held-out clips after each round, or, where no such clip has a label, how many of each
    round's labels the classifier had guessed; right the labels of each class that it was trained on."""
    from matplotlib.ticker import MaxNLocator

    given = task.session.labels.numpy()
    counts = np.bincount(given[given >= 0], minlength=len(task.classes))
    figure = new_figure(9.6, max(3.4, 0.24 * len(counts) + 1.2))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    (_accuracy if len(task.held_out) else _agreement)(left, task)
    place = np.arange(len(counts))
    right.barh(place, counts, color=PALETTE[0])
    right.bar_label(right.containers[0], padding=4, fontsize=8)
    right.set_yticks(place, [_short(name) for name in task.classes], fontsize=9)
    right.set(xlabel="labels", xlim=(0, max(1.15 * counts.max(), 1)), ylim=(len(counts) - 0.4, -0.6))
    right.set_title(f"{counts.sum()} labels trained on, by class", fontsize=11)
    right.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis="y" if axes is left else "x", color="0.9")
    return figure


def in_words(task: Task) -> str:
    """What the picture's left side shows, for those who cannot see it."""
    if not task.rounds:
        return "No round has been trained yet."
    if len(task.held_out):
        return "; ".join(f"{one.accuracy:.1f} % after {one.labels} labels" for one in task.rounds)
    known = [f"{one.agreed} of {one.asked} in round {i}" for i, one in enumerate(task.rounds, 1) if i > 1]
    return f"guessed before: {'; '.join(known) or 'nothing was asked of the classifier yet'}"


def _accuracy(axes: Axes, task: Task) -> None:
    labels, accuracy = [one.labels for one in task.rounds], [one.accuracy or 0.0 for one in task.rounds]
    axes.plot(labels, accuracy, "o-", color=PALETTE[0], label=f"classifier, on {len(task.held_out)} held-out clips")
    axes.axhline(task.chance, color="0.25", linestyle="--", label=f"answering the largest class ({task.chance:.0f} %)")
    for at, value in zip(labels, accuracy, strict=True):
        axes.annotate(f"{value:.0f}", (at, value), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    budgets = task.session.plan.budgets
    axes.set(xlim=(0, 1.05 * budgets[-1]), ylim=(0, 105), xticks=_sparse(budgets))
    axes.set(xlabel="labelled clips", ylabel="top-1 accuracy (%)")
    axes.set_title("Accuracy on clips that nobody was asked for", fontsize=11)
    axes.legend(loc="upper left" if not labels else "best", frameon=False, fontsize=8)


def _agreement(axes: Axes, task: Task) -> None:
    """Each round's share, with the numbers it is made of: of few clips a share says little."""
    numbers = range(1, len(task.session.plan.budgets) + 1)
    for number, one in zip(numbers, task.rounds, strict=False):
        if one.agreed is not None:
            axes.bar(number, 100 * one.agreed / one.asked, 0.7, color=PALETTE[0])
            text = f"{one.agreed} of {one.asked}"
            axes.annotate(text, (number, 100 * one.agreed / one.asked), (0, 3), textcoords="offset points", ha="center")
    axes.axhline(100 / len(task.classes), color="0.25", linestyle="--", label="guessing blindly")
    axes.set(xlim=(0.4, numbers[-1] + 0.6), ylim=(0, 112), xticks=_sparse(numbers))
    axes.set(xlabel="round", ylabel="new labels guessed right (%)")
    axes.set_title("What the classifier had guessed before it was told", fontsize=11)
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def _sparse(ticks: range | tuple[int, ...]) -> list[int]:
    """About ten of them, the last among them."""
    return list(ticks[:: -max(1, len(ticks) // 10)])


def _short(name: str) -> str:
    name = name.replace("$", r"\$")
    return name if len(name) <= 24 else name[:23] + "…"
