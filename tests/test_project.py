"""The project as a whole: one lock, an environment that cannot drift, nothing unpickled, rooms of a readable size."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from skelkit.files import project_root

ROOT = project_root()
SOURCES = sorted((ROOT / "skelkit").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(text) for extra in ("notebooks", "data", "active", "dev") for text in EXTRAS[extra]]
DIRECT += [Requirement(text) for text in PROJECT["dependencies"]]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    """The pinned version of every package in the lock."""
    pins = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text and not text.startswith("-"):
            name, _, pinned = text.partition("==")
            assert re.fullmatch(r"[0-9][0-9A-Za-z.+!]*", pinned), f"not pinned to one version: {line}"
            pins[plain(name)] = pinned
    return pins


def test_the_lock_pins_torch_2_13_0() -> None:
    assert locked()["torch"] == "2.13.0"


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_the_lock_pins_every_direct_dependency_within_its_range(requirement: Requirement) -> None:
    assert Version(locked()[plain(requirement.name)]) in requirement.specifier


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_what_is_installed_here_is_within_its_range(requirement: Requirement) -> None:
    assert Version(version(requirement.name)) in requirement.specifier


def test_a_lower_bound_stands_for_every_dependency() -> None:
    assert [r.name for r in DIRECT if not r.specifier] == []


def test_training_depends_on_nothing_that_plots_or_shows() -> None:
    assert {plain(Requirement(text).name) for text in PROJECT["dependencies"]} == {
        *("torch", "numpy", "scipy", "scikit-learn", "pandas", "safetensors", "accelerate", "jaxtyping", "tqdm"),
        *("filelock", "threadpoolctl"),
    }


def test_environment_yml_installs_the_package_and_nothing_else() -> None:
    """So it cannot drift: the versions stand in the lock, the packages in pyproject.toml."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    lines = [line.split(" #")[0].rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    entries = [line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- ")]
    assert "name: skelkit" in lines
    assert entries[0] == "conda-forge"
    python, *rest = entries[1:]
    assert re.fullmatch(r"python *>= *3\.11", python)
    assert rest[:2] == ["pip", "pip:"]
    assert re.fullmatch(r"-[rc] requirements\.lock", rest[2])
    assert re.fullmatch(r"(-e|--editable) \.\[notebooks, ?dev, ?data, ?active\]", rest[3])
    assert len(rest) == 4
    assert PROJECT["requires-python"] == ">=3.11"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT / "skelkit").as_posix())
def test_nothing_unpickles_but_the_reader_that_calls_nothing_of_the_files(path: Path) -> None:
    reader = path == ROOT / "skelkit/data/formats/unpickle.py"
    own = {"pickle"} if reader else set()  # tests/test_unpickle.py: hostile ones
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"} - own
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in (
                "torch.load",
                "torch.save",
                "pd.read_pickle",
                "pickle.load",
                "pickle.loads",
                "eval",
                "exec",
            )
            if called == "np.load":
                assert any(k.arg == "allow_pickle" and ast.unparse(k.value) == "False" for k in node.keywords)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT / "skelkit").as_posix())
def test_a_room_is_at_most_350_lines(path: Path) -> None:
    limit = 350
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize("path", sorted((ROOT / "skelkit" / "methods").glob("*.py")), ids=lambda p: p.name)
def test_a_method_is_at_most_200_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("room", ["losses.py", "augment", "models", "methods", "evaluate"])
def test_rooms_that_compute_name_no_device(room: str) -> None:
    place = ROOT / "skelkit" / room
    for path in [place] if place.is_file() else sorted(place.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and node.value in ("cpu", "cuda", "mps")), path


SHAPED = {"Bool", "Float", "Int"}
OPAQUE = {"Learner.state_dict", "Learner.load_state_dict"}
"""Whose tensors are those of any method, and so of any shape."""


def hints(node: ast.AST, room: str = "") -> Iterator[tuple[str, list[ast.AST | None]]]:
    """The types that a module and its public classes name: of functions, of fields, in aliases."""
    for inner in ast.iter_child_nodes(node):
        match inner:
            case ast.ClassDef(name=name) if not name.startswith("_"):
                yield from hints(inner, f"{name}.")
            case ast.FunctionDef(name=name, args=args, returns=returns) if not name.startswith("_"):
                yield room + name, [*(each.annotation for each in ast.walk(args) if isinstance(each, ast.arg)), returns]
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                yield room + name, [annotation]
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as alias):
                yield room + name, [alias]


def names_a_tensor_without_shape(annotation: ast.AST | None) -> bool:
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in SHAPED:
        return False
    if isinstance(annotation, ast.Name | ast.Attribute):
        return ast.unparse(annotation).rpartition(".")[2] == "Tensor"
    return annotation is not None and any(map(names_a_tensor_without_shape, ast.iter_child_nodes(annotation)))


BARE = {"Tensor": True, "dict[str, torch.Tensor]": True, "Losses": False, "list[Float[Tensor, ' b']] | None": False}


@pytest.mark.parametrize("text", BARE)
def test_a_tensor_without_shape_is_recognised(text: str) -> None:
    assert names_a_tensor_without_shape(ast.parse(text, mode="eval").body) is BARE[text]


def test_every_public_tensor_has_a_shape() -> None:
    found = [each for path in SOURCES for each in hints(ast.parse(path.read_text(encoding="utf-8")))]
    assert {name for name, types in found if any(map(names_a_tensor_without_shape, types))} == OPAQUE


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT / "skelkit").as_posix())
def test_a_deviation_is_marked_by_one_spelling(path: Path) -> None:
    """And on one line, so that one search finds them all."""
    rest = re.sub(r"Differs from the (paper|released code): ", "", path.read_text(encoding="utf-8"))
    assert not re.findall(r"(?i)\b(?:differ|differs|differing|deviates?|departs?)\s+from|\bunlike\s+the", rest)


def test_nothing_in_the_project_names_the_machine_it_was_made_on() -> None:
    for path in [*SOURCES, *sorted((ROOT / "tests").glob("*.py")), ROOT / "README.md", ROOT / "pyproject.toml"]:
        if path != Path(__file__):
            assert not re.search(r"/work/|/root/|/home/\w", path.read_text(encoding="utf-8")), path
