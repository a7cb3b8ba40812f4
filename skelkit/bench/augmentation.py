"""Two augmented views of a batch beside plain NumPy loops."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from statistics import median

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator

from skelkit.augment import Augmentation, CropResize, JointJitter, OneOf, Shear, augment
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


def crop_loop(
    clips: Float[np.ndarray, "b 3 t v m"],
    starts: Int[np.ndarray, " b"],
    lengths: Int[np.ndarray, " b"],
    joints: Bool[np.ndarray, "b v"],
    matrices: Float[np.ndarray, "b 3 3"],
) -> Float[np.ndarray, "b 3 t v m"]:
    """Crop, stretch, and move some joints (all of them: the pose), clip by clip, as `plain_loop` does."""
    views = []
    for clip, start, length, chosen, matrix in zip(clips, starts, lengths, joints, matrices, strict=True):
        points = clip[:, start : start + length].transpose(1, 2, 3, 0)  # (length v m 3)
        place = np.clip((np.arange(clip.shape[1]) + 0.5) * length / clip.shape[1] - 0.5, 0, length - 1)
        before = place.astype(int)
        weight = (place - before).astype(clip.dtype)[:, None, None, None]
        points = points[before] * (1 - weight) + points[np.minimum(before + 1, length - 1)] * weight
        points[:, chosen] = points[:, chosen] @ matrix.T
        views.append(points.transpose(3, 0, 1, 2))
    return np.stack(views)


Numbers = tuple[np.ndarray, ...]
Loop = Callable[..., np.ndarray]
Draw = Callable[[np.random.Generator, int], Numbers]


def reversals(numbers: np.random.Generator, clips: int) -> Numbers:
    """The numbers of AS-CAL's default view: who is reversed, and the shear matrices."""
    return numbers.random(clips) < 0.5, _shears(numbers, clips)


def crops(numbers: np.random.Generator, clips: int, frames: int = 150, joints: int = 25) -> Numbers:
    """The numbers of inter-skeleton contrast's default view: the crops, the joints that move, and their matrices."""
    lengths = np.floor(frames * numbers.uniform(0.1, 1, clips)).astype(int)
    starts = numbers.integers(0, frames - lengths + 1)
    pose = numbers.random(clips) < 0.5
    jittered = numbers.random((clips, joints)).argsort(1).argsort(1) < 15
    jitters = numbers.uniform(-1, 1, (clips, 3, 3)).astype(np.float32)
    return starts, lengths, jittered | pose[:, None], np.where(pose[:, None, None], _shears(numbers, clips), jitters)


def _shears(numbers: np.random.Generator, clips: int) -> np.ndarray:
    matrices = numbers.uniform(-1, 1, (clips, 3, 3)).astype(np.float32)
    matrices[:, range(3), range(3)] = 1
    return matrices


def two_views_by(loop: Loop, clips: int, draw: Draw = reversals) -> Callable[[], object]:
    """A call that draws the numbers of two views of a batch at once, and makes both with the loop."""
    batch = np.random.default_rng(0).standard_normal((clips, 3, 150, 25, 2), dtype=np.float32)
    numbers = np.random.default_rng(0)
    return lambda: [loop(batch, *draw(numbers, clips)) for _ in range(2)]


def _serve(asked: Connection, loop: Loop, clips: int, draw: Draw) -> None:
    side = two_views_by(loop, clips, draw)
    while asked.recv():
        side()
        asked.send(True)


@contextmanager
def elsewhere(loop: Loop, clips: int, draw: Draw = reversals) -> Iterator[Callable[[], object]]:
    """`two_views_by` in a fresh process, as a data loader runs it: without what skelkit asks of its own allocator."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, loop, clips, draw), daemon=True)
    process.start()

    def ask() -> None:
        here.send(True)
        here.recv()

    try:
        yield ask
    finally:
        here.send(False)
        process.join()


def _against(
    steps: Sequence[Augmentation], clips: int, rounds: int, goal: int, loops: dict[str, Callable[[], object]]
) -> list[Line]:
    """Two views of a batch by `augment`, on the device, against loops; the goal is set against the first of them."""
    keep_freed_memory()  # as training does
    batch = np.random.default_rng(0).standard_normal((clips, 3, 150, 25, 2), dtype=np.float32)
    x, rng = torch.from_numpy(batch).to(device()), Generator(device()).manual_seed(0)
    ours, *others = turns([lambda: (augment(x, steps, rng), augment(x, steps, rng)), *loops.values()], rounds, calls=5)
    lines = []
    for name, loop in zip(loops, others, strict=True):
        ratios = [theirs / mine for mine, theirs in zip(ours, loop, strict=True)]
        rates = f"{clips / median(ours):,.0f} against {clips / median(loop):,.0f} clips/s"
        what = f"two views of {clips} clips of 150 x 2 x 25 x 3: `augment` / {name}"
        lines.append(Line(what, f"{goal} x", f"{spread(ratios)} x; {rates}", median(ratios) >= goal))
    # The goal is set against the plain loop; the others say how much of the gain is the allocator's, and the layout's.
    return [lines[0], *(replace(line, must_reach="", met=None) for line in lines[1:])]


def views(clips: int = 64, rounds: int = 15) -> list[Line]:
    """Two default views of a batch by AS-CAL, on the device, against NumPy loops on the CPU that draw at once."""
    with elsewhere(plain_loop, clips) as plain:
        loops = {
            "the plain NumPy loop": plain,
            "the same loop with our allocator": two_views_by(plain_loop, clips),
            "the best NumPy loop known, with our allocator": two_views_by(planar_loop, clips),
        }
        return _against(ASCALConfig().steps, clips, rounds, 6, loops)


def interskeleton_views(clips: int = 64, rounds: int = 15) -> list[Line]:
    """Two spatio-temporal views of a batch (Thoker et al. 2021, Eq. 4) against the NumPy loop that draws at once."""
    steps = (CropResize(), OneOf((Shear(), JointJitter())))
    with elsewhere(crop_loop, clips, crops) as plain:
        loops = {
            "the plain NumPy loop": plain,
            "the same loop with our allocator": two_views_by(crop_loop, clips, crops),
        }
        return _against(steps, clips, rounds, 5, loops)
