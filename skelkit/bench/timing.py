"""How a part measures (sides in turns, memory, a process of its own), and the line that it reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from skelkit.device import device
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    measured: str
    """What, in words."""
    must_reach: str
    """The bound, with its unit; "": there is none."""
    reached: str
    """What came out, with its unit."""
    met: bool | None = None
    """None: there is nothing to reach."""


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """The median, and the least and greatest value."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def turns(sides: Sequence[Callable[[], object]], rounds: int, calls: int = 1) -> list[list[float]]:
    """Seconds a call of each side in each round, sides in turn; of several calls in a row the quickest counts."""

    def seconds(side: Callable[[], object]) -> float:
        started = now()
        side()
        return now() - started

    for side in sides:
        side()  # the first call allocates and warms up
    times = [[min(seconds(side) for _ in range(calls)) for side in sides] for _ in range(rounds)]
    return [list(column) for column in zip(*times, strict=True)]


def now() -> float:
    """Seconds, once the device has done its work."""
    if device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def resident_mb(which: str) -> float:
    """This process's memory in MB: "VmRSS" now, "VmHWM" at its peak; elsewhere than on Linux always the peak."""
    if (status := Path("/proc/self/status")).exists():  # ru_maxrss would count the parent's memory at the fork
        return int(status.read_text().split(f"{which}:")[1].split()[0]) * 1024 / 1e6
    try:
        import resource
    except ImportError as error:
        raise SkelkitError("bench: memory is not measured on Windows; leave out the parts open and memory") from error
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def in_a_process(call: str, module: str = "skelkit.bench", **environment: str) -> Any:
    """What a function of a module returns when a fresh interpreter calls it."""
    code = f"import json; import {module} as module; print(json.dumps(module.{call}))"
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SkelkitError(
            f"bench: {call} failed: {last}; to see all of it, call {module}.{call} in a python of your own"
        )
    return json.loads(done.stdout.splitlines()[-1])
