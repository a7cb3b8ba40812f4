"""Official archives: fetched where their source lets anybody, with resumption and hashes; else, the steps to get them.

A hash that is not published is taken from the first download (trust on first use): it is written down beside the
archive, a later download must have it, and an import names it in the clips' source. That proves that two downloads are
the same, not that the first was right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from skelkit.data import archives
from skelkit.files import SkelkitError, project_root, sha256, whole_file

SUMS = "SHA256SUMS"
"""Beside the archives, as `sha256sum -c` takes it."""
TRIES = 5
"""Connections in a row that may bring nothing."""
BLOCK = 2**16
"""Bytes that are received at once; less is lost where a connection is cut."""
LARGEST = 32 * 2**30
"""Bytes; a server that sends more is not one of these."""


@dataclass(frozen=True)
class Archive:
    """One file to fetch."""

    url: str
    sha256: str = ""
    """Known beforehand; empty: none is published that we know of."""
    keep: str = ""
    under: str = ""
    """As `archives.unpack` takes them."""

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


@dataclass(frozen=True)
class Direct:
    """A data set that anybody may fetch."""

    archives: tuple[Archive, ...]
    page: str
    terms: str


_SBU = "http://vision.cs.stonybrook.edu/~kiwon/Datasets/SBU_Kinect_Interactions"
_SBU_SETS = (
    *("s01s02", "s01s03", "s01s07", "s02s01", "s02s03", "s02s06", "s02s07", "s03s02", "s03s04", "s03s05", "s03s06"),
    *("s04s02", "s04s03", "s04s06", "s05s02", "s05s03", "s06s02", "s06s03", "s06s04", "s07s01", "s07s03"),
)
DIRECT = {
    "cmu": Direct(
        # The hash is the one that a public project pins for its downloads; we could not check it.
        (
            Archive(
                "http://mocap.cs.cmu.edu/allasfamc.zip",
                "4b0fc3a7ba3cbb2aa23948b4cefe7efa45edf864b2b5e00713659a4f2144a591",
            ),
        ),
        "http://mocap.cs.cmu.edu",
        "free for research; acknowledge mocap.cs.cmu.edu and NSF EIA-0196217",
    ),
    # The folder is confirmed by public code that fetches the C3D files from it, the name of this archive by others.
    "hdm05": Direct(
        (Archive("https://resources.mpi-inf.mpg.de/HDM05/cuts/HDM05_cut_amc.zip"),),
        "https://resources.mpi-inf.mpg.de/HDM05/",
        "CC BY-SA 3.0; acknowledge HDM05",
    ),
    # Depth and colour images lie in the archives too: only the skeletons are unpacked.
    "sbu": Direct(
        tuple(
            Archive(f"{_SBU}/{name}.zip", keep=r"(?:^|/)(\d\d/\d\d\d/skeleton_pos\.txt)$", under=name)
            for name in _SBU_SETS
        ),
        f"{_SBU}/README.txt",
        "for research only; cite Yun et al. 2012",
    ),
    "utd_mhad": Direct(
        (Archive("http://www.utdallas.edu/~kehtar/UTD-MAD/Skeleton.zip"),),
        "https://personal.utdallas.edu/~kehtar/UTD-MHAD.html",
        "no licence is stated; cite Chen et al. 2015",
    ),
}
_NTU = "https://rose1.ntu.edu.sg/dataset/actionRecognition"
_PKU = "http://39.96.165.147/Projects/PKUMMD/PKU-MMD.html"
STEPS = {
    "mhad": (
        "open http://tele-immersion.citris-uc.org/berkeley_mhad and follow its download page",
        "get the SkeletalData archive (skl_sSS_aAA_rRR.bvh) and unpack it in {folder}",
    ),
    "msr_action3d": (
        "open https://sites.google.com/view/wanqingli/data-sets/msr-action3d",
        "get the skeletons in real-world coordinates (MSRAction3DSkeletonReal3D) and unpack the .txt files in {folder}",
    ),
    "msrc12": (
        "open https://www.microsoft.com/en-us/download/details.aspx?id=52283, accept its licence and download it",
        "unpack it in {folder}, so that the .csv and .tagstream files lie in one folder: give that one",
    ),
    "ntu60": (
        f"open {_NTU}, register with your institute's address and accept the terms; wait for the approval",
        "download nturgbd_skeletons_s001_to_s017.zip (the 3D skeletons of NTU RGB+D) and unpack it in {folder}",
    ),
    "ntu120": (
        f"open {_NTU}, register with your institute's address and accept the terms; wait for the approval",
        "download nturgbd_skeletons_s001_to_s017.zip and nturgbd_skeletons_s018_to_s032.zip; unpack both in {folder}",
    ),
    "nw_ucla": (
        "open https://github.com/Uason-Chen/CTR-GCN: its README links all_sqe.zip, the JSON files that everyone uses",
        "unpack it in {folder}, so that the a01_s01_e00_v01.json files lie in that one folder",
    ),
    "pku_mmd1": (
        f"open {_PKU} and request Part I (an agreement is to be signed)",
        "unpack its Skeleton, Label and Split folders in {folder}",
    ),
    "pku_mmd2": (
        f"open {_PKU} and request Part II (an agreement is to be signed)",
        "unpack its Skeleton, Label and Split folders in {folder}",
    ),
    "uwa3d": (
        "open https://ieee-dataport.org/documents/uwa-3d-multiview-activity-ii-dataset (CC BY 4.0; with an account)",
        "get the folder ActionsSkeleton (aAA_sSS_eEE_vVV.mat) and put its files in {folder}",
    ),
}
"""Where a form must be signed or a page be clicked through: what to do, in order."""


def how(name: str) -> str:
    """How to get a data set, in a few words."""
    return f"skelkit data download {name}" + ("" if name in DIRECT else " says how to ask for it")


def steps(name: str, folder: Path | None = None) -> list[str]:
    """What to do by hand, a line each, to the import command. Raises SkelkitError for a data set that there is not."""
    if name not in {*DIRECT, *STEPS}:
        raise SkelkitError(f"{name}: no data set has this name; known are {', '.join(sorted({*DIRECT, *STEPS}))}")
    folder = folder or raw_folder(name)
    todo = [*STEPS[name], f"skelkit data import {name} {folder}", f"skelkit data verify {name}"]
    return [f"{number}. {step}" for number, step in enumerate((s.replace("{folder}", str(folder)) for s in todo), 1)]


def raw_folder(name: str) -> Path:
    """Where official files go by default."""
    return project_root() / "data" / "raw" / name


def download(name: str, folder: Path | None = None, *, trust: bool = False) -> Iterator[str]:
    """Fetch a data set's archives into `folder/archives`, unpack them in `folder`, and say so, a line each.

    What is there already is not fetched again, and what was cut goes on where it stopped. trust: take an archive whose
    hash is another than the known one, and know the new one from now on. Raises SkelkitError in one line.
    """
    source, folder = DIRECT[name], folder or raw_folder(name)
    yield f"{name}: from {source.page} ({source.terms})"
    for archive in source.archives:
        path, digest, known = fetch(archive, folder / "archives", source.page, trust=trust)
        said = "as known beforehand" if known else "which is not published: trusted on this first download"
        files = archives.unpack(path, folder, archive.keep, archive.under)
        yield f"{path}: {files} files; SHA-256 {digest}, {said}"
    yield f"now: skelkit data import {name} {folder}"


def fetch(archive: Archive, folder: Path, page: str, *, trust: bool = False) -> tuple[Path, str, bool]:
    """The archive in `folder`, its SHA-256, and whether that was known before."""
    try:
        import pooch
    except ImportError as error:
        raise SkelkitError("download: pooch is not installed; pip install 'skelkit[data]'") from error
    pooch.get_logger().setLevel("ERROR")
    sums = read_sums(folder)
    known = "" if trust else archive.sha256 or sums.get(archive.name, "")
    path = folder / archive.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            archive.url,
            f"sha256:{known}" if known else None,
            fname=archive.name,
            path=folder,
            downloader=partial(_resume, part=folder / f"{archive.name}.part", page=page),
        )
    except ValueError as error:
        raise SkelkitError(
            f"{archive.url}: what came has not the known SHA-256 {known}, so it was thrown away; try again, or give "
            "--trust if the archive has changed at its source"
        ) from error
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be written ({error.strerror or error}); choose another folder") from error
    digest = known or sha256(path)
    if sums.get(archive.name) != digest:
        lines = sorted({**sums, archive.name: digest}.items())
        with whole_file(folder / SUMS) as part:
            part.write_text("".join(f"{value}  {file}\n" for file, value in lines), encoding="utf-8")
    return path, digest, bool(known)


def read_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by archive, of those that were fetched into a folder."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value for value, _, name in (line.partition("  ") for line in lines) if len(value) == 64}


def provenance(folder: Path) -> str:
    """What an import adds to the clips' source: the hash of the archive, or of the list of several; "" without any."""
    sums = read_sums(folder / "archives")
    if len(sums) == 1:
        return "".join(f"; {name} has SHA-256 {value}" for name, value in sums.items())
    text = "".join(f"{value}  {name}\n" for name, value in sorted(sums.items()))
    return (
        f"; {len(sums)} archives, their {SUMS} has SHA-256 {hashlib.sha256(text.encode()).hexdigest()}" if sums else ""
    )


# ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────────


def _resume(url: str, output: str | Path, _: Any, *, part: Path, page: str) -> None:
    """A downloader of pooch's that goes on where an earlier connection was cut: `part` holds what has come."""
    import requests

    tries = TRIES
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            whole = _receive(url, part, page)
        except requests.RequestException as error:
            whole, reason = False, type(error).__name__
        else:
            reason = "the connection was cut"
        if whole:
            break
        now = part.stat().st_size if part.exists() else 0
        tries = TRIES if now > before else tries - 1
        if not tries:
            raise SkelkitError(
                f"{url}: {reason} at {now / 2**20:.1f} MB; try again, it goes on from there, or get it from {page} by "
                f"hand as {part.with_suffix('')}"
            )
    part.replace(output)
    _mark(part).unlink(missing_ok=True)


def _receive(url: str, part: Path, page: str) -> bool:
    """Add to `part` what one connection brings; whether that was all."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    mark = _mark(part).read_text(encoding="utf-8") if have and _mark(part).exists() else ""
    # If-Range: the rest of the same file, or all of another. Without a mark to know it by, it starts anew.
    ask = {"Range": f"bytes={have}-", "If-Range": mark} if mark else {}
    with requests.get(url, headers={"Accept-Encoding": "identity", **ask}, stream=True, timeout=(10, 60)) as answer:
        if answer.status_code == 416:  # nothing beyond what is here, and no word that it is whole
            part.unlink()
            return False
        if answer.status_code not in (200, 206):
            raise SkelkitError(
                f"{url}: the server says {answer.status_code} {answer.reason}; get it from {page} by hand and put it "
                f"at {part.with_suffix('')}, then run this again"
            )
        go_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status_code == 206 and not go_on:  # another piece than was asked for
            part.unlink(missing_ok=True)
            return False
        have = have if go_on else 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        etag = answer.headers.get("ETag", "")
        _mark(part).write_text("" if etag.startswith("W/") else etag or answer.headers.get("Last-Modified", ""))
        bar = tqdm(desc=part.stem, total=total, initial=have, unit="B", unit_scale=True, disable=None)
        with bar, open(part, "ab" if go_on else "wb") as file:
            for block in answer.iter_content(BLOCK):
                have += len(block)
                if have > LARGEST:
                    raise SkelkitError(f"{url}: sends more than {LARGEST / 2**30:g} GB; get it from {page} by hand")
                file.write(block)
                bar.update(len(block))
    return total is None or have == total


def _mark(part: Path) -> Path:
    """What the server calls the version of the file that `part` is of."""
    return part.with_name(f"{part.name}.version")
