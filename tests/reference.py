"""Plain NumPy twins that more than one test file compares with: one clip at a time, the way one would write them first.

Clips are (3, t, v, m), as they come out of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def reverse(clip: np.ndarray, flag: bool) -> np.ndarray:
    """The clip backwards in time, if the coin fell so (Rao et al. 2021, Sec. III-A (3))."""
    return clip[:, ::-1] if flag else clip


def shear(clip: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Every joint's place multiplied by the shear matrix (Rao et al. 2021, Eq. 5)."""
    points = clip.transpose(1, 2, 3, 0).reshape(-1, 3)  # (t v m, 3)
    return (points @ matrix.T).reshape(*clip.shape[1:], 3).transpose(3, 0, 1, 2)


def default_view(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """AS-CAL's default augmentation of one clip, drawn and applied: reverse with p = .5, then shear with U[-1, 1]."""
    matrix = rng.uniform(-1, 1, (3, 3))
    np.fill_diagonal(matrix, 1)
    return shear(reverse(clip, rng.random() < 0.5), matrix.astype(clip.dtype))


def default_views(clips: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Query and key of each clip of a batch (b, 3, t, v, m), one clip after the other."""
    query, key = ([default_view(clip, rng) for clip in clips] for _ in range(2))
    return np.stack(query), np.stack(key)


def sheared_reversals(clips: np.ndarray, flags: Sequence[bool], matrices: np.ndarray) -> np.ndarray:
    """The default view of each clip of a batch (b, 3, t, v, m), with parameters drawn elsewhere."""
    found = [shear(reverse(x, flag), matrix) for x, flag, matrix in zip(clips, flags, matrices, strict=True)]
    return np.stack(found)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def recurrent_states(cell: str, weights: dict[str, np.ndarray], clip: np.ndarray) -> np.ndarray:
    """(t, width) states of the last layer over one clip, one frame after the other.

    weights: torch's names (`weight_ih_l0`, ...); a frame's numbers are in the order axis, joint, person.
    """
    inputs = [clip[:, t].ravel() for t in range(clip.shape[1])]
    for layer in range(len(weights) // 4):
        w_in, w_state, b_in, b_state = (
            weights[f"{name}_l{layer}"].astype(np.float64) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h, c = np.zeros(w_state.shape[1]), np.zeros(w_state.shape[1])
        outputs = []
        for x in inputs:
            a, b = w_in @ x + b_in, w_state @ h + b_state
            if cell == "rnn":
                h = np.tanh(a + b)
            elif cell == "gru":
                (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
                z, new = sigmoid(az + bz), np.tanh(an + sigmoid(ar + br) * bn)
                h = (1 - z) * new + z * h
            else:
                i, f, g, o = np.split(a + b, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        inputs = outputs
    return np.stack(inputs)


def info_nce(query: np.ndarray, positive: np.ndarray, negatives: np.ndarray, temperature: float) -> float:
    """Eq. 12 of Rao et al. 2021, averaged over the batch as in Algorithm 1: every exponential by itself, 64 bit."""
    total = 0.0
    for q, k in zip(query.astype(np.float64), positive.astype(np.float64), strict=True):
        hit = np.exp(q @ k / temperature)
        miss = sum(np.exp(q @ other / temperature) for other in negatives.astype(np.float64))
        total -= np.log(hit / (hit + miss))
    return total / len(query)


def jitter(clip: np.ndarray, joints: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The chosen joints' places, one after the other, times the jitter matrix (Thoker et al. 2021, Eq. 2)."""
    moved = clip.copy()
    for joint in np.flatnonzero(joints):
        for frame, person in np.ndindex(clip.shape[1], clip.shape[3]):
            moved[:, frame, joint, person] = matrix @ clip[:, frame, joint, person]
    return moved


def crop_resize(clip: np.ndarray, start: int, length: int, frames: int) -> np.ndarray:
    """A crop stretched over `frames` frames, each blended of its two neighbours (Thoker et al. 2021, Eq. 3)."""
    crop, found = clip[:, start : start + length], np.empty((3, frames, *clip.shape[2:]), clip.dtype)
    for k in range(frames):
        place = min(max((k + 0.5) * length / frames - 0.5, 0), length - 1)
        before = int(place)
        after = min(before + 1, length - 1)
        found[:, k] = (1 - (place - before)) * crop[:, before] + (place - before) * crop[:, after]
    return found
