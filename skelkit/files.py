"""Where things lie on disk, and how a file or folder comes to be there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SkelkitError(Exception):
    """A fault of the input, said in one line that names the place and the mend; the command line exits with 2."""


def project_root() -> Path:
    """The checkout that holds this package, or the working folder where skelkit was installed as a wheel."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def store_folder() -> Path:
    """Artefacts that can be built again: `$SKELKIT_STORE`, by default `store/` (git-ignored)."""
    return Path(os.environ.get("SKELKIT_STORE", project_root() / "store"))


def results_folder() -> Path:
    """Committed rows, published cells and figure data: `$SKELKIT_RESULTS`, by default `results/`."""
    return Path(os.environ.get("SKELKIT_RESULTS", project_root() / "results"))


def data_folders() -> list[Path]:
    """Where `load(name)` looks, in order: `$SKELKIT_DATA` (several, split as `PATH` is), then `data/`."""
    named = [Path(p) for p in os.environ.get("SKELKIT_DATA", "").split(os.pathsep) if p]
    return [*named, project_root() / "data"]


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling; when the block ends well it becomes `path` in one step, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        yield Path(name)
        with open(name, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        raise SkelkitError(
            f"{path}: cannot be written ({error.strerror or error}); free space or choose another folder"
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder; when the block ends well it takes the place of `path`, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield part
        if path.exists():  # a folder cannot be replaced in one step: the old one steps aside first
            aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
            os.replace(path, aside / "old")
            os.replace(part, path)
            shutil.rmtree(aside)
        else:
            os.replace(part, path)
    except OSError as error:
        raise SkelkitError(
            f"{path}: cannot be written ({error.strerror or error}); free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
