"""What the present data could still fill, cheapest first, and a runner that stops in time."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from skelkit import store
from skelkit.data.library import load, present
from skelkit.data.protocols import split
from skelkit.data.views import DataSpec
from skelkit.device import device_name
from skelkit.evaluate import activeml
from skelkit.files import SkelkitError
from skelkit.models.representations import Representations
from skelkit.models.rnn import Recurrent
from skelkit.recipes import PAPERS
from skelkit.recipes.experiment import Data, Evaluation, Experiment, Weights
from skelkit.run import evaluate, rows_of


@dataclass(frozen=True)
class Job:
    """Experiments without a row that share one training, or one pretraining under trainings of their own."""

    experiments: tuple[Experiment, ...]
    minutes: float | None
    """Estimated from the seconds of earlier rows; None while there are none to go by."""

    @property
    def title(self) -> str:
        """One short line: paper, data, seed, and the first of its cells with the number of the others."""
        cell, weights = self.experiments[0].cell, self.experiments[0].evaluation.weights
        fold = "" if weights.data.fold is None else f" fold {weights.data.fold + 1}"
        others = len(self.experiments) - 1
        more = f" (+{others})" if others else ""
        where = f"{cell.paper:13s} {weights.data.name}{fold}, seed {weights.seed}"
        return f"{where:36s} {cell.table}: {cell.row[:36]}, {cell.column[:24]}{more}"


def pending(papers: Sequence[str] = (), tables: Sequence[str] = (), datasets: Sequence[str] = ()) -> list[Job]:
    """Every experiment of the recipes whose data is here and that no committed row fills, cheapest first (by `work`
    where no row tells of seconds); published cells at tier `paper`, most extensions at `reduced`.

    papers, tables, datasets: only these; () stands for all. Tables and data sets change no estimate. Raises
    SkelkitError for an unknown one.
    """
    every = known = [e for paper in papers or PAPERS for e in _recipe(paper)]
    for name, wanted in (("table", tables), ("data set", datasets)):
        values = [e.cell.table if name == "table" else e.evaluation.weights.data.name for e in known]
        if unknown := set(wanted) - set(values):
            raise SkelkitError(f"unknown {name} {min(unknown)!r}; choose one of {', '.join(dict.fromkeys(values))}")
        known = [e for e, value in zip(known, values, strict=True) if not wanted or value in wanted]
    alike: dict[object, list[Experiment]] = {}
    for experiment in every:
        for group in _groups(experiment) if ready(experiment.evaluation) else ():
            alike.setdefault(group, []).append(experiment)
    rates = {group: _rate(members) for group, members in alike.items()}
    by_pretraining: dict[str, list[Experiment]] = {}
    for experiment in known:
        if ready(experiment.evaluation) and not rows_of(experiment):
            weights = experiment.evaluation.weights
            by_pretraining.setdefault(store.key(_trainings(weights)[0]), []).append(experiment)
    jobs: list[tuple[float, Job]] = []
    for sharing in by_pretraining.values():
        rate = next((rates[group] for group in _groups(sharing[0]) if rates[group]), None)
        trainings = {weights: None for e in sharing for weights in _trainings(e.evaluation.weights)}
        total = sum(map(work, trainings))
        jobs.append((total, Job(tuple(sharing), None if rate is None else total * rate / 60)))
    jobs.sort(key=lambda pair: (pair[1].minutes is None, pair[1].minutes or pair[0]))
    return [job for _, job in jobs]


def ready(evaluation: Evaluation) -> bool:
    """Whether all that an evaluation needs is here: its own data, what its encoders were pretrained on, and the library
    of a strategy that is not our own."""
    asked = [weights for own in (evaluation.weights, *evaluation.beside) for weights in _trainings(own)]
    outside = any(weights.active and isinstance(weights.active.strategy, activeml.STRATEGIES) for weights in asked)
    return all(present(weights.data.name) for weights in asked) and (not outside or activeml.installed())


def _trainings(weights: Weights) -> list[Weights]:
    """All trainings that some weights take, in order: their teacher's, their start's, their own."""
    before = [each for each in (weights.teacher, weights.start) if each]
    return [*(training for each in before for training in _trainings(each)), weights]


def _groups(experiment: Experiment) -> tuple[object, ...]:
    """Whose rows an estimate goes by, the first that has any: the paper's with such encoders, the paper's, all."""
    encoder = experiment.evaluation.weights.encoder
    configs = [each for _, each in encoder.encoders] if isinstance(encoder, Representations) else [encoder]
    paper = experiment.cell.paper
    return (paper, *sorted(type(config).__name__ for config in configs)), paper, None


def _recipe(paper: str) -> list[Experiment]:
    if paper not in PAPERS:
        raise SkelkitError(f"unknown paper {paper!r}; choose one of {', '.join(PAPERS)}")
    return PAPERS[paper].everything()


def work(weights: Weights) -> float:
    """A measure of a training's cost, its start's left out: clips times the encoders' multiply-adds, times epochs (of
    all rounds, where labels are asked for) and two more for the evaluation's passes."""
    data = weights.data
    frames = (data.eval_view or data.view).frames  # what an encoder sees: a view may be cropped from more
    clips, spec = _size(data)
    rounds = len(weights.active.budgets) if weights.active else 1
    return clips * _pass(weights.encoder, spec, frames) * (rounds * weights.training.schedule.epochs + 2)


def _pass(encoder: Any, spec: DataSpec, frames: int) -> float:
    """The multiply-adds of one clip's way through an encoder, or through several; of recurrent ones a rough count."""
    if isinstance(encoder, Representations):
        return sum(_pass(each, spec, frames) for _, each in encoder.encoders)
    if isinstance(encoder, Recurrent):
        return encoder.width * (encoder.width + 3 * len(spec.skeleton) * spec.persons) * encoder.layers * frames
    return _counted(encoder, spec, frames)


@lru_cache(maxsize=64)
def _counted(encoder: Any, spec: DataSpec, frames: int) -> float:
    """Counted by torch, while one clip passes through an encoder that is built for it."""
    from torch.utils.flop_counter import FlopCounterMode  # a second's import, which `skelkit --help` need not wait for

    clip = torch.zeros(1, 3, frames, len(spec.skeleton), spec.persons)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.build(spec).eval()(clip)
    return counter.get_total_flops() / 2


@lru_cache(maxsize=64)
def _size(data: Data) -> tuple[int, DataSpec]:
    """How many training clips, and what one of them is like."""
    clips = load(data.name)
    one = DataSpec(1, len(clips.classes), clips.skeleton, clips.persons)
    return len(split(clips, data.split, data.fold).train), one


def _rate(experiments: list[Experiment]) -> float | None:
    """Seconds a unit of work, the median over rows; of this device where it has rows, else of its kind (a CPU's rows
    tell nothing of a GPU)."""
    pairs = [(row, e.evaluation.weights) for e in experiments for row in rows_of(e)[:1]]
    kind = [(r, w) for r, w in pairs if _on_gpu(r.device) == _on_gpu(device_name())]
    here = [(r, w) for r, w in kind if _machine(r.device) == _machine(device_name())] or kind
    rates = [row.seconds / work(weights) for row, weights in here if weights.training.schedule.epochs]
    return statistics.median(rates) if rates else None


def _machine(device: str) -> str:
    """A row's device but for the number of threads, which differs between a job and its parent."""
    return re.sub(r", \d+ threads$", "", device)


def _on_gpu(device: str) -> bool:
    return not device.startswith("cpu, ")


def run(
    jobs: Sequence[Job], *, budget: float | None = None, processes: int = 1, say: Callable[[str], None] = print
) -> tuple[int, int]:
    """Run jobs in order, `processes` side by side, as long as the next one's estimate fits the budget (seconds).

    Returns how many jobs ended well, and how many failed. A job that fails, or whose process is killed (with more than
    one, those beside it as well), is reported and the others go on; Ctrl-C stops after saying so. What is under way
    when the budget is spent is stopped, and goes on from its last checkpoint another time.
    Rows are appended as each experiment ends, so that stopping loses at most those under way.
    """
    end = None if budget is None else time.monotonic() + budget
    waiting, done, failed = list(jobs), 0, 0
    running: dict[Future[int], Job] = {}
    pool = _pool(processes)
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                job = waiting.pop(0)
                if end is not None and time.monotonic() + 60 * (job.minutes or 0) > end:
                    waiting.clear()
                    break
                running[pool.submit(_run, job.experiments)] = job
            if not running:
                break
            left = None if end is None else max(0.0, end - time.monotonic())
            ended = wait(running, timeout=left, return_when=FIRST_COMPLETED).done
            if not ended:
                say(f"the budget is spent; stopped: {'; '.join(job.title for job in running.values())}")
                for worker in multiprocessing.active_children():
                    worker.terminate()
                break
            if any(isinstance(future.exception(), BrokenExecutor | torch.AcceleratorError) for future in ended):
                # A process was killed, which ends all the pool's jobs; or its GPU refuses all that would follow.
                ended = wait(running).done
                pool = _pool(processes)
            for future in ended:
                job = running.pop(future)
                error = future.exception()
                done, failed = done + (error is None), failed + (error is not None)
                say(f"{f'failed: {error}' if error else f'{future.result()} rows'}  {job.title}")
                if error and not isinstance(error, SkelkitError | BrokenExecutor):
                    say("".join(traceback.format_exception(error)).rstrip())
    except KeyboardInterrupt:
        say(f"stopped; {done} jobs are done and their rows stand")
    pool.shutdown(cancel_futures=True)
    return done, failed


def _pool(processes: int) -> ProcessPoolExecutor:
    threads = max(1, (os.cpu_count() or 1) // processes)
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    return ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(threads,))


def _begin(threads: int) -> None:
    """A worker that is stopped leaves what it builds by an exception, so that nothing half-made stays."""
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))


def _run(experiments: tuple[Experiment, ...]) -> int:
    """How many rows the experiments gave. Where some fail, the others go on, and the errors are raised at the end."""
    rows, errors, untrained = 0, [], set()
    for experiment in experiments:
        weights = experiment.evaluation.weights
        if weights in untrained:
            continue  # their training failed already
        try:
            rows += len(evaluate(experiment))
        except Exception as error:
            errors.append(error)
            if not store.built("weights", weights):
                untrained.add(weights)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {len(experiments)} experiments, {rows} rows of the others", errors)
    return rows
