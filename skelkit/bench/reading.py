"""The speed of importing: official files written by a generator, read by skelkit and by a plain reader."""

from __future__ import annotations

import multiprocessing
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float

from skelkit.bench.timing import Line, in_a_process, resident_mb, spread, turns
from skelkit.data.datasets import ntu
from skelkit.data.importing import BATCH, Reading, Source, import_clips
from skelkit.data.importing.parts import make_part

Batch = tuple[Reading, Sequence[Source], str]
"""A reader, files, and the folder for what is read."""
NTU60_FILES = 56_880
"""`.skeleton` files of NTU RGB+D 60."""


def skeleton_text(frames: Sequence[Any]) -> str:
    """A `.skeleton` file of frames: lists (or one array) of bodies, each (25, 3) in metres.

    What a reader does not need is made up: confidences, states, places in the depth and colour pictures, orientations.
    """
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for place, body in enumerate(bodies):
            lines += [f"{72057594037931101 + place} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            for x, y, z in body.tolist():
                depth = max(abs(z), 0.1)
                pixels = (256 + 365 * x / depth, 212 - 365 * y / depth, 960 + 1050 * x / depth, 540 - 1050 * y / depth)
                turned = (0.5 + x / 20, -y / 20, 0.9 - z / 20, -0.1239193)
                lines.append(" ".join([*(f"{value:.7G}" for value in (x, y, z, *pixels, *turned)), "2"]))
    return "\n".join(lines) + "\n"


def write_ntu(folder: Path, files: int, different: int = 100) -> None:
    """So many files named as NTU RGB+D 60's: 60 to 140 frames, two bodies in the mutual actions, which are one in six.

    different: clips made; they take turns under all the names.
    """
    rng, texts = np.random.default_rng(0), list[list[str]]()
    for bodies in (1, 2):
        made = []
        for length in rng.integers(60, 141, different // 2 or 1):
            pose = rng.normal([0, 0, 3], 0.5, (bodies, 25, 3)) + np.cumsum(rng.normal(0, 0.01, (length, 1, 1, 3)), 0)
            made.append(skeleton_text(list(pose.astype(np.float32))))
        texts.append(made)
    every = np.ndindex(17, 40, 60, 3)
    names = (f"S{s + 1:03}C{c + 1:03}P{p + 1:03}R001A{a + 1:03}" for s, p, a, c in every)
    for i, name in enumerate(islice((name for name in names if name not in ntu.MISSING), files)):
        mutual = int(name[-3:]) >= 50
        (folder / f"{name}.skeleton").write_text(texts[mutual][i % len(texts[mutual])], encoding="ascii")


def plain_reader(path: Path) -> Float[np.ndarray, "t 3 25 m"]:
    """A `.skeleton` file read line by line: what the tests compare the reader with, and the speed's yardstick."""
    with open(path, encoding="ascii") as file:
        frames: list[list[list[list[float]]]] = []
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                file.readline()
                joints = range(int(file.readline()))
                bodies.append([[float(word) for word in file.readline().split()[:3]] for _ in joints])
            frames.append(bodies)
    clip = np.zeros((len(frames), 3, 25, min(ntu.BODIES, max(map(len, frames)))), np.float32)
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies[: ntu.BODIES]):
            clip[t, :, :, m] = np.array(body).T
    return clip


def imported(raw: str, processes: int) -> tuple[float, float]:
    """Seconds that importing a folder of `.skeleton` files takes, and the peak memory in MB of all its processes."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        import_clips(ntu.ntu60(Path(raw)), Path(folder) / "ntu60", processes=processes, progress=False)
    seconds, peak = time.perf_counter() - started, resident_mb("VmHWM")
    if processes > 1:  # each is counted as the largest of them
        import resource  # which Windows does not have; resident_mb has said so

        peak += processes * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    return seconds, peak


def _stored(batch: Batch) -> None:
    """Read a batch as an import does: checked, and stored in a part."""
    reading, sources, folder = batch
    make_part(reading, sources, Path(folder) / f"{secrets.token_hex(8)}.npz")


def _count(numbers: int) -> int:
    """Work that needs neither memory nor disk: what a second process gains here at best."""
    return sum(range(numbers))


def _all(pool: Executor, work: Callable[[Any], object], inputs: Sequence[Any]) -> list[object]:
    return list(pool.map(work, inputs))


def data(files: int = 2000, rounds: int = 5) -> list[Line]:
    """Importing NTU RGB+D 60: against a plain reader, in two processes, and the whole of it projected."""
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as store, ExitStack() as pools:
        write_ntu(Path(place), files)
        reading = ntu.ntu60(Path(place))
        sources = [source for source in reading.sources if isinstance(source, Source)]
        bare = replace(reading, sources=())
        batches = [(bare, sources[i : i + BATCH], store) for i in range(0, len(sources), BATCH)]
        mixed = sources[:: max(len(sources) // BATCH, 1)]
        some = [source.path for source in mixed]
        sides: list[Callable[[], object]] = [
            lambda: [ntu.frames(path) for path in some],
            lambda: [plain_reader(path) for path in some],
            lambda: _stored((bare, mixed, store)),
        ]
        ours, plain, stored = turns(sides, rounds, calls=3)
        spawn = multiprocessing.get_context("spawn")
        few, many = (pools.enter_context(ProcessPoolExecutor(n, spawn)) for n in (1, 2))
        stores = [partial(_all, pool, _stored, batches) for pool in (few, many)]
        counts = [partial(_all, pool, _count, [2_000_000] * 20) for pool in (few, many)]
        one, two, bare_one, bare_two = turns([*stores, *counts], rounds)
        runs = [in_a_process(f"imported({place!r}, 2)", "skelkit.bench.reading", SKELKIT_STORE=store) for _ in range(2)]
    sides_of = ((ours, plain), (two, one), (bare_two, bare_one))
    ratios, pairs, best = ([b / a for a, b in zip(x, y, strict=True)] for x, y in sides_of)
    rates = [f"{len(some) / median(times):,.0f}" for times in (ours, plain, stored)]
    said = f"{spread(ratios)} x; {rates[0]} against {rates[1]} clips/s, checked and stored {rates[2]}"
    gained = f"{spread(pairs)} x; a loop that only counts gains {spread(best)} x here"
    minutes = [seconds * NTU60_FILES / files / 60 for seconds, _ in runs]
    peaks = [peak for _, peak in runs]
    what = ".skeleton files of 60 to 140 frames"
    return [
        Line(f"{len(some)} {what}: read line by line / read by skelkit, one core", "3 x", said, median(ratios) >= 3),
        Line(f"{files:,} {what}: one process / two", "close to 2 x", gained, median(pairs) >= 1.7),
        Line("projection: importing NTU RGB+D 60", "under 15 min", f"{spread(minutes)} min", median(minutes) < 15),
        Line("importing them: all processes", "under 1,500 MB", f"{spread(peaks, ',.0f')} MB", max(peaks) < 1500),
    ]
