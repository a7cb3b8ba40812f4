"""A user's own clips: a folder of CSV files with a table and a small manifest; and skeletons as TOML.

`template.py` writes an example of all of it, with comments.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skelkit.data.clips import COLUMNS
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.skeleton import SKELETONS, Skeleton
from skelkit.files import SkelkitError

MANIFEST = "manifest.toml"
PERSONS = 32
"""As many persons as a clip may have."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?")
_WHOLE = re.compile(r"-1|\d{1,9}")
_JOINT = re.compile(r"\w[\w .-]*")


def is_own(path: Path) -> bool:
    """Whether the folder holds own clips."""
    return (path / MANIFEST).is_file()


def reading(folder: Path) -> Reading:
    """The clips of a folder with `manifest.toml`: `skeleton` (a TOML file, or a known name), `units`, `classes`.

    The table `clips.csv` (or what the key `clips` names) has a line a clip: `file`, `label` (a class's name, or its
    number from 0; empty for none) and any of `COLUMNS` and `name`. A clip's file has a row a frame, columns joint_x,
    joint_y, joint_z in any order; with the columns `frame` and `person` (from 1) a row a frame and person. Raises
    SkelkitError that names file, line or key.
    """
    path = folder / MANIFEST
    manifest = _toml(path, required=("skeleton", "classes"), optional=("units", "clips", "source"))
    classes = _texts(path, "classes", manifest["classes"])
    units = _text(path, "units", manifest.get("units", "metres"))
    if units == "normalised":
        raise SkelkitError(f'{path}, key units: "normalised" means SBU\'s numbers; name another, such as "own units"')
    given = _text(path, "skeleton", manifest["skeleton"])
    known = SKELETONS.get(given)
    skeleton_file = None if known else _inside(path, folder, given)
    skeleton = known or skeleton_from_toml(folder / given)
    table = _inside(path, folder, _text(path, "clips", manifest.get("clips", "clips.csv")))
    sources = list(_sources(folder, table, classes, [path, table] + [f for f in [skeleton_file] if f]))
    if not sources:
        raise SkelkitError(f"{table}: lists no clip; add a line a clip below the first")
    return Reading(
        name="own",
        skeleton=skeleton,
        classes=classes,
        sources=sources,
        read=partial(_clip, skeleton),
        source=_text(path, "source", manifest.get("source", "own clips, from CSV files")),
        units=units,
    )


def skeleton_from_toml(path: Path) -> Skeleton:
    """A skeleton by joint names: `joints`, `bones` ([child, parent] pairs), `centre`, and if wanted `name`, `mirror`
    ([left, right] pairs) and a table `[parts]` of lists of joints. Raises SkelkitError that names file and key."""
    record = _toml(path, required=("joints", "bones", "centre"), optional=("name", "mirror", "parts"))
    joints = _texts(path, "joints", record["joints"])
    for joint in joints:
        if not _JOINT.fullmatch(joint):
            raise SkelkitError(f"{path}, key joints: {joint[:40]!r} is no name of letters, digits, _, - and .; mend it")

    def index(key: str, name: object) -> int:
        if not isinstance(name, str) or name not in joints:
            raise SkelkitError(f"{path}, key {key}: {_said(name)} is none of the joints; mend the name")
        return joints.index(name)

    def pairs(key: str) -> tuple[tuple[int, int], ...]:
        given = record.get(key, [])
        if not isinstance(given, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in given):
            raise SkelkitError(f"{path}, key {key}: is no list of pairs of joint names; write [[a, b], [c, d]]")
        return tuple((index(key, a), index(key, b)) for a, b in given)

    parts = record.get("parts", {})
    if not isinstance(parts, dict):
        raise SkelkitError(f"{path}, key parts: is no table; write [parts] and below it name = [joints]")
    named = {
        part: tuple(index(f"parts.{part}", joint) for joint in _texts(path, f"parts.{part}", members))
        for part, members in parts.items()
    }
    name = _text(path, "name", record.get("name", path.stem))
    bones, mirror, centre = pairs("bones"), pairs("mirror"), index("centre", record["centre"])
    try:
        return Skeleton(name, tuple(joints), bones, centre, mirror, named)
    except SkelkitError as error:
        raise SkelkitError(f"{path}: {error}") from error


# ── the manifest and the table ──────────────────────────────────────────────────────────────────────────────────────


def _toml(path: Path, required: Sequence[str], optional: Sequence[str]) -> dict[str, Any]:
    try:
        record = tomllib.loads(_read(path))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise SkelkitError(f"{path}: is not TOML ({' '.join(str(error).split())[:100]}); mend the line") from error
    for key in required:
        if key not in record:
            raise SkelkitError(f"{path}, key {key}: is missing; add it (skelkit data template writes an example)")
    if unknown := sorted(set(record) - {*required, *optional}):
        raise SkelkitError(
            f"{path}, key {unknown[0][:40]!r}: is unknown; known are {', '.join([*required, *optional])}"
        )
    return record


def _said(value: object) -> str:
    return repr(value)[:60] if isinstance(value, str | int | float) else f"a {type(value).__name__}"


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise SkelkitError(f'{path}, key {key}: {_said(value)} is no text; write {key} = "..."')
    return value


def _texts(path: Path, key: str, values: object) -> list[str]:
    if not isinstance(values, list) or not values:
        raise SkelkitError(f'{path}, key {key}: is no list of names; write {key} = ["...", "..."]')
    names = [_text(path, key, value) for value in values]
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise SkelkitError(f"{path}, key {key}: {twice[0][:40]!r} is there twice; name each once")
    return names


def _inside(place: Path | str, folder: Path, name: str) -> Path:
    """A file below the folder, whatever its name says."""
    path = folder / name
    try:
        outside = Path(name).is_absolute() or ".." in Path(name).parts
        outside = outside or not path.resolve().is_relative_to(folder.resolve())
        there = path.is_file() and name.isprintable()
    except (OSError, RuntimeError, ValueError):  # a name too long, a link to itself, a null character
        outside = there = False
    if outside:
        raise SkelkitError(f"{place}: {name[:80]!r} lies outside of {folder}; give a file below it")
    if not there:
        raise SkelkitError(f"{place}: there is no file {name[:80]!r} in {folder}; mend the name")
    return path


def _sources(
    folder: Path, table: Path, classes: Sequence[str], others: Sequence[Path]
) -> Iterator[Source | SkelkitError]:
    """A source a line of the table, in its order; a CSV file that no line names is a fault."""
    lines = _lines(table)
    number, header = next(lines, (1, []))
    if "file" not in header or (unknown := set(header) - {"file", "name", *COLUMNS}) or len(set(header)) < len(header):
        wrong = (
            "has no file" if "file" not in header else f"has {min(unknown)[:40]!r}" if unknown else "names one twice"
        )
        raise SkelkitError(f"{table}, line {number}: {wrong}; its columns are file, name, {', '.join(COLUMNS)}")
    listed: set[Path] = set()
    for number, fields in lines:
        place = f"{table}, line {number}"
        try:
            if len(fields) != len(header):
                raise SkelkitError(f"{place}: has {len(fields)} columns, not {len(header)}; mend the line")
            row = dict(zip(header, fields, strict=True))
            path = _inside(place, folder, row.pop("file"))
            listed.add(path)
            columns = _columns(place, row, classes)
            yield Source(path, {"name": path.relative_to(folder).with_suffix("").as_posix(), **columns})
        except SkelkitError as fault:
            yield fault
    found = {
        path for path in folder.rglob("*.csv") if not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }
    for path in sorted(found - listed - set(others)):
        yield SkelkitError(f"{path}: is in no line of {table}; add one, or move the file away")


def _columns(place: str, row: Mapping[str, str], classes: Sequence[str]) -> dict[str, int | str]:
    columns: dict[str, int | str] = {}
    for column, text in row.items():
        if column == "name":
            if not text.isprintable():
                raise SkelkitError(f"{place}: name is {text[:40]!r}, which cannot be printed; mend it")
            columns |= {"name": text} if text else {}
        elif column == "label" and text in classes:
            columns["label"] = classes.index(text)
        elif text and not _WHOLE.fullmatch(text):
            known = f", nor a class ({', '.join(classes)[:100]})" if column == "label" else ""
            raise SkelkitError(f"{place}: {column} is {text[:40]!r}, no whole number from 0{known}; mend it")
        else:
            columns[column] = int(text or -1)
    if int(columns.get("label", -1)) >= len(classes):
        raise SkelkitError(
            f"{place}: label is {columns['label']}, and there are {len(classes)} classes, from 0; mend it"
        )
    return columns


# ── a clip ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); copy it again, or mend the name") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SkelkitError(f"{path}, line {line}: holds a byte that is no UTF-8 text; save it as UTF-8") from error


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line but the empty ones."""
    for number, line in enumerate(_read(path).split("\n"), 1):
        if line.strip():
            yield number, [field.strip().strip('"') for field in line.split(",")]


def _clip(skeleton: Skeleton, source: Source) -> list[RawClip]:
    return [RawClip(_frames(source.path, skeleton))]


def _frames(path: Path, skeleton: Skeleton) -> Float[np.ndarray, "t 3 v m"]:
    lines = _lines(path)
    number, header = next(lines, (1, []))
    wanted = [f"{joint}_{axis}" for joint in skeleton.joints for axis in "xyz"]
    missing = [c for c in wanted if c not in header] + (
        ["frame"] if "person" in header and "frame" not in header else []
    )
    unknown = [column for column in header if column not in (*wanted, "frame", "person")]
    if missing or unknown or len(set(header)) < len(header):
        said = (
            f"has no column {missing[0]}" if missing else f"has {unknown[0][:40]!r}" if unknown else "names one twice"
        )
        raise SkelkitError(
            f"{path}, line {number}: {said}; its columns are frame, person and {wanted[0]}, {wanted[1]}, ..."
        )
    order = [header.index(column) for column in wanted]
    frame_at, person_at = (header.index(c) if c in header else None for c in ("frame", "person"))
    rows: list[tuple[int, int]] = []
    values: list[list[float]] = []
    for number, fields in lines:
        place = f"{path}, line {number}"
        if len(fields) != len(header):
            raise SkelkitError(
                f"{place}: has {len(fields)} columns, not {len(header)}; the file may be cut short: mend it"
            )
        if wrong := [header[i] for i, field in enumerate(fields) if not _NUMBER.fullmatch(field)]:
            at = header.index(wrong[0])
            raise SkelkitError(f"{place}: {wrong[0]} is {fields[at][:40]!r}, no number; mend it or leave the clip out")
        frame = len(rows) if frame_at is None else _whole(place, "frame", fields[frame_at])
        person = 1 if person_at is None else _whole(place, "person", fields[person_at])
        last_frame, last_person = rows[-1] if rows else (frame - 1, 0)
        if not (frame == last_frame + 1 or (person_at is not None and frame == last_frame and person > last_person)):
            raise SkelkitError(f"{place}: frame {frame} (person {person}) follows frame {last_frame}; sort or mend it")
        if not 1 <= person <= PERSONS:
            raise SkelkitError(f"{place}: person {person} is not 1 to {PERSONS}; number the persons from 1")
        numbers = [float(fields[i]) for i in order]
        if max(map(abs, numbers)) > 1e30:
            raise SkelkitError(f"{place}: holds a number beyond 1e30; mend it or leave the clip out")
        rows.append((frame, person))
        values.append(numbers)
    if not rows:
        raise SkelkitError(f"{path}, line {number + 1}: no frame below the columns' names; leave the clip out")
    t, m = np.array(rows).T - [[rows[0][0]], [1]]
    frames = np.zeros((t[-1] + 1, m.max() + 1, len(skeleton), 3), np.float32)  # (t, m, v, 3)
    frames[t, m] = np.array(values).reshape(len(rows), len(skeleton), 3)
    if not frames.any():
        raise SkelkitError(f"{path}: nobody is in it, all zeros; leave the clip out")
    return np.ascontiguousarray(frames.transpose(0, 3, 2, 1))


def _whole(place: str, column: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise SkelkitError(f"{place}: {column} is {text[:40]!r}, no whole number from 0; mend it")
    return int(text)
