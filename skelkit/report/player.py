"""A skeleton clip as an animated 3-D stick figure in a notebook, and as a strip of poses for print.

The player is one `<div>` with a few lines of plain JavaScript and the clip inside it: no server, no widget, no file
from elsewhere, so that it plays after `nbconvert --to html` too. Left limbs are blue, right ones orange, trunks grey.
"""

from __future__ import annotations

import base64
import html
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError
from skelkit.report.canvas import new_figure
from skelkit.report.player_script import SCRIPT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDES = {"left": "#0072B2", "right": "#D55E00", "trunk": "#6E6E6E"}
"""Colours that people with any kind of colour vision tell apart (Okabe and Ito)."""
HIDDEN, SHADOW = "#CC79A7", "0.85"
"""Of joints that a decoder did not see, and of the original behind what it made of them."""
YAW, PITCH = np.pi + 0.45, 0.2
"""Radians: the first look is the sensor's (a Kinect looks along +z), a little from its side and from above."""
MASKED = -32768
"""The 16-bit coordinate that says that a joint is not drawn."""


@dataclass(frozen=True)
class Player:
    """What `player` returns: Jupyter shows it, `html` is a fragment for any other page."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def player(
    clips: Float[np.ndarray, "t 3 v m"] | Mapping[str, np.ndarray],
    skeleton: Skeleton,
    *,
    title: str = "",
    fps: float | int = 30,
    width: int = 420,
) -> Player:
    """An animated figure of one clip, or of several side by side: `{"original": x, "view 1": view}`.

    Each clip is (t, 3, v, m), in any unit. Play, scrub, drag to turn, double-click to turn back. Panels share the time,
    the view and the scale (equal on all axes), and each stands at its own centre; a shorter clip waits at its end. The
    way up is taken from the first clip. A person or joint at exactly zero is absent or masked and is not drawn.
    fps: frames a second; width: pixels a panel. Raises SkelkitError for a clip of another shape.
    """
    bodies = on_stage(clips if isinstance(clips, Mapping) else {"": clips}, skeleton)
    boxes = [_box(body) for body in bodies.values()]
    radius = max(np.hypot(half[0], half[2]) for _, half, _ in boxes)
    rise = max(half[1] for _, half, _ in boxes) * np.cos(PITCH) + radius * np.sin(PITCH)  # half the height on screen
    step = max(np.nanmax(np.abs(b - box[0]), initial=radius) for b, box in zip(bodies.values(), boxes, strict=True))
    step = float(step) / 32000  # a unit of the 16-bit coordinates: 0.1 mm for a body that stays within 3 m
    panels = []
    for (label, body), (centre, _, floor) in zip(bodies.items(), boxes, strict=True):
        seen = np.flatnonzero(np.isfinite(body).any((0, 2, 3)))
        body = body[:, : seen.max(initial=0) + 1]
        grid = np.nan_to_num(np.round((body - centre) / step), nan=MASKED).astype("<i2")
        panel: dict[str, Any] = {"label": label, "t": len(body), "m": body.shape[1]}
        panel |= {"centre": [float(c) for c in centre], "floor": round((floor - centre[1]) / step)}
        panels.append(panel | {"xyz": base64.b64encode(grid.tobytes()).decode("ascii")})
    sides = joint_sides(skeleton)
    record = {
        "fps": fps,
        "width": width,
        "height": round(width * min(max(rise / radius, 0.6), 1.15)),
        "step": step,
        "radius": radius / step,
        "rise": rise / step,
        "yaw": round(YAW, 3),
        "pitch": PITCH,
        "v": len(skeleton),
        "colours": list(SIDES.values()),
        "side": [list(SIDES).index(side) for side in sides],
        "bones": skeleton.bones,
        "panels": panels,
    }
    data = html.escape(json.dumps(record, separators=(",", ":")))
    name = f"skelkit-{secrets.token_hex(6)}"  # not from a seeded generator: drawing must not change a run
    most = max(persons_of(body) for body in bodies.values())
    who = f'<span style="margin-left:1em">filled joints: person 1, open: {_others(most)}</span>' if most > 1 else ""
    keys = " ".join(f'<span style="color:{c}"><b>&#9473;</b> {side}</span>' for side, c in SIDES.items())
    return Player(
        f'<div id="{name}" data-clip="{data}" data-lm-suppress-shortcuts="true" style="font:13px sans-serif">'
        f'<div style="font-weight:bold;margin:4px 0">{html.escape(title)}</div>'
        "<div>An animation stands here: run the cell, or trust the notebook, to see it.</div>"
        f'<div style="margin:2px 0">{keys} {who}</div><script>{SCRIPT.replace("PLAYER", name)}</script></div>'
    )


def travel(clip: Float[np.ndarray, "t 3 v m"]) -> float:
    """How much the first person of a clip moves: the range of each coordinate of each joint, added up, in its unit."""
    return float(np.ptp(clip[..., 0], axis=0).sum())


def poses(clip: Float[np.ndarray, "t 3 v m"], skeleton: Skeleton, frames: int = 6, title: str = "") -> Figure:
    """The clip (t, 3, v, m) as a strip of `frames` poses, evenly spaced in time: the player's stand-in on paper."""
    return strips({"": clip}, skeleton, frames, title or f"Poses of one clip ({len(clip)} frames)")


def strips(
    clips: Mapping[str, np.ndarray],
    skeleton: Skeleton,
    frames: int,
    title: str,
    hidden: Bool[np.ndarray, "t v"] | None = None,
) -> Figure:
    """One row of poses a clip, all at one scale; each pose is moved sideways into its place, its height is kept.

    hidden: the first clip's joints that a decoder did not see, in a colour of their own. The clips below it, of as many
    frames, are then what it made of the first, and stand before its shadow, where the first stands. Raises SkelkitError
    where frames or joints are not as many.
    """
    bodies = on_stage(clips, skeleton)
    original = next(iter(bodies))
    if hidden is not None and any(body[:, 0, :, 0].shape != hidden.shape for body in bodies.values()):
        shapes = ", ".join(f"{label} {body[:, 0, :, 0].shape}" for label, body in bodies.items())
        raise SkelkitError(f"strips: hidden joints of shape {hidden.shape} do not fit {shapes}; give one for each")
    rows = {}
    for label, body in bodies.items():
        index = np.linspace(0, len(body) - 1, frames).round().astype(int)
        here = _standing(body if hidden is None else bodies[original])
        rows[label] = index, project((body - here)[index])  # (frames, m, v, 3): across, up, towards the eye
    every = np.concatenate([view[np.isfinite(view).all(3)] for _, view in rows.values()])
    every = every if len(every) else np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    low = float(every[:, 1].min())
    high = max(float(every[:, 1].max()), low + 1e-6)
    place = max(2.2 * float(np.abs(every[:, 0]).max()), 0.3 * (high - low))  # a pose's share of the row, clip's unit
    scale = min(10.5 / (frames * place), (3.2 if len(rows) == 1 else 1.5) / (high - low))  # inches a unit
    place = max(place, 6 / frames / scale)
    figure = new_figure(frames * place * scale + 1.2, (high - low) * scale * 1.1 * len(rows) + 1)
    sides = [SIDES[side] for side in joint_sides(skeleton)]
    for axes, (label, (index, view)) in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows.items(), strict=True):
        axes.axhline(0, color="0.85", linewidth=1, zorder=0)
        for at, (frame, pose) in enumerate(zip(index, view, strict=True)):
            aside = np.array([at * place, 0, 0])
            if hidden is not None and label != original:
                draw_pose(axes, rows[original][1][at] + aside, skeleton, [SHADOW] * len(sides))
            gone = np.zeros(len(sides), bool) if hidden is None else hidden[frame]
            colours = [HIDDEN if unseen else side for unseen, side in zip(gone, sides, strict=True)]
            draw_pose(axes, pose + aside, skeleton, colours)
        pad = 0.04 * (high - low)
        axes.set(aspect="equal", xlim=(-place / 2, (frames - 0.5) * place), ylim=(low - pad, high + pad), xticks=[])
        axes.set_yticks([(low + high) / 2], [label])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.axes[-1].set_xticks(place * np.arange(frames), [str(i + 1) for i in rows[original][0]], color="0.35")
    figure.axes[-1].set_xlabel("frame" if len(rows) == 1 else f"frame (of {original})")
    name_sides(figure.axes[0], max(persons_of(view) for _, view in rows.values()))
    if hidden is not None:
        for name, colour in {"hidden from the decoder": HIDDEN, "the original": SHADOW}.items():
            figure.axes[0].plot([], [], color=colour, linewidth=2, label=name)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return figure


def _standing(body: np.ndarray) -> np.ndarray:
    """Where (t, m, v, 3) stands in each frame, (t, 1, 1, 3): on the floor, below the middle of what is drawn."""
    seen = np.isfinite(body).any((1, 2, 3))
    here = np.zeros((len(body), 1, 1, 3), body.dtype)
    here[seen] = (np.nanmin(body[seen], (1, 2), keepdims=True) + np.nanmax(body[seen], (1, 2), keepdims=True)) / 2
    here[..., 1] = _box(body)[2]
    return here


def on_stage(clips: Mapping[str, np.ndarray], skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Clips (t, 3, v, m) as bodies (t, m, v, 3), float32, y up, right-handed; NaN where nothing is to be drawn."""
    if not clips:
        raise SkelkitError("player: no clip was given; pass one, or a dict of label: clip")
    for label, clip in clips.items():
        if clip.ndim != 4 or clip.shape[1:3] != (3, len(skeleton)) or 0 in clip.shape:
            raise SkelkitError(
                f"player: clip {label!r} has shape {clip.shape}; give (t, 3, {len(skeleton)}, m) for {skeleton.name}"
            )
        if not np.isfinite(clip).all():
            raise SkelkitError(f"player: clip {label!r} holds NaN or infinity; set what is missing to zero")
    bodies = {label: np.array(clip.transpose(0, 3, 2, 1), np.float32) for label, clip in clips.items()}
    first = next(iter(bodies.values()))
    bare = first[(first != 0).any((2, 3))][:1, skeleton.centre]  # the first body's centre joint: at zero after centring
    turn = _upright(first, skeleton)
    for label, body in bodies.items():
        there = (body != 0).any(3)  # (t, m, v)
        own = there[there.any(2)][:, skeleton.centre]  # never there: this clip was centred, whatever the first was
        if (len(bare) and not bare.any()) or not own.any():  # then zero is where that joint belongs, and no absence
            there[..., skeleton.centre] |= there.any(2)
        bodies[label] = body @ turn.T
        bodies[label][~there] = np.nan
    return bodies


def joint_sides(skeleton: Skeleton) -> list[str]:
    """left, right or trunk for each joint; a bone takes its child's. All trunk where the skeleton names no parts."""
    sides = ["trunk"] * len(skeleton)
    for part, joints in skeleton.parts.items():
        for joint in joints:
            sides[joint] = next((side for side in SIDES if part.startswith(side)), "trunk")
    return sides


def project(body: np.ndarray, yaw: float = YAW, pitch: float = PITCH) -> np.ndarray:
    """Parallel projection of (..., 3), y up, as the player's script does it: across, up, towards the eye."""
    x, y, z = np.moveaxis(body, -1, 0)
    near = np.cos(yaw) * z - np.sin(yaw) * x
    across = np.cos(yaw) * x + np.sin(yaw) * z
    return np.stack(
        [across, np.cos(pitch) * y - np.sin(pitch) * near, np.sin(pitch) * y + np.cos(pitch) * near], axis=-1
    )


def _upright(body: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The rotation (3, 3) that brings the way up to +y: the axis along which the trunk is ever furthest above the legs.

    Of a body that lies for most of the clip its few standing frames tell, and of two axes that are about equally far, y
    is the way up. Kinect clips keep their axes; SBU's image coordinates, y down, make half a turn about z.
    """
    trunk = [j for part, joints in skeleton.parts.items() if part == "trunk" for j in joints]
    legs = [j for part, joints in skeleton.parts.items() if "leg" in part for j in joints]
    (high, trunks), (low, feet) = (_middle(body[:, :, joints]) for joints in (trunk, legs))
    rise = (high - low)[trunks & feet]  # (frames of anybody, 3)
    up = np.array([0.0, 1.0, 0.0])
    if len(rise):
        far = np.quantile(abs(rise), 0.95, axis=0)  # beyond it a sensor's jumps
        k = 1 if far[1] >= 0.75 * far.max() else int(far.argmax())
        up = np.eye(3)[k] * (1.0 if rise[abs(rise[:, k]) >= far[k], k].mean() >= 0 else -1.0)
    near = np.array([0.0, -up[2], 0.0]) if up[2] else np.array([0.0, 0.0, 1.0])
    return np.stack([np.cross(up, near), up, near]).astype(np.float32)


def _middle(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (t, m, 3) of some joints (t, m, j, 3), of those that are there, and whether any is: (t, m)."""
    there = joints.any(3).sum(2)
    return joints.sum(2) / there.clip(min=1)[..., None], there > 0


def name_sides(axes: Axes, persons: int) -> None:
    """Entries for a legend: the sides' colours and, for more than one person, who is who."""
    for side, colour in SIDES.items():
        axes.plot([], [], color=colour, linewidth=2, label=side)
    for fill, person in (("0.3", "person 1"), ("white", _others(persons))) if persons > 1 else ():
        axes.plot([], [], "o", color="0.3", markerfacecolor=fill, markersize=4, label=person)


def _others(persons: int) -> str:
    return "person 2" if persons == 2 else f"persons 2 to {persons}"


def persons_of(body: np.ndarray) -> int:
    """The last person of (t, m, v, 3) who is drawn at all."""
    return int(np.isfinite(body).any((0, 2, 3)).nonzero()[0].max(initial=0)) + 1


def _box(body: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre (3,), half size (3,) and floor height of what is drawn; a sensor's rare far jump does not count."""
    seen = body[np.isfinite(body).all(3)]
    if not len(seen):
        return np.zeros(3), np.ones(3), -1.0
    low, high = np.percentile(seen, [0.25, 99.75], axis=0)
    return (low + high) / 2, np.maximum(high - low, 1e-6) / 2, float(low[1])


def draw_pose(axes: Axes, pose: np.ndarray, skeleton: Skeleton, colours: Sequence[str] = ()) -> None:
    """One frame (m, v, 3), projected, far bones first; the joints of all but the first person are open.

    colours: each joint's, which a bone takes of its child; () are those of the sides.
    """
    from matplotlib.collections import LineCollection

    edge = list(colours) or [SIDES[side] for side in joint_sides(skeleton)]
    for person, joints in enumerate(pose):
        there = np.isfinite(joints).all(1)
        if not there.any():
            continue
        bones = [(c, p) for c, p in skeleton.bones if there[c] and there[p]]
        bones.sort(key=lambda bone: float(joints[list(bone), 2].sum()))
        lines = [joints[[c, p], :2] for c, p in bones]
        of_bones = [edge[c] for c, _ in bones]
        axes.add_collection(LineCollection(lines, colors=of_bones, linewidths=1.8, capstyle="round"), autolim=False)
        fill = edge if person == 0 else "white"
        axes.scatter(joints[:, 0], joints[:, 1], s=7, c=fill, edgecolors=edge, linewidths=0.8, zorder=2)
