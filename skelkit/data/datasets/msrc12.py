"""MSRC-12 Kinect gestures: thirty subjects do twelve gestures, ten times in a row (Fothergill et al. 2012).

A sequence is `Pa_b_G[A]_pSS.csv` (a, b: how the gesture was explained; G: gesture, 1 to 12; SS: subject) and a
`.tagstream` beside it. A line of the first is a frame, `microseconds`, then `x y z state` of 20 joints, in metres. The
other says when a gesture was at its action point: the line `XQPCTick;Tag`, then lines `tick;Gn name`, 49,875 ticks to
the millisecond. It names no beginning and no end of a gesture. So this cut is ours and not official:

A clip is what lies about one tag, from the frame midway to the previous tag to the frame midway to the next, at most
three seconds (90 frames) before and after it; frames of zeros at its beginning, before the sensor has found the person,
are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skelkit.data.datasets import folder as files
from skelkit.data.formats import tables
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import Flaw, RawClip, Reading, Source
from skelkit.data.skeleton import KINECT_V1
from skelkit.files import SkelkitError

CLASSES = (
    "lift outstretched arms",
    "duck",
    "push right",
    "goggles",
    "wind it up",
    "shoot",
    "bow",
    "throw",
    "had enough",
    "change weapon",
    "beat both",
    "kick",
)
SEQUENCES, FRAMES, CLIPS = 594, 719_359, 6244
"""The size of the whole data set; a clip is a gesture."""
EMPTY = "P1_1_12A_p19"
"""The sequence that is all zeros as distributed."""
STEPS = {"30": 1, "15": 2}
"""Which frames a clip keeps, by its frames a second: all of them, or every second one."""

_NAME = re.compile(r"(P([1-3])_([12])_([1-9]|1[0-2])A?_p(0[1-9]|[12]\d|30))\.(csv|tagstream)", re.ASCII)
_LIKE = re.compile(r"P\d+_|.*_p\d+\.|.*\.tagstream$", re.IGNORECASE)
_PATTERN = "Pa_b_G_pSS.csv"
_TAG = re.compile(r"(\d{1,15});G(\d{1,2})\b[ -~]*", re.ASCII)
_HEAD = "XQPCTick;Tag"
_TICKS = 49_875  # a millisecond
_BEFORE = 90  # frames: three seconds
_REACH = 10.0  # metres


def reading(folder: Path, *, fps: str = "30") -> Reading:
    """The clips of a folder that holds sequences, `.csv` and `.tagstream`, all 594 or some of them.

    Frames (t, 3, 20, 1) in metres; `setup` is 10 a + b, `replicate` the tag, from 0. fps: "30" keeps every frame, "15"
    every second one of each clip. A sequence without a tracked frame is a fault, but for `EMPTY`, which is left out.
    Raises SkelkitError for a folder without any.
    """
    if fps not in STEPS:
        raise SkelkitError(f"msrc12: fps is {fps!r}; give {' or '.join(STEPS)}")
    return Reading(
        name="msrc12",
        skeleton=KINECT_V1,
        classes=CLASSES,
        sources=_sources(files.listed(folder, _PATTERN, _NAME, _LIKE)),
        read=partial(_clips, step=STEPS[fps]),
        source=f"MSRC-12 at {fps} frames a second, cut about the tags of its sequences",
        options={"fps": fps},
        expected=CLIPS,
    )


def _sources(found: Iterable[Path]) -> list[Source | SkelkitError]:
    """A source for each sequence; a file whose name lies, or whose other half is missing, is a fault."""
    sources: list[Source | SkelkitError] = []
    for path in found:
        name = _NAME.fullmatch(path.name)
        other = path.with_suffix(".tagstream" if path.suffix == ".csv" else ".csv")
        if not name:
            limits = "P1_1 to P3_2, a gesture 1 to 12 and a subject 01 to 30"
            fault = f"{path}: is not named {_PATTERN} or .tagstream with {limits}; mend the name, or move the file away"
            sources.append(SkelkitError(fault))
        elif not path.is_file():
            sources.append(SkelkitError(f"{path}: is no file; move it away"))
        elif not other.is_file():
            sources.append(SkelkitError(f"{path}: there is no {other.name} beside it; {AGAIN}"))
        elif path.suffix == ".csv":
            how, gesture, subject = 10 * int(name[2]) + int(name[3]), int(name[4]), int(name[5])
            sources.append(Source(path, {"label": gesture - 1, "subject": subject, "setup": how}, beside=(other,)))
    return sources


def _clips(source: Source, step: int) -> Sequence[RawClip | Flaw]:
    table = tables.numbers(source.path, 81)
    frames = table[:, 1:].reshape(-1, 20, 4)[..., :3].transpose(0, 2, 1)[..., None]  # (t, v, 4) -> (t, 3, v, 1)
    _check(source.path, table[:, 0], frames)
    if not frames.any():
        if source.path.stem == EMPTY:
            return [Flaw(f"{source.path}: holds nothing but zeros, as distributed; left out")]
        raise SkelkitError(f"{source.path}: holds nothing but zeros, so nobody is tracked; {AGAIN}")
    frames = np.ascontiguousarray(frames, np.float32)
    tags = _tags(source.beside[0], table[:, 0], gesture=int(source.columns["label"]) + 1)
    middles = [0, *((a + b) // 2 for a, b in pairwise(tags)), len(frames)]
    tracked = (frames != 0).any(axis=(1, 2, 3))
    clips = []
    for i, tag in enumerate(tags):
        start, end = max(middles[i], tag - _BEFORE), min(middles[i + 1], tag + _BEFORE)
        if not tracked[start:end].any():
            said = f"nobody is tracked about the tag of line {i + 2} of {source.beside[0].name}"
            raise SkelkitError(f"{source.path}: {said}; leave it out, or {AGAIN}")
        start += int(tracked[start:end].argmax())
        clips.append(RawClip(frames[start:end:step], {"name": f"{source.path.stem}#{i:02d}", "replicate": i}))
    return clips


def _check(path: Path, times: Float[np.ndarray, " t"], frames: Float[np.ndarray, "t 3 20 1"]) -> None:
    backwards = np.diff(times) < 0
    if backwards.any():
        raise SkelkitError(f"{path}, line {backwards.argmax() + 2}: its time is before the last line's; {AGAIN}")
    far = (np.abs(frames) > _REACH).any(axis=(1, 2, 3))
    if far.any():
        raise SkelkitError(f"{path}, line {far.argmax() + 1}: reaches beyond {_REACH:g} metres; {AGAIN}")


def _tags(path: Path, times: Float[np.ndarray, " t"], gesture: int) -> list[int]:
    """The frame nearest to each action point, in their order."""
    head, *lines = tables.lines(path)
    if head != _HEAD:
        raise SkelkitError(f"{path}, line 1: is {head[:40]!r}, not {_HEAD}; {AGAIN}")
    if not lines:
        raise SkelkitError(f"{path}, line 2: is missing: there is no tag; {AGAIN}")
    found: list[int] = []
    for number, line in enumerate(lines, 2):
        tag = _TAG.fullmatch(line)
        if not tag:
            raise SkelkitError(f"{path}, line {number}: is {line[:40]!r}, not a tick and a tag; {AGAIN}")
        if int(tag[2]) != gesture:
            said = f"is gesture {tag[2]}, and the name says {gesture}"
            raise SkelkitError(f"{path}, line {number}: {said}; restore the name, or {AGAIN}")
        time = (int(tag[1]) * 1000 + _TICKS / 2) / _TICKS  # microseconds
        frame = int(np.abs(times - time).argmin())
        if abs(times[frame] - time) > 3e6:  # a clip about it would not hold it
            raise SkelkitError(f"{path}, line {number}: lies outside of the recording; {AGAIN}")
        if found and frame <= found[-1]:
            raise SkelkitError(f"{path}, line {number}: is no later than the tag before; {AGAIN}")
        found.append(frame)
    return found
