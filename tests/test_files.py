"""Whole or absent: what stays on disk after success, after a fault and on a full disk."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from skelkit import files
from skelkit.files import SkelkitError, data_folders, sha256, whole_file, whole_folder


def entries(folder: Path) -> list[str]:
    """Everything in the folder, hidden files as well."""
    return sorted(path.name for path in folder.iterdir())


def half_write(path: Path, fault: BaseException) -> None:
    path.write_text("half")
    raise fault


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Make the system refuse every file that grows beyond `size` bytes: a real refusal, as from a full disk."""
    resource = pytest.importorskip("resource", reason="this system has no file size limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_whole_file_appears_at_the_end_and_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "rows.jsonl"
    with whole_file(path) as part:
        part.write_text("row\n")
        assert not path.exists()
        assert part.parent == path.parent
    assert path.read_text() == "row\n"
    assert entries(path.parent) == ["rows.jsonl"]


def test_whole_file_keeps_the_old_file_and_no_part_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("old")
    for fault in (ValueError("ours"), KeyboardInterrupt(), SkelkitError("said already")):
        with pytest.raises(type(fault)) as caught, whole_file(path) as part:
            half_write(part, fault)
        assert caught.value is fault
    assert path.read_text() == "old"
    assert entries(tmp_path) == ["rows.jsonl"]


def test_whole_folder_replaces_the_old_one_in_whole(tmp_path: Path) -> None:
    path = tmp_path / "sbu"
    for name in ("old", "new"):
        with whole_folder(path) as part:
            (part / name).write_text(name)
        assert entries(path) == [name]
    assert entries(tmp_path) == ["sbu"]


def test_whole_folder_keeps_the_old_one_and_no_part_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "sbu"
    with whole_folder(path) as part:
        (part / "old").touch()
    with pytest.raises(ZeroDivisionError), whole_folder(path) as part:
        half_write(part / "half", ZeroDivisionError())
    assert entries(path) == ["old"]
    assert entries(tmp_path) == ["sbu"]


def test_whole_folder_puts_the_old_one_back_when_the_last_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sbu"
    with whole_folder(path) as part:
        (part / "old").touch()
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(source).suffix == ".part":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(SkelkitError, match="No space left"), whole_folder(path) as part:
        (part / "new").touch()
    assert entries(path) == ["old"]
    assert entries(tmp_path) == ["sbu"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has a umask")
def test_what_is_written_can_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with whole_file(tmp_path / "file") as part:
            save_file({"x": torch.zeros(1)}, part)
        with whole_folder(tmp_path / "folder") as part:
            (part / "x").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError("4096 requested and 512 written"),  # what numpy.save says of a short write
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, fault: OSError) -> None:
    for whole in (whole_file, whole_folder):
        with pytest.raises(SkelkitError) as caught, whole(tmp_path / "target"):
            raise fault
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'target'}: cannot be written (")
        assert message.endswith("; free space or choose another folder")
        assert entries(tmp_path) == []


def test_a_real_refusal_of_numpy_and_safetensors_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with files_of_at_most(10_000):
        with pytest.raises(SkelkitError, match="cannot be written"), whole_folder(tmp_path / "clips") as part:
            np.save(part / "frames.npy", np.zeros(100_000))
        with pytest.raises(SkelkitError, match="cannot be written"), whole_file(tmp_path / "weights") as part:
            save_file({"weight": torch.zeros(100_000)}, part)
        with pytest.raises(SkelkitError, match="cannot be written"), whole_file(tmp_path / "rows") as part:
            part.write_text("x" * 100_000)
    assert entries(tmp_path) == []


def test_a_missing_input_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "target"):
        (tmp_path / "input").read_text()
    assert entries(tmp_path) == []


def test_a_place_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for whole in (whole_file, whole_folder):
        with pytest.raises(SkelkitError, match="cannot be made"), whole(tmp_path / "file" / "below" / "target"):
            pass
        with pytest.raises(SkelkitError, match="cannot be made"), whole(tmp_path / "file" / "target"):
            pass


def test_a_place_that_the_system_does_not_know_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "mkdir", unknown)
    with pytest.raises(SkelkitError, match="cannot be made"), whole_folder(tmp_path / "a"):
        pass


def test_sha256_is_the_files(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # the standard's own example
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == hashlib.sha256(b"abc").hexdigest()


def test_data_folders_are_those_of_the_environment_and_then_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_DATA", os.pathsep.join(["one", "two"]))
    assert data_folders()[:2] == [Path("one"), Path("two")]
    assert data_folders()[-1].name == "data"
    monkeypatch.setenv("SKELKIT_DATA", "")
    assert [folder.name for folder in data_folders()] == ["data"]
