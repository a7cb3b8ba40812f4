"""Training and evaluation need no plotting and no Jupyter, and no room imports one that stands above it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import skelkit

PACKAGE = Path(skelkit.__file__).parent
BLOCKED = (
    *("matplotlib", "seaborn", "openTSNE", "IPython", "papermill", "nbformat", "nbconvert", "nbclient", "ipywidgets"),
    *("ipykernel", "jupyter", "jupyter_client", "jupyter_core", "jupyterlab", "notebook", "mpl_toolkits", "PIL"),
    *("beartype", "hypothesis", "pytest", "h5py", "pooch", "skactiveml", "makefun"),
)

GPU_NODE = f'''
import sys

class AllBut:
    """Finds nothing of what is blocked, as where it is not installed (raising would upset who only asks)."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {BLOCKED!r} else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [AllBut(finder) for finder in sys.meta_path]

import skelkit.pending
from skelkit import cli, run
from skelkit.recipes.quickstart import quickstart

assert cli.main(["run", "--pending"]) == 0
rows = [row for experiment in quickstart("smoke") for row in run.evaluate(experiment)]
assert rows and all(0 <= row.value <= 100 for row in rows), rows
assert cli.main(["data", "info", "synthetic"]) == 0
assert cli.main(["report", "ascal", "Table V"]) == 0
assert not set({BLOCKED!r}) & set(sys.modules)
print("trained and evaluated")
'''

FAST = """
import sys, skelkit
heavy = {"torch", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "IPython"}
assert skelkit.__version__ and not heavy & set(sys.modules), heavy & set(sys.modules)
from skelkit import cli
try:
    cli.main(["run", "--help"])
except SystemExit as end:
    assert end.code == 0
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def python(program: str, **environment: str) -> str:
    words = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    found = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_training_and_evaluation_run_where_no_plotting_and_no_jupyter_is_installed() -> None:
    assert python(GPU_NODE, OMP_NUM_THREADS="1", SKELKIT_DATA="").endswith("trained and evaluated\n")


def test_importing_skelkit_and_asking_for_help_imports_nothing_heavy() -> None:
    assert "--pending" in python(FAST)


# ── floors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FLOORS = (
    {"files"},
    {"device", "data", "losses", "store", "parameters", "provenance"},
    {"augment", "models", "train", "report"},
    {"methods"},
    {"evaluate", "recipes"},
    {"artefacts"},
    {"run"},
    {"pending"},
    {"notebook", "readings", "selections", "cli", "data_cli", "batch", "bench", "labelling"},
)
"""From the ground up: a room imports rooms of its own floor or of those below, and never in a circle."""
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def imports(path: Path, lazy: bool) -> Iterator[str]:
    """The skelkit modules that a file imports; lazy: also within functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if lazy else ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("skelkit"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skelkit"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else str(node.module)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"


def room(module: str) -> str:
    own = module.split(".")[1] if "." in module else ""
    return "bench" if own.startswith("bench_") else own  # the benchmark's parts share its room


def floor(module: str) -> int:
    return next((i for i, rooms in enumerate(FLOORS) if room(module) in rooms), -1)


def test_every_room_has_its_floor() -> None:
    rooms = {room(name) for name in NAMES} - {"", "__main__"}
    known = {r for rooms_of in FLOORS for r in rooms_of}
    assert rooms - known == set()
    assert known - rooms <= {"bench"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_no_room_above_it(path: Path) -> None:
    own = name_of(path)
    assert [other for other in imports(path, lazy=True) if floor(other) > floor(own)] == []


def test_no_module_is_imported_in_a_circle() -> None:
    graph = {name_of(path): set(imports(path, lazy=False)) - {name_of(path)} for path in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_room_is_imported_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        own = room(name_of(path))
        graph.setdefault(own, set()).update({room(o) for o in imports(path, lazy=True)} - {own, ""})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_the_training_loop_imports_accelerate() -> None:
    pattern = re.compile(r"^\s*(from|import) accelerate\b", re.MULTILINE)
    assert [p.name for p in MODULES if pattern.search(p.read_text(encoding="utf-8"))] == ["train.py"]
