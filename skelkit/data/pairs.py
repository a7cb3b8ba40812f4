"""Do two cameras' clips of one performance show the same moments? Their lengths, and their synchrony beside chance.

Multi-viewpoint sampling (Moliner et al. 2022, Sec. 3.4) takes for granted what the table's `action` column says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from skelkit.data.clips import Clips

SHORTEST = 9  # frames that a clip needs to be asked: a shorter one fits anything
MOMENTS = 32  # so many both clips are stretched to
STILL = 0.01  # metres a frame, added to a speed before its logarithm: less is mostly the sensor's noise
COLUMNS = ("subject", "label", "action", "length", "partner_length", "candidates", "stretched", "shifted")


def speeds(clip: Shaped[np.ndarray, "t c v m"]) -> Float[np.ndarray, "t-1 v"]:
    """The logarithm of how fast each joint moves, persons added up: wherever a camera stands, it sees the same."""
    steps = np.linalg.norm(np.diff(clip.astype(np.float64), axis=0), axis=1)  # (t-1 v m)
    return np.asarray(np.log(steps.sum(-1) + STILL))


def correlation(a: Float[np.ndarray, "t v"], b: Float[np.ndarray, "t v"]) -> float:
    """Pearson's, over time, of all joints together, each joint about its own mean; 0 where one does not change."""
    a, b = a - a.mean(0), b - b.mean(0)
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 1e-12 else 0.0


def stretched(a: Float[np.ndarray, "t v"], b: Float[np.ndarray, "t2 v"]) -> float:
    """The correlation of curves that begin and end together: both are brought to `MOMENTS` moments."""

    def at_moments(x: Float[np.ndarray, "t v"]) -> Float[np.ndarray, "n v"]:
        place = np.linspace(0, len(x) - 1, MOMENTS)
        before = np.minimum(place.astype(int), len(x) - 2)
        weight = (place - before)[:, None]
        return (1 - weight) * x[before] + weight * x[before + 1]

    return correlation(at_moments(a), at_moments(b))


def shifted(a: Float[np.ndarray, "t v"], b: Float[np.ndarray, "t2 v"]) -> float:
    """The same for curves that were cut apart at other frames: r sqrt(n) at the best shift, n the common moments.

    A shift leaves at least half of the shorter curve; sqrt(n) keeps a short overlap from winning by chance.
    """
    half = -(-min(len(a), len(b)) // 2)
    shifts = range(half - len(a), len(b) - half + 1)
    cuts = [(max(0, -s), max(0, s), min(len(a), len(b) - s) - max(0, -s)) for s in shifts]  # starts, common length
    return max(correlation(a[i : i + n], b[j : j + n]) * n**0.5 for i, j, n in cuts)


def check(clips: Clips, cameras: tuple[int, int] = (1, 2)) -> pd.DataFrame:
    """One line, of `COLUMNS`, for each performance that both cameras have, none of its clips under `SHORTEST` frames.

    candidates: the second camera's clips of the same subject and class, the partner among them. stretched, shifted: 1
    where no candidate resembles the first camera's clip more than the partner does, shared where several are equal.
    """
    table = clips.table.assign(length=clips.lengths)
    table = table[(table["action"] >= 0) & (table["length"] >= SHORTEST)]
    ones, others = (table[table["camera"] == camera] for camera in cameras)
    curves: dict[Any, Any] = {i: speeds(clips[i]) for i in (*ones.index, *others.index)}
    lines = []
    for i, one in ones.iterrows():
        alike = others[(others["subject"] == one["subject"]) & (others["label"] == one["label"])]
        partner = (alike["action"] == one["action"]).to_numpy()
        if partner.sum() != 1:
            continue
        hits = []
        for resemblance in (stretched, shifted):
            scores = np.array([resemblance(curves[i], curves[j]) for j in alike.index])
            best = scores == scores.max()
            hits.append(float((best & partner).sum() / best.sum()))
        known = [int(one[name]) for name in COLUMNS[:4]]
        lines.append((*known, int(alike["length"][partner].iloc[0]), len(alike), *hits))
    return pd.DataFrame(lines, columns=COLUMNS)


def summary(pairs: pd.DataFrame) -> dict[str, float]:
    """What `check` found, in per cent but for the numbers of pairs; ±: half the width of the 95 % interval."""
    asked = pairs[pairs["candidates"] > 1]  # a partner without rivals is always found
    lengths = pairs[["length", "partner_length"]]
    apart = 1 - lengths.min(axis=1) / lengths.max(axis=1)
    found = {"pairs": len(pairs), "equal length": 100 * (apart == 0).mean(), "median difference": 100 * apart.median()}
    found |= {"asked": len(asked), "chance": 100 * (1 / asked["candidates"]).mean()}
    for name in ("stretched", "shifted"):
        share = 100 * asked[name].mean()
        found |= {name: share, f"± {name}": 1.96 * (share * (100 - share) / max(len(asked), 1)) ** 0.5}
    return {name: float(value) for name, value in found.items()}


def simultaneous(ours: Mapping[str, float], control: Mapping[str, float]) -> tuple[float, float]:
    """Per cent of pairs that would be simultaneous, were each pair either that and found, shifted, as often as the
    control's, or a guess; and half the width of its 95 % interval. ours, control: of `summary`."""
    gain, most = (each["shifted"] - each["chance"] for each in (ours, control))
    half = np.hypot(ours["± shifted"] / most, gain * control["± shifted"] / most**2)
    return 100 * gain / most, 100 * float(half)


def findings(ours: Mapping[str, float], control: Mapping[str, float], whole: Mapping[str, float]) -> list[str]:
    """What the check says of a data set's pairs, in sentences. ours, control, whole: of `summary`.

    control: made-up pairs that are simultaneous, cut anew, so that they are as hard to ask; whole: before that.
    """
    share, half = simultaneous(ours, control)
    beats = {name: ours[name] - ours[f"± {name}"] > ours["chance"] for name in ("stretched", "shifted")}
    word = {name: "above" if beats[name] else "not above" for name in beats}
    if share + half < 100:
        follows = "The pairing is doubtful: not all pairs show the same moments, or the same performance."
    elif beats["shifted"]:
        least = f"{share - half:.0f} % of them at the least do"
        follows = f"The test does not rule out that all pairs show one performance, cut apart for each camera; {least}."
    else:
        follows = "The test cannot tell these pairs from guesses."
    return [
        f"Of {ours['pairs']:.0f} pairs {ours['equal length']:.1f} % have equal length (of the control, before it is "
        f"cut, {whole['equal length']:.0f} %); the median difference is {ours['median difference']:.0f} %.",
        f"**Begun and ended together**, the partner is found in {ours['stretched']:.0f} ± {ours['± stretched']:.0f} %, "
        f"{word['stretched']} chance ({ours['chance']:.0f} %).",
        f"**Cut apart**, it is found in {ours['shifted']:.0f} ± {ours['± shifted']:.0f} %, {word['shifted']} chance; "
        f"of the control that was cut anew, in {control['shifted']:.0f} ± {control['± shifted']:.0f} %. Were every "
        f"pair either simultaneous and found as often as the control's, or a guess, {share:.0f} ± {half:.0f} % would "
        "be simultaneous.",
        f"**What follows.** {follows} The control is made up, so its share is a rough measure.",
    ]


def cut_anew(clips: Clips, most: float, rng: np.random.Generator) -> Clips:
    """Each clip without U[0, most] of its frames at either end, as if somebody had cut each camera's by eye."""
    first, last = (np.floor(rng.uniform(0, most, len(clips)) * clips.lengths).astype(int) for _ in range(2))
    kept = [clips[i][a : clips.lengths[i] - b] for i, (a, b) in enumerate(zip(first, last, strict=True))]
    return clips.with_frames(np.concatenate(kept), np.concatenate([[0], np.cumsum([len(x) for x in kept])]))
