"""Two augmented views of a batch beside plain NumPy loops."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from statistics import median

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Generator

from skelkit.augment import augment
from skelkit.bench.timing import Line, spread, turns
from skelkit.device import device, keep_freed_memory
from skelkit.methods.ascal import ASCALConfig


def plain_loop(
    clips: Float[np.ndarray, "b 3 t v m"], backwards: Bool[np.ndarray, " b"], matrices: Float[np.ndarray, "b 3 3"]
) -> Float[np.ndarray, "b 3 t v m"]:
    """Reverse and shear clip by clip, each joint's place times the matrix: what the tests compare `augment` with."""
    views = []
    for clip, flag, matrix in zip(clips, backwards, matrices, strict=True):
        points = (clip[:, ::-1] if flag else clip).transpose(1, 2, 3, 0)  # (t v m 3)
        views.append((points.reshape(-1, 3) @ matrix.T).reshape(points.shape).transpose(3, 0, 1, 2))
    return np.stack(views)


def planar_loop(
    clips: Float[np.ndarray, "b 3 t v m"], backwards: Bool[np.ndarray, " b"], matrices: Float[np.ndarray, "b 3 3"]
) -> Float[np.ndarray, "b 3 t v m"]:
    """The best such loop known: it has taken over `augment`'s layout, (3 3) @ (3 tvm), and copies once."""
    views = np.empty_like(clips)
    for view, clip, flag, matrix in zip(views, clips, backwards, matrices, strict=True):
        view[:] = (matrix @ (clip[:, ::-1] if flag else clip).reshape(3, -1)).reshape(clip.shape)
    return views


Loop = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def two_views_by(loop: Loop, clips: int) -> Callable[[], object]:
    """A call that draws the numbers of two views of a batch at once, and makes both with the loop."""
    batch = np.random.default_rng(0).standard_normal((clips, 3, 150, 25, 2), dtype=np.float32)
    numbers = np.random.default_rng(0)

    def view() -> np.ndarray:
        matrices = numbers.uniform(-1, 1, (clips, 3, 3)).astype(np.float32)
        matrices[:, range(3), range(3)] = 1
        return loop(batch, numbers.random(clips) < 0.5, matrices)

    return lambda: (view(), view())


def _serve(asked: Connection, loop: Loop, clips: int) -> None:
    side = two_views_by(loop, clips)
    while asked.recv():
        side()
        asked.send(True)


@contextmanager
def elsewhere(loop: Loop, clips: int) -> Iterator[Callable[[], object]]:
    """`two_views_by` in a fresh process, as a data loader runs it: without what skelkit asks of its own allocator."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, loop, clips), daemon=True)
    process.start()

    def ask() -> None:
        here.send(True)
        here.recv()

    try:
        yield ask
    finally:
        here.send(False)
        process.join()


def views(clips: int = 64, rounds: int = 15) -> list[Line]:
    """Two default views of a batch, on the device, against NumPy loops on the CPU that draw their numbers at once."""
    keep_freed_memory()  # as training does
    batch = np.random.default_rng(0).standard_normal((clips, 3, 150, 25, 2), dtype=np.float32)
    x, steps = torch.from_numpy(batch).to(device()), ASCALConfig().steps
    rng = Generator(device()).manual_seed(0)
    with elsewhere(plain_loop, clips) as plain:
        loops = {
            "the plain NumPy loop": plain,
            "the same loop with our allocator": two_views_by(plain_loop, clips),
            "the best NumPy loop known, with our allocator": two_views_by(planar_loop, clips),
        }
        ours, *others = turns(
            [lambda: (augment(x, steps, rng), augment(x, steps, rng)), *loops.values()], rounds, calls=5
        )
    lines = []
    for name, loop in zip(loops, others, strict=True):
        ratios = [theirs / mine for mine, theirs in zip(ours, loop, strict=True)]
        rates = f"{clips / median(ours):,.0f} against {clips / median(loop):,.0f} clips/s"
        what = f"two views of {clips} clips of 150 x 2 x 25 x 3: `augment` / {name}"
        lines.append(Line(what, "6 x", f"{spread(ratios)} x; {rates}", median(ratios) >= 6))
    # The goal is set against the plain loop; the others say how much of the gain is the allocator's, and the layout's.
    return [lines[0], *(replace(line, must_reach="", met=None) for line in lines[1:])]
