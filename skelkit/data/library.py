"""The data sets that are here, by name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from skelkit.data.clips import Clips
from skelkit.data.datasets import PARTS, READERS, nw_ucla, synthetic
from skelkit.files import SkelkitError, data_folders, sha256, store_folder


def load(name: str) -> Clips:
    """Open a data set by name: "synthetic" is always there, others are sought in `$SKELKIT_DATA`, then in `data/`.

    A data set is a `Clips` folder `name/` or an interchange file `name.npz`. Raises SkelkitError where there is none.
    """
    if name == "synthetic":
        return synthetic.load(store_folder() / "data")
    path = _found(name)
    if path is not None and path.suffix == ".json":
        return Clips.open(path.parent)
    if path is not None:
        clips = Clips.from_npz(path, name)
        return nw_ucla.with_performances(clips) if name == "nw_ucla" else clips
    there = {f.parent.name for folder in data_folders() for f in folder.glob("*/manifest.json")}
    there |= {f.stem for folder in data_folders() for f in folder.glob("*.npz")}
    raise SkelkitError(
        f"data set {name!r} is not in {' or '.join(str(f) for f in data_folders())} (there: "
        f"{', '.join(sorted({*there, 'synthetic'}))}); import it (skelkit data import) or set SKELKIT_DATA"
    )


def present(name: str) -> bool:
    """Whether `load(name)` would find something."""
    return name == "synthetic" or _found(name) is not None


def identity(name: str) -> str:
    """Twelve hexadecimal digits of what a data set of one's own holds: frames, table, classes and skeleton.

    "" for a name that skelkit knows, which says itself which clips it means, and where there are no clips.
    """
    path = None if name == "synthetic" or is_known(name) else _found(name)
    return "" if path is None else _digits(path, path.stat().st_mtime_ns, path.stat().st_size)


@lru_cache(maxsize=64)
def _digits(path: Path, changed: int, size: int) -> str:
    return sha256(path)[:12]  # a manifest holds the hashes of the files beside it


def _found(name: str) -> Path | None:
    """The first manifest or interchange file of that name."""
    places = ((folder / name / "manifest.json", folder / f"{name}.npz") for folder in data_folders())
    return next((path for both in places for path in both if path.exists()), None)


def is_known(name: str) -> bool:
    """Whether recipes know a data set, here or not: it has rows to be shown, and at tier `smoke` a stand-in."""
    return name in (*READERS, *PARTS)


def check_name(name: str) -> None:
    """Raises SkelkitError, which says where it was sought, for a data set that is neither known nor here."""
    if not is_known(name) and not present(name):
        load(name)


def available() -> list[str]:
    """Every name that `load` takes here: "synthetic", clips folders and interchange files."""
    found = {"synthetic"}
    for folder in data_folders():
        found |= {path.parent.name for path in folder.glob("*/manifest.json")} | {p.stem for p in folder.glob("*.npz")}
    return sorted(found)
