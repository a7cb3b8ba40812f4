"""The actions of the synthetic data set: short programs of joint angles over a phase that runs from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skelkit.data.skeleton import KINECT_V2

Track = Callable[[np.ndarray, float], np.ndarray]
"""(phase (t,), pace) -> (t,): how far into a pose the body is. A faster pace fits more repetitions into one phase."""


def hold(start: float, end: float, ease: float = 0.2) -> Track:
    """Go to the pose from `start` on, stay, and be back at `end`: 0 -> 1 -> 0."""
    return lambda phase, pace: _step((phase - start) / ease) * _step((end - phase) / ease)


def stay(start: float, end: float) -> Track:
    """Go to the pose and remain there: 0 -> 1."""
    return lambda phase, pace: _step((phase - start) / (end - start))


def leave(start: float, end: float) -> Track:
    """Begin in the pose and leave it: 1 -> 0."""
    return lambda phase, pace: 1 - _step((phase - start) / (end - start))


def swing(cycles: float, start: float = 0.15, end: float = 0.85, shift: float = 0.0) -> Track:
    """Swing to both sides of the rest position, -1 .. 1, between `start` and `end`."""
    held = hold(start, end, 0.1)
    return lambda phase, pace: held(phase, pace) * np.sin(2 * np.pi * (cycles * pace * (phase - start) + shift))


def beat(cycles: float, start: float = 0.15, end: float = 0.85, shift: float = 0.0) -> Track:
    """Go to the pose and back again and again, 0 .. 1, between `start` and `end`."""
    held = hold(start, end, 0.1)
    wave = 2 * np.pi * cycles
    return lambda phase, pace: held(phase, pace) * (0.5 - 0.5 * np.cos(wave * pace * (phase - start - shift / cycles)))


def _step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Move:
    """One pose and how the body goes in and out of it; the moves of an action add up."""

    track: Track
    degrees: np.ndarray
    """(v, 3): what each joint turns, forward (knees: back), outward and inward about its own axis; trunk and head:
    forward, to the left, turned to the left."""
    metres: np.ndarray
    """(3,): where the body goes: to its left, up, forward."""


def pose(**joints: Any) -> np.ndarray:
    """(v, 3) degrees from joint names of the skeleton, or of a pair (`elbows`); a number alone is forward."""
    degrees = np.zeros((len(KINECT_V2), 3))
    for name, angle in joints.items():
        pair = [f"{side}_{name.removesuffix('s')}" for side in ("left", "right")]
        turn = angle if isinstance(angle, tuple) else (angle,)
        for joint in [name] if name in KINECT_V2.joints else pair:
            degrees[KINECT_V2.joints.index(joint), : len(turn)] = turn
    return degrees


def move(track: Track, travel: tuple[float, float, float] = (0, 0, 0), **joints: Any) -> Move:
    """A move into a pose (see `pose`), and metres of travel: to the left, up, forward."""
    return Move(track, pose(**joints), np.array(travel, float))


@dataclass(frozen=True)
class Action:
    """What a right-handed actor does, and the partner where there is one."""

    seconds: float
    """At a tempo of 1."""
    moves: tuple[Move, ...]
    partner: tuple[Move, ...] = ()
    gap: float = 0.0
    """Metres between actor and partner, who face each other."""


ACTIONS: dict[str, Action] = {
    # one hand at the head: the confusable family
    "drink": Action(
        2.16,
        (
            move(hold(0.05, 0.95, 0.24), right_shoulder=(58, 26, 26), right_elbow=125),
            move(beat(2, 0.25, 0.8), neck=-18, right_shoulder=(12, 8, 0), right_elbow=12),
        ),
    ),
    "phone call": Action(
        1.98, (move(stay(0.1, 0.42), right_shoulder=(70, 56, -10), right_elbow=136, neck=(6, -8, 0)),)
    ),
    "wave": Action(
        1.8,
        (
            move(hold(0.05, 0.95, 0.2), right_shoulder=(25, 95, -45), right_elbow=85),
            move(swing(3, 0.2, 0.82), right_shoulder=(0, 14, 0), right_elbow=24),
        ),
    ),
    # one arm away from the body
    "point": Action(1.62, (move(hold(0.15, 0.88, 0.2), right_shoulder=(84, 4, 14), right_elbow=6),)),
    "throw": Action(
        1.62,
        (
            move(hold(0.1, 0.55, 0.2), right_shoulder=(0, 105, -70), right_elbow=85, spine_middle=(-6, 0, -28)),
            move(hold(0.42, 0.85, 0.14), right_shoulder=(78, -6, 24), spine_middle=(16, 0, 24), spine_base=(0, 0, 10)),
        ),
    ),
    # both arms
    "clap": Action(
        1.71,
        (
            move(hold(0.05, 0.95, 0.2), shoulders=(32, 14, 2), elbows=98),
            move(beat(4, 0.2, 0.85), shoulders=(2, 2, 36)),
        ),
    ),
    "jumping jack": Action(
        1.98,
        (
            move(beat(2.5, 0.08, 0.92), shoulders=(0, 145, 0), hips=(0, 20, 0)),
            move(beat(5, 0.08, 0.92), travel=(0, 0.07, 0), knees=-4),
        ),
    ),
    # the whole body
    "bow": Action(
        1.8, (move(hold(0.1, 0.9, 0.35), spine_base=24, hips=28, spine_middle=34, neck=14, shoulders=(26, 0, 0)),)
    ),
    "pick up": Action(
        1.8,
        (
            move(hold(0.08, 0.92, 0.36), spine_base=42, hips=88, knees=56, spine_middle=34, right_shoulder=66),
            move(hold(0.45, 1.1, 0.3), right_elbow=58),
        ),
    ),
    "sit down": Action(
        1.62,
        (
            move(stay(0.2, 0.75), hips=84, knees=84, elbows=20, shoulders=12),
            move(hold(0.15, 0.85, 0.32), spine_base=26, hips=26),
        ),
    ),
    "stand up": Action(
        1.62,
        (
            move(leave(0.25, 0.8), hips=84, knees=84, elbows=20, shoulders=12),
            move(hold(0.15, 0.85, 0.32), spine_base=26, hips=26),
        ),
    ),
    "jump": Action(
        1.62,
        (
            move(hold(0.1, 0.48, 0.18), hips=62, knees=62, spine_base=24, shoulders=-36),
            move(hold(0.36, 0.74, 0.18), travel=(0, 0.3, 0), shoulders=(95, 15, 0), elbows=20),
            move(hold(0.64, 0.95, 0.14), hips=46, knees=48, spine_base=16),
        ),
    ),
    "kick": Action(
        1.53,
        (
            move(hold(0.12, 0.5, 0.18), right_hip=-22, right_knee=58, spine_base=4),
            move(hold(0.4, 0.82, 0.18), right_hip=72, spine_base=-8, hips=-6, left_shoulder=30),
        ),
    ),
    "walk in place": Action(
        1.98,
        (
            move(beat(2.5, 0.05, 0.95), left_hip=52, left_knee=66, right_shoulder=32, right_elbow=24),
            move(beat(2.5, 0.05, 0.95, 0.5), right_hip=52, right_knee=66, left_shoulder=32, left_elbow=24),
        ),
    ),
    # two people
    "push": Action(
        1.71,
        (
            move(hold(0.05, 0.5, 0.2), shoulders=(18, 6, 12), elbows=95),
            move(hold(0.32, 0.8, 0.16), shoulders=(76, 2, 16), elbows=8, spine_base=10, hips=10, travel=(0, 0, 0.16)),
        ),
        partner=(
            move(stay(0.42, 0.7), travel=(0, 0, -0.32)),
            move(hold(0.42, 0.9, 0.16), spine_middle=-20, spine_base=-6, shoulders=(28, 22, 0), elbows=30),
            move(hold(0.42, 0.75, 0.14), right_hip=-18, right_knee=34),
        ),
        gap=0.85,
    ),
    "handshake": Action(
        1.8,
        shake := (
            move(hold(0.08, 0.92, 0.24), right_shoulder=(45, -2, 36), right_elbow=40, spine_middle=6),
            move(swing(3, 0.3, 0.8), right_shoulder=6, right_elbow=9),
        ),
        partner=shake,
        gap=0.98,
    ),
    "hug": Action(
        1.98,
        hug := (
            move(hold(0.05, 0.95, 0.3), travel=(0, 0, 0.34), spine_middle=8),
            move(hold(0.2, 0.9, 0.24), shoulders=(62, 10, 70), elbows=72, neck=(8, 12, 0)),
        ),
        partner=hug,
        gap=1.0,
    ),
}
"""Class name -> what is done. Only "sit down" and "stand up" are one another backwards."""
