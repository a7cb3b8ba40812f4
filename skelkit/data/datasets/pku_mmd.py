"""PKU-MMD I and II: long Kinect v2 videos of one or two persons, cut to labelled actions (Liu et al. 2017).

A video is `Skeleton/0002-L.txt` (part II: `A01N01-L.txt`; L, M, R are the cameras): a line is a frame of 150 numbers,
25 joints of x, y, z in metres of one person, then of the other, who is all zeros when absent. `Label/0002-L.txt` has a
line `action,first frame,last frame,confidence` for each action in it, frames counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from skelkit.data.formats.text import AGAIN, Fields
from skelkit.data.importing import Flaw, RawClip, Reading, Source
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError

_ACTIONS = """
bow, brushing hair, brushing teeth, check time (from watch), cheer up, clapping, cross hands in front (say stop),
drink water, drop, eat meal/snack, falling, giving something to other person, hand waving, handshaking,
hopping (one foot jumping), hugging other person, jump up, kicking other person, kicking something,
make a phone call/answer phone, pat on back of other person, pickup, playing with phone/tablet,
point finger at the other person, pointing to something with finger, punching/slapping other person,
pushing other person, put on a hat/cap, put something inside pocket, reading, rub two hands together, salute,
sitting down, standing up, take off a hat/cap, take off glasses, take off jacket, take out something from pocket,
taking a selfie, tear up paper, throw, touch back (backache), touch chest (stomachache/heart pain),
touch head (headache), touch neck (neckache), typing on a keyboard, use a fan (with hand or paper)/feeling warm,
wear jacket, wear on glasses, wipe face, writing
"""
CLASSES = tuple(" ".join(name.split()) for name in _ACTIONS.split(","))
"""Actions 1 to 51. Part II uses the same numbers, 41 of them."""
CLIPS1 = 21_545
"""Labelled actions of part I."""
CUTS = {"closed": 1, "from-start": 0}
"""How many frames before the frame of index `first` an action begins; it ends before the frame of index `last`."""

_CAMERAS = {"L": 1, "M": 2, "R": 3}
_VIDEO = re.compile(r"(?:\d{4}|A\d\dN\d\d)-([LMR])")


def part1(folder: Path, *, cut: str = "closed", instances: str = "usable") -> Reading:
    """The actions of PKU-MMD I, from the videos and labels in or below a folder: 21,545 clips, or some of them.

    Frames (t, 3, 25, 2) in metres; `camera` 1, 2, 3 for L, M, R; `replicate` counts the actions of a video from 1.
    Where the folder holds cross-subject.txt, `fold` is 1 for its test videos and 0 for its training videos (split
    "xsub"); where it holds cross-view.txt, this must test camera L and train the others, as split "xview" does. Files
    are known by the name of a folder around them, which contains Skeleton or Label; videos of part II are passed over.

    cut: "closed" takes the frames `first` to `last` of a label, both included, counted from 1 (as AimCLR does);
    "from-start" leaves the first of them out (as CMD and MAMP do, whose indices count from 0).
    instances: "usable" takes of an action that leaves its video the frames that there are, leaves it out where there is
    none or nobody in it, and lists both; "all" takes every action, and makes both faults of the file.
    Raises SkelkitError for a folder without any video, for another option, and for a split file that is none.
    """
    return _reading("pku_mmd1", "PKU-MMD I", folder, re.compile(r"\d{4}-[LMR]"), "", cut, instances, CLIPS1)


def part2(folder: Path, *, cut: str = "closed", instances: str = "usable") -> Reading:
    """The actions of PKU-MMD II: as `part1`, with cross_subject_v2.txt and cross_view_v2.txt."""
    return _reading("pku_mmd2", "PKU-MMD II", folder, re.compile(r"A\d\dN\d\d-[LMR]"), "_v2", cut, instances, None)


def _reading(
    name: str,
    title: str,
    folder: Path,
    video: re.Pattern[str],
    ending: str,
    cut: str,
    instances: str,
    clips: int | None,
) -> Reading:
    for option, value, known in (("cut", cut, [*CUTS]), ("instances", instances, ["all", "usable"])):
        if value not in known:
            raise SkelkitError(f"{name}: no {option} {value!r}; give {' or '.join(known)}")
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds the folders Skeleton and Label")
    files = [path for path in sorted(folder.rglob("*.txt")) if path.name[0] != "." and path.is_file()]
    tests, _ = (_split(files, kind, ending) for kind in ("subject", "view"))
    return Reading(
        name=name,
        skeleton=KINECT_V2,
        classes=CLASSES,
        sources=_sources(folder, files, video, tests),
        read=partial(_clips, before=CUTS[cut], usable=instances == "usable"),
        source=f"{title}, from text files, cut {cut}",
        options={"cut": cut, "instances": instances},
        expected=clips,
    )


def _split(files: list[Path], kind: str, ending: str) -> dict[str, int] | None:
    """0 for each training video of a split file and 1 for each test video; None where there is no such file."""
    found = [path for path in files if re.fullmatch(f"cross[-_]{kind}{ending}\\.txt", path.name, re.IGNORECASE)]
    if not found:
        return None
    path = found[0]
    if len(found) > 1:
        raise SkelkitError(f"{path}: there is {found[1]} as well; take one of them away")
    lines = _text(path).split("\n")  # title, training videos, title, test videos
    tests: dict[str, int] = {}
    for test, number in enumerate((2, 4)):
        names = [name.strip() for name in lines[number - 1].split(",")] if number <= len(lines) else []
        names = [name for name in names if name]
        for name in names or [""]:
            if not _VIDEO.fullmatch(name) or tests.get(name, test) != test:
                wrong = "trains and is tested" if name in tests else "is no video's name (0002-L)"
                raise SkelkitError(f"{path}, line {number}: {name[:40]!r} {wrong}; {AGAIN}")
            tests[name] = test
            if kind == "view" and test != (name[-1] == "L"):
                said = "tests" if test else "trains"
                raise SkelkitError(
                    f"{path}, line {number}: {said} {name}, and split xview tests camera L alone; rename this file, "
                    "and test other cameras as xview-v2 or xview-v3"
                )
    return tests


def _sources(
    folder: Path, files: list[Path], video: re.Pattern[str], tests: Mapping[str, int] | None
) -> list[Source | SkelkitError]:
    """Every video of the folder, in the order of their names; one that would be passed over is a fault."""
    kinds: dict[str, dict[str, Path]] = {"skeleton": {}, "label": {}}
    sources: list[Source | SkelkitError] = []
    for path in files:
        parts = path.relative_to(folder).parts[-2::-1]  # the folders around it, the nearest first
        around = [kind for part in parts for kind in ("label", "skeleton") if kind in part.lower()]
        if not around or (_VIDEO.fullmatch(path.stem) and not video.fullmatch(path.stem)):
            continue  # no file of the data, or the other part's
        if not video.fullmatch(path.stem):
            if not re.match("cross[-_]|readme", path.name, re.IGNORECASE):
                sources.append(SkelkitError(f"{path}: is not named as a video; mend the name, or move the file away"))
        elif path.stem in kinds[around[0]]:
            twice = kinds[around[0]][path.stem]
            sources.append(SkelkitError(f"{path}: is there twice, also as {twice}; take one of them away"))
        else:
            kinds[around[0]][path.stem] = path
    skeletons, labels = kinds.values()
    for name in sorted({*skeletons, *labels}):
        there = skeletons.get(name) or labels[name]
        if name not in skeletons or name not in labels:
            lacks = "labels" if name in skeletons else "skeletons"
            sources.append(SkelkitError(f"{there}: its video has no {lacks}; {AGAIN}, or move this file away"))
        elif tests is not None and name not in tests:
            sources.append(SkelkitError(f"{there}: is in neither part of the cross-subject file; move it away"))
        else:
            columns = {"camera": _CAMERAS[name[-1]], "fold": -1 if tests is None else tests[name]}
            sources.append(Source(there, columns, (labels[name],)))
    if not sources:
        raise SkelkitError(f"{folder}: holds no video of this part; give the folder with Skeleton and Label in it")
    return sources


def _clips(source: Source, before: int, usable: bool) -> list[RawClip | Flaw]:
    """The actions of a video that have a label."""
    video, labels = _video(source.path), source.beside[0]
    clips: list[RawClip | Flaw] = []
    for number, (line, action, first, last) in enumerate(_labels(labels), 1):
        start = first - before
        frames = video[max(start, 0) : last]
        what = ""
        if not 0 <= start < last <= len(video):
            what = f"{labels}, line {line}: frames {first} to {last} are not all in the video, which has {len(video)}"
        elif not frames.any():
            what = f"{labels}, line {line}: nobody is there in the frames {first} to {last}"
        if what and not usable:
            raise SkelkitError(f"{what}; mend the line, or import with -o instances usable")
        if what:
            clips.append(Flaw(f"{what}; {f'the {len(frames)} there are taken' if frames.any() else 'left out'}"))
        if frames.any():
            name = f"{source.path.stem}_{number:03}"
            clips.append(RawClip(frames, {"label": action - 1, "replicate": number, "name": name}))
    return clips


def _video(path: Path) -> Float32[np.ndarray, "t 3 25 2"]:
    fields = Fields(path)
    if (short := fields.counts < 150).any():  # some rows of the official files are longer
        line = int(short.argmax())
        raise fields.fault(line, f"has {fields.counts[line]} numbers, not 150")
    values = fields.numbers((fields.first[:-1, None] + np.arange(150)).ravel())
    return values.reshape(-1, 2, 25, 3).transpose(0, 3, 2, 1).astype(np.float32)


def _labels(path: Path) -> list[tuple[int, int, int, int]]:
    """(line, action, first frame, last frame) of each action."""
    found = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        words = [word.strip() for word in line.split(",")]
        if words == [""]:
            continue
        if len(words) not in (3, 4) or not all(word.isdigit() and word.isascii() and len(word) < 10 for word in words):
            raise SkelkitError(
                f"{path}, line {number}: {line.strip()[:40]!r} is not action,first frame,last frame,confidence; {AGAIN}"
            )
        action, first, last = map(int, words[:3])
        if not 1 <= action <= len(CLASSES):
            raise SkelkitError(f"{path}, line {number}: there is no action {action}; {AGAIN}")
        found.append((number, action, first, last))
    return found


def _text(path: Path) -> str:
    """A file's text; what is no ASCII will be no name and no number."""
    try:
        return path.read_bytes().decode("ascii", "replace")
    except OSError as error:
        raise SkelkitError(f"{path}: cannot be read ({error.strerror}); {AGAIN}") from error
