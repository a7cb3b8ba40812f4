"""The store: a key that means something, and artefacts that are whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import PROCESSES, build_and_die, build_slowly

from skelkit import store
from skelkit.files import SkelkitError


@dataclass(frozen=True)
class Knobs:
    size: int
    rate: float = 0.1
    steps: tuple[int, ...] = (1, 2)
    names: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Versioned:
    version: ClassVar[int] = 1
    knobs: Knobs = field(default_factory=lambda: Knobs(1))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh store."""
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path))
    monkeypatch.delenv("SKELKIT_BUILD", raising=False)
    return tmp_path


# ── the key ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fields_at_their_default_are_left_out() -> None:
    assert store.canonical(Knobs(3)) == {"type": "Knobs", "size": 3}
    assert store.canonical(Knobs(3, rate=0.1, steps=(1, 2), names=())) == {"type": "Knobs", "size": 3}
    assert store.canonical(Knobs(3, steps=(2, 1))) == {"type": "Knobs", "size": 3, "steps": [2, 1]}


def test_a_new_field_with_a_default_orphans_nothing() -> None:
    later = make_dataclass("Knobs", [("size", int), ("rate", float, 0.1), ("fresh", str, "new")], frozen=True)
    assert store.key(later(3, 0.2)) == store.key(Knobs(3, 0.2))
    assert store.key(later(3, 0.2, "other")) != store.key(Knobs(3, 0.2))


def test_a_changed_knob_makes_a_new_key() -> None:
    specs = [Knobs(3), Knobs(4), Knobs(3, 0.2), Knobs(3, steps=()), Knobs(3, names=("a",)), {"size": 3}, [Knobs(3)]]
    assert len({store.key(spec) for spec in specs}) == len(specs)


def test_type_and_version_matter() -> None:
    other = make_dataclass("Other", [("size", int)], frozen=True)
    assert store.key(other(3)) != store.key(Knobs(3))
    raised = make_dataclass(
        "Versioned", [("knobs", Knobs, field(default_factory=lambda: Knobs(1)))], namespace={"version": 2}
    )
    assert store.canonical(Versioned()) == {"type": "Versioned", "version": 1}
    assert store.key(raised()) != store.key(Versioned())


def test_true_one_and_one_point_zero_are_three_values_of_a_field_with_a_default() -> None:
    kind = make_dataclass("Kind", [("x", Any, 1)], frozen=True)
    assert len({store.key(kind(x)) for x in (1, True, 1.0)}) == 3


def test_a_childs_key_holds_its_parents() -> None:
    assert store.key(Versioned(Knobs(1))) != store.key(Versioned(Knobs(1, rate=0.2)))
    assert store.canonical(Versioned(Knobs(1, rate=0.2)))["knobs"] == {"type": "Knobs", "size": 1, "rate": 0.2}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_a_dicts_keys_does_not_matter(spec: dict[str, Any]) -> None:
    key = store.key(spec)
    assert key == store.key(dict(reversed(spec.items())))
    assert re.fullmatch("[0-9a-f]{32}", key)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.key(Knobs(1, rate=value))


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), Knobs, len], ids=str)
def test_what_has_no_meaning_beyond_this_process_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be part of a key"):
        store.key({"x": value})


def test_keys_do_not_change_from_one_release_to_the_next() -> None:
    """Committed rows are found by them."""
    written = '{"names":["a"],"rate":0.25,"size":3,"type":"Knobs"}'
    assert store.key(Knobs(3, rate=0.25, names=("a",))) == hashlib.sha256(written.encode()).hexdigest()[:32]


# ── building ────────────────────────────────────────────────────────────────────────────────────────────────────────


def hidden(folder: Path) -> list[str]:
    """What lies in a kind's folder beside artefacts and locks."""
    return [p.name for p in (folder / "things").iterdir() if p.name.startswith(".") and p.suffix != ".lock"]


def answer(part: Path) -> dict[str, Any]:
    (part / "answer").write_text("42")
    return {"seconds": 1.0}


def test_an_artefact_is_built_once_and_its_record_holds_the_specification(folder: Path) -> None:
    calls: list[Path] = []

    def build(part: Path) -> dict[str, Any]:
        calls.append(part)
        return answer(part)

    assert not store.built("things", Knobs(1))
    paths = {store.stage("things", Knobs(1), build) for _ in range(3)}
    assert paths == {store.folder_of("things", Knobs(1))}
    assert len(calls) == 1
    assert store.built("things", Knobs(1))
    (path,) = paths
    assert store.record(path) == {
        "kind": "things",
        "key": store.key(Knobs(1)),
        "spec": {"type": "Knobs", "size": 1},
        "seconds": 1.0,
    }
    assert hidden(folder) == []


def test_again_builds_anew(folder: Path) -> None:
    path = store.stage("things", 1, answer)
    (path / "stale").touch()
    store.stage("things", 1, answer, again=True)
    assert sorted(p.name for p in path.iterdir()) == ["answer", "record.json"]


def test_twelve_simultaneous_processes_build_once(folder: Path) -> None:
    start = PROCESSES.Barrier(12)
    processes = [PROCESSES.Process(target=build_slowly, args=(folder, start)) for _ in range(12)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 12
    assert len((folder / "builds").read_text().splitlines()) == 1
    assert hidden(folder) == []


def test_an_exception_inside_a_build_leaves_nothing_and_the_next_call_builds(folder: Path) -> None:
    def fails(part: Path) -> None:
        (part / "answer").write_text("4")
        raise ZeroDivisionError("as it is")

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="as it is"):
            store.stage("things", 1, fails)
    assert not store.built("things", 1)
    assert hidden(folder) == []
    assert (store.stage("things", 1, answer) / "answer").read_text() == "42"


def test_an_exception_while_building_again_leaves_the_old_artefact(folder: Path) -> None:
    path = store.stage("things", 1, answer)
    with pytest.raises(KeyError):
        store.stage("things", 1, lambda part: {"x": {}["y"]}, again=True)
    assert store.built("things", 1)
    assert (path / "answer").read_text() == "42"


def test_a_build_that_is_killed_leaves_nothing_that_counts_and_the_next_call_cleans_up(folder: Path) -> None:
    process = PROCESSES.Process(target=build_and_die, args=(folder,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not store.built("things", {"n": 1})
    (left,) = hidden(folder)
    assert left.endswith(".part")
    aside = folder / "things" / f".{store.key({'n': 1})}.0badcafe.old"  # killed between two renames
    aside.mkdir()
    other = folder / "things" / f".{store.key({'n': 2})}.0badcafe.part"  # somebody is at work there
    other.mkdir()
    build_slowly(folder)
    assert hidden(folder) == [other.name]


def test_a_folder_without_its_record_is_no_artefact(folder: Path) -> None:
    path = store.folder_of("things", 1)
    path.mkdir(parents=True)
    (path / "answer").write_text("4")
    assert not store.built("things", 1)
    assert (store.stage("things", 1, answer) / "answer").read_text() == "42"


def test_skelkit_build_0_names_a_command_that_builds(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "a script.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        from skelkit import files, store
        try:
            store.stage("things", 1, lambda part: {"words": sys.argv[1:]})
        except files.SkelkitError as error:
            sys.exit(str(error))
        """)
    )
    words = [sys.executable, str(script), "two words", "$HOME"]
    found = subprocess.run(words, env={**os.environ, "SKELKIT_BUILD": "0"}, capture_output=True, text=True)
    assert found.returncode == 1
    assert not store.built("things", 1)
    message, _, command = found.stderr.strip().partition("; run: ")
    assert message == f"things {store.key(1)} is not built and SKELKIT_BUILD=0"
    subprocess.run(command, shell=True, check=True, env={**os.environ, "SKELKIT_BUILD": "0"})
    assert store.record(store.folder_of("things", 1))["words"] == ["two words", "$HOME"]


def test_skelkit_build_0_in_a_notebook_names_the_magic(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_BUILD", "0")
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    with pytest.raises(SkelkitError, match=r"run: %env SKELKIT_BUILD=1 in a cell"):
        store.stage("things", 1, answer)


def test_skelkit_build_0_in_a_worker_names_its_parents_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_BUILD", "0")
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-c", "spawn_main()", "--multiprocessing-fork"])
    monkeypatch.setattr(sys, "argv", ["/bin/skelkit", "run", "--pending"])
    with pytest.raises(SkelkitError) as caught:
        store.stage("things", 1, answer)
    command = str(caught.value).partition("; run: ")[2]
    assert shlex.split(command) == ["SKELKIT_BUILD=1", sys.executable, "/bin/skelkit", "run", "--pending"]


def test_skelkit_build_0_still_finds_what_is_built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.stage("things", 1, answer)
    monkeypatch.setenv("SKELKIT_BUILD", "0")
    assert store.stage("things", 1, answer) == path


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """A real refusal, as from a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_leaves_nothing(folder: Path) -> None:
    def large(part: Path) -> None:
        (part / "large").write_bytes(b"0" * 100_000)

    with no_file_beyond(50_000), pytest.raises(SkelkitError, match=r"cannot be written.*free space") as caught:
        store.stage("things", 1, large)
    assert "\n" not in str(caught.value)
    assert not store.built("things", 1)
    assert hidden(folder) == []


def test_a_store_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "file" / "store"))
    with pytest.raises(SkelkitError, match=r"things: cannot be written \(.*\); set SKELKIT_STORE") as caught:
        store.stage("things", 1, answer)
    assert "\n" not in str(caught.value)
