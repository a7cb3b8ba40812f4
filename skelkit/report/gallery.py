"""Pictures of a data set: class balance, lengths, a grid of poses, and a page with an animated clip.

Nothing here reads more of a data set than its table and the clips that are drawn, so that it serves any size.
"""

from __future__ import annotations

import base64
import difflib
import html
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skelkit.data.clips import Clips
from skelkit.data.datasets.sbu import to_metres
from skelkit.data.library import load
from skelkit.data.protocols import Split, split
from skelkit.data.skeleton import SBU
from skelkit.files import SkelkitError, whole_file
from skelkit.report.canvas import new_figure
from skelkit.report.figures import PALETTE
from skelkit.report.player import Player, draw_pose, name_sides, on_stage, persons_of, player, project

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BARS = 40
"""Bars a column of `class_balance`; more classes stand in columns side by side."""
WIDTH, HEIGHT = 3.0, 1.25
"""Inches for the poses of one class in the grid, at most; the width grows by half where there are two persons."""


def show(name: str, clip: str | None, out: Path) -> list[Path]:
    """Write pictures of a data set, or of one of its clips (its name or its number, from 0); returns what was written.

    Without a clip: class_balance.png, lengths.png, poses.png and NAME.html, which holds the three and an animated clip.
    With one: an HTML page where it can be played, scrubbed and turned. The pages need nothing from elsewhere. Raises
    SkelkitError for a data set or a clip that there is not, and where `out` cannot be written.
    """
    clips = _some(load(name))
    if clip is not None:
        at = find_clip(clips, clip)
        path = out / f"{_file_name(clips.name)}-{_file_name(str(clips.table['name'][at]))}.html"
        _write(path, _page(f"{clips.name}, clip {at}", animation(clips, at, 640).html).encode())
        return [path]
    sides = next(iter(splits(clips)), None)
    figures = {"class_balance": class_balance(clips, sides), "lengths": lengths(clips), "poses": poses(clips)}
    written, parts = [], [f"<p>{html.escape(_summary(clips))}</p>"]
    for title, figure in figures.items():
        image = _png(figure)
        written.append(out / f"{title}.png")
        _write(written[-1], image)
        alt = html.escape(title.replace("_", " "))
        parts.append(f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(image).decode("ascii")}">')
    parts.append(animation(clips, int(one_of_each_class(clips)[0]), 640).html)
    written.append(out / f"{_file_name(clips.name)}.html")
    _write(written[-1], _page(clips.name, "\n".join(parts)).encode())
    return written


def splits(clips: Clips) -> list[Split]:
    """The standard splits that the clips' table allows: first fold, cross-view, cross-subject, cross-setup."""
    found = []
    folds = clips.column("fold")
    for name in ("folds", "xview", "xsub", "xset"):
        try:
            found.append(split(clips, name, int(folds.min()) if name == "folds" else None))
        except SkelkitError:  # a column that it needs is not there, or one side would be empty
            continue
    return found


def class_balance(clips: Clips, sides: Split | None = None) -> Figure:
    """Clips a class, as bars with their counts; stacked by training and test where a split is given."""
    from matplotlib.ticker import MaxNLocator

    labels = _some(clips).labels
    names = [_lines(name, 34) for name in (*clips.classes, *["(no label)"] * bool((labels < 0).any()))]
    groups = {"clips": np.arange(len(clips))}
    if sides is not None:
        neither = np.setdiff1d(np.arange(len(clips)), np.concatenate([sides.train, sides.test]))
        groups = {"training": sides.train, "test": sides.test, "neither": neither}
    counts = {side: _counts(labels[index], len(names)) for side, index in groups.items() if len(index)}
    total = np.sum(list(counts.values()), axis=0)
    columns = -(-len(names) // BARS)
    rows = -(-len(names) // columns)
    size = 0.08 + 0.155 * max(name.count("\n") + 1 for name in names)
    figure = new_figure(max(7.5, 4.6 * columns), size * rows + 1.5)
    for k, axes in enumerate(figure.subplots(1, columns, sharex=True, squeeze=False)[0]):
        here = slice(k * rows, min((k + 1) * rows, len(names)))
        place = np.arange(here.stop - here.start)
        left = np.zeros(len(place))
        for side, (colour, hatch) in zip(counts, ((PALETTE[0], ""), (PALETTE[1], "//"), ("0.75", "xx")), strict=False):
            axes.barh(place, counts[side][here], 0.8, left, color=colour, hatch=hatch, edgecolor="w", lw=0, label=side)
            left += counts[side][here]
        for at in place:
            parts = " + ".join(str(counts[side][here][at]) for side in counts if side != "neither")
            axes.text(left[at] + 0.01 * total.max(), at, parts, va="center", fontsize=8)
        axes.set_yticks(place, names[here], fontsize=9)
        axes.set_ylim(rows - 0.4, -0.6)  # the first class on top; all columns at one scale
        axes.set_xlim(0, max(total.max(), 1) * (1.14 + 0.08 * len(counts) * (columns > 1)))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="x", color="0.9")
        axes.set(xlabel="clips", ylabel="" if k else "class")
    by = "" if sides is None else f", split {sides.name}" + " (one of them)" * sides.name.startswith("folds")
    figure.suptitle(f"{_plain(clips.name)}: {len(clips)} clips of {len(clips.classes)} classes{by}", fontsize=11)
    if sides is not None:
        handles, _ = figure.axes[0].get_legend_handles_labels()
        words = [f"{side} ({len(groups[side])})" for side in counts]
        figure.legend(handles, words, loc="outside lower center", ncols=3, frameon=False)
    return figure


def lengths(clips: Clips) -> Figure:
    """A histogram of the clips' lengths in frames, with the median; the axis is logarithmic where they spread far."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    found = _some(clips).lengths
    low, high, middle = int(found.min()), int(found.max()), float(np.median(found))
    wide = high > 20 * low
    step = -(-(high - low + 1) // 40)  # every bin holds as many whole numbers, or a smooth curve would look jagged
    edges = np.arange(low, high + step + 1, step) - 0.5
    if wide:
        edges = np.unique(np.round(np.geomspace(low, high + 1, 20))) - 0.5
    figure = new_figure(7.5, 3.6)
    axes = figure.subplots()
    axes.hist(found, edges.tolist(), color=PALETTE[0], edgecolor="w", linewidth=0.4)
    axes.axvline(middle, color=PALETTE[3], linestyle="--", linewidth=1.4, label=f"median {middle:g}")
    if wide:
        axes.set_xscale("log")
        axes.set_xlim(0.8 * low, 1.2 * high)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.set(xlabel="length (frames)" + ", logarithmic" * wide, ylabel="clips")
    axes.set_title(f"{_plain(clips.name)}: lengths of {len(clips)} clips, {low} to {high} frames", fontsize=11)
    axes.legend(frameon=False)
    return figure


def poses(clips: Clips, index: np.ndarray | None = None, frames: int = 4) -> Figure:
    """A grid with a few poses, evenly spaced in time, of one clip a class (or of the clips of an index array).

    All are drawn at one scale, but for a clip that needs more room than nearly all others; heights are kept, sideways
    each pose is moved into its place. Frames in which nobody is there are passed over.
    """
    index = one_of_each_class(clips) if index is None else np.arange(len(clips))[index]
    bodies = _bodies(_some(clips), index, frames)  # one (frames, m, v, 3) a clip
    persons = max(persons_of(body) for body in bodies)
    width = WIDTH if persons == 1 else 1.5 * WIDTH
    scales, boxes = [], []
    for body in bodies:
        seen = body[np.isfinite(body).all(3)]
        low, high = (seen[:, 1].min(), seen[:, 1].max()) if len(seen) else (0.0, 1.0)
        half = np.abs(seen[:, 0]).max() if len(seen) else 0.5
        scales.append(0.92 * min(HEIGHT / max(high - low, 1e-9), width / frames / max(2 * half, 1e-9)))
        boxes.append((low, high))
    common = np.percentile(scales, 10, method="higher")
    scales = [min(scale, common) for scale in scales]  # inches a unit
    words = [_lines(clips.classes[k] if k >= 0 else "(no label)", int(11 * width)) for k in clips.labels[index]]
    line = 0.17
    height = max((high - low) * scale for (low, high), scale in zip(boxes, scales, strict=True)) + 0.1
    height += line * (2.4 + max(word.count("\n") + 1 for word in words))
    columns = min(len(index), 2 if len(index) <= 8 * min(persons, 3) else 3 if len(index) <= 30 or persons > 1 else 4)
    rows = -(-len(index) // columns)
    figure = new_figure(columns * (width + 0.25), rows * height + 0.9)
    figure.set_layout_engine("none")  # the cells have their places in inches
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, figure.get_figwidth()), ylim=(-0.45 - rows * height, 0.45))
    axes.axis("off")
    for k, (body, scale, (low, _)) in enumerate(zip(bodies, scales, boxes, strict=True)):
        x, top = k % columns * (width + 0.25) + 0.12, -(k // columns) * height
        axes.text(x, top, words[k], va="top", fontsize=9, fontweight="bold")
        floor = top - height + 2 * line
        axes.plot([x, x + width], [floor, floor], color="0.85", linewidth=1, zorder=0)
        said = f"{clips.lengths[index[k]]} frames" + ", nobody in it" * (not np.isfinite(body).any())
        axes.text(x, floor - 0.03, said, va="top", fontsize=8, color="0.45")
        for at, pose in enumerate(body):
            shift = np.array([x + (at + 0.5) * width / frames, floor + 0.04 - low * scale, 0.0])
            draw_pose(axes, pose * scale + shift, clips.skeleton)
    name_sides(axes, persons)
    figure.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=5, frameon=False, fontsize=9)
    axes.text(0.12, 0.2, f"{_plain(clips.name)}: {frames} poses of one clip a class", fontsize=12, va="bottom")
    return figure


def animation(clips: Clips, i: int, width: int = 420) -> Player:
    """Clip i as a player, titled with its class, name and number."""
    label = clips.labels[i]
    action = clips.classes[label] if label >= 0 else "(no label)"
    title = f"{action}: clip {i} ({clips.table['name'][i]}) of {clips.name}, {clips.lengths[i]} frames"
    title += ", nobody in it" * (not clips[i].any())
    return player(_to_scale(clips, clips[i]), clips.skeleton, title=title, width=width)


def one_of_each_class(clips: Clips) -> np.ndarray:
    """Indices of one clip a class, the first of middling length; without labels, of the first clip."""
    labels, found = clips.labels, []
    for label in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == label)
        away = np.abs(clips.lengths[members] - np.median(clips.lengths[members]))
        found.append(int(members[away.argmin()]))
    return np.array(found or [0])


def find_clip(clips: Clips, clip: str) -> int:
    """The index of a clip by its name, or by its number from 0. Raises SkelkitError where there is none."""
    names = clips.table["name"].astype(str)
    at = np.flatnonzero((names == clip).to_numpy())
    if len(at):
        return int(at[0])
    if re.fullmatch(r"[0-9]{1,12}", clip) and int(clip) < len(clips):
        return int(clip)
    near = difflib.get_close_matches(clip, names, 1, 0.5) or [names[0]]
    raise SkelkitError(
        f"{clips.name}: no clip {clip!r}; give a number from 0 to {len(clips) - 1}, or a name such as {near[0]}"
    )


def _some(clips: Clips) -> Clips:
    if not len(clips):
        raise SkelkitError(f"{clips.name}: holds no clip, so there is nothing to draw; import it again")
    return clips


def _plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _lines(name: str, width: int) -> str:
    """A class name in lines of at most so many letters, whole."""
    return _plain("\n".join(textwrap.wrap(name, width))) or "(no name)"


def _counts(labels: np.ndarray, n: int) -> np.ndarray:
    """Clips a class, (n,); those without a label are the last."""
    return np.bincount(np.where(labels < 0, n - 1, labels), minlength=n)


def _to_scale(clips: Clips, frames: np.ndarray) -> np.ndarray:
    """Frames to be drawn: SBU's normalised numbers, which have another scale on each axis, become metres."""
    return to_metres(frames) if clips.units == "normalised" and clips.skeleton == SBU else frames


def _bodies(clips: Clips, index: np.ndarray, frames: int) -> list[np.ndarray]:
    """The poses of each clip, projected, (frames, m, v, 3); sideways and in depth each stands at zero.

    One look for all, so that no clip is turned by itself: the way up is that of the poses together.
    """
    chosen = []
    for i in index:
        clip = clips[i]
        there = np.flatnonzero((clip != 0).any(axis=(1, 2, 3)))
        there = there if len(there) else np.arange(len(clip))
        chosen.append(np.asarray(clip[there[np.linspace(0, len(there) - 1, frames).round().astype(int)]], np.float32))
    body = on_stage({"": _to_scale(clips, np.concatenate(chosen))}, clips.skeleton)[""]
    seen = np.isfinite(body).any((1, 2, 3))
    here = np.zeros((len(body), 1, 1, 3), body.dtype)
    here[seen] = (np.nanmin(body[seen], (1, 2), keepdims=True) + np.nanmax(body[seen], (1, 2), keepdims=True)) / 2
    here[..., 1] = 0
    return list(project(body - here).reshape(len(index), frames, *body.shape[1:]))


def _summary(clips: Clips) -> str:
    what = f"{len(clips.skeleton)} joints ({clips.skeleton.name}) of up to {clips.persons} persons, {clips.units}"
    return f"{len(clips)} clips, {clips.offsets[-1]} frames, {what}, from {clips.source or 'arrays'}."


def _png(figure: Figure) -> bytes:
    """As a notebook shows it: 160 dots an inch, cropped to what is drawn."""
    return bytes(figure._repr_png_()[0])  # type: ignore[attr-defined]


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        "<style>body{font:15px sans-serif;max-width:1100px;margin:1em auto;padding:0 1em}"
        "img{display:block;max-width:100%;margin:1.5em 0}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _file_name(name: str) -> str:
    """A name that is a file name everywhere, and lies in no other folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".")[:100] or "clip"


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as part:
        part.write_bytes(content)
