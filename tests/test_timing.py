"""Frame rate, greatest length and sub-sequences: naive twins, values by hand, and what they must not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bodies import LENGTHS, blank, each, ragged

from skelkit.data.clips import Clips
from skelkit.data.steps.timing import AtMost, FrameRate, Subsequences
from skelkit.files import SkelkitError


def numbered(*lengths: int) -> Clips:
    """Clips whose x is 100 for each clip before and 1 for each frame before."""
    clips = ragged(lengths=lengths, absences=False)
    for i, length in enumerate(lengths):
        clips.frames[clips.offsets[i] : clips.offsets[i + 1]] = (100 * i + np.arange(length))[:, None, None, None]
    return clips


def numbers(clips: Clips) -> list[list[int]]:
    return [clip[:, 0, 0, 0].astype(int).tolist() for clip in each(clips)]


@pytest.mark.parametrize(("to", "of"), [(15, 30), (15, 120), (30, 30), (15, 25), (20, 30), (1, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_frame_rate_equals_picking_frames_one_by_one(to: int, of: int, dtype: Any) -> None:
    clips = ragged(dtype=dtype)
    found = FrameRate(to, of)(clips)
    for i, clip in enumerate(each(clips)):
        picked = []
        while len(picked) * of < len(clip) * to:
            picked.append(clip[len(picked) * of // to])
        np.testing.assert_array_equal(found[i], np.stack(picked))


def test_frame_rates_by_hand() -> None:
    """Half of them, a frame at least; and of 25 a second 15: three of five, the later of two that would be nearest."""
    assert numbers(FrameRate()(numbered(5, 1, 4))) == [[0, 2, 4], [100], [200, 202]]
    assert numbers(FrameRate(15, 25)(numbered(10))) == [[0, 1, 3, 5, 6, 8]]


def test_halving_twice_is_quartering_and_the_same_rate_is_nothing() -> None:
    clips = ragged()
    np.testing.assert_array_equal(FrameRate(30, 60)(FrameRate(60, 120)(clips)).frames, FrameRate(30, 120)(clips).frames)
    np.testing.assert_array_equal(FrameRate(30, 30)(clips).frames, clips.frames)


@pytest.mark.parametrize("by", ["even", "stride"])
@pytest.mark.parametrize("frames", [1, 4, 5, 13, 50])
def test_thinning_out_equals_picking_frames_one_by_one(by: Any, frames: int) -> None:
    clips = ragged()
    found = AtMost(frames, by)(clips)
    for i, clip in enumerate(each(clips)):
        if len(clip) <= frames:
            expected = clip
        elif by == "even":
            expected = np.stack([clip[k * len(clip) // frames] for k in range(frames)])
        else:
            expected = clip[:: len(clip) // frames][:frames]
        np.testing.assert_array_equal(found[i], expected)


def test_thinning_out_by_hand() -> None:
    clips = numbered(7, 3, 8)
    assert numbers(AtMost(4)(clips)) == [[0, 1, 3, 5], [100, 101, 102], [200, 202, 204, 206]]
    assert numbers(AtMost(4, "stride")(clips)) == [[0, 1, 2, 3], [100, 101, 102], [200, 202, 204, 206]]


def test_clips_that_are_short_enough_stay_and_thinning_again_changes_nothing() -> None:
    clips = ragged()
    np.testing.assert_array_equal(AtMost(13)(clips).frames, clips.frames)
    once = AtMost(4)(clips)
    np.testing.assert_array_equal(AtMost(4)(once).frames, once.frames)
    assert once.lengths.tolist() == [4, 1, 4, 4, 4]


def test_each_sub_sequence_is_a_piece_of_its_clip_with_its_label() -> None:
    lengths = (40, 3, 9, 100, 7)
    clips = numbered(*lengths)
    found = Subsequences()(clips)
    assert len(found) == 25 * len(clips)
    for k, piece in enumerate(numbers(found)):
        i = k // 25
        assert piece == list(range(piece[0], piece[0] + len(piece)))
        assert 100 * i <= piece[0]
        assert piece[-1] < 100 * i + lengths[i]
        assert min(7, lengths[i]) <= len(piece) <= min(35, lengths[i])
        assert found.labels[k] == clips.labels[i]
        assert found.table["name"][k] == f"clip {i}#{k % 25}"
    assert found.table["name"].is_unique
    assert found.table.columns.tolist() == clips.table.columns.tolist()


def test_lengths_and_starts_of_sub_sequences_are_drawn_evenly() -> None:
    """Of a clip of 40 frames: 29 lengths, on average 21; a piece of 7 frames may start at 34 places."""
    found = Subsequences(n=20_000)(numbered(40))
    lengths, starts = found.lengths, found.frames[found.offsets[:-1], 0, 0, 0]
    assert sorted(set(lengths.tolist())) == list(range(7, 36))
    assert np.bincount(lengths)[7:] == pytest.approx(np.full(29, 20_000 / 29), rel=0.2)
    short = starts[lengths == 7]
    assert set(short.tolist()) == set(range(34))
    assert short.mean() == pytest.approx(16.5, abs=1.5)


def test_the_same_seed_cuts_alike_and_another_differently() -> None:
    clips = numbered(*LENGTHS)
    one, again, other = (numbers(Subsequences(shortest=2, seed=seed)(clips)) for seed in (0, 0, 1))
    assert one == again
    assert one != other


def test_sub_sequences_by_hand() -> None:
    """All frames, where lengths leave no choice; a single frame a piece, where they are 1."""
    assert numbers(Subsequences(n=2, shortest=5, longest=9)(numbered(4, 5))) == [
        *([[0, 1, 2, 3]] * 2),
        *([[100, 101, 102, 103, 104]] * 2),
    ]
    assert {len(piece) for piece in numbers(Subsequences(n=9, shortest=1, longest=1)(numbered(4)))} == {1}


@pytest.mark.parametrize(
    "make",
    [
        lambda: FrameRate(30, 15),
        lambda: FrameRate(0, 15),
        lambda: AtMost(0),
        lambda: Subsequences(n=0),
        lambda: Subsequences(shortest=0),
        lambda: Subsequences(shortest=9, longest=8),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Any) -> None:
    with pytest.raises(SkelkitError, match=r"^(FrameRate|AtMost|Subsequences): .*;"):
        make()


def test_a_clip_of_one_frame_goes_through() -> None:
    for step in (FrameRate(), AtMost(), Subsequences(n=2)):
        assert set(step(blank()).lengths.tolist()) == {1}
