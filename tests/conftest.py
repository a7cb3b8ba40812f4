"""Fixtures that every test file shares, and the table of the notebooks' times."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import beartype
import pytest
import torch

# As in PEP 484, and so for mypy, an int is taken where a float is wanted; before skelkit is imported and decorated.
beartype.beartype = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))  # type: ignore[assignment]

from skelkit.batch import Outcome  # noqa: E402
from skelkit.data import clips, library  # noqa: E402
from skelkit.files import data_folders, results_folder  # noqa: E402

NOTEBOOK_OUTCOMES = pytest.StashKey[list]()
"""What became of the notebooks, for the table at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--reversed`: the last test first, so that none can lean on one before it."""
    parser.addoption("--reversed", action="store_true", help="run the tests in reverse order")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """See `--reversed`."""
    if config.getoption("reversed"):
        items.reverse()


def threads(wanted: int) -> int:
    """The number of threads that a test wants, or `$OMP_NUM_THREADS` where it is set."""
    return int(os.environ.get("OMP_NUM_THREADS", wanted))


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests build in a store of their own, read the committed results, and use two threads by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKELKIT_STORE", str(tmp_path_factory.mktemp("store")))
        # A test that changes folder still finds the data.
        named = [str(folder.resolve()) for folder in data_folders()[:-1]]
        patch.setenv("SKELKIT_DATA", os.pathsep.join(named))
        patch.setenv("SKELKIT_DEVICE", os.environ.get("SKELKIT_DEVICE", "cpu"))  # what is exact is so on a CPU
        for name in ("SKELKIT_RESULTS", "SKELKIT_BUILD"):
            patch.delenv(name, raising=False)
        torch.set_num_threads(threads(min(2, os.cpu_count() or 1)))
        yield


@dataclass(frozen=True)
class Execution:
    outcomes: dict[Path, Outcome]
    results: Path
    """A copy of the committed results, which the notebooks were given."""
    before: dict[str, bytes]


@dataclass(frozen=True)
class _Begun:
    process: subprocess.Popen[bytes]
    paths: list[Path]
    out: Path
    before: dict[str, bytes]


RUN = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from skelkit.batch import run_notebooks

out, *paths = map(Path, sys.argv[1:])
jobs = min(2, os.cpu_count() or 1)
outcomes = run_notebooks(paths, parameters={"tier": "smoke"}, out=out, timeout=300, jobs=jobs)
(out / "outcomes.json").write_text(json.dumps([asdict(outcome) for outcome in outcomes], default=str))
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session", autouse=True)
def _notebooks_beside(
    _own_places: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[_Begun | None]:
    """Every notebook that this session selected begins to execute at tier smoke, beside the tests that come before."""
    name = "test_a_notebook_executes_at_tier_smoke"
    items: list[Any] = [item for item in request.session.items if getattr(item, "originalname", "") == name]
    paths = [item.callspec.params["path"] for item in items if hasattr(item, "callspec")]
    if not paths:
        yield None
        return
    out = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(results_folder(), out / "results")
    before = contents(out / "results")
    torch.set_num_threads(1)  # beside the notebooks, a second thread would have no core of its own
    places = {**os.environ, "SKELKIT_RESULTS": str(out / "results")}  # a test that sets another changes these no more
    with open(out / "log.txt", "wb") as log:
        words = [sys.executable, "-c", RUN, str(out), *map(str, paths)]
        process = subprocess.Popen(words, env=places, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    yield _Begun(process, paths, out, before)
    process.kill()  # without effect where it has ended; what it started ends with it
    process.wait()


@pytest.fixture(scope="session")
def execution(request: pytest.FixtureRequest, _notebooks_beside: _Begun | None) -> Execution:
    """Every notebook that this session selected, executed once at tier smoke."""
    if (begun := _notebooks_beside) is None:
        pytest.skip("no execution of a notebook was selected")
    assert begun.process.wait() == 0, (begun.out / "log.txt").read_text(encoding="utf-8")
    records = json.loads((begun.out / "outcomes.json").read_text(encoding="utf-8"))
    places = ("notebook", "executed", "html")
    outcomes = [Outcome(**{k: Path(v) if v and k in places else v for k, v in r.items()}) for r in records]
    request.config.stash[NOTEBOOK_OUTCOMES] = outcomes
    return Execution(dict(zip(begun.paths, outcomes, strict=True)), begun.out / "results", begun.before)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For tensors so small that a second thread only waits for the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads(1))
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> torch.Generator:
    """A freshly seeded generator, the same in every test."""
    return torch.Generator().manual_seed(0)


@cache
def _opened(name: str, folders: tuple[Path, ...]) -> clips.Clips:
    return library.load(name)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], clips.Clips]:
    """Open a real data set, once a session; the test is skipped, by name, where it is not there."""

    def opened(name: str) -> clips.Clips:
        if not library.present(name):
            pytest.skip(f"data set {name} is not in $SKELKIT_DATA")
        return _opened(name, tuple(data_folders()))

    return opened


@pytest.fixture(scope="session")
def sbu_data(real_data: Callable[[str], clips.Clips]) -> clips.Clips:
    """SBU Kinect Interaction, or a skip."""
    return real_data("sbu")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The notebooks' times, slowest first."""
    outcomes = config.stash.get(NOTEBOOK_OUTCOMES, [])
    if outcomes:
        terminalreporter.section("notebooks at tier smoke")
        for outcome in sorted(outcomes, key=lambda o: -o.seconds):
            name = f"{outcome.notebook.parent.name}/{outcome.notebook.name}"
            terminalreporter.write_line(f"{outcome.seconds:6.1f} s  {outcome.status:<11}  {name}")
