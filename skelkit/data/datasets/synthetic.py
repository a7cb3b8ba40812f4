"""The embedded data set: people made of rigid bones act out short programs before three simulated depth cameras.

Every random number comes from a generator whose seed names what it is for (this subject's body, that performance's
timing, its third camera's noise), so that a clip does not depend on how many others are made.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from skelkit.data.clips import Clips
from skelkit.data.datasets.synthetic_actions import ACTIONS, Action, Move, pose
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError

VERSION = 2
"""Raised when the same parameters come to mean other clips."""
FPS = 20
SHORTEST, LONGEST = 40, 60
"""Frames a clip, drawn whatever the action is: the class cannot be read from the padding."""
CAMERAS = {1: 0.0, 2: -45.0, 3: 45.0}
"""Where each camera stands, in degrees around the actors; all three film the same performance."""
FOLDS = 5
HEADING = 40
"""Standard deviation, in degrees, of where the actors face."""
PAUSE = 1.0
"""Seconds, at most, before the action begins."""

BODY = {  # joint: its parent, and its place in metres as seen from there: left, up, forward. The right side is a mirror
    "spine_middle": ("spine_base", (0.0, 0.30, 0.0)),
    "spine_shoulder": ("spine_middle", (0.0, 0.21, 0.0)),
    "neck": ("spine_shoulder", (0.0, 0.07, 0.0)),
    "head": ("neck", (0.0, 0.13, 0.02)),
    "left_shoulder": ("spine_shoulder", (0.17, -0.04, 0.0)),
    "left_elbow": ("left_shoulder", (0.0, -0.28, 0.0)),
    "left_wrist": ("left_elbow", (0.0, -0.25, 0.0)),
    "left_hand": ("left_wrist", (0.0, -0.08, 0.0)),
    "left_thumb": ("left_hand", (0.0, -0.02, 0.05)),
    "left_hand_tip": ("left_thumb", (0.0, -0.06, -0.05)),
    "left_hip": ("spine_base", (0.08, -0.04, 0.0)),
    "left_knee": ("left_hip", (0.0, -0.40, 0.0)),
    "left_ankle": ("left_knee", (0.0, -0.38, 0.0)),
    "left_foot": ("left_ankle", (0.0, -0.06, 0.11)),
}
JOINT = {name: index for index, name in enumerate(KINECT_V2.joints)}
TREE = [(JOINT[c], JOINT[p]) for c, (p, _) in BODY.items()]
TREE += [
    (KINECT_V2.mirrored()[c], KINECT_V2.mirrored()[p])
    for c, p in TREE
    if c in KINECT_V2.parts["left arm"] + KINECT_V2.parts["left leg"]
]
FEET = [JOINT["left_foot"], JOINT["right_foot"]]
MIDDLE = KINECT_V2.centre
TRUNK = [JOINT["spine_base"], MIDDLE, JOINT["spine_shoulder"]]
FAR = ("wrist", "hand", "tip", "thumb", "ankle", "foot")
REACH = np.array([[2.0 if n.endswith(FAR) else 1.4 if n.endswith(("elbow", "knee")) else 1.0] for n in JOINT])
"""(v, 1): how much noisier a joint is than the trunk."""
SUBJECT, PERFORMANCE, SENSOR = 1, 2, 3
"""What a generator is for, the second number of its seed."""


def _rng(seed: int, *what: int) -> np.random.Generator:
    return np.random.default_rng([seed, *what])


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mirrored(x: np.ndarray) -> np.ndarray:
    """(..., v, 3) as in a mirror: left and right exchanged."""
    return x[..., KINECT_V2.mirrored(), :] * np.array([-1.0, 1.0, 1.0])


def _adult() -> np.ndarray:
    offsets = np.zeros((len(KINECT_V2), 3))
    for joint, (_, place) in BODY.items():
        offsets[JOINT[joint]] = place
    right = [j for _, j in KINECT_V2.mirror]
    offsets[right] = _mirrored(offsets)[right]
    return offsets


def _signs() -> np.ndarray:
    """(v, 3) signs that turn (forward, out, inward) into right-handed turns about (left, forward, up)."""
    signs = np.ones((len(KINECT_V2), 3)) * [1, -1, 1]
    for pair in KINECT_V2.mirror:
        knee = KINECT_V2.joints[pair[0]].endswith("knee")
        signs[list(pair)] = [[1 if knee else -1, side, -side] for side in (1, -1)]
    return signs


SIGNS = _signs()
STANDING = pose(shoulders=(2, 9, 12), elbows=14, hips=(0, 5, 0), knees=3)
IDLE = pose(
    spine_base=(2, 1, 3),
    spine_middle=(4, 2, 4),
    neck=(6, 3, 8),
    shoulders=(6, 5, 8),
    elbows=10,
    wrists=(8, 8, 0),
    hips=(2, 2, 3),
    knees=3,
)
"""Standard deviation of what a posture adds to standing."""


@dataclass(frozen=True)
class Subject:
    """Someone's body and manner."""

    offsets: np.ndarray
    """(v, 3) metres: each joint from its parent, standing upright with the arms down."""
    left_handed: bool
    tempo: float
    posture: np.ndarray
    """(v, 3) degrees: how they stand when they do nothing."""
    manner: np.ndarray
    """(v, 3): by how much each of their movements is larger or smaller than the program's."""


def subject(seed: int, number: int, partner: bool = False) -> Subject:
    """A person drawn from the seed. `partner`: the stranger this subject meets, who is never a subject."""
    rng = _rng(seed, SUBJECT, number, 1 + partner)
    stature = rng.normal(1.0, 0.06)
    parts = rng.normal(1.0, 0.05, len(KINECT_V2))
    parts = (parts + parts[KINECT_V2.mirrored()]) / 2  # the two sides are alike
    posture = rng.normal(0.0, 1.0, (len(KINECT_V2), 3)) * IDLE
    return Subject(
        offsets=_adult() * np.clip(stature * parts, 0.8, 1.2)[:, None],
        left_handed=bool(rng.random() < 0.15),
        tempo=float(np.clip(rng.normal(1.0, 0.14), 0.7, 1.35)),
        posture=STANDING + posture,
        manner=rng.normal(1.0, 0.12, (len(KINECT_V2), 3)).clip(0.6, 1.4) * rng.normal(1.0, 0.1),
    )


# ── movement ────────────────────────────────────────────────────────────────────────────────────────────────────────


def rotation(vector: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) about vectors (..., 3) by their lengths in radians (Rodrigues' formula)."""
    angle = np.sqrt((vector * vector).sum(-1))[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    o = np.zeros_like(x)
    cross = np.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * (cross @ cross)


def kinematics(degrees: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Joint places (t, v, 3) in metres from the base of the spine: left, up, forward.

    degrees: (t, v, 3), each joint's swing forward and outward and its twist inward; offsets: (v, 3), see `Subject`.
    """
    forward, out, twist = np.moveaxis(np.deg2rad(degrees * SIGNS), -1, 0)
    zero = np.zeros_like(forward)
    turn = rotation(np.stack([forward, zero, out], -1)) @ rotation(np.stack([zero, twist, zero], -1))
    place = np.zeros_like(degrees)
    for child, parent in TREE:
        turn[:, child] = turn[:, parent] @ turn[:, child]
        place[:, child] = place[:, parent] + (turn[:, parent] @ offsets[child][:, None])[..., 0]
    return place


def _planted(place: np.ndarray) -> np.ndarray:
    """Stand the body on the ground: the lower foot stays where it is, both where they are level."""
    feet = place[:, FEET]  # (t, 2, 3)
    weight = np.exp((feet[..., 1].min(1, keepdims=True) - feet[..., 1]) / 0.02)
    weight /= weight.sum(1, keepdims=True)
    stance = (weight[..., None] * (feet - feet[:1] + feet[:1].mean(1, keepdims=True))).sum(1)  # (t, 3)
    stance[:, 1] = feet[..., 1].min(1)
    return place - stance[:, None]


def _wander(rng: np.random.Generator, seconds: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(t, *shape) slow random movement of about unit size: three sines."""
    rate, start = rng.uniform(0.1, 0.8, (3, *shape)), rng.uniform(0, 1, (3, *shape))
    size = rng.normal(0, 0.8, (3, *shape))
    wave = np.sin(2 * np.pi * (rate * seconds.reshape(-1, 1, *[1] * len(shape)) + start))
    return (size * wave).sum(1)


def act(moves: tuple[Move, ...], who: Subject, phase: np.ndarray, pace: float, rng: np.random.Generator) -> np.ndarray:
    """One person's joint places (t, v, 3): left, up, forward of where they stood, facing forward."""
    v = len(KINECT_V2)
    used = np.array([m.degrees.any(-1) for m in moves]).any(0)
    idle = IDLE * np.where(used, 0.5, 1.2)[:, None]  # a limb that the action leaves free does as it likes
    seconds = np.arange(len(phase)) / FPS
    degrees = who.posture + idle * (rng.normal(0, 1, (v, 3)) + 0.35 * _wander(rng, seconds, (v, 3)))
    travel = np.zeros((len(phase), 3))
    for m in moves:
        weight = m.track(phase + rng.normal(0, 0.02), pace * rng.normal(1, 0.05))[:, None, None]
        degrees = degrees + weight * m.degrees * who.manner * rng.normal(1, 0.08, (v, 3))
        travel += weight[:, 0] * m.metres * rng.normal(1, 0.1)
    return _planted(kinematics(degrees, who.offsets)) + travel[:, None]


def perform(action: Action, actor: Subject, partner: Subject, rng: np.random.Generator) -> np.ndarray:
    """One performance: joint places (t, m, v, 3) in metres, x right of the middle camera, y up, z away from it."""
    tempo = actor.tempo * rng.normal(1, 0.08)
    frames = int(rng.integers(SHORTEST, LONGEST, endpoint=True))
    before = rng.uniform(0.0, PAUSE)
    phase = (np.arange(frames) / FPS - before) * tempo / action.seconds
    phase = phase + rng.normal(0, 0.04) * np.sin(2 * np.pi * phase.clip(0, 1))
    pace = rng.normal(1, 0.12)
    people = [act(action.moves, actor, phase, pace, rng)]
    heading = rng.normal(0, HEADING)
    if action.partner:
        other = act(action.partner, partner, phase - rng.uniform(0, 0.05), pace, rng)
        other = other * [-1, 1, -1]  # face the actor
        stature = (actor.offsets + partner.offsets)[:, 1].sum() / (2 * _adult()[:, 1].sum())
        gap = np.array([0, 0, action.gap * stature])  # hands still meet when both are tall
        people = [people[0] - gap / 2, other + gap / 2]
        heading += 90  # the actor stands on the right
    scene = np.stack(people, 1)
    if actor.left_handed:
        scene = _mirrored(scene)
    scene = scene @ rotation(np.array([0, np.deg2rad(180 + heading), 0])).T
    return scene + rng.normal(0, 0.15, 3) * [1, 0, 1]


# ── cameras ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def seen_from(camera: int, setup: int, scene: np.ndarray) -> np.ndarray:
    """A scene (t, m, v, 3) in a camera's own frame: x right, y up, z depth, in metres, without noise."""
    distance = 2.4 + 1.6 * (setup * 0.618 % 1)  # golden steps: any few setups lie well apart
    height = 0.8 + 1.0 * (setup * 0.755 % 1)
    around = rotation(np.array([0, np.deg2rad(CAMERAS[camera]), 0]))
    tilt = rotation(np.array([-np.arctan2(height - 1.0, distance), 0, 0]))  # it looks at the actors' middle
    return (scene @ around.T + [0, -height, distance]) @ tilt.T


def _hidden(x: np.ndarray) -> np.ndarray:
    """(t, m, v), 0 = in sight .. 1 = behind a trunk: how far a trunk's five balls cover each joint."""
    depth = np.linalg.norm(x, axis=-1)  # (t, m, v)
    spine = x[:, :, TRUNK]
    balls = np.concatenate([spine, (spine[:, :, 1:] + spine[:, :, :-1]) / 2], 2).reshape(len(x), -1, 3)  # (t, k, 3)
    along = np.einsum("tmvc,tkc->tmvk", x / depth[..., None], balls)
    aside = np.sqrt(np.maximum((balls * balls).sum(-1)[:, None, None] - along**2, 0))
    covers = np.exp(
        -np.logaddexp(0, (aside - 0.13) / 0.02) - np.logaddexp(0, (0.12 - (depth[..., None] - along)) / 0.03)
    )
    return covers.max(-1)


def measure(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a depth camera makes of joints (t, m, v, 3) in its frame.

    Hidden joints stick to where they were, seen from the trunk, and are noisier; noise grows with depth and towards the
    hands and feet and is correlated in time.
    """
    hidden = _hidden(x)[..., None]
    middle = x[:, :, MIDDLE : MIDDLE + 1]
    body = x - middle
    body[0] += hidden[0] * rng.normal(0, 0.08, body[0].shape)
    for t in range(1, len(x)):
        body[t] = body[t - 1] + (1 - 0.9 * hidden[t]) * (body[t] - body[t - 1])
    size = (0.006 + 0.003 * (x[..., 2:] / 2) ** 2) * REACH * (1 + 2 * hidden)
    jitter = rng.normal(0, 1, x.shape)
    for t in range(1, len(x)):
        jitter[t] = 0.6 * jitter[t - 1] + 0.8 * jitter[t]
    return body + middle + size * jitter


# ── the data set ────────────────────────────────────────────────────────────────────────────────────────────────────


def generate(seed: int = 0, subjects: int = 40, setups: int = 4, replicates: int = 1, noise: bool = True) -> Clips:
    """Every subject does every action `replicates` times before all three cameras, in one of the setups.

    Subjects 1 and 2 visit setup 1, 3 and 4 setup 2, and so on round. The default is 2040 clips of 17 actions. With
    `noise=False` the cameras see every joint exactly. Raises SkelkitError for a parameter that is too small.
    """
    least = {"seed": (seed, 0), "subjects": (subjects, 1), "setups": (setups, 1), "replicates": (replicates, 1)}
    for parameter, (value, lowest) in least.items():
        if value < lowest:
            raise SkelkitError(f"synthetic: {parameter} is {value}; give {lowest} or more")
    clips: list[np.ndarray] = []
    rows: list[tuple[Any, ...]] = []
    people = [(subject(seed, p), subject(seed, p, partner=True)) for p in range(1, subjects + 1)]
    for p, (actor, partner) in enumerate(people, 1):
        setup = 1 + (p - 1) // 2 % setups
        for replicate in range(1, replicates + 1):
            for label, action in enumerate(ACTIONS.values()):
                key = (setup, p, replicate, label + 1)
                scene = perform(action, actor, partner, _rng(seed, PERFORMANCE, *key))
                performance = len(clips) // len(CAMERAS)
                for camera in CAMERAS:
                    x = seen_from(camera, setup, scene)
                    if noise:
                        x = measure(x, _rng(seed, SENSOR, *key, camera))
                    clip = np.zeros((len(x), 3, len(KINECT_V2), 2), np.float32)
                    clip[..., : x.shape[1]] = x.transpose(0, 3, 2, 1)
                    clips.append(clip)
                    name = f"S{setup:03d}C{camera:03d}P{p:03d}R{replicate:03d}A{label + 1:03d}"
                    rows.append((label, p, camera, setup, replicate, performance, (p - 1) % FOLDS, name))
    names = ("label", "subject", "camera", "setup", "replicate", "action", "fold", "name")
    return Clips.from_arrays(
        np.concatenate(clips),
        np.concatenate([[0], np.cumsum([len(c) for c in clips])]),
        skeleton=KINECT_V2,
        classes=tuple(ACTIONS),
        name="synthetic",
        columns=dict(zip(names, zip(*rows, strict=True), strict=True)),
        source=f"skelkit synthetic {VERSION}",
    )


def load(folder: Path, **parameters: Any) -> Clips:
    """Open the set of these parameters of `generate` under `folder`, generating it first where it is not there."""
    asked = inspect.signature(generate).bind(**parameters)
    asked.apply_defaults()
    recipe = json.dumps({"version": VERSION, **asked.arguments}, sort_keys=True)
    path = folder / f"synthetic-v{VERSION}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                generate(**parameters).save(path)
    return Clips.open(path)
