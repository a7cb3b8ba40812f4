"""Content-addressed artefacts: what a specification has built once is never built again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from skelkit.files import SkelkitError, store_folder, whole_folder


def canonical(spec: Any) -> Any:
    """A specification as plain JSON values.

    A dataclass becomes its type's name and the fields that are not at their default, so that a new field with a
    default orphans no old artefact; a class attribute `version` (raised when the code's meaning changes) joins it.
    """
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):
        record: dict[str, Any] = {"type": type(spec).__name__}
        if hasattr(spec, "version"):
            record["version"] = spec.version
        for field in dataclasses.fields(spec):
            value = getattr(spec, field.name)
            default = field.default_factory() if callable(field.default_factory) else field.default
            if value != default or type(value) is not type(default):
                record[field.name] = canonical(value)
        return record
    if isinstance(spec, dict):
        return {str(key): canonical(value) for key, value in spec.items()}
    if isinstance(spec, tuple | list):
        return [canonical(value) for value in spec]
    if spec is None or isinstance(spec, bool | int | float | str):
        return spec
    raise TypeError(f"{type(spec).__name__} cannot be part of a key; use dataclasses, numbers and strings")


def key(spec: Any) -> str:
    """The specification's identity: 32 hexadecimal digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(canonical(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def folder_of(kind: str, spec: Any) -> Path:
    """Where the artefact of a specification lies or would lie."""
    return store_folder() / kind / key(spec)


def built(kind: str, spec: Any) -> bool:
    """Whether the artefact is there, whole."""
    return (folder_of(kind, spec) / "record.json").exists()


def stage(kind: str, spec: Any, build: Callable[[Path], dict[str, Any] | None], *, again: bool = False) -> Path:
    """The folder of an artefact, built by `build(folder)` if it is not there.

    The folder is filled under another name, its `record.json` (the specification and what `build` returned) written
    last, and renamed into place: it is whole or absent. Simultaneous callers, also in other processes, build once.
    With `SKELKIT_BUILD=0` a miss raises SkelkitError that prints the command to run. again: build it anew. Raises
    SkelkitError where the disk refuses.
    """
    path = folder_of(kind, spec)
    if (path / "record.json").exists() and not again:
        return path
    if os.environ.get("SKELKIT_BUILD") == "0":
        raise SkelkitError(f"{kind} {path.name} is not built and SKELKIT_BUILD=0; run: {_command()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path.parent / f".{path.name}.lock").acquire()
    except OSError as error:
        reason = error.strerror or error
        raise SkelkitError(f"{path.parent}: cannot be written ({reason}); set SKELKIT_STORE elsewhere") from error
    with held:
        if (path / "record.json").exists() and not again:  # somebody else built it while this call waited
            return path
        for left in path.parent.glob(f".{path.name}.*.*"):  # .part and .old of a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        with whole_folder(path) as part:
            record = {"kind": kind, "key": path.name, "spec": canonical(spec), **(build(part) or {})}
            (part / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def _command() -> str:
    """What the user types to have the miss built: in a notebook a magic, elsewhere this process once more."""
    if "ipykernel" in sys.modules:
        return "%env SKELKIT_BUILD=1 in a cell, then this cell again"
    spawned = "--multiprocessing-fork" in sys.orig_argv  # a worker: its own words start nothing, its parent's do
    return f"SKELKIT_BUILD=1 {shlex.join([sys.executable, *sys.argv] if spawned else sys.orig_argv)}"


def record(path: Path) -> dict[str, Any]:
    """An artefact's record."""
    content: dict[str, Any] = json.loads((path / "record.json").read_text(encoding="utf-8"))
    return content
