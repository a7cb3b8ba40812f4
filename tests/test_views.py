"""From ragged clips to fixed-length batches: one gather must be what a loop over clips and frames would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.views import Resident, View

LENGTHS = (4, 1, 7, 5)
every_fill = pytest.mark.parametrize("fill", ["zeros", "loop", "hold"])


def some_clips(dtype: Any = np.float32) -> Clips:
    """Four clips of different lengths; no number is 0, so that padding shows."""
    frames = np.random.default_rng(0).uniform(1, 2, (sum(LENGTHS), 3, 15, 2)).astype(dtype)
    return Clips.from_arrays(
        frames,
        np.cumsum([0, *LENGTHS]),
        skeleton=SBU,
        classes=["a", "b"],
        name="four",
        columns={"label": [0, 1, -1, 1]},
    )


def resident(view: View, clips: Clips | None = None) -> Resident:
    clips = clips or some_clips()
    return Resident(clips, clips.frames, view)


def written_out(clip: np.ndarray, view: View) -> np.ndarray:
    """(3, frames, v, m), frame by frame."""
    found = np.zeros((3, view.frames, *clip.shape[2:]), np.float32)
    for t in range(view.frames):
        if t < len(clip):
            found[:, t] = clip[t]
        elif view.fill == "loop":
            found[:, t] = clip[t % len(clip)]
        elif view.fill == "hold":
            found[:, t] = clip[-1]
    return found


@every_fill
@pytest.mark.parametrize("frames", [1, 3, 5, 12])
def test_a_batch_equals_the_clips_written_out_frame_by_frame(fill: Any, frames: int) -> None:
    clips, view = some_clips(), View(frames, fill)
    index = [2, 0, 1, 3, 0]
    expected = np.stack([written_out(clips[i], view) for i in index])
    assert_close(resident(view).clips(torch.tensor(index)), torch.from_numpy(expected), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("fill", "by_hand"),
    [("zeros", [0, 1, 2, -1, -1, -1, -1]), ("loop", [0, 1, 2, 0, 1, 2, 0]), ("hold", [0, 1, 2, 2, 2, 2, 2])],
)
def test_positions_of_a_three_frame_clip_by_hand(fill: Any, by_hand: list[int]) -> None:
    assert View(7, fill).positions(torch.tensor([3])).tolist() == [by_hand]


@every_fill
def test_a_longer_clip_is_cut_to_its_first_frames(fill: Any) -> None:
    assert View(3, fill).positions(torch.tensor([3, 9])).tolist() == [[0, 1, 2], [0, 1, 2]]


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5), frames=st.integers(1, 40))
def test_no_clip_reads_its_neighbours_frames(lengths: list[int], frames: int) -> None:
    for fill in ("zeros", "loop", "hold"):
        position = View(frames, fill).positions(torch.tensor(lengths))
        assert (position < torch.tensor(lengths)[:, None]).all()
        assert (position >= (-1 if fill == "zeros" else 0)).all()
        assert torch.equal(position[:, 0], torch.zeros(len(lengths), dtype=torch.long))


def test_a_clip_looks_the_same_in_any_company() -> None:
    data = resident(View(6))
    everyone = data.clips(torch.arange(4))
    for i in range(4):
        assert torch.equal(data.clips(torch.tensor([i]))[0], everyone[i])


def test_zero_padding_is_zero_and_the_stored_frames_stay_as_they_were() -> None:
    clips = some_clips()
    before = clips.frames.copy()
    data = resident(View(6), clips)
    batch = data.clips(torch.tensor([1, 0]))
    assert not batch[0, :, 1:].any()
    assert not batch[1, :, 4:].any()
    assert batch[0, :, 0].all()
    batch.fill_(9)
    assert np.array_equal(clips.frames, before)
    assert not data.clips(torch.tensor([1]))[0, :, 1:].any(), "the row of zeros is nobody's to write"


def test_16_bit_clips_stay_so_at_rest_and_come_out_in_32_bit() -> None:
    clips = some_clips(np.float16)
    data = resident(View(6), clips)
    assert data.frames.dtype == torch.float16
    batch = data.clips(torch.arange(4))
    assert batch.dtype == torch.float32
    assert_close(batch[2, :, :6], torch.from_numpy(clips[2][:6].astype(np.float32)).transpose(0, 1))


def test_a_batch_is_numbered_within_the_training_set() -> None:
    """By hand: the training set is clips 3, 0, 2; its members 2 and 0 are the clips 2 and 3."""
    data = resident(View(6))
    batch = data.batch(torch.tensor([3, 0, 2]), torch.tensor([2, 0]))
    assert batch.index.tolist() == [2, 0]
    assert batch.labels.tolist() == [-1, 1]
    assert torch.equal(batch.clips, data.clips(torch.tensor([2, 3])))


def test_the_batch_is_axis_frame_joint_person_and_contiguous() -> None:
    clips = some_clips()
    batch = resident(View(6), clips).clips(torch.tensor([2]))
    assert batch.shape == (1, 3, 6, 15, 2)
    assert batch.is_contiguous()
    assert batch[0, 2, 4, 11, 1] == clips[2][4, 2, 11, 1]
