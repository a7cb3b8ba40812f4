"""HDM05, the cut motions: 130 classes by five actors, Acclaim files of 120 frames a second (Müller et al. 2007).

A clip is `HDM_<actor>_<class>_<take>_120.amc`; its skeleton, `HDM_<actor>.asf`, lies beside it or elsewhere below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from skelkit.data.datasets import labels
from skelkit.data.datasets.folder import T_POSE
from skelkit.data.formats import acclaim, asf
from skelkit.data.formats.text import AGAIN
from skelkit.data.importing import Flaw, RawClip, Reading, Source
from skelkit.data.protocols import stratified_folds
from skelkit.data.skeleton import ACCLAIM
from skelkit.files import SkelkitError

ACTORS = ("bd", "bk", "dg", "mm", "tr")
"""Subjects 1 to 5."""
CLIPS = 2337
"""The size of the whole data set."""
PROPOSAL = Path(__file__).with_name("hdm05_65.csv")
"""Our proposal of the 65 merged classes, and the template for one's own."""
_NAMES = """
    cartwheelLHandStart1Reps cartwheelLHandStart2Reps cartwheelRHandStart1Reps clap1Reps clap5Reps clapAboveHead1Reps
    clapAboveHead5Reps depositFloorR depositHighR depositLowR depositMiddleR elbowToKnee1RepsLelbowStart
    elbowToKnee1RepsRelbowStart elbowToKnee3RepsLelbowStart elbowToKnee3RepsRelbowStart grabFloorR grabHighR grabLowR
    grabMiddleR hitRHandHead hopBothLegs1hops hopBothLegs2hops hopBothLegs3hops hopLLeg1hops hopLLeg2hops hopLLeg3hops
    hopRLeg1hops hopRLeg2hops hopRLeg3hops jogLeftCircle4StepsRstart jogLeftCircle6StepsRstart
    jogOnPlaceStartAir2StepsLStart jogOnPlaceStartAir2StepsRStart jogOnPlaceStartAir4StepsLStart
    jogOnPlaceStartFloor2StepsRStart jogOnPlaceStartFloor4StepsRStart jogRightCircle4StepsLstart
    jogRightCircle4StepsRstart jogRightCircle6StepsLstart jogRightCircle6StepsRstart jumpDown jumpingJack1Reps
    jumpingJack3Reps kickLFront1Reps kickLFront2Reps kickLSide1Reps kickLSide2Reps kickRFront1Reps kickRFront2Reps
    kickRSide1Reps kickRSide2Reps lieDownFloor punchLFront1Reps punchLFront2Reps punchLSide1Reps punchLSide2Reps
    punchRFront1Reps punchRFront2Reps punchRSide1Reps punchRSide2Reps rotateArmsBothBackward1Reps
    rotateArmsBothBackward3Reps rotateArmsBothForward1Reps rotateArmsBothForward3Reps rotateArmsLBackward1Reps
    rotateArmsLBackward3Reps rotateArmsLForward1Reps rotateArmsLForward3Reps rotateArmsRBackward1Reps
    rotateArmsRBackward3Reps rotateArmsRForward1Reps rotateArmsRForward3Reps runOnPlaceStartAir2StepsLStart
    runOnPlaceStartAir2StepsRStart runOnPlaceStartAir4StepsLStart runOnPlaceStartFloor2StepsRStart
    runOnPlaceStartFloor4StepsRStart shuffle2StepsLStart shuffle2StepsRStart shuffle4StepsLStart shuffle4StepsRStart
    sitDownChair sitDownFloor sitDownKneelTieShoes sitDownTable skier1RepsLstart skier3RepsLstart sneak2StepsLStart
    sneak2StepsRStart sneak4StepsLStart sneak4StepsRStart squat1Reps squat3Reps staircaseDown3Rstart staircaseUp3Rstart
    standUpKneelToStand standUpLieFloor standUpSitChair standUpSitFloor standUpSitTable throwBasketball throwFarR
    throwSittingHighR throwSittingLowR throwStandingHighR throwStandingLowR turnLeft turnRight walk2StepsLstart
    walk2StepsRstart walk4StepsLstart walk4StepsRstart walkBackwards2StepsRstart walkBackwards4StepsRstart
    walkLeft2Steps walkLeft3Steps walkLeftCircle4StepsLstart walkLeftCircle4StepsRstart walkLeftCircle6StepsLstart
    walkLeftCircle6StepsRstart walkOnPlace2StepsLStart walkOnPlace2StepsRStart walkOnPlace4StepsLStart
    walkOnPlace4StepsRStart walkRightCircle4StepsLstart walkRightCircle4StepsRstart walkRightCircle6StepsLstart
    walkRightCircle6StepsRstart walkRightCrossFront2Steps walkRightCrossFront3Steps
    """
CLASSES = tuple(_NAMES.split())
"""The folders of the cut motions, in their order."""

_NAME = re.compile(r"HDM_(bd|bk|dg|mm|tr)_([A-Za-z0-9]+)_(\d{3})_120\.amc")


def reading(folder: Path, *, classes: str = "130", folds: str = "10", seed: str = "0") -> Reading:
    """The clips of a folder that holds the cut AMC files and their ASF files, at any depth, all or some of them.

    Frames (t, 3, 31, 1) in metres, y up, 120 a second. classes: "130" as published; "65" merged by our proposal, for
    the published list is not public; or a CSV file `official_class,merged_class` that names each of the 130.
    folds: as many random folds, each class spread evenly over them, drawn by the seed over the files that are there
    (Zheng et al. 2018, after Du et al. 2015: 10-fold; their folds are not public); `fold` counts them from 0. `subject`
    is 1 to 5 for bd, bk, dg, mm, tr; `replicate` the take. T-poses are no clips and are left out. Raises SkelkitError
    for a folder without any, and for a class file or option at fault.
    """
    merged = class_map(classes)
    names = tuple(dict.fromkeys(merged.values()))
    sources, poses = _sources(folder, {official: names.index(name) for official, name in merged.items()})
    good = [source for source in sources if isinstance(source, Source)]
    drawn = stratified_folds(
        [int(source.columns["label"]) for source in good],
        labels.whole_number("folds", folds, 2),
        labels.whole_number("seed", seed, 0),
    )
    fold = {source.path: int(k) for source, k in zip(good, drawn, strict=True)}
    return Reading(
        name="hdm05",
        skeleton=ACCLAIM,
        classes=names,
        sources=[
            Source(s.path, {**s.columns, "fold": fold[s.path]}, s.beside) if isinstance(s, Source) else s
            for s in sources
        ],
        read=_clip,
        source=f"HDM05 cut motions, from AMC files of 120 frames a second; {len(names)} classes",
        options={"classes": list(names), "folds": folds, "seed": seed},
        flaws=[Flaw(f"{path}: is a T-pose, no clip; left out") for path in poses],
        expected=CLIPS,
    )


def class_map(classes: str) -> dict[str, str]:
    """Each official class's own name, or its merged one from "65" or a CSV file. Raises SkelkitError."""
    if classes == "130":
        return {name: name for name in CLASSES}
    path = PROPOSAL if classes == "65" else Path(classes)
    if classes != "65" and not path.is_file():
        raise SkelkitError(f"option classes: {classes[:200]!r} is neither 130 nor 65 nor a CSV file; give one of them")
    merged: dict[str, str] = {}
    for line, row in labels.table(path, ("official_class", "merged_class")):
        official, name = row["official_class"], row["merged_class"]
        if official not in CLASSES or official in merged or not name:
            wrong = (
                "has no merged class" if not name else "comes twice" if official in merged else "is no class of HDM05"
            )
            raise SkelkitError(f"{path}, line {line}: {official[:60]!r} {wrong}; name each of the 130 once")
        merged[official] = name
    if missing := [name for name in CLASSES if name not in merged]:
        raise SkelkitError(f"{path}: {missing[0]} is missing ({len(missing)} of 130 are); name each of the 130 once")
    return {name: merged[name] for name in CLASSES}


def _sources(folder: Path, label: dict[str, int]) -> tuple[list[Source | SkelkitError], list[Path]]:
    """Every AMC file below the folder, in the order of the names, and apart the T-poses; another name is a fault."""
    if not folder.is_dir():
        raise SkelkitError(f"{folder}: no such folder; give the one that holds HDM_*.amc and HDM_*.asf files")
    found = [path for path in folder.rglob("*") if not path.name.startswith(".")]
    skeletons = sorted(path for path in found if re.fullmatch(r"HDM_(bd|bk|dg|mm|tr)\.asf", path.name))
    sources: list[Source | SkelkitError] = []
    poses: list[Path] = []
    for path in sorted((path for path in found if ".amc" in _suffix(path)), key=lambda path: (path.name, path)):
        place = _NAME.fullmatch(path.name)
        if not place and T_POSE.search(path.name):
            poses.append(path)
            continue
        if not place or place[2] not in CLASSES:
            wrong = (
                f"{path}: is not named HDM_ACTOR_CLASS_TAKE_120.amc with an actor of {', '.join(ACTORS)}, one of the "
                "130 classes and a take of three digits; mend the name, or move the file away"
            )
            sources.append(SkelkitError(wrong))
            continue
        actor, name, take = place.groups()
        columns = {"label": label[name], "subject": ACTORS.index(actor) + 1, "replicate": int(take)}
        skeleton = _nearest(path, [found for found in skeletons if found.stem == f"HDM_{actor}"])
        if skeleton is None:
            sources.append(SkelkitError(f"{path}: no HDM_{actor}.asf lies below {folder}; {AGAIN}, skeletons and all"))
            continue
        sources.append(Source(path, {**columns, "name": path.stem}, (skeleton,)))
    if not sources:
        raise SkelkitError(f"{folder}: holds no HDM_*.amc file at any depth; give the folder that does")
    return sources, poses


def _suffix(path: Path) -> str:
    """`.amc`, `.AMC` and `.amc.part` are motions or meant to be; `.amc.mat` is what the Matlab parser leaves."""
    suffixes = "".join(path.suffixes).lower()
    return "" if suffixes.endswith(".mat") else suffixes


def _nearest(path: Path, skeletons: Iterable[Path]) -> Path | None:
    """The skeleton beside the file, or in the folder that is closest above; else the first below all."""
    found = list(skeletons)
    for folder in path.parents:
        if beside := [skeleton for skeleton in found if skeleton.parent == folder]:
            return beside[0]
    return found[0] if found else None


def _clip(source: Source) -> list[RawClip]:
    return [RawClip(acclaim.clip(source.path, asf.read_known(source.beside[0])))]
