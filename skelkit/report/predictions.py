"""Predictions: the class that an evaluation gave to every test clip, one file a paper beside the rows.

A line is a JSON object. One kind says what was asked, once for each set of test clips: a digest of the clips' names in
their order, and their true classes. The other says what an evaluation answered, found by the key of its rows. Classes
are packed as base64, a byte a clip. Names and coordinates of the clips are not kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import Bool, Int

from skelkit.files import SkelkitError, changed, results_folder, whole_file


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one evaluation said of its test clips."""

    clips: str
    """A digest of the clips' names and true classes, in their order: evaluations with one digest can be paired."""
    labels: Int[np.ndarray, " n"]
    """The true class of each clip."""
    predicted: Int[np.ndarray, " n"]
    """The class that each clip was given."""

    @property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Whether each clip was given its true class."""
        return self.predicted == self.labels

    def packed(self) -> dict[str, str]:
        """The same as text. Raises SkelkitError for a class that does not fit into a byte."""
        if max(self.labels.max(initial=0), self.predicted.max(initial=0)) > 255:
            raise SkelkitError("predictions: more than 256 classes cannot be kept; merge classes, or measure less")
        return {"clips": self.clips, "labels": _packed(self.labels), "predicted": _packed(self.predicted)}

    @classmethod
    def unpacked(cls, record: dict[str, str]) -> Predictions:
        """The inverse of `packed`. Raises ValueError where the two do not fit."""
        labels, predicted = _unpacked(record["labels"]), _unpacked(record["predicted"])
        if len(labels) != len(predicted):
            raise ValueError(f"{len(predicted)} predictions of {len(labels)} clips")
        return cls(record["clips"], labels, predicted)


def digest(names: Sequence[str] | np.ndarray, labels: Int[np.ndarray, " n"]) -> str:
    """What stands for the names and true classes of clips, in their order."""
    record = json.dumps([[str(name), int(label)] for name, label in zip(names, labels, strict=True)])
    return hashlib.sha256(record.encode()).hexdigest()[:16]


def append(paper: str, found: dict[str, Predictions], folder: Path | None = None) -> None:
    """Add predictions by key to `<folder>/<paper>.jsonl`, whole or not at all; those of a known key are replaced.

    folder: by default `results/predictions`. Raises SkelkitError where the standing file is damaged.
    """
    path = _file(paper, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        read(paper, folder)  # refuses a damaged file, which would be written on
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        asked = {line["clips"]: line for line in lines if "labels" in line}
        answers = {line["key"]: line for line in lines if "key" in line}
        for key, each in found.items():
            packed = each.packed()
            asked[each.clips] = {"clips": each.clips, "labels": packed.pop("labels")}
            answers[key] = {"key": key, **packed}
        with whole_file(path) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in [*asked.values(), *answers.values()]))


def read(paper: str, folder: Path | None = None) -> dict[str, Predictions]:
    """The predictions of a paper by the key of their evaluation; none where no file stands.

    Raises SkelkitError that names file and line where a line is damaged.
    """
    path = _file(paper, folder)
    return dict(_read(path, changed(path))) if path.exists() else {}


@lru_cache(maxsize=16)
def _read(path: Path, changed: tuple[int, int]) -> dict[str, Predictions]:
    asked: dict[str, str] = {}
    found: dict[str, Predictions] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise SkelkitError(f"{path}: is no text ({error}); restore the file") from error
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if "labels" in record:
                asked[record["clips"]] = record["labels"]
            else:
                found[record["key"]] = Predictions.unpacked({**record, "labels": asked[record["clips"]]})
        except (ValueError, KeyError, TypeError) as error:
            raise SkelkitError(f"{path}, line {number}: no predictions ({error}); restore the file") from error
    return found


def _packed(classes: Int[np.ndarray, " n"]) -> str:
    return base64.b64encode(classes.astype(np.uint8).tobytes()).decode()


def _unpacked(text: str) -> Int[np.ndarray, " n"]:
    return np.frombuffer(base64.b64decode(text, validate=True), np.uint8).astype(np.int64)


def _file(paper: str, folder: Path | None) -> Path:
    return (folder or results_folder() / "predictions") / f"{paper}.jsonl"
