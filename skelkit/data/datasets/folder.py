"""Official folders that hold one file a clip, side by side, with what it shows in its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from skelkit.data.importing import Source
from skelkit.files import SkelkitError

T_POSE = re.compile(r"t[-_ ]?pose", re.IGNORECASE)
"""What the file of a T-pose, which is no clip, has in its name."""


def sources(
    folder: Path,
    pattern: str,
    name: re.Pattern[str],
    like: re.Pattern[str],
    columns: Callable[[re.Match[str]], Mapping[str, int | str]],
    limits: str,
) -> list[Source | SkelkitError]:
    """Every file of the folder whose name matches `like`; one whose name is not wholly `name` is a fault instead.

    pattern: the name in words, limits: what its numbers may be, both for messages. columns: what a name says. Hidden
    files are passed over. Raises SkelkitError where there is no such file, or where one lies below the folder.
    """
    found: list[Source | SkelkitError] = []
    for path in listed(folder, pattern, name, like):
        match = name.fullmatch(path.name)
        if not match:
            fault = f"{path}: is not named {pattern} with {limits}; mend the name, or move the file away"
            found.append(SkelkitError(fault))
        elif not path.is_file():  # a folder, or a pipe that would be read for ever
            found.append(SkelkitError(f"{path}: is no file; move it away"))
        else:
            found.append(Source(path, columns(match)))
    return found


def listed(folder: Path, pattern: str, name: re.Pattern[str], like: re.Pattern[str]) -> list[Path]:
    """The paths in `folder` that `like` matches, in the order of their numbers; at least one, and none below."""
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds {pattern} files")
    found = in_order(path for path in folder.iterdir() if path.name[0] != "." and like.match(path.name))
    below = in_order(path for path in folder.rglob("*") if path.parent != folder and name.fullmatch(path.name))
    if below:
        raise SkelkitError(f"{below[0]}: lies below {folder}; give the one folder that holds all the files")
    if not found:
        raise SkelkitError(f"{folder}: holds no {pattern} file; give the folder that does")
    return found


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted by name, numbers by their value: a2 before a10."""
    return sorted(paths, key=lambda path: (re.sub(r"\d+", lambda digits: digits[0].zfill(9), path.name), path))
