"""Is a data set whole and sane? Counts beside the published ones, damage, and clips that leak across a split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from skelkit.data.clips import Clips
from skelkit.data.counts import COUNTS, counted, splits
from skelkit.data.protocols import split
from skelkit.files import SkelkitError

FINE, NOTE, WRONG = "", "note", "WRONG"
"""Verdicts: as it should be or nothing to compare with; worth knowing; results will not compare with published ones."""
_PERSON = (0.3, 3.0)  # metres from a body's lowest to its highest joint, along its longest axis
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One line of what `verify` found."""

    check: str
    found: str
    published: str = ""
    verdict: str = FINE


@dataclass(frozen=True)
class _Scan:
    """What one pass over the frames gathers."""

    digests: np.ndarray
    """(frames,) 8 bytes that tell bit-identical frames; 0 for a frame of zeros."""
    persons: np.ndarray
    """(frames,) persons who are there."""
    largest: float
    """The largest coordinate."""
    size: float
    """The median extent of a body in a clip's middle frame."""


def verify(clips: Clips, progress: bool | None = None) -> list[Finding]:
    """Every finding, in the order in which they should be read.

    progress: None shows a bar in a terminal. Raises SkelkitError for damage that makes the clips unusable: a file that
    is not the one that was saved, NaN or infinity.
    """
    clips.verify()
    scan = _scan(clips, progress)
    return [
        *_counts(clips),
        *_lengths(clips),
        *_empty(clips, scan),
        *_persons(clips, scan),
        _units(clips, scan),
        _twice(clips, scan),
        *_leaks(clips, scan),
    ]


def wrong(findings: list[Finding]) -> bool:
    """Whether results on these clips would not compare with published ones, as they stand."""
    return any(finding.verdict == WRONG for finding in findings)


def _scan(clips: Clips, progress: bool | None) -> _Scan:
    digests = np.zeros(len(clips.frames), np.uint64)
    persons = np.zeros(len(clips.frames), np.int64)
    largest, sizes = 0.0, []
    hidden = None if progress is None else not progress
    for i in tqdm(range(len(clips)), desc=clips.name, unit="clip", disable=hidden):
        clip = np.ascontiguousarray(clips[i])
        place = slice(int(clips.offsets[i]), int(clips.offsets[i + 1]))
        if not np.isfinite(clip).all():
            frame = int(np.isfinite(clip).all(axis=(1, 2, 3)).argmin())
            raise SkelkitError(
                f"{clips.name}: clip {clips.table['name'][i]}, frame {frame} holds NaN or infinity; import it again"
            )
        there: np.ndarray = (clip != 0).any(axis=(1, 2))  # (t, m)
        persons[place] = there.sum(1)
        known = [int.from_bytes(hashlib.blake2b(frame, digest_size=8).digest()) or 1 for frame in clip]
        digests[place] = np.where(there.any(1), np.array(known, np.uint64), 0)
        largest = max(largest, float(np.abs(clip).max()))
        bodies = clip[len(clip) // 2][:, :, there[len(clip) // 2]].astype(np.float64)  # (3, v, persons)
        sizes += np.ptp(bodies, axis=1).max(0).tolist()
    return _Scan(digests, persons, largest, float(np.median(sizes)) if sizes else 0.0)


def _counts(clips: Clips) -> Iterator[Finding]:
    published = {count.what: count for count in COUNTS.get(clips.name, ())}
    found = counted(clips)
    part = "clips" in published and found["clips"] < published["clips"].number
    for what, number in found.items():
        if what not in published:
            yield Finding(what, f"{number:,}")
            continue
        count = published[what]
        as_said = number in (count.number, *count.also)
        verdict = FINE if as_said else NOTE if part and number < count.number else WRONG
        yield Finding(what, f"{number:,}", f"{count.number:,} ({count.source})", verdict)
    for what in published.keys() - found.keys():
        yield Finding(what, "not known from these clips", f"{published[what].number:,}", NOTE)


def _lengths(clips: Clips) -> Iterator[Finding]:
    lengths = clips.lengths
    yield Finding("length", f"{lengths.min()} to {lengths.max()} frames, median {np.median(lengths):g}")
    single = np.flatnonzero(lengths == 1)
    if len(single):
        yield Finding("clips of one frame", f"{len(single)}: {_names(clips, single)}", verdict=NOTE)


def _empty(clips: Clips, scan: _Scan) -> Iterator[Finding]:
    zero = scan.persons == 0
    each = np.add.reduceat(zero.astype(np.int64), clips.offsets[:-1])
    some, whole = np.flatnonzero(each), np.flatnonzero(each == clips.lengths)
    said = f"{zero.sum():,} in {len(some)} clips" + (f": {_names(clips, some)}" if len(some) else "")
    yield Finding("frames of zeros", said, verdict=NOTE if len(some) else FINE)
    if len(whole):
        yield Finding("clips of zeros", f"{len(whole)}: {_names(clips, whole)}", verdict=WRONG)


def _persons(clips: Clips, scan: _Scan) -> Iterator[Finding]:
    if clips.persons > 1:
        most = Counter(np.maximum.reduceat(scan.persons, clips.offsets[:-1]).tolist())
        yield Finding("persons", ", ".join(f"{n} in {most[n]:,} clips" for n in sorted(most)))


def _units(clips: Clips, scan: _Scan) -> Finding:
    said = f"{clips.units}; largest coordinate {scan.largest:.4g}, a body measures {scan.size:.3g}"
    odd = clips.units == "metres" and not _PERSON[0] <= scan.size <= _PERSON[1]
    return Finding("units", said, f"a body of {_PERSON[0]:g} to {_PERSON[1]:g} metres" if odd else "", NOTE * odd)


def _twice(clips: Clips, scan: _Scan) -> Finding:
    """Clips that another clip repeats bit by bit; whether they stand in the way depends on the split."""
    whole = _clip_digests(clips, scan)
    first = {digest: i for i, digest in reversed([*enumerate(whole)])}
    again = np.array([i for i, digest in enumerate(whole) if first[digest] != i], np.int64)
    if not len(again):
        return Finding("clips that repeat another", "0")
    pairs = [f"{clips.table['name'][i]} = {clips.table['name'][first[whole[i]]]}" for i in again[:_SHOWN]]
    return Finding("clips that repeat another", f"{len(again)}: {_listed(pairs, len(again))}", verdict=NOTE)


def _leaks(clips: Clips, scan: _Scan) -> Iterator[Finding]:
    """Of each split, the test clips that are in the training set too: whole, or in some of their frames."""
    whole = np.array(_clip_digests(clips, scan))
    for name, fold in splits(clips):
        sides = split(clips, name, fold)
        test = sides.test[np.isin(whole[sides.test], whole[sides.train])]
        title = name if fold is None else f"fold {fold}"
        said = f"{len(test)} of {len(sides.test):,} test clips" + (f": {_names(clips, test)}" if len(test) else "")
        yield Finding(f"{title}: test clips that also train", said, verdict=WRONG if len(test) else FINE)
        train = np.isin(_clip_of_frames(clips), sides.train)
        seen = np.isin(scan.digests, scan.digests[train]) & ~train & (scan.digests != 0)
        each = np.add.reduceat(seen.astype(np.int64), clips.offsets[:-1])
        partly = np.setdiff1d(np.intersect1d(np.flatnonzero(each), sides.test), test)
        if len(partly):
            said = f"{each[partly].sum():,} in {len(partly)} more test clips: {_names(clips, partly)}"
            yield Finding(f"{title}: single frames that also train", said, verdict=NOTE)


def leaked_clips(clips: Clips, name: str, fold: int | None = None) -> list[str]:
    """The names of a split's test clips that are bit-identical to a training clip."""
    whole, sides = np.array(_clip_digests(clips, _scan(clips, False))), split(clips, name, fold)
    return [str(clips.table["name"][i]) for i in sides.test[np.isin(whole[sides.test], whole[sides.train])]]


def _clip_of_frames(clips: Clips) -> np.ndarray:
    return np.repeat(np.arange(len(clips)), clips.lengths)


def _clip_digests(clips: Clips, scan: _Scan) -> list[str]:
    """The same for clips that are bit-identical; clips of zeros alone repeat nothing."""
    each = [scan.digests[a:b] for a, b in zip(clips.offsets[:-1], clips.offsets[1:], strict=True)]
    return [hashlib.blake2b(d.tobytes(), digest_size=16).hexdigest() if d.any() else str(i) for i, d in enumerate(each)]


def _names(clips: Clips, index: np.ndarray) -> str:
    return _listed([str(clips.table["name"][i]) for i in index[:_SHOWN]], len(index))


def _listed(shown: list[str], of: int) -> str:
    return ", ".join(shown) + (", ..." if of > len(shown) else "")
