"""The flat `.npz` by which users bring their own clips, read into the arguments of `Clips.from_arrays`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skelkit.data.skeleton import Skeleton, skeleton_of
from skelkit.files import SkelkitError


def read(path: Path, name: str, columns: Sequence[str]) -> dict[str, Any]:
    """What `Clips.from_arrays` takes, from the npz that `Clips.from_npz` describes; of its other arrays, `columns`.

    Raises SkelkitError that names the file and the array.
    """
    arrays = _archive(path)
    skeleton = _skeleton(path, name, arrays)
    frames = arrays["frames"]
    if frames.ndim != 4 or frames.shape[2:] != (len(skeleton), 3) or frames.shape[1] < 1:
        raise SkelkitError(
            f"{path}: frames has shape {frames.shape}; give (sum of t, persons, {len(skeleton)} joints, 3)"
        )
    given: dict[str, Any] = {column: arrays[column] for column in columns if column in arrays}
    if "view" in arrays:
        given.setdefault("camera", arrays["view"])
    if "name" in arrays:
        given["name"] = _texts(path, arrays, "name")
    sbu = skeleton.name.startswith("sbu")  # the one known skeleton whose files are not in metres
    return {
        "frames": np.ascontiguousarray(frames.transpose(0, 3, 2, 1)),  # (t, m, v, 3) -> (t, 3, v, m)
        "offsets": arrays["offsets"],
        "skeleton": skeleton,
        "classes": _texts(path, arrays, "class_names"),
        "name": name,
        "columns": given,
        "units": str(arrays.get("units", "normalised" if sbu else "metres")),
        "source": str(arrays.get("source", path.name)),
        "place": str(path),
    }


def _archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the file, those that clips cannot do without among them."""
    try:
        with open(path, "rb") as file:  # opened here, because np.load leaves a damaged file open
            archive: Any = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise SkelkitError(f"{path}: holds one array and is no npz; write it with numpy.savez")
            arrays = {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        raise SkelkitError(f"{path}: no such file; copy it there, or mend the name") from error
    except SkelkitError:
        raise
    except Exception as error:  # a changed byte makes zipfile, zlib, tokenize or NumPy raise nearly anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise SkelkitError(f"{path}: not a readable npz ({said}); copy or export it again") from error
    missing = [key for key in ("frames", "offsets", "label", "class_names", "joint_names") if key not in arrays]
    if missing:
        raise SkelkitError(f"{path}: array {missing[0]!r} is missing; it holds {', '.join(sorted(arrays)) or 'none'}")
    return arrays


def _skeleton(path: Path, name: str, arrays: Mapping[str, np.ndarray]) -> Skeleton:
    """The skeleton with the file's own bones or, where it has none, the known one with these joint names."""
    joints = tuple(_texts(path, arrays, "joint_names"))
    if "bones" not in arrays:
        known = skeleton_of(joints)
        if known is None:
            raise SkelkitError(
                f"{path}: joint_names are no known skeleton; add an array `bones` of (child, parent) pairs"
            )
        return known
    centre, part = arrays.get("centre", np.array(0)), arrays.get("part", np.array([], str))
    if centre.ndim != 0 or centre.dtype.kind not in "iu":
        raise SkelkitError(f"{path}: centre has shape {centre.shape} of {centre.dtype}; give one joint's number")
    parts: dict[str, tuple[int, ...]] = {}
    if part.size:
        if part.shape != (len(joints),):
            raise SkelkitError(
                f"{path}: part has shape {part.shape}; give the part's name for each of {len(joints)} joints"
            )
        names = _texts(path, arrays, "part")
        parts = {name: tuple(j for j, n in enumerate(names) if n == name) for name in dict.fromkeys(names) if name}
    bones, mirror = _pairs(path, arrays, "bones", "child, parent"), _pairs(path, arrays, "mirror", "left, right")
    try:
        return Skeleton(name, joints, bones, int(centre), mirror, parts)
    except SkelkitError as error:
        raise SkelkitError(f"{path}: {error}") from error


def _pairs(path: Path, arrays: Mapping[str, np.ndarray], key: str, of: str) -> tuple[tuple[int, int], ...]:
    pairs = arrays.get(key, np.zeros((0, 2), int))
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise SkelkitError(f"{path}: {key} has shape {pairs.shape} of {pairs.dtype}; give ({of}) whole numbers a line")
    return tuple((int(a), int(b)) for a, b in pairs)


def _texts(path: Path, arrays: Mapping[str, np.ndarray], key: str) -> list[str]:
    values = arrays[key]
    if values.ndim != 1 or values.dtype.kind not in "Uiu":
        raise SkelkitError(f"{path}: {key} has shape {values.shape} of {values.dtype}; give a list of text (dtype str)")
    return [str(value) for value in values]
