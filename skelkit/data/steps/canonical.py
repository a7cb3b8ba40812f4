"""Steps that turn a whole clip by the first pose of its first person, so that the camera's place no longer shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from skelkit.data.clips import Clips
from skelkit.data.skeleton import Skeleton
from skelkit.data.steps.persons import AnyFrames, by_clip, first_frames, present, who_is_in
from skelkit.files import SkelkitError

Vectors = Float[np.ndarray, "n 3"]
Turns = Float[np.ndarray, "n 3 3"]


@dataclass(frozen=True)
class CanonicalRotation:
    """Put the first person's spine joint into the origin, its spine along z and its shoulders along x (left to right).

    "The skeletons are centered, and rotated so that the body has a canonical orientation in the first frame" (Moliner
    et al. 2022, Data processing); Thoker et al. 2021 do so by code that 2s-AGCN calls `pre_normalization`. One rotation
    a clip, from the first frame in which the first person (or, where it never is, the next listed) is there; everyone
    is moved alike. The spine joint is the skeleton's centre. Leading empty frames and gaps stay: see `DropEmpty` and
    `Replay`. Raises SkelkitError for a skeleton without shoulders and hips.
    """

    origin: Literal["every frame", "first frame"] = "every frame"
    """Whose spine joint is subtracted: that of every frame (the released code; the person no longer walks), or that of
    the first. Differs from the released code: where the person is missing meanwhile, its last known place is taken."""
    turn: Literal["exact", "two turns"] = "exact"
    """ "exact": the spine comes to lie along z, and of the shoulders' axis what is square to it along x; no rigid
    motion of a clip changes the result. "two turns", as in the released code: the shortest turn that takes the spine
    to z, then the shortest that takes the shoulders to x; this tilts the spine again, and how depends on the view."""

    def __call__(self, clips: Clips) -> Clips:
        marks, first = landmarks(clips.skeleton), _first_pose(clips)
        left, right = marks.shoulders
        spine, across = marks.spine(first.pose), first.pose[:, :, right] - first.pose[:, :, left]
        turns = axes(spine, across) if self.turn == "exact" else _two_turns(spine, across)
        return _moved(clips, turns, first, clips.skeleton.centre, self.origin == "every frame")


@dataclass(frozen=True)
class ViewInvariant:
    """Describe a clip in the axes of its first pose: x from the right to the left hip, z up the spine, origin its base.

    Predict & Cluster's transform (Su et al. 2020; its released notebook NTU_View_Invariant_Transform), on whose clips
    Li and Shlizerman 2020 (SESAR) build; SESAR's text does not name it. The spine is kept, the hips' vector is made
    square to it (Gram-Schmidt). Everyone is moved alike, by the first person's first pose, and keeps walking. That
    notebook also leaves out frames with a coordinate of 0; `DropEmpty("all")` leaves out those without anyone. Raises
    SkelkitError for a skeleton without shoulders and hips.
    """

    mirrored: bool = False
    """The released notebook's third axis is hips x spine, so that its matrix has determinant -1 and exchanges the
    body's front and back: True does so as well."""

    def __call__(self, clips: Clips) -> Clips:
        marks, first = landmarks(clips.skeleton), _first_pose(clips)
        left, right = marks.hips
        turns = axes(marks.spine(first.pose), first.pose[:, :, left] - first.pose[:, :, right])
        if self.mirrored:
            turns = turns * np.array([1, -1, 1])[:, None]
        return _moved(clips, turns, first, marks.base, False)


class Landmarks(NamedTuple):
    """The joints that a body's orientation is read from."""

    shoulders: tuple[int, int]
    """Left, right."""
    hips: tuple[int, int]
    base: int
    """Where the legs meet the spine."""
    above: tuple[int, ...]
    """The next joint up the spine; where the shoulders are the next, the two, whose middle is meant."""

    def spine(self, pose: Float[np.ndarray, "n 3 v"]) -> Vectors:
        return pose[:, :, list(self.above)].mean(2) - pose[:, :, self.base]


def landmarks(skeleton: Skeleton) -> Landmarks:
    """Shoulders, hips and the lowest bone of the spine of any skeleton, from its names, mirror pairs, parts and bones.

    Raises SkelkitError where it has no pair of shoulders or hips.
    """
    shoulders, hips = _pair(skeleton, "shoulder", "arm"), _pair(skeleton, "hip", "leg")
    up = _path(skeleton, hips[0], shoulders[0])
    at = max(i for i, joint in enumerate(up) if joint in _path(skeleton, *hips))
    following = up[at + 1] if at + 1 < len(up) else shoulders[0]
    sided = {joint for pair in skeleton.mirror for joint in pair}
    return Landmarks(shoulders, hips, up[at], shoulders if following in sided else (following,))


def _pair(skeleton: Skeleton, word: str, part: str) -> tuple[int, int]:
    """The mirror pair named so, or the first joints of the two limbs; of several the nearest to the centre."""
    limb = skeleton.parts.get(f"left {part}", ())
    named = [pair for pair in skeleton.mirror if word in skeleton.joints[pair[0]].lower()]
    found = named or [pair for pair in skeleton.mirror if pair[0] in limb]
    if not found:
        raise SkelkitError(
            f"skeleton {skeleton.name}: has no {word}s to turn it by; name a mirror pair so, or give the parts "
            f'"left {part}" and "right {part}", or leave the step out'
        )
    return min(found, key=lambda pair: len(_path(skeleton, pair[0], skeleton.centre)))


def _path(skeleton: Skeleton, start: int, end: int) -> list[int]:
    """The joints from one to another, along bones."""
    parent = dict(skeleton.bones)

    def to_root(joint: int) -> list[int]:
        return [joint, *(to_root(parent[joint]) if joint in parent else [])]

    up, down = to_root(start), to_root(end)
    meeting = next(joint for joint in up if joint in down)
    return [*up[: up.index(meeting) + 1], *reversed(down[: down.index(meeting)])]


class _First(NamedTuple):
    person: Int[np.ndarray, " n"]
    """The first listed person that is there at all."""
    frame: Int[np.ndarray, " n"]
    """Where in the clip it first is; 0 in a clip without anyone."""
    pose: Float[np.ndarray, "n 3 v"]
    """Its joints there, in 64 bit; zeros in a clip without anyone."""


def _first_pose(clips: Clips) -> _First:
    frames = first_frames(clips, present(clips))  # (n m)
    person = (frames < clips.offsets[-1]).argmax(1)
    frame = np.take_along_axis(frames, person[:, None], 1)[:, 0]
    frame = np.where(frame < clips.offsets[-1], frame, clips.offsets[:-1])
    pose = np.asarray(clips.frames)[frame, :, :, person].astype(np.float64)
    return _First(person, frame - clips.offsets[:-1], pose)


def axes(up: Vectors, across: Vectors) -> Turns:
    """Rotations whose rows are x, y, z: z along `up`, x along the part of `across` square to it, y = z x x.

    Where the two do not span a plane (a vector is 0, or they are parallel) the rotation is the identity.
    """
    z, tall = _unit(up)
    x, wide = _unit(across - (across * z).sum(1, keepdims=True) * z)
    turns = np.stack([x, np.cross(z, x), z], axis=1)
    return np.where((tall & wide)[:, None, None], turns, np.eye(3))


def _two_turns(up: Vectors, across: Vectors) -> Turns:
    first = shortest(up, np.array([0.0, 0.0, 1.0]))
    return shortest((first @ across[:, :, None])[:, :, 0], np.array([1.0, 0.0, 0.0])) @ first


def shortest(vectors: Vectors, to: Float[np.ndarray, " 3"]) -> Turns:
    """The rotations by the least angle that take vectors to a direction; identity for a vector of 0.

    Rodrigues' formula, with a = unit vector x `to`: 1 + [a] + [a]^2 / (1 + cos). A vector that points straight away is
    turned by 180 degrees about an axis square to `to`.
    """
    unit, any_length = _unit(vectors)
    cosine = (unit @ to)[:, None, None]
    x, y, z = np.cross(unit, to).T
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], 1), np.stack([z, zero, -x], 1), np.stack([-y, x, zero], 1)], 1)
    away = cosine < 1e-12 - 1
    turns = np.eye(3) + cross + cross @ cross / np.where(away, 1.0, 1 + cosine)
    axis = np.roll(to, 1)
    half = 2 * np.outer(axis, axis) - np.eye(3)
    return np.where(any_length[:, None, None], np.where(away, half, turns), np.eye(3))


def _unit(vectors: Vectors) -> tuple[Vectors, np.ndarray]:
    """Vectors of length 1, and whether they had one: below a millionth of the unit there is no direction."""
    length = np.linalg.norm(vectors, axis=1)
    some = length > 1e-6
    return vectors / np.where(some, length, 1.0)[:, None], some


def _moved(clips: Clips, turns: Turns, first: _First, joint: int, follow: bool) -> Clips:
    """Every clip turned about a joint of its first person, as it is in each frame (`follow`) or in the first pose."""
    turns = turns.astype(np.float32)

    def move(clip: AnyFrames, i: int) -> AnyFrames:
        there = who_is_in(clip)  # (t m)
        origin = first.pose[i, :, joint].astype(np.float32)[None]  # (1 3)
        if follow:
            known = np.where(there[:, first.person[i]], np.arange(len(clip)), first.frame[i])
            origin = clip[np.maximum.accumulate(known), :, joint, first.person[i]]  # (t 3)
        placed = (clip - origin[:, :, None, None]).reshape(len(clip), 3, -1)  # (t 3 vm)
        moved = (turns[i] @ placed).reshape(clip.shape)
        moved.transpose(0, 3, 1, 2)[~there] = 0
        return moved

    return by_clip(clips, move)
