"""Splits, folds and label fractions: who trains and who is tested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skelkit.data.clips import Clips
from skelkit.data.protocols import (
    NTU60_TRAIN_SUBJECTS,
    NTU120_TRAIN_SUBJECTS,
    at_most,
    drawn_of_each_class,
    first_of_each_class,
    label_fraction,
    leaked,
    split,
)
from skelkit.data.skeleton import SBU
from skelkit.files import SkelkitError


def some_clips(n: int = 12, name: str = "mine", **columns: Any) -> Clips:
    """n clips of two frames each, no two alike."""
    frames = np.random.default_rng(0).normal(size=(2 * n, 3, 15, 1)).astype(np.float32)
    return Clips.from_arrays(
        frames, np.arange(0, 2 * n + 1, 2), skeleton=SBU, classes=["a", "b"], name=name, columns=columns
    )


def refusal(clips: Clips, name: str, fold: int | None = None) -> str:
    with pytest.raises(SkelkitError) as caught:
        split(clips, name, fold)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- splits


def test_cross_subject_trains_on_odd_subjects() -> None:
    found = split(some_clips(6, subject=[1, 2, 3, 3, 4, 1]), "xsub")
    assert found.train.tolist() == [0, 2, 3, 5]
    assert found.test.tolist() == [1, 4]


def test_cross_subject_of_ntu_trains_on_the_published_subjects() -> None:
    subjects = np.arange(1, 107)
    for name, train, most in (("ntu60", NTU60_TRAIN_SUBJECTS, 40), ("ntu120", NTU120_TRAIN_SUBJECTS, 106)):
        people = subjects[:most]
        found = split(some_clips(most, name, subject=people), "xsub")
        assert tuple(people[found.train]) == train
    assert (len(NTU60_TRAIN_SUBJECTS), len(NTU120_TRAIN_SUBJECTS)) == (20, 53)
    assert set(NTU60_TRAIN_SUBJECTS) <= set(NTU120_TRAIN_SUBJECTS)


def test_cross_view_tests_camera_1_of_ntu_and_else_the_last() -> None:
    cameras = [1, 2, 3, 1, 2, 3]
    assert split(some_clips(6, "ntu60", camera=cameras), "xview").test.tolist() == [0, 3]
    assert split(some_clips(6, camera=cameras), "xview").test.tolist() == [2, 5]
    assert split(some_clips(6, camera=cameras), "xview-v2").test.tolist() == [1, 4]
    assert split(some_clips(6, camera=cameras), "xview-v2").train.tolist() == [0, 2, 3, 5]


def test_cross_view_of_named_cameras_leaves_the_others_out() -> None:
    found = split(some_clips(8, camera=[1, 2, 3, 4] * 2), "v1v3-v4")
    assert found.train.tolist() == [0, 2, 4, 6]
    assert found.test.tolist() == [3, 7]


def test_cross_setup_trains_on_even_setups() -> None:
    found = split(some_clips(6, setup=[1, 2, 3, 4, 31, 32]), "xset")
    assert found.train.tolist() == [1, 3, 5]
    assert found.test.tolist() == [0, 2, 4]


def test_each_fold_is_tested_once_and_the_rest_trains() -> None:
    clips = some_clips(10, fold=[0, 1, 2, 3, 4] * 2)
    tested = []
    for fold in range(5):
        found = split(clips, "folds", fold)
        assert sorted([*found.train, *found.test]) == list(range(10))
        tested += found.test.tolist()
    assert sorted(tested) == list(range(10))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=4, max_size=12), st.sampled_from(["xsub", "xview", "xset"]))
def test_no_clip_trains_and_is_tested_and_none_is_lost(numbers: list[int], name: str) -> None:
    clips = some_clips(len(numbers), subject=numbers, camera=numbers, setup=numbers)
    if len({number % 2 for number in numbers}) == 1:
        return  # one side is empty, which is refused
    found = split(clips, name)
    assert sorted([*found.train, *found.test]) == list(range(len(numbers)))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("xsubject", "unknown split 'xsubject'"),
        ("xview-v3-leakfreee", "unknown split"),
        ("xview-leakfree-v3", "unknown split"),
        ("v1vx-v3", "unknown split"),
        ("v-v3", "unknown split"),
        ("xview-v9", "leaves no test clip"),
        ("v7v8-v3", "leaves no training clip"),
        ("v3-v3", "leaves no training clip"),
        ("xset", "needs the column setup"),
        ("folds", "needs the column fold"),
    ],
)
def test_a_split_that_does_not_apply_is_refused_by_name(name: str, fault: str) -> None:
    assert fault in refusal(some_clips(6, camera=[1, 2, 3] * 2, subject=[1, 2, 1, 2, 1, 2]), name)


def test_a_fold_that_is_not_there_is_refused() -> None:
    clips = some_clips(4, fold=[0, 1, 0, 1])
    assert "no fold 2; its folds are [0, 1]" in refusal(clips, "folds", 2)
    assert "no fold None" in refusal(clips, "folds")


def test_drawn_folds_are_tested_once_each_spread_every_class_and_need_no_column() -> None:
    labels = [0] * 23 + [1] * 17
    clips = some_clips(40, label=labels)
    tested = []
    for fold in range(10):
        found = split(clips, "10-fold", fold)
        assert sorted([*found.train, *found.test]) == list(range(40))
        assert len(found.test) == 4
        assert np.bincount(clips.labels[found.test]).tolist() in ([2, 2], [3, 1])
        tested += found.test.tolist()
    assert sorted(tested) == list(range(40))
    assert np.array_equal(split(clips, "10-fold", 3).test, split(some_clips(40, label=labels), "10-fold", 3).test)
    assert len(split(clips, "4-fold", 0).test) == 10


@pytest.mark.parametrize("fold", [None, -1, 10])
def test_a_drawn_fold_that_is_not_there_is_refused(fold: int | None) -> None:
    assert f"no fold {fold}; the folds of '10-fold' are 0 to 9" in refusal(some_clips(40), "10-fold", fold)


def test_hdm05_s_eleven_classes_are_tested_on_two_actors_and_on_ten_folds(real_data: Callable[[str], Clips]) -> None:
    clips = real_data("hdm05_11")
    across = split(clips, "xsub")
    assert (len(across.train), len(across.test)) == (189, 99)
    actors = clips.column("subject")
    assert (set(actors[across.train].tolist()), set(actors[across.test].tolist())) == ({1, 2, 3}, {4, 5})
    assert len(set(clips.labels[across.test].tolist())) == 11
    sizes = [len(split(clips, "10-fold", fold).test) for fold in range(10)]
    assert sorted(sizes) == [28] * 2 + [29] * 8


# ---- leaks


def with_leaks() -> Clips:
    """Cameras 1, 2, 3 of four performances; of performance 1 the files of cameras 2 and 3 are one, of 2 those of 1
    and 2 (both train: no leak), and clip 9 differs from clip 11 in one bit of one number."""
    clips = some_clips(12, camera=[1, 2, 3] * 4)
    frames = clips.frames.reshape(12, 2, 3, 15, 1)
    frames[5] = frames[4]
    frames[7] = frames[6]
    frames[11] = frames[9]
    frames[11, 0, 0, 0, 0] = np.nextafter(frames[9, 0, 0, 0, 0], np.float32(9))
    return clips


def test_leak_free_drops_exactly_the_training_clips_that_equal_a_test_clip() -> None:
    clips = with_leaks()
    plain, clean = split(clips, "xview-v3"), split(clips, "xview-v3-leakfree")
    assert sorted({*plain.train} - {*clean.train}) == [4]
    assert {*clean.train} < {*plain.train}
    assert np.array_equal(clean.test, plain.test)


def test_leaked_equals_a_comparison_of_every_pair() -> None:
    clips = with_leaks()
    test = clips.column("camera") == 3
    expected = [
        not test[i] and any(np.array_equal(clips[i], clips[j]) for j in np.flatnonzero(test)) for i in range(len(clips))
    ]
    assert leaked(clips, ~test, test).tolist() == expected


def test_nw_ucla_has_1020_training_clips_and_925_without_the_leak(real_data: Callable[[str], Clips]) -> None:
    clips = real_data("nw_ucla")
    plain, clean = split(clips, "xview-v3"), split(clips, "xview-v3-leakfree")
    assert (len(plain.train), len(plain.test)) == (1020, 464)
    assert (len(clean.train), len(clean.test)) == (925, 464)
    names = clips.table["name"].to_numpy()
    tested = {name for name in names[plain.test] if name.startswith(("a02", "a03"))}
    gone = {names[i].replace("v02", "v03") for i in {*plain.train} - {*clean.train}}
    assert gone == tested, "view 2 of the classes 2 and 3"
    rest = {clips[i].tobytes() for i in clean.train}
    assert not any(clips[i].tobytes() in rest for i in clean.test)


def test_sbus_folds_have_their_official_sizes(sbu_data: Clips) -> None:
    sizes = [len(split(sbu_data, "folds", fold).test) for fold in range(5)]
    assert sizes == [55, 52, 56, 54, 65]
    assert [len(split(sbu_data, "folds", fold).train) for fold in range(5)] == [282 - size for size in sizes]


# ---- label fractions

some_labels = st.lists(st.integers(-1, 4), min_size=1, max_size=80).filter(lambda labels: max(labels) >= 0)


@settings(max_examples=50, deadline=None)
@given(some_labels, st.floats(0.001, 1), st.integers(0, 5))
def test_a_label_fraction_is_balanced_and_has_each_class_at_least_once(
    labels: list[int], fraction: float, seed: int
) -> None:
    given_labels = np.array(labels)
    index = label_fraction(given_labels, fraction, seed)
    assert len(set(index.tolist())) == len(index)
    for label in range(5):
        members = int((given_labels == label).sum())
        if members:
            assert int((given_labels[index] == label).sum()) == max(1, round(fraction * members))
    assert (given_labels[index] >= 0).all(), "an unlabelled clip has no label to give"


@settings(max_examples=50, deadline=None)
@given(some_labels, st.lists(st.floats(0.001, 1), min_size=2, max_size=2), st.integers(0, 5))
def test_label_fractions_of_one_seed_are_nested(labels: list[int], fractions: list[float], seed: int) -> None:
    small, large = (set(label_fraction(np.array(labels), f, seed).tolist()) for f in sorted(fractions))
    assert small <= large


def test_a_label_fraction_by_hand() -> None:
    """Of 10 and 30 clips, a tenth is 1 and 3; of everything, everything that has a label."""
    labels = np.array([0] * 10 + [1] * 30 + [-1] * 5)
    assert np.bincount(labels[label_fraction(labels, 0.1, 0)]).tolist() == [1, 3]
    assert label_fraction(labels, 1.0, 0).tolist() == list(range(40))


def test_the_seed_and_nothing_else_decides_the_fraction() -> None:
    labels = np.arange(200) % 4
    np.random.seed(0)
    first = label_fraction(labels, 0.1, 1)
    np.random.seed(1)
    assert np.array_equal(first, label_fraction(labels, 0.1, 1))
    assert not np.array_equal(first, label_fraction(labels, 0.1, 2))


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan")])
def test_a_share_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(SkelkitError, match="is not in"):
        label_fraction(np.array([0, 1]), fraction, 0)


def test_a_share_of_no_labels_is_refused() -> None:
    with pytest.raises(SkelkitError, match="no clip has a label"):
        label_fraction(np.array([-1, -1]), 0.1, 0)


def test_the_first_of_each_class_by_hand_are_in_file_order() -> None:
    labels = np.array([1, 0, 1, -1, 1, 0, 0])
    assert first_of_each_class(labels, 2).tolist() == [0, 1, 2, 5]
    assert first_of_each_class(labels, 9).tolist() == [0, 1, 2, 4, 5, 6]


@settings(max_examples=50, deadline=None)
@given(some_labels, st.integers(1, 6), st.integers(0, 5))
def test_so_many_drawn_of_each_class_are_of_each_class_so_many_or_all(labels: list[int], n: int, seed: int) -> None:
    given_labels = np.array(labels)
    index = drawn_of_each_class(given_labels, n, seed)
    assert index.tolist() == sorted(set(index.tolist()))
    for label in range(5):
        assert int((given_labels[index] == label).sum()) == min(n, int((given_labels == label).sum()))
    assert (given_labels[index] >= 0).all()
    assert set(index.tolist()) <= set(drawn_of_each_class(given_labels, n + 1, seed).tolist())


def test_clips_drawn_of_each_class_are_not_the_first_and_another_seed_draws_others() -> None:
    labels = np.arange(100) % 2
    one, other = drawn_of_each_class(labels, 5, 0), drawn_of_each_class(labels, 5, 1)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, first_of_each_class(labels, 5))
    assert np.array_equal(one, drawn_of_each_class(labels, 5, 0))


@pytest.mark.parametrize(("labels", "n"), [([0, 1], 0), ([-1, -1], 2)])
def test_no_label_drawn_is_refused(labels: list[int], n: int) -> None:
    with pytest.raises(SkelkitError, match="are none; give more"):
        drawn_of_each_class(np.array(labels), n, 0)


def test_thinned_clips_keep_two_cameras_of_a_performance_and_every_class() -> None:
    performance = np.repeat(np.arange(12), 3)
    clips = some_clips(36, action=performance, label=performance % 2)
    kept = at_most(clips, np.arange(36), 8)
    assert np.bincount(performance[kept]).tolist().count(2) == len(kept) // 2 == 4
    assert sorted(clips.labels[kept]) == [0] * 4 + [1] * 4


def test_thinned_clips_that_nobody_else_filmed_are_as_many_as_asked_for() -> None:
    clips = some_clips(36, action=np.full(36, -1), label=np.arange(36) // 18)
    kept = at_most(clips, np.arange(36), 12)
    assert len(kept) == 12
    assert clips.labels[kept].tolist() == [0] * 6 + [1] * 6
    assert at_most(clips, np.arange(36), None).tolist() == at_most(clips, np.arange(36), 36).tolist() == list(range(36))
