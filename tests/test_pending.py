"""What could still be filled, cheapest first, and a runner that stops in time and goes on after a failure."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny import clips_of, save_npz

from skelkit import pending, run, store
from skelkit.data.views import View
from skelkit.device import device_name
from skelkit.evaluate import activeml
from skelkit.evaluate.active import ActiveLearning
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.strategies import Uniform
from skelkit.files import SkelkitError, store_folder
from skelkit.models.gru import BiGRU
from skelkit.models.hcn import HCN
from skelkit.models.representations import Representations
from skelkit.models.rnn import Recurrent
from skelkit.pending import Job
from skelkit.recipes import ascal, interskeleton
from skelkit.recipes.experiment import Cell, Data, Evaluation, Experiment
from skelkit.report import results
from skelkit.report.results import Row

pytestmark = pytest.mark.usefixtures("one_thread")


def experiment(dataset: str = "here", epochs: int = 1, width: int = 4, seed: int = 0, row: str = "CAE") -> Experiment:
    base = ascal.pretraining(dataset, "xsub", seed=seed)
    weights = replace(
        base,
        data=Data(dataset, "xsub", view=View(6)),
        encoder=Recurrent("lstm", width),
        method=replace(base.method, queue=64),
        training=replace(base.training, schedule=replace(base.training.schedule, epochs=epochs)),
    )
    return Experiment(Cell("toy", "Table I", row, "C-Sub"), Evaluation(weights, KNN(), row))


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set "here" and no other; a store and results of each test's own."""
    (tmp_path / "data").mkdir()
    save_npz(clips_of(24), tmp_path / "data" / "here.npz")
    for name in ("data", "store", "results"):
        monkeypatch.setenv(f"SKELKIT_{name.upper()}", str(tmp_path / name))


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Experiment]]:
    """The one paper's experiments, which a test fills in."""
    experiments: list[Experiment] = []
    pending._size.cache_clear()
    run.prepare.cache_clear()
    monkeypatch.setattr(pending, "PAPERS", {"toy": SimpleNamespace(everything=lambda: list(experiments))})
    yield experiments
    run.prepare.cache_clear()


def committed(filled: Experiment, seconds: float, device: str = "") -> Row:
    """A row of an experiment, appended to the results."""
    weights = filled.evaluation.weights
    row = Row(
        **vars(filled.cell),
        dataset=weights.data.name,
        split="xsub",
        metric="kNN top-1",
        value=50.0,
        seed=weights.seed,
        fold=-1,
        tier="paper",
        variant="paper",
        selection="last",
        n_train=12,
        n_test=12,
        key=store.key(filled.evaluation),
        parents=(),
        commit="unknown",
        dirty=False,
        versions={},
        device=device or device_name(),
        seconds=seconds,
        started="2026-01-01T00:00:00+00:00",
    )
    results.append([row])
    return row


def epochs_of(jobs: Sequence[Job]) -> list[int]:
    return [job.experiments[0].evaluation.weights.training.schedule.epochs for job in jobs]


def test_only_what_the_present_data_can_fill_is_listed(recipe: list[Experiment]) -> None:
    recipe += [experiment("absent"), experiment("here"), experiment("ntu60")]
    (job,) = pending.pending()
    assert job.experiments == (experiment("here"),)


def test_what_has_a_row_is_not_pending(recipe: list[Experiment]) -> None:
    recipe += [experiment(seed=0), experiment(seed=1)]
    committed(recipe[0], seconds=1.0)
    assert [job.experiments for job in pending.pending(["toy"])] == [(recipe[1],)]


def test_experiments_that_share_a_training_are_one_job(recipe: list[Experiment]) -> None:
    recipe += [experiment(row="CAE"), experiment(row="CAE+"), experiment(seed=1)]
    assert [len(job.experiments) for job in pending.pending()] == [2, 1]
    title = pending.pending()[0].title
    assert title.split() == ["toy", "here,", "seed", "0", "Table", "I:", "CAE,", "C-Sub", "(+1)"]


def test_the_cheapest_comes_first_once_there_is_a_row_to_go_by(recipe: list[Experiment]) -> None:
    recipe += [experiment(epochs=n) for n in (30, 5, 10, 60)]
    assert [job.minutes for job in pending.pending()] == [None] * 4
    done = experiment(epochs=8)
    recipe.append(done)
    committed(done, seconds=20.0)
    jobs = pending.pending()
    assert epochs_of(jobs) == [5, 10, 30, 60]
    minutes = [job.minutes for job in jobs]
    assert minutes == sorted(minutes)
    # By hand: twenty seconds for 8 epochs and two more for the read-out, so 2 s an epoch, and 5 + 2 epochs.
    assert jobs[0].minutes == pytest.approx(2 * 7 / 60)


def test_estimates_go_by_the_rows_of_this_device_where_it_has_any(recipe: list[Experiment]) -> None:
    recipe += [experiment(epochs=8, seed=s) for s in range(3)]
    committed(recipe[0], seconds=1000.0, device="cpu, another, 64 threads")
    assert [job.minutes for job in pending.pending()] == pytest.approx([1000 / 60] * 2)
    committed(recipe[1], seconds=10.0)
    assert [job.minutes for job in pending.pending()] == pytest.approx([10 / 60])


def test_rows_of_a_gpu_tell_nothing_of_a_cpu(recipe: list[Experiment]) -> None:
    recipe += [experiment(epochs=8, seed=s) for s in range(3)]
    committed(recipe[0], seconds=1.0, device="NVIDIA H200")
    assert [job.minutes for job in pending.pending()] == [None] * 2


def test_a_wider_encoder_costs_more() -> None:
    assert pending.work(experiment(width=8).evaluation.weights) > pending.work(experiment(width=4).evaluation.weights)


def test_rounds_of_labels_are_counted_one_by_one() -> None:
    weights = experiment(width=8).evaluation.weights
    epochs = weights.training.schedule.epochs
    asked = replace(weights, active=ActiveLearning(Uniform(), (1, 2, 3)))
    assert pending.work(asked) * (epochs + 2) == pytest.approx(pending.work(weights) * (3 * epochs + 2))


def test_a_pretraining_is_counted_once_for_itself_and_all_that_start_from_it(recipe: list[Experiment]) -> None:
    recipe += [experiment(epochs=8)]
    start = recipe[0].evaluation.weights
    tuned = [replace(start, start=start, seed=seed) for seed in (0, 1)]
    recipe += [replace(recipe[0], evaluation=replace(recipe[0].evaluation, weights=weights)) for weights in tuned]
    other = experiment(seed=5, epochs=8)
    recipe.append(other)
    committed(other, seconds=20.0)
    assert [(len(job.experiments), job.minutes) for job in pending.pending()] == [(3, pytest.approx(3 * 20 / 60))]


def test_a_students_job_counts_its_teachers_training_and_what_that_started_from(recipe: list[Experiment]) -> None:
    start = experiment(epochs=8).evaluation.weights
    teacher = replace(start, start=start, seed=1)
    student = replace(start, teacher=teacher, seed=2)
    evaluation = replace(experiment().evaluation, weights=student)
    recipe.append(replace(experiment(), evaluation=evaluation))
    other = experiment(seed=5, epochs=8)
    recipe.append(other)
    committed(other, seconds=20.0)
    assert [(len(job.experiments), job.minutes) for job in pending.pending()] == [(1, pytest.approx(3 * 20 / 60))]


def test_several_encoders_cost_the_sum_of_each_and_the_wider_more() -> None:
    def cost(*names: str, narrower: int = 8) -> float:
        weights = interskeleton.pretraining("here", "xsub", names=names)
        encoders = tuple((n, replace(c, width=c.width // narrower)) for n, c in weights.encoder.encoders)  # type: ignore[attr-defined]
        return pending.work(replace(weights, encoder=Representations(encoders)))

    alone = [cost(name) for name in ("X_IMG", "X_SEQ", "X_STG")]
    assert cost("X_IMG", "X_SEQ", "X_STG") == pytest.approx(sum(alone))
    assert len(set(alone)) == 3
    assert all(cost(name, narrower=4) > cost(name) for name in ("X_IMG", "X_SEQ", "X_STG"))


def test_a_dense_layer_s_work_is_its_multiply_adds_by_hand() -> None:
    weights = interskeleton.pretraining("here", "xsub", names=("X_SEQ",))
    gru = BiGRU(width=5, layers=1)
    clips, spec = pending._size(weights.data)
    inputs = 3 * len(spec.skeleton) * spec.persons
    a_clip = 2 * 32 * 3 * 5 * (inputs + 5)  # directions, frames, gates, units
    epochs = weights.training.schedule.epochs + 2
    assert pending.work(replace(weights, encoder=Representations((("X_SEQ", gru),)))) == clips * a_clip * epochs


def test_a_paper_s_estimates_go_by_its_own_rows(recipe: list[Experiment]) -> None:
    other = [replace(e, cell=replace(e.cell, paper="other")) for e in (experiment(seed=2), experiment(seed=3))]
    recipe += [experiment(seed=0), experiment(seed=1), *other]
    committed(recipe[0], seconds=10.0)
    committed(other[0], seconds=1000.0)
    minutes = {job.experiments[0].cell.paper: job.minutes for job in pending.pending()}
    assert minutes == {"toy": pytest.approx(10 / 60), "other": pytest.approx(1000 / 60)}


def test_estimates_go_by_rows_of_such_encoders_where_there_are_any(recipe: list[Experiment]) -> None:
    def of(names: tuple[str, ...], seed: int) -> Experiment:
        base = interskeleton.pretraining("here", "xsub", seed=seed, names=names)
        tiny = {"X_IMG": HCN(width=4), "X_SEQ": BiGRU(width=4, layers=1)}
        return replace(
            experiment(),
            evaluation=Evaluation(replace(base, encoder=Representations(tuple((n, tiny[n]) for n in names))), KNN()),
        )

    recipe += [of(("X_IMG",), 0), of(("X_IMG",), 1), of(("X_SEQ",), 0), of(("X_SEQ",), 1)]
    committed(recipe[0], seconds=60.0)
    committed(recipe[2], seconds=600.0)
    assert sorted(job.minutes or 0 for job in pending.pending()) == pytest.approx([1, 10])


@pytest.fixture
def grid(recipe: list[Experiment], tmp_path: Path) -> dict[tuple[str, str], Experiment]:
    """Two tables on each of two data sets that are here, by table and data set."""
    save_npz(clips_of(24), tmp_path / "data" / "there.npz")
    found = {
        (table, dataset): replace(e, cell=replace(e.cell, table=table))
        for seed, (table, dataset) in enumerate((t, d) for t in ("Table I", "Table V") for d in ("here", "there"))
        for e in [experiment(dataset, seed=seed, epochs=8)]
    }
    recipe += [*found.values(), experiment("absent")]
    return found


def test_pending_cells_of_some_tables_and_data_sets_are_these_and_no_others(
    grid: dict[tuple[str, str], Experiment],
) -> None:
    def asked(*tables: str, of: Sequence[str] = (), papers: Sequence[str] = ()) -> set[tuple[str, str]]:
        jobs = pending.pending(papers, tables, of)
        return {(e.cell.table, e.evaluation.weights.data.name) for job in jobs for e in job.experiments}

    assert asked() == set(grid)
    assert asked("Table V") == {("Table V", "here"), ("Table V", "there")}
    assert asked(of=["here"], papers=["toy"]) == {("Table I", "here"), ("Table V", "here")}
    assert asked("Table I", of=["there"]) == {("Table I", "there")}
    assert asked("Table I", "Table V", of=["here", "there"]) == set(grid)
    assert asked(of=["absent"]) == set()  # known, and not here
    committed(grid["Table I", "there"], seconds=16.0)
    assert asked("Table I", of=["there"]) == set()


def test_asking_for_a_table_changes_no_estimate(grid: dict[tuple[str, str], Experiment]) -> None:
    committed(grid["Table I", "here"], seconds=16.0)
    minutes = {job.title: job.minutes for job in pending.pending()}
    assert list(minutes.values()) == pytest.approx([16 / 60] * 3)
    for chosen in ({"tables": ["Table V"]}, {"datasets": ["there"]}):
        jobs = pending.pending(**chosen)
        assert len(jobs) == 2
        assert all(job.minutes == minutes[job.title] for job in jobs)


def test_an_unknown_table_or_data_set_is_refused_with_those_that_there_are(
    grid: dict[tuple[str, str], Experiment],
) -> None:
    with pytest.raises(SkelkitError, match=r"^unknown table 'Table M'; choose one of Table I, Table V$"):
        pending.pending(tables=["Table I", "Table M"])
    with pytest.raises(SkelkitError, match=r"^unknown data set 'sbu'; choose one of here, there$"):
        pending.pending(tables=["Table V"], datasets=["sbu"])


def test_an_unknown_paper_is_refused() -> None:
    with pytest.raises(SkelkitError, match="unknown paper 'nonsense'; choose one of ascal"):
        pending.pending(["nonsense"])


# ── running, in threads where processes play no part ────────────────────────────────────────────────────────────────


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "_pool", ThreadPoolExecutor)


def job(seed: int, minutes: float | None = None) -> Job:
    return Job((experiment(seed=seed),), minutes)


@pytest.mark.usefixtures("threads")
def test_jobs_run_in_order_and_their_rows_stand(recipe: list[Experiment]) -> None:
    recipe += [experiment(seed=seed) for seed in range(2)]
    said: list[str] = []
    assert pending.run(pending.pending(), say=said.append) == (2, 0)
    assert [line.split("  ")[0] for line in said] == ["2 rows", "2 rows"]  # top-1 and balanced accuracy
    rows = [(row.seed, row.metric) for row in results.read("toy")]
    assert rows == [(seed, f"kNN {name}") for seed in (0, 1) for name in ("top-1", "balanced accuracy")]
    assert pending.pending() == []


@pytest.mark.usefixtures("threads")
def test_a_failing_job_is_reported_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(given: Experiment) -> list[Any]:
        if given.evaluation.weights.seed == 0:
            raise SkelkitError("here: no good")
        return [1, 2]

    monkeypatch.setattr(pending, "evaluate", evaluate)
    said: list[str] = []
    assert pending.run([job(0), job(1)], say=said.append) == (1, 1)
    assert said[0].startswith("failed: here: no good  toy           here, seed 0")
    assert said[1].startswith("2 rows  toy           here, seed 1")


@pytest.mark.usefixtures("threads")
def test_an_experiment_that_fails_keeps_none_of_its_job_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those with the same weights, where it was the training that failed."""
    ran: list[int] = []

    def evaluate(given: Experiment) -> list[Any]:
        ran.append(seed := given.evaluation.weights.seed)
        if seed in (0, 1):
            raise ValueError(f"seed {seed} is no good")
        return [1, 2]

    monkeypatch.setattr(pending, "evaluate", evaluate)
    monkeypatch.setattr(pending.store, "built", lambda _, weights: weights.seed == 1)
    said: list[str] = []
    every = tuple(experiment(seed=seed) for seed in (0, 0, 1, 1, 2))
    assert pending.run([Job(every, None)], say=said.append) == (0, 1)
    assert ran == [0, 1, 1, 2]
    assert said[0].startswith("failed: 3 of 5 experiments, 2 rows of the others")
    assert "ValueError: seed 0 is no good" in said[1]  # where it happened: no error of ours


@pytest.mark.usefixtures("threads")
def test_without_any_row_the_least_work_comes_first(recipe: list[Experiment]) -> None:
    recipe += [experiment(epochs=n) for n in (30, 5, 10)]
    assert epochs_of(pending.pending()) == [5, 10, 30]


@pytest.mark.usefixtures("threads")
def test_what_needs_a_library_that_is_not_here_is_not_pending(
    recipe: list[Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = experiment()
    weights = replace(plain.evaluation.weights, active=ActiveLearning(activeml.Margin(), (1, 2)))
    recipe += [plain, replace(plain, evaluation=replace(plain.evaluation, weights=weights))]
    assert sum(len(job.experiments) for job in pending.pending()) == 2
    monkeypatch.setattr(activeml, "installed", lambda: False)
    assert [job.experiments for job in pending.pending()] == [(plain,)]


@pytest.mark.usefixtures("threads")
def test_the_budget_stops_before_a_job_that_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    monkeypatch.setattr(pending, "evaluate", lambda e: ran.append(e.evaluation.weights.seed) or [1])
    jobs = [job(0, 0.5), job(1, 1.5), job(2, 3.0), job(3, 60.0)]
    assert pending.run(jobs, budget=120.0, say=lambda _: None) == (2, 0)
    assert ran == [0, 1]
    assert pending.run(jobs, budget=0.0, say=lambda _: None) == (0, 0)
    assert pending.run(jobs, say=lambda _: None) == (4, 0)


@pytest.mark.usefixtures("threads")
def test_the_budget_counts_the_time_that_earlier_jobs_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "evaluate", lambda e: time.sleep(0.3) or [1])
    assert pending.run([job(n) for n in range(50)], budget=0.7, say=lambda _: None)[0] in (1, 2, 3)


# ── running, in real processes ──────────────────────────────────────────────────────────────────────────────────────


def quick(experiments: tuple[Experiment, ...]) -> int:
    """A job's work without its training; seed 1 meets what running out of memory looks like."""
    if experiments[0].evaluation.weights.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return len([committed(experiment, seconds=1.0) for experiment in experiments])


def endless(experiments: tuple[Experiment, ...]) -> int:
    """A job that no estimate foresaw, in the midst of building something."""

    def build(folder: Path) -> None:
        (folder / "half").touch()
        time.sleep(600)

    store.stage("weights", experiments[0].evaluation.weights, build)
    return len(experiments)


def test_a_job_under_way_is_stopped_when_the_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "_run", endless)
    said: list[str] = []
    assert pending.run([job(0), job(1)], budget=1.0, say=said.append) == (0, 0)
    assert [line.partition(":")[0] for line in said] == ["the budget is spent; stopped"]
    assert "toy           here, seed 0" in said[0]


def test_a_worker_that_is_stopped_leaves_nothing_half_made() -> None:
    pool = pending._pool(1)
    begun, folder = pool.submit(endless, job(0).experiments), store_folder() / "weights"
    while not (half := list(folder.rglob("half"))) and not begun.done():
        time.sleep(0.05)
    assert half
    (worker,) = multiprocessing.active_children()
    worker.terminate()
    assert isinstance(begun.exception(), SystemExit)
    assert not list(folder.rglob("half"))
    pool.shutdown()


def test_two_processes_side_by_side_lose_no_row_and_survive_one_that_is_killed(
    recipe: list[Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed job is reported; a job beside it may be lost with it, and is still pending then."""
    recipe += [experiment(seed=seed) for seed in range(4)]
    monkeypatch.setattr(pending, "_run", quick)
    said: list[str] = []
    done = pending.run(pending.pending(), processes=2, say=said.append)
    assert len(said) == 4
    failed = [line for line in said if line.startswith("failed: ")]
    assert 1 <= len(failed) <= 2
    assert any("seed 1" in line for line in failed)
    assert done == (4 - len(failed), len(failed))
    rows = {row.seed for row in results.read("toy")}
    assert 4 - len(failed) <= len(rows)  # a job beside the killed one may have written its row before it was lost
    assert rows <= {0, 2, 3}
    assert {j.experiments[0].evaluation.weights.seed for j in pending.pending()} == {0, 1, 2, 3} - rows
