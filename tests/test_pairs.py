"""Pairs of two cameras: lengths and synchrony, on clips whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from skelkit.data import pairs
from skelkit.data.clips import Clips
from skelkit.data.datasets import synthetic
from skelkit.data.skeleton import SBU

RNG = np.random.default_rng(0)


def clips_of(motions: list[np.ndarray], cameras: list[int], actions: list[int], label: int = 0) -> Clips:
    """Clips (t, 3, 15, 1) of one subject and class."""
    n = len(motions)
    columns = {"label": [label] * n, "subject": [1] * n, "camera": cameras, "action": actions}
    offsets = np.concatenate([[0], np.cumsum([len(m) for m in motions])])
    frames = np.concatenate(motions).astype(np.float32)
    return Clips.from_arrays(frames, offsets, skeleton=SBU, classes=("a",), name="pairs", columns=columns)


def motion(frames: int) -> np.ndarray:
    """(t, 3, 15, 1): bursts of movement, each joint's own."""
    pace = np.abs(RNG.normal(size=(frames, 1, 15, 1))).repeat(3, 0)[:frames]
    return np.asarray((pace * RNG.normal(size=(frames, 3, 15, 1))).cumsum(0))


def seen_elsewhere(clip: np.ndarray) -> np.ndarray:
    """The same movement before a camera that stands and looks somewhere else."""
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    return np.einsum("cd,tdvm->tcvm", turn, clip) + RNG.normal(size=(1, 3, 1, 1))


def test_speeds_equal_the_written_out_ones() -> None:
    clip = RNG.normal(size=(5, 3, 2, 2)).astype(np.float32)
    found = pairs.speeds(clip)
    for t in range(4):
        for v in range(2):
            steps = [
                sum((float(clip[t + 1, c, v, m]) - float(clip[t, c, v, m])) ** 2 for c in range(3)) for m in (0, 1)
            ]
            assert found[t, v] == pytest.approx(np.log(steps[0] ** 0.5 + steps[1] ** 0.5 + 0.01))


def test_speeds_are_the_same_from_wherever_a_camera_looks() -> None:
    clip = motion(20)
    np.testing.assert_allclose(pairs.speeds(seen_elsewhere(clip)), pairs.speeds(clip))


def test_correlation_of_values_by_hand() -> None:
    a, b = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0], [1.0]])
    assert pairs.correlation(a, b) == pytest.approx(0.5)  # 1 / sqrt(2 * 2)
    assert pairs.correlation(a, 7 - 3 * a) == pytest.approx(-1)
    assert pairs.correlation(a, np.ones((3, 1))) == 0


def test_stretching_forgives_another_pace_and_shifting_another_cut() -> None:
    curve = pairs.speeds(motion(40))
    slower = np.repeat(curve, 2, axis=0)
    assert pairs.stretched(curve, slower) > 0.9
    assert pairs.shifted(curve, curve[7:31]) == pytest.approx(24**0.5)  # r = 1 over the 24 moments they share
    assert pairs.shifted(curve[7:31], curve) == pytest.approx(24**0.5)


def test_a_shift_leaves_half_of_the_shorter_curve() -> None:
    a = np.array([[0.0], [0.0], [0.0], [0.0], [1.0]])
    b = np.array([[1.0], [0.0], [0.0], [0.0], [0.0]])
    written_out = [(a[i : i + n], b[j : j + n]) for i, j, n in ((2, 0, 3), (1, 0, 4), (0, 0, 5), (0, 1, 4), (0, 2, 3))]
    assert pairs.shifted(a, b) == pytest.approx(max(pairs.correlation(x, y) * len(x) ** 0.5 for x, y in written_out))


def test_a_partner_that_shows_the_same_movement_is_found_and_a_wrong_one_is_not() -> None:
    first = [motion(30) for _ in range(4)]
    second = [seen_elsewhere(x) for x in first]
    cameras, actions = [1] * 4 + [2] * 4, [0, 1, 2, 3]
    right = pairs.check(clips_of(first + second, cameras, actions * 2))
    assert right["stretched"].tolist() == right["shifted"].tolist() == [1] * 4
    assert right["candidates"].tolist() == [4] * 4
    wrong = pairs.check(clips_of(first + second, cameras, [*actions, 1, 2, 3, 0]))
    assert wrong["stretched"].tolist() == wrong["shifted"].tolist() == [0] * 4


def test_candidates_that_are_all_equal_share_the_hit() -> None:
    same = motion(30)
    found = pairs.check(clips_of([same] * 3, [1, 2, 2], [0, 0, 1]))
    assert found[["stretched", "shifted"]].to_numpy().tolist() == [[0.5, 0.5]]


def test_clips_that_are_alone_nameless_or_too_short_are_not_asked() -> None:
    motions = [motion(n) for n in (30, 30, 30, 30, 8, 30)]
    found = pairs.check(clips_of(motions, [1, 2, 1, 2, 1, 2], [0, 1, -1, -1, 2, 2]))
    assert found.columns.tolist() == list(pairs.COLUMNS)
    assert len(found) == 0


def test_the_summary_of_values_by_hand() -> None:
    clips = clips_of([motion(n) for n in (20, 20, 20, 10)], [1, 2, 1, 2], [0, 0, 1, 1])
    found = pairs.check(clips).assign(stretched=[1.0, 0.0], shifted=[1.0, 1.0])
    said = pairs.summary(found)
    assert said["pairs"] == said["asked"] == 2
    assert said["equal length"] == said["chance"] == said["stretched"] == 50
    assert said["median difference"] == pytest.approx(25)
    assert said["± stretched"] == pytest.approx(1.96 * (50 * 50 / 2) ** 0.5)
    assert (said["shifted"], said["± shifted"]) == (100, 0)


def test_a_pair_without_rivals_tells_nothing_of_synchrony() -> None:
    said = pairs.summary(pairs.check(clips_of([motion(20), motion(20)], [1, 2], [0, 0])))
    assert (said["pairs"], said["asked"]) == (1, 0)
    assert np.isnan(said["stretched"])


def test_cutting_anew_keeps_the_middle_of_every_clip() -> None:
    clips = clips_of([motion(40) for _ in range(20)], [1] * 20, [-1] * 20)
    cut = pairs.cut_anew(clips, 0.25, np.random.default_rng(1))
    assert len(set(cut.lengths.tolist())) > 1
    assert ((cut.lengths >= 20) & (cut.lengths <= 40)).all()
    for i in range(20):
        assert any(np.array_equal(cut[i], clips[i][a : a + cut.lengths[i]]) for a in range(10))
    np.testing.assert_array_equal(pairs.cut_anew(clips, 0.0, np.random.default_rng(1)).frames, clips.frames)


def test_simultaneous_cameras_are_told_from_chance_even_when_cut_anew() -> None:
    clips = synthetic.generate(subjects=1, replicates=3)
    clips = clips.subset(clips.labels < 6)
    whole = pairs.summary(pairs.check(clips))
    assert (whole["pairs"], whole["equal length"], whole["chance"]) == (18, 100, pytest.approx(100 / 3))
    assert whole["stretched"] > 80
    cut = pairs.summary(pairs.check(pairs.cut_anew(clips, 0.25, np.random.default_rng(0))))
    assert cut["equal length"] < 50
    assert cut["shifted"] > 60


def test_the_share_of_simultaneous_pairs_by_hand() -> None:
    """Of the control 60 of 100 are found and 20 by chance; half of what it has above chance is half of the pairs."""
    control = {"shifted": 60.0, "chance": 20.0, "± shifted": 0.0}
    for found, share in ((60.0, 100), (40.0, 50), (20.0, 0)):
        assert pairs.simultaneous({"shifted": found, "chance": 20.0, "± shifted": 4.0}, control) == (share, 10)
    unsure = control | {"± shifted": 4.0}
    assert pairs.simultaneous(control, unsure) == (100, pytest.approx(10))  # in its turn the control's own interval


def found_in(stretched: float, shifted: float) -> dict[str, float]:
    known = {"pairs": 40.0, "equal length": 10.0, "median difference": 12.0, "asked": 40.0, "chance": 20.0}
    return known | {"stretched": stretched, "± stretched": 5.0, "shifted": shifted, "± shifted": 5.0}


def test_findings_call_pairs_doubtful_only_where_less_than_all_can_be_simultaneous() -> None:
    control = found_in(60.0, 60.0)
    doubtful, guessed, alike = (pairs.findings(found_in(s, s), control, control) for s in (30.0, 22.0, 60.0))
    assert "doubtful" in doubtful[3]
    assert "doubtful" in guessed[3]
    assert "does not rule out" in alike[3]
    unsure = control | {"± shifted": 39.0}  # then nothing can be told from it
    assert "cannot tell" in pairs.findings(found_in(22.0, 24.0) | {"± shifted": 39.0}, unsure, unsure)[3]


def test_findings_say_above_chance_only_where_the_interval_leaves_it() -> None:
    said = pairs.findings(found_in(26.0, 24.0), found_in(60.0, 60.0), found_in(60.0, 60.0))
    assert "26 ± 5 %, above chance (20 %)" in said[1]
    assert "24 ± 5 %, not above chance" in said[2]
    assert "(of the control, before it is cut, 10 %)" in said[0]
