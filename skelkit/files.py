"""Where things lie on disk, and how a file or folder comes to be there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_REFUSALS = ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY")
_DISK_FAULTS = {getattr(errno, name, errno.ENOSPC) for name in _REFUSALS}  # Windows knows no quota


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


def committed_folder(name: str) -> Path:
    """A folder of `results/` that comes with the code, such as `published`: `$SKELKIT_RESULTS` may hold rows alone."""
    own = results_folder() / name
    return own if own.exists() else project_root() / "results" / name


def changed(path: Path) -> tuple[int, int]:
    """What tells that a file is another one than before: its time and its size."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def data_folders() -> list[Path]:
    """Where `load(name)` looks, in order: `$SKELKIT_DATA` (several, split as `PATH` is), then `data/`."""
    named = [Path(p) for p in os.environ.get("SKELKIT_DATA", "").split(os.pathsep) if p]
    return [*named, project_root() / "data"]


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digest:
    """A file to write to that keeps only the hash."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.sha.update(data)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling; when the block ends well it becomes `path` in one step, else it is removed.

    Raises SkelkitError where the disk refuses (full, read-only, not ours); any other error passes as it is.
    """
    with _disk_faults(path):
        _make(path.parent)
        part = _sibling(path, "part")
        part.touch(exist_ok=False)
        mode = part.stat().st_mode
        try:
            yield part
            part.chmod(mode)  # safetensors puts a file of its own there, which nobody else may read
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder; when the block ends well it takes the place of `path`, else it is removed.

    Raises SkelkitError where the disk refuses; any other error passes as it is, and what was at `path` stays.
    """
    with _disk_faults(path):
        _make(path.parent)
        part, aside = _sibling(path, "part"), _sibling(path, "old")
        part.mkdir()
        try:
            yield part
            if path.exists():  # a folder cannot be replaced in one step: the old one steps aside first
                os.replace(path, aside)
            try:
                os.replace(part, path)
            except OSError:
                with suppress(OSError):
                    os.replace(aside, path)
                raise
            shutil.rmtree(aside, ignore_errors=True)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _make(folder: Path) -> None:
    """The folder and those above it. Raises SkelkitError wherever that fails: no input of the work is missing here."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SkelkitError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error


def _sibling(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{ending}")


@contextmanager
def _disk_faults(path: Path) -> Iterator[None]:
    """Say what the disk refused; an error of the work itself, such as a missing input, is none of its faults."""
    try:
        yield
    except SkelkitError:
        raise
    except Exception as error:
        refused = isinstance(error, OSError) and error.errno in _DISK_FAULTS
        # NumPy tells of a short write, and safetensors of any refusal, in words and without an error number.
        if not refused and " requested and " not in str(error) and "(os error " not in str(error):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SkelkitError(f"{path}: cannot be written ({reason}); free space or choose another folder") from error
