"""Figures from plain arrays and tables, and the small committed CSVs that let a fresh clone draw them.

Each function returns a matplotlib `Figure` made without pyplot: it shows as the last value of a notebook cell, and
nothing (backend, settings, open figures) is left behind. matplotlib, seaborn and openTSNE are imported on first use.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from skelkit import store
from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError, results_folder, whole_file
from skelkit.report.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#949494", "#56b4e9", "#fbafe4", "#ece133")
"""Ten colours that stay apart for most kinds of colour vision (seaborn's "colorblind", the two palest last)."""
MARKERS = "osD^vPX*<>"
"""Beyond ten classes or runs the colours come round again with the next marker, or line style."""
LINES = ("-", "--", ":", "-.")


def figure_data(paper: str, name: str, of: Any, build: Callable[[], pd.DataFrame], *, commit: bool) -> pd.DataFrame:
    """The table behind a figure: `results/figures/<paper>/<name>_<key>.csv` where it exists, else what `build` makes.

    of: the weights or evaluations that the figure is drawn from, whose key joins the name: another setting never finds
    this one's file, and the rows of the same keys say where it comes from. build() -> a flat table (a named index
    becomes columns). With `commit` it is written whole, floats at 6 significant
    digits; a file that is there is never written again (delete it to build anew), an empty table is not written. The
    first call returns what a later one would read. Raises SkelkitError for a file that cannot be read.
    """
    path = results_folder() / "figures" / paper / f"{name}_{store.key(of)[:8]}.csv"
    if path.exists():
        return _parse(path.read_text(encoding="utf-8"), str(path))
    frame = build()
    if any(level is not None for level in frame.index.names):
        frame = frame.reset_index()
    text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    if commit and len(frame):
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    return _parse(text, str(path))


def _parse(text: str, place: str) -> pd.DataFrame:
    try:
        return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError) as error:
        raise SkelkitError(f"{place}: no table ({error}); delete it and build it again") from error


def gallery(variants: Mapping[str, np.ndarray], skeleton: Skeleton, frames: int = 5, title: str = "") -> Figure:
    """One row of poses a transformation, all at one scale (Rao et al. 2021, Fig. 2).

    variants: label -> clip (t, 3, v, m); the first, the original, says which way is up.
    """
    from skelkit.report.player import strips

    return strips(variants, skeleton, frames, title or "One clip under each transformation")


def curves(
    frame: pd.DataFrame,
    x: str,
    y: str,
    hue: str,
    title: str,
    *,
    xlabel: str = "",
    ylabel: str = "",
    log: bool = False,
    dashes: bool = False,
) -> Figure:
    """A line for each value of `hue`; where several rows share `x` (seeds, folds), their mean with a band of +- one sd.

    frame: one row a point, with the columns x, y, hue; where they are few, each is marked. log: a logarithmic y axis.
    dashes: a style for each line, so that one below another shows. Labels default to the column names.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(7.5, 4.2)
    axes = figure.subplots()
    several = False
    for i, (name, part) in enumerate(frame.groupby(hue, sort=False)):
        points = part.groupby(x)[y].agg(["mean", "std", "min", "max"])
        look = _look(i) | ({"linestyle": LINES[i % len(LINES)]} if dashes else {})
        if len(points) <= 10:  # what lies between was not measured; and a line of one point would not show
            look |= {"marker": "o", "markersize": 4}
        (line,) = axes.plot(points.index, points["mean"], label=str(name), **look)
        if points["std"].notna().any():
            several = True
            sd = points["std"].fillna(0)  # the band stays within what was seen: a log axis has no place for mean < sd
            low, high = (points["mean"] - sd).clip(lower=points["min"]), points["mean"] + sd
            axes.fill_between(points.index, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    if pd.api.types.is_integer_dtype(frame[x]):  # no half epochs
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(_sparse("{x:g}"))
    _style(axes, title, xlabel or x, ylabel or y)
    _legend(figure, axes, f"{hue}\n(mean, band: sd)" if several else hue)
    return figure


def bars(
    frame: pd.DataFrame,
    x: str,
    y: str,
    hue: str,
    title: str,
    *,
    xlabel: str = "",
    ylabel: str = "",
    lines: Mapping[str, float] | None = None,
) -> Figure:
    """Bars of the mean of `y`, grouped by `x`, coloured by `hue`, with the sd over the rows that share both (seeds).

    frame: one row a measurement, with the columns x, y, hue, in the order to be drawn. lines: values of
    baselines by name, each a line across the figure; NaN, as where one was not run, draws none. Labels default to the
    column names.
    """
    groups, colours = list(frame[x].unique()), list(frame[hue].unique())
    width = 0.8 / max(len(colours), 1)
    figure = new_figure(min(max(7.5, 0.42 * len(groups) * len(colours) + 3), 14), 4.2)
    axes = figure.subplots()
    several = False
    for i, name in enumerate(colours):
        part = frame[frame[hue] == name].groupby(x)[y].agg(["mean", "std"]).reindex(groups)
        place = np.arange(len(groups)) + (i - (len(colours) - 1) / 2) * width
        look: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)], "hatch": ("", "//", "xx")[i // len(PALETTE) % 3]}
        error = part["std"] if part["std"].notna().any() else None
        drawn = axes.bar(place, part["mean"], 0.92 * width, yerr=error, capsize=2, label=str(name), **look)
        if len(groups) * len(colours) <= 24:
            text = ["" if np.isnan(v) else f"{v:.1f}" for v in part["mean"]]
            axes.bar_label(drawn, text, padding=2, fontsize=8)
        several |= error is not None
    for (name, value), line in zip((lines or {}).items(), ("--", ":", "-."), strict=False):
        if not np.isnan(value):
            axes.axhline(value, color="0.25", linestyle=line, linewidth=1.2, label=f"{name}: {value:.1f}")
    names = [str(g) for g in groups]
    slanted = sum(map(len, names)) > 70
    axes.set_xticks(range(len(groups)), names, rotation=35 if slanted else 0, ha="right" if slanted else "center")
    axes.margins(y=0.1)
    _style(axes, title, xlabel or x, ylabel or y)
    _legend(figure, axes, f"{hue}\n(mean, error bar: sd)" if several else hue)
    return figure


def matrix(frame: pd.DataFrame, title: str, unit: str, *, xlabel: str = "", ylabel: str = "") -> Figure:
    """A heat map with the value in each cell (Rao et al. 2021, Fig. 10; confusion matrices); NaN: hatched, "not run".

    frame: numbers, labelled by index and columns, whose names are the default axis labels. unit: of the colour bar.
    """
    import seaborn
    from matplotlib.patches import Patch, Rectangle

    values = frame.to_numpy(float)
    rows, columns = values.shape
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0, 100)
    size = 0.62 if columns <= 16 else 0.3
    figure = new_figure(size * columns + 3.6, max(size * 0.85 * rows + 1.6, 3.0))
    axes = figure.subplots()
    axes.set_facecolor("0.88")
    digits = ".0f" if np.array_equal(known, np.round(known)) else ".1f"
    seaborn.heatmap(
        pd.DataFrame(values, [str(i) for i in frame.index], [str(c) for c in frame.columns]),
        ax=axes,
        mask=~np.isfinite(values),
        vmin=low,
        vmax=high if high > low else low + 1,
        cmap="Blues",
        annot=columns <= 16,
        fmt=digits,
        annot_kws={"fontsize": 9},
        linewidths=0.5,
        square=True,
        cbar_kws={"label": unit, "shrink": 0.8},
    )
    for row, column in np.argwhere(~np.isfinite(values)):
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor="0.6", hatch="///", linewidth=0))
    if len(known) < values.size:
        handle = Patch(facecolor="0.88", edgecolor="0.6", hatch="///", label="not run")
        figure.legend(handles=[handle], loc="outside lower right", frameon=False)
    for text, value in zip(axes.texts, known, strict=False):
        text.set_color("white" if value > low + 0.6 * (high - low) else "0.1")
    for tick in axes.get_xticklabels():
        tick.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="y", rotation=0)
    _style(axes, title, xlabel or str(frame.columns.name or ""), ylabel or str(frame.index.name or ""), grid=False)
    return figure


def embed(
    features: Float[np.ndarray, "n d"], seed: int, *, perplexity: float | int = 30, n_jobs: int = 1
) -> Float[np.ndarray, "n 2"]:
    """The t-SNE of (n, d) features by openTSNE, from a PCA start: (n, 2), the same for the same seed and n_jobs.

    Perplexity is at most a third of the other points. Features that are all one point (a collapsed encoder) stay one.
    """
    import openTSNE

    features = np.asarray(features, np.float64)
    n, d = features.shape
    if n < 4 or d < 2 or not np.isfinite(features).all():
        raise SkelkitError(f"t-SNE: features of shape {features.shape}; give at least 4 x 2 of them, all finite")
    if not np.ptp(features, axis=0).any():
        return np.zeros((n, 2))
    tsne = openTSNE.TSNE(
        perplexity=min(perplexity, (n - 1) / 3),
        initialization="pca",
        neighbors="exact" if n <= 10_000 else "annoy",
        random_state=seed,
        n_jobs=n_jobs,
    )
    return np.asarray(tsne.fit(features))


def tsne(
    points: Float[np.ndarray, "n 2"], labels: Integer[np.ndarray, " n"], classes: Sequence[str], title: str
) -> Figure:
    """An embedding, by class: ten colours, then the same with another marker. points: what `embed` returned.

    labels: (n,) indices into `classes`, -1 = unlabelled (grey). Only classes that occur stand in the legend.
    """
    present = [int(c) for c in np.unique(labels)]
    columns = -(-len(present) // 24)
    figure = new_figure(5.2 + 1.9 * columns, 4.8)
    axes = figure.subplots()
    size = float(np.clip(6000 / max(len(points), 1), 6, 26))
    for c in present:
        here = points[labels == c]
        colour = "0.7" if c < 0 else PALETTE[c % len(PALETTE)]
        marker = "o" if c < 0 else MARKERS[c // len(PALETTE) % len(MARKERS)]
        name = "unlabelled" if c < 0 else str(classes[c])
        axes.scatter(here[:, 0], here[:, 1], s=size, color=colour, marker=marker, linewidths=0, label=name)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.set_adjustable("datalim")
    _style(axes, title, "t-SNE 1 (no unit)", "t-SNE 2 (no unit)", grid=False)
    _legend(figure, axes, "class", columns)
    return figure


def _style(axes: Axes, title: str, xlabel: str, ylabel: str, grid: bool = True) -> None:
    """Title, labels, no box, a light grid behind the data."""
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis="y", color="0.9")


def _legend(figure: Figure, axes: Axes, title: str, columns: int = 1) -> None:
    """Beside the axes, where it hides neither data nor a long title; lines across the figure last."""
    from matplotlib.container import Container

    handles, names = axes.get_legend_handles_labels()
    several = any(isinstance(handle, Container) for handle in handles)
    order = sorted(range(len(names)), key=lambda i: several and not isinstance(handles[i], Container))
    figure.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        title=title,
        alignment="left",
        loc="outside right center",
        frameon=False,
        fontsize=9,
        markerscale=1.6,
        ncols=columns,
    )


def _sparse(text: str) -> Any:
    """A tick format for the minor ticks of a log axis: only 2 and 5, so that the numbers do not crowd."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda x, _: text.format(x=x) if f"{x:e}"[0] in "25" else "")


def _look(i: int) -> dict[str, Any]:
    return {"color": PALETTE[i % len(PALETTE)], "linestyle": LINES[i // len(PALETTE) % len(LINES)], "linewidth": 1.6}
