"""Zip and tar archives of strangers, unpacked within one folder: names, links, devices and sizes are checked first."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from skelkit.files import SkelkitError, whole_folder

LIMIT = 32 * 2**30
"""Bytes that an archive may unpack to; the largest of the official ones has a fifth of it."""
MEMBERS = 1_000_000
_AGAIN = "download it again, or unpack it by hand if you trust it"
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError, NotImplementedError, ValueError),
)


def unpack(archive: Path, folder: Path, keep: str = "", under: str = "") -> int:
    """Unpack an archive into `folder`, all of it or nothing; returns the number of files.

    keep: a regular expression; only members that it finds are unpacked, each at what its first group matches. under: a
    folder within `folder` for them. Raises SkelkitError for an archive that is damaged, reaches out of the folder,
    holds links or devices, or is too large.
    """
    try:
        with whole_folder(folder / f".{archive.name}") as part, _opened(archive) as (members, content):
            wanted = _wanted(archive, members, keep)
            for name, member in wanted.items():
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                with content(member) as source, open(part / name, "wb") as target:
                    shutil.copyfileobj(source, target)
        _merge(folder / f".{archive.name}", folder / under)
    except _DAMAGE as error:
        raise SkelkitError(f"{archive}: cannot be unpacked ({' '.join(str(error).split())}); {_AGAIN}") from error
    except OSError as error:
        raise SkelkitError(f"{archive}: cannot be unpacked ({error}); free space, or {_AGAIN}") from error
    return len(wanted)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[dict[str, tuple[Any, int, str]], Any]]:
    """Members by name, as (member, declared bytes, what is wrong with its kind), and how to read one."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield {m.filename: (m, m.file_size, _zip_kind(m)) for m in file.infolist() if not m.is_dir()}, file.open
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            members = {m.name: (m, m.size, "" if m.isfile() else "a link or a device") for m in tar if not m.isdir()}
            yield members, lambda member: _not_none(tar.extractfile(member))
            while _not_none(tar.fileobj).read(2**20):  # the check sum of what was unpacked stands at the end
                pass
    else:
        raise SkelkitError(f"{archive}: is neither a zip nor a tar archive; {_AGAIN}")


def _zip_kind(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16
    return "a link or a device" if stat.S_IFMT(mode) not in (0, stat.S_IFREG) else ""


def _not_none(file: Any) -> Any:
    assert file is not None, "links and devices were refused"
    return file


def _wanted(archive: Path, members: dict[str, tuple[Any, int, str]], keep: str) -> dict[str, Any]:
    """The members to unpack, by where they go; every member is checked, kept or not."""
    if len(members) > MEMBERS:
        raise SkelkitError(f"{archive}: holds {len(members):,} files, more than {MEMBERS:,}; {_AGAIN}")
    wanted, size = {}, 0
    for name, (member, declared, kind) in members.items():
        if kind:
            raise SkelkitError(f"{archive}: {name[:80]!r} is {kind}; {_AGAIN}")
        if outside(name):
            raise SkelkitError(f"{archive}: {name[:80]!r} reaches out of the folder; {_AGAIN}")
        found = re.search(keep, name) if keep else None
        if keep and not found:
            continue
        size += declared
        if declared < 0 or size > LIMIT:
            raise SkelkitError(f"{archive}: unpacks to more than {LIMIT / 2**30:g} GB; {_AGAIN}")
        wanted[found[1] if found else name] = member
    if not wanted:
        raise SkelkitError(f"{archive}: holds none of the files that are wanted; {_AGAIN}")
    return wanted


def outside(name: str) -> bool:
    """Whether a member's name would leave the folder, on any system."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return not parts or ".." in parts or name[0] in "/\\" or ":" in name or "\0" in name


def _merge(source: Path, target: Path) -> None:
    """Move every file of a folder into another, over what is there."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)
    shutil.rmtree(source)
