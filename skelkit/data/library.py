"""The data sets that are here, by name."""

from __future__ import annotations

from skelkit.data.clips import Clips
from skelkit.data.datasets import READERS, nw_ucla, synthetic
from skelkit.files import SkelkitError, data_folders, store_folder

PARTS = ("cmu_small", "cmu_subset", "hdm05_11")
"""Parts of data sets which recipes know under names of their own."""


def load(name: str) -> Clips:
    """Open a data set by name: "synthetic" is always there, others are sought in `$SKELKIT_DATA`, then in `data/`.

    A data set is a `Clips` folder `name/` or an interchange file `name.npz`. Raises SkelkitError where there is none.
    """
    if name == "synthetic":
        return synthetic.load(store_folder() / "data")
    for folder in data_folders():
        if (folder / name / "manifest.json").exists():
            return Clips.open(folder / name)
        if (folder / f"{name}.npz").exists():
            clips = Clips.from_npz(folder / f"{name}.npz", name)
            return nw_ucla.with_performances(clips) if name == "nw_ucla" else clips
    there = {f.parent.name for folder in data_folders() for f in folder.glob("*/manifest.json")}
    there |= {f.stem for folder in data_folders() for f in folder.glob("*.npz")}
    raise SkelkitError(
        f"data set {name!r} is not in {' or '.join(str(f) for f in data_folders())} (there: "
        f"{', '.join(sorted({*there, 'synthetic'}))}); import it (skelkit data import) or set SKELKIT_DATA"
    )


def present(name: str) -> bool:
    """Whether `load(name)` would find something."""
    return name == "synthetic" or any(
        (f / name / "manifest.json").exists() or (f / f"{name}.npz").exists() for f in data_folders()
    )


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
