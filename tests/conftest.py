"""Fixtures that every test file shares, and the table of the notebooks' times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import beartype
import pytest
import torch

# As in PEP 484, and so for mypy, an int is taken where a float is wanted; before skelkit is imported and decorated.
beartype.beartype = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))  # type: ignore[assignment]

from skelkit.data import clips, library  # noqa: E402
from skelkit.files import data_folders  # noqa: E402

NOTEBOOK_OUTCOMES = pytest.StashKey[list]()
"""Where `tests/test_notebooks.py` leaves what became of the notebooks, for the table at the end."""


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests build in a store of their own, read the committed results, and use two threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKELKIT_STORE", str(tmp_path_factory.mktemp("store")))
        # A test that changes folder still finds the data.
        named = [str(folder.resolve()) for folder in data_folders()[:-1]]
        patch.setenv("SKELKIT_DATA", os.pathsep.join(named))
        for name in ("SKELKIT_RESULTS", "SKELKIT_BUILD"):
            patch.delenv(name, raising=False)
        torch.set_num_threads(min(2, os.cpu_count() or 1))
        yield


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For tensors so small that a second thread only waits for the first."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
