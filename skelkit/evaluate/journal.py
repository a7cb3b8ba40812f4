"""Labels that a person gives, each written down at once: a session that is closed half-way loses none."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from skelkit.files import SkelkitError

BEGINNING = '{"clip": '
"""Of every line of a journal."""


@dataclass(frozen=True)
class Pool:
    """The clips that may be asked for, in the order of the features' rows, and the classes."""

    names: tuple[str, ...]
    """Of the clips, by which a journal knows them."""
    classes: tuple[str, ...]
    """Of the labels 0, 1, ..."""
    prints: tuple[str, ...] = ()
    """What tells each clip from another of the same name, such as a hash of its frames; () goes by the names alone."""

    def label(self, clip: int, label: int) -> int:
        """The label, if it is one. Raises SkelkitError, which names the clip, where it lies outside the classes."""
        if isinstance(label, bool) or label not in range(len(self.classes)):
            last = len(self.classes) - 1
            raise SkelkitError(
                f"clip {clip} ({self.names[clip]}): label {label!r} is none of the {last + 1} classes; give 0 "
                f"({self.classes[0]}) to {last} ({self.classes[last]})"
            )
        return int(label)


def write(path: Path, pool: Pool, clip: int, label: int) -> None:
    """Append a label, a line of JSON, and have it on disk before returning. Raises SkelkitError where that fails."""
    line = {"clip": clip, "name": pool.names[clip], "label": label, "class": pool.classes[label]}
    line |= {"print": pool.prints[clip]} if pool.prints else {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the line before was cut off, when its program or the machine stopped
                    file.write(b"\n")
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SkelkitError(
            f"{path}: cannot be written ({error.strerror}); free space or choose another file"
        ) from error


def read(path: Path, pool: Pool) -> dict[int, int]:
    """The label of each clip that a journal knows; of several the last. No file: none.

    A line that was cut off is passed over: its label was never confirmed. Raises SkelkitError, which names the line,
    where a label belongs to other clips or other classes than the pool's, and where a line is none of a journal's.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")  # a name may hold other line ends
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); name the journal of labels") from error
    found = {}
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            clip, name, label, named = (line[key] for key in ("clip", "name", "label", "class"))
        except (ValueError, KeyError, TypeError) as error:
            if BEGINNING.startswith(text.strip("\0")[: len(BEGINNING)]):  # a power cut may leave zeros
                continue
            raise SkelkitError(
                f"{path}, line {number}: is no label, so that this is no journal; name another file"
            ) from error
        known = clip in range(len(pool.names)) and pool.names[clip] == name
        if not known or (pool.prints and line.get("print", pool.prints[clip]) != pool.prints[clip]):
            raise SkelkitError(f"{path}, line {number}: clip {clip} ({name}) is not this pool's; take another journal")
        if label not in range(len(pool.classes)) or pool.classes[label] != named:
            raise SkelkitError(
                f"{path}, line {number}: class {label} ({named}) is not this pool's; take another journal"
            )
        found[int(clip)] = int(label)
    return found
