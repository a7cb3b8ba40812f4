"""CMU Graphics Lab motion capture: Acclaim files, one skeleton a subject; classes and folds come from the user.

A motion is `NN_TT.amc` (subject, trial) beside its subject's skeleton `NN.asf`, as in `02/02_01.amc` and `02/02.asf`.
The data set has no classes of its own: Zhu et al. 2016 made 45 for 2,235 motions, and 8 for a subset of 664, which
LongT GAN (Zheng et al. 2018) takes with 4 and 3 folds; neither list is public.
"""

from __future__ import annotations

import re
from pathlib import Path

from skelkit.data.datasets import labels
from skelkit.data.formats import acclaim
from skelkit.data.formats.asf import read_known
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.protocols import stratified_folds
from skelkit.data.skeleton import ACCLAIM
from skelkit.files import SkelkitError

FOLDS = 4
"""Drawn by default, as for the 2,235 motions of Zheng et al. 2018; their subset has three."""

_NAME = re.compile(r"(\d{2,3})_(\d{2,3})\.amc")


def reading(folder: Path, *, classes: str = "", folds: str = "", seed: str = "0", fps: str = "120") -> Reading:
    """The motions of a folder that holds `NN_TT.amc` files beside their `NN.asf`, at any depth.

    Frames (t, 3, 31, 1) in metres, y up. classes: a CSV file `name,class` with an optional column `fold` (from 0), as
    `template` writes it; a motion without a row, or whose class is empty, is left out. Without classes every motion
    is imported, unlabelled. folds: where the file has no column fold, as many random folds, each class spread evenly
    over them, drawn by the seed; 4 by default. fps: frames a second, for the record alone: nothing is resampled, and
    some trials were taken at 60. `subject` and `replicate` are NN and TT. Raises SkelkitError.
    """
    sources = _sources(folder)
    rate = labels.whole_number("fps", fps, 1)
    names: tuple[str, ...] = ()
    said = f"{len(sources):,} motions, unlabelled"
    if classes:
        path = Path(classes)
        number = labels.whole_number("folds", folds, 2) if folds else None
        chosen, names = _labelled(path, sources, number, labels.whole_number("seed", seed, 0))
        said, sources = f"motions labelled by {path.name}, {len(names)} classes", chosen
    elif folds:
        raise SkelkitError("option folds: folds are drawn within classes; give -o classes FILE.csv as well")
    return Reading(
        name="cmu",
        skeleton=ACCLAIM,
        classes=names,
        sources=sources,
        read=_clip,
        source=f"CMU motion capture, from AMC files of {rate} frames a second; {said}",
        options={"classes": list(names), "folds": folds, "seed": seed, "fps": rate},
    )


def template(folder: Path) -> str:
    """A CSV file for `reading(classes=...)`: every motion below the folder by name, its class to be filled in."""
    names = sorted({source.columns["name"] for source in _sources(folder) if isinstance(source, Source)}, key=str)
    head = (
        "# A class for each motion of the CMU motion capture data; a motion whose class stays empty is left out.\n"
        "# The column fold is optional: the number of the test fold, counted from 0, for every motion with a class.\n"
        "# Leave it empty, or take it away, to have folds drawn by a seed.\n"
        "name,class,fold\n"
    )
    return head + "".join(f"{name},,\n" for name in names)


def _sources(folder: Path) -> list[Source | SkelkitError]:
    """Every AMC file below the folder, in the order of the names; one that would be passed over is a fault."""
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds the subjects' folders 01, 02, ...")
    sources: list[Source | SkelkitError] = []
    found = [path for path in folder.rglob("*") if ".amc" in path.name.lower() and not path.name.startswith(".")]
    for path in sorted(found, key=lambda path: (path.name, path)):
        place = _NAME.fullmatch(path.name)
        if not place:
            sources.append(SkelkitError(f"{path}: is not named NN_TT.amc; mend the name, or move the file away"))
            continue
        asf = path.with_name(f"{place[1]}.asf")
        if not asf.exists():
            fault = f"{path}: the skeleton of subject {place[1]} is not beside it; put {asf.name} there, or {AGAIN}"
            sources.append(SkelkitError(fault))
            continue
        columns = {"label": -1, "subject": int(place[1]), "replicate": int(place[2])}
        sources.append(Source(path, {**columns, "name": path.stem}, (asf,)))
    if not sources:
        raise SkelkitError(f"{folder}: holds no NN_TT.amc file at any depth; give the folder that does")
    return sources


def _labelled(
    path: Path, sources: list[Source | SkelkitError], folds: int | None, seed: int
) -> tuple[list[Source | SkelkitError], tuple[str, ...]]:
    """(the motions that the file gives a class, with label and fold, and all faults; the classes by name)."""
    rows = labels.table(path, ("name", "class"), ("fold",))
    first: dict[str, int] = {}
    for line, row in rows:
        if first.setdefault(row["name"], line) != line:
            raise SkelkitError(
                f"{path}, line {line}: {row['name'][:40]} stands in line {first[row['name']]} already; keep one of them"
            )
    rows = [(line, row) for line, row in rows if row["class"]]
    if not rows:
        raise SkelkitError(f"{path}: no motion has a class; fill some in")
    names = tuple(sorted({row["class"] for _, row in rows}))
    label = {row["name"]: names.index(row["class"]) for _, row in rows}
    there = {str(source.columns["name"]): source for source in sources if isinstance(source, Source)}
    faulty = [source for source in sources if isinstance(source, SkelkitError)]
    absent = [
        SkelkitError(f"{path}, line {line}: no file {row['name'][:40]}.amc was found; mend the name, or take it out")
        for line, row in rows
        if row["name"] not in there
    ]
    chosen = [source for source in sources if isinstance(source, Source) and source.columns["name"] in label]
    targets = [label[str(source.columns["name"])] for source in chosen]
    fold = _folds(path, rows, folds)
    if not fold:
        drawn = stratified_folds(targets, folds or FOLDS, seed)
        fold = {str(source.columns["name"]): int(k) for source, k in zip(chosen, drawn, strict=True)}
    labelled = [
        Source(s.path, {**s.columns, "label": target, "fold": fold[str(s.columns["name"])]}, s.beside)
        for s, target in zip(chosen, targets, strict=True)
    ]
    return [*labelled, *absent, *faulty], names


def _folds(path: Path, rows: list[labels.Row], folds: int | None) -> dict[str, int]:
    """The file's own folds; none where it has no such column, or nothing in it."""
    if not any(row.get("fold") for _, row in rows):
        return {}
    if folds is not None:
        raise SkelkitError(f"{path}: has folds of its own, and -o folds {folds} asks for others; take one of them away")
    fold: dict[str, int] = {}
    for line, row in rows:
        if not re.fullmatch(r"\d{1,3}", row["fold"], re.ASCII):
            raise SkelkitError(f"{path}, line {line}: fold {row['fold'][:40]!r} is no number; count folds from 0")
        fold[row["name"]] = int(row["fold"])
    if set(fold.values()) != set(range(max(fold.values()) + 1)) or len(set(fold.values())) < 2:
        raise SkelkitError(
            f"{path}: its folds are {sorted(set(fold.values()))[:9]}; count two or more from 0, without gaps"
        )
    return fold


def _clip(source: Source) -> list[RawClip]:
    return [RawClip(acclaim.clip(source.path, read_known(source.beside[0])))]
