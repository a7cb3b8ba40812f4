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
from skelkit.data.views import AnyView, Resample, Resident, View, Whole
from skelkit.files import SkelkitError

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


def resident(view: AnyView, clips: Clips | None = None) -> Resident:
    clips = clips or some_clips()
    return Resident(clips, view)


def written_out(clip: np.ndarray, view: View) -> np.ndarray:
    """(3, frames, v, m), frame by frame."""
    found = np.zeros((3, view.frames, *clip.shape[2:]), np.float32)
    if view.crop == "centre" and len(clip) > view.frames:
        begin = (len(clip) - view.frames) // 2
        clip = clip[begin : begin + view.frames]
    for t in range(view.frames):
        if t < len(clip):
            found[:, t] = clip[t]
        elif view.fill == "loop":
            found[:, t] = clip[t % len(clip)]
        elif view.fill == "hold":
            found[:, t] = clip[-1]
    return found


@every_fill
@pytest.mark.parametrize("crop", ["first", "centre"])
@pytest.mark.parametrize("frames", [1, 3, 5, 12])
def test_a_batch_equals_the_clips_written_out_frame_by_frame(fill: Any, frames: int, crop: Any) -> None:
    clips, view = some_clips(), View(frames, fill, crop)
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


@every_fill
def test_the_middle_of_a_longer_clip_by_hand(fill: Any) -> None:
    """Of seven frames the middle three are 2, 3, 4; of six, an odd one goes from the end; of three, all."""
    view = View(3, fill, "centre")
    assert view.positions(torch.tensor([7, 6, 3])).tolist() == [[2, 3, 4], [1, 2, 3], [0, 1, 2]]
    assert torch.equal(View(7, fill, "centre").positions(torch.tensor([3])), View(7, fill).positions(torch.tensor([3])))


# ── resampling ──────────────────────────────────────────────────────────────────────────────────────────────────────


def resampled(clip: np.ndarray, view: Resample) -> np.ndarray:
    """(3, frames, v, m), frame by frame, in 64 bit."""
    n = len(clip)
    seen = min(max(int(np.floor(n * view.share + 1e-9)), view.least), n)
    begin = (n - seen) // 2
    part, found = clip[begin : begin + seen].astype(np.float64), []
    for k in range(view.frames):
        at = k * (seen - 1) / max(view.frames - 1, 1) if view.corners else (k + 0.5) * seen / view.frames - 0.5
        at = min(max(at, 0), seen - 1)
        low = int(at)
        high = min(low + 1, seen - 1)
        found.append(part[low] * (1 - (at - low)) + part[high] * (at - low))
    return np.stack(found, axis=1)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(("share", "least"), [(1.0, 1), (0.95, 1), (0.5, 1), (0.5, 4), (0.95, 64)])
@pytest.mark.parametrize("frames", [1, 3, 5, 12])
def test_resampling_equals_each_frame_blended_by_itself(frames: int, share: float, least: int, corners: bool) -> None:
    clips, view = some_clips(), Resample(frames, share, least, corners)
    expected = np.stack([resampled(clips[i], view) for i in (2, 0, 1, 3)]).astype(np.float32)
    assert_close(resident(view).clips(torch.tensor([2, 0, 1, 3])), torch.from_numpy(expected), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("frames", [3, 5, 64])
def test_resampling_a_whole_clip_equals_torchs_interpolate(frames: int, corners: bool) -> None:
    clips = some_clips()
    for i in range(len(clips)):
        flat = torch.from_numpy(clips[i].reshape(len(clips[i]), -1)).T[None]  # (1 3vm t)
        expected = torch.nn.functional.interpolate(flat, frames, mode="linear", align_corners=corners)
        found = resident(Resample(frames, corners=corners)).clips(torch.tensor([i]))  # (1 3 t v m)
        assert_close(found.transpose(1, 2).flatten(2)[0].T, expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("view", "length", "by_hand"),
    [
        (Resample(2), 4, [0.5, 2.5]),
        (Resample(4), 2, [0, 0.25, 0.75, 1]),
        (Resample(3, corners=True), 4, [0, 1.5, 3]),
        (Resample(3), 3, [0, 1, 2]),
        (Resample(2, share=0.5), 8, [2.5, 4.5]),  # the middle four of eight, 2 to 5
        (Resample(2, share=0.95), 20, [4.25, 13.75]),  # nineteen of twenty, the first ones
        (Resample(2, share=0.1, least=6), 8, [2, 5]),
        (Resample(2, share=0.1, least=6), 4, [0.5, 2.5]),  # it has but four
    ],
    ids=str,
)
def test_places_in_a_resampled_clip_by_hand(view: Resample, length: int, by_hand: list[float]) -> None:
    assert view.positions(torch.tensor([length])).tolist() == [by_hand]


def test_resampling_keeps_straight_motion_straight_and_a_still_pose_still() -> None:
    clips = some_clips()
    for i, (start, end) in enumerate(zip(clips.offsets[:-1], clips.offsets[1:], strict=True)):
        clips.frames[start:end, 0] = np.arange(end - start)[:, None, None] * 0.5
        clips.frames[start:end, 1] = i + 1
    found = resident(Resample(9, corners=True), clips).clips(torch.arange(4))
    steps = found[:, 0, 1:] - found[:, 0, :-1]
    expected = torch.tensor([(n - 1) * 0.5 / 8 for n in LENGTHS])
    assert_close(steps, expected[:, None, None, None].expand_as(steps))
    assert (found[:, 1] == torch.tensor([1.0, 2, 3, 4])[:, None, None, None]).all()


def test_an_absent_person_is_resampled_to_zeros_and_16_bit_to_32() -> None:
    clips = some_clips(np.float16)
    clips.frames[..., 1] = 0
    found = resident(Resample(6), clips).clips(torch.arange(4))
    assert found.dtype == torch.float32
    assert not found[..., 1].any()
    assert ((found[..., 0] >= 1) & (found[..., 0] <= 2)).all()


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    frames=st.integers(1, 80),
    share=st.floats(0.01, 1),
    least=st.integers(1, 100),
    corners=st.booleans(),
)
def test_resampling_goes_forward_and_stays_within_the_clip(
    lengths: list[int], frames: int, share: float, least: int, corners: bool
) -> None:
    place = Resample(frames, share, least, corners).positions(torch.tensor(lengths))
    assert (place >= 0).all()
    assert (place <= torch.tensor(lengths)[:, None] - 1).all()
    assert (place.diff(dim=1) >= 0).all()
    if not corners:
        flipped = torch.tensor(lengths)[:, None] - 1 - place.flip(1)
        assert ((place - flipped).abs() <= 1.001).all(), "as much is left at the start as at the end, but for one frame"


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


def test_another_view_shows_the_same_clips_in_the_same_memory_and_leaves_the_first() -> None:
    whole = resident(View(6, fill="loop"))
    middle = whole.through(Resample(4, share=0.5))
    index = torch.arange(len(whole.lengths))
    assert torch.equal(middle.clips(index), resident(Resample(4, share=0.5)).clips(index))
    assert torch.equal(whole.clips(index), resident(View(6, fill="loop")).clips(index))
    assert middle.frames.data_ptr() == whole.frames.data_ptr()


def test_labels_that_are_not_known_are_minus_1_and_the_first_keeps_its_own() -> None:
    whole = resident(View(6))
    part = whole.labelled(torch.tensor([3, 0]))
    assert part.labels.tolist() == [0, -1, -1, 1]
    assert whole.labels.tolist() == [0, 1, -1, 1]
    assert part.batch(torch.arange(4), torch.tensor([1, 3])).labels.tolist() == [-1, 1]
    assert part.frames.data_ptr() == whole.frames.data_ptr()
    assert whole.labelled(torch.tensor([], dtype=torch.long)).labels.tolist() == [-1] * 4


# ── whole clips ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("index", [[2, 0, 1, 3], [1, 0], [1], [3, 3]], ids=str)
@pytest.mark.parametrize("frames", [300, 5, 1])
def test_whole_clips_equal_each_by_itself_with_zeros_up_to_the_longest_of_the_batch(
    index: list[int], frames: int
) -> None:
    clips = some_clips()
    longest = min(max(LENGTHS[i] for i in index), frames)
    expected = np.stack([written_out(clips[i], View(longest)) for i in index])
    assert_close(resident(Whole(frames)).clips(torch.tensor(index)), torch.from_numpy(expected), rtol=0, atol=0)


def test_positions_in_whole_clips_by_hand() -> None:
    assert Whole().positions(torch.tensor([2, 3])).tolist() == [[0, 1, -1], [0, 1, 2]]
    assert Whole(2).positions(torch.tensor([1, 9])).tolist() == [[0, -1], [0, 1]]


def test_a_whole_clips_frames_and_length_do_not_depend_on_its_batch() -> None:
    data = resident(Whole())
    together, lengths = data.clips(torch.arange(4)), data.real(torch.arange(4))
    for i in range(4):
        alone = data.clips(torch.tensor([i]))[0]
        assert alone.shape[1] == lengths[i] == data.real(torch.tensor([i])) == LENGTHS[i]
        assert torch.equal(together[i, :, : lengths[i]], alone)
        assert not together[i, :, lengths[i] :].any()


@pytest.mark.parametrize(
    ("view", "by_hand"),
    [
        (Whole(), [4, 1, 7, 5]),
        (Whole(5), [4, 1, 5, 5]),
        (View(6), [4, 1, 6, 5]),
        (View(6, fill="loop"), [6, 6, 6, 6]),
        (View(6, fill="hold"), [6, 6, 6, 6]),
        (View(6, crop="centre"), [4, 1, 6, 5]),
        (Resample(6), [6, 6, 6, 6]),
    ],
    ids=str,
)
def test_a_batch_says_how_many_frames_of_each_clip_are_real(view: AnyView, by_hand: list[int]) -> None:
    """Repeated and blended frames are."""
    batch = resident(view).batch(torch.tensor([3, 2, 1, 0]), torch.tensor([3, 2, 1, 0]))
    assert batch.lengths is not None
    assert batch.lengths.tolist() == by_hand
    padding = torch.arange(batch.clips.shape[2]) >= batch.lengths[:, None]
    assert torch.equal(padding, ~batch.clips.any(4).any(3).any(1))


def test_a_view_of_no_frames_is_refused() -> None:
    with pytest.raises(SkelkitError, match="Whole: frames = 0 leaves nothing of a clip; give 1 or more"):
        Whole(0)
