"""The embedded data set: what is claimed of its people, cameras, noise and metadata."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skelkit.data.clips import Clips
from skelkit.data.datasets import synthetic
from skelkit.data.datasets.synthetic_actions import ACTIONS
from skelkit.data.protocols import split
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError

TWO_PERSONS = [label for label, action in enumerate(ACTIONS.values()) if action.partner]


@pytest.fixture(scope="module")
def measured() -> Clips:
    return synthetic.generate(subjects=10)


@pytest.fixture(scope="module")
def exact() -> Clips:
    return synthetic.generate(subjects=10, noise=False)


def _bones(clip: np.ndarray, person: int) -> np.ndarray:
    """(t, bones) lengths."""
    child, parent = np.array(KINECT_V2.bones).T
    return np.linalg.norm(clip[:, :, child, person] - clip[:, :, parent, person], axis=1)


def _people(clips: Clips, i: int) -> range:
    return range(2 if clips.labels[i] in TWO_PERSONS else 1)


def test_two_generations_are_equal_bit_for_bit() -> None:
    first, second = (synthetic.generate(seed=3, subjects=2) for _ in range(2))
    assert first.frames.dtype == np.float32
    assert first.frames.tobytes() == second.frames.tobytes()
    assert first.table.equals(second.table)


def test_other_seeds_make_other_clips() -> None:
    first, second = (synthetic.generate(seed=seed, subjects=1) for seed in (0, 1))
    assert first.frames.shape != second.frames.shape or not np.array_equal(first.frames, second.frames)


REFERENCE: dict[str, list[float]] = {
    "S001C001P001R001A001": [43, 0.026064, 0.682483, 3.391633, -0.087928, 0.449112, 3.151118, 0.0, 0.0, 0.0],
    "S002C002P004R001A009": [55, 0.279867, 0.587273, 2.855999, 0.607199, -0.014603, 2.945553, 0.0, 0.0, 0.0],
    "S003C003P005R001A015": [
        60,
        0.789077,
        0.837063,
        3.860722,
        0.705973,
        -0.175562,
        3.531342,
        -0.406195,
        -0.300766,
        3.235555,
    ],
}
"""Clip: frames; first head, last right hand, and in frame 20 the second person's left hand (zeros: absent)."""


def test_stored_numbers_are_met_to_five_decimals(measured: Clips) -> None:
    for name, expected in REFERENCE.items():
        clip = measured[measured.table["name"].tolist().index(name)]
        assert len(clip) == expected[0]
        seen = [*clip[0, :, 3, 0], *clip[-1, :, 11, 0], *clip[20, :, 7, 1]]
        np.testing.assert_allclose(seen, expected[1:], atol=1e-5)


def test_a_clip_does_not_depend_on_how_many_others_are_made(measured: Clips) -> None:
    for fewer in (synthetic.generate(subjects=3), synthetic.generate(subjects=2, replicates=2)):
        names = measured.table["name"].tolist()
        shared = [i for i, name in enumerate(fewer.table["name"]) if name in names]
        assert len(shared) >= 2 * 3 * len(ACTIONS)
        for i in shared:
            same = measured[names.index(fewer.table["name"][i])]
            np.testing.assert_allclose(fewer[i], same, atol=1e-6)


def test_bones_keep_their_length_until_a_camera_measures_them(exact: Clips, measured: Clips) -> None:
    for i in range(0, len(exact), 5):
        for person in _people(exact, i):
            bones = _bones(exact[i], person)
            np.testing.assert_allclose(bones, np.broadcast_to(bones[0], bones.shape), atol=1e-5)
            assert _bones(measured[i], person).std(0).max() > 0.005


def test_subjects_differ_in_bone_lengths_tempo_posture_and_handedness() -> None:
    people = [synthetic.subject(0, number) for number in range(1, 41)]
    assert np.std([p.offsets[KINECT_V2.joints.index("left_knee"), 1] for p in people]) > 0.01
    assert np.std([p.tempo for p in people]) > 0.05
    assert np.std([p.posture for p in people], axis=0).max() > 5
    assert np.std([p.manner for p in people], axis=0).min() > 0.05
    assert 2 <= sum(p.left_handed for p in people) <= 12


def test_the_two_sides_of_a_body_are_equally_long(exact: Clips) -> None:
    joints = [child for child, _ in KINECT_V2.bones]
    mirrored = [joints.index(KINECT_V2.mirrored()[child]) if child else 0 for child in joints]
    bones = _bones(exact[0], 0)
    np.testing.assert_allclose(bones, bones[:, mirrored], atol=1e-5)


@pytest.mark.parametrize("name", ["throw", "handshake"])
def test_a_left_handed_performance_is_the_mirror_image(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "HEADING", 0)  # the heading is no part of the image
    right, partner = replace(synthetic.subject(0, 1), left_handed=False), synthetic.subject(0, 1, partner=True)
    left = replace(right, left_handed=True)
    one, other = (synthetic.perform(ACTIONS[name], p, partner, np.random.default_rng(0)) for p in (right, left))
    middle = KINECT_V2.centre
    one, other = (x - x[:, :1, middle : middle + 1] for x in (one, other))
    mirror = [1, 1, -1] if ACTIONS[name].partner else [-1, 1, 1]  # two actors stand across, one faces the camera
    np.testing.assert_allclose(one[:, :, KINECT_V2.mirrored()] * mirror, other, atol=1e-9)
    assert np.abs(one - other).max() > 0.1


def test_actors_stand_on_the_ground_and_have_left_and_right_as_a_kinect_sees_them() -> None:
    actor, partner = replace(synthetic.subject(0, 2), left_handed=False), synthetic.subject(0, 2, partner=True)
    scene = synthetic.perform(ACTIONS["wave"], actor, partner, np.random.default_rng(1))
    feet = [KINECT_V2.joints.index(f"{side}_foot") for side in ("left", "right")]
    np.testing.assert_allclose(scene[:, 0, feet, 1].min(1), 0, atol=1e-9)
    hands = scene[:, 0, [KINECT_V2.joints.index(f"{side}_hand") for side in ("left", "right")], 1]
    assert hands[:, 1].max() > hands[:, 0].max() + 0.3  # the right hand waves
    clips = synthetic.generate(subjects=10, noise=False)
    left, right = (KINECT_V2.joints.index(f"{side}_shoulder") for side in ("left", "right"))
    front = [i for i in range(len(clips)) if clips.column("camera")[i] == 1 and clips.labels[i] not in TWO_PERSONS]
    assert np.mean([(clips[i][0, 0, right, 0] > clips[i][0, 0, left, 0]) for i in front]) > 0.9


def test_three_cameras_film_one_performance_a_turn_of_45_degrees_apart(exact: Clips) -> None:
    action, camera = exact.column("action"), exact.column("camera")
    for performance in np.unique(action)[::7]:
        clips = {int(camera[i]): exact[i].astype(float) for i in np.flatnonzero(action == performance)}
        assert sorted(clips) == [1, 2, 3]
        assert len({len(clip) for clip in clips.values()}) == 1
        points = {c: (x - x[:1, :, 1:2, :1])[..., 0].transpose(0, 2, 1).reshape(-1, 3) for c, x in clips.items()}
        for other in (2, 3):
            u, _, v = np.linalg.svd(points[1].T @ points[other])
            turn = u @ v
            np.testing.assert_allclose(points[1] @ turn, points[other], atol=1e-5)
            assert np.linalg.det(turn) == pytest.approx(1)
            assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(45, abs=1e-2)


def test_setups_stand_at_different_distances_and_heights() -> None:
    floor = [synthetic.seen_from(1, setup, np.zeros((1, 1, 25, 3)))[0, 0, 0] for setup in range(1, 5)]
    depths = np.linalg.norm(floor, axis=1)
    assert np.diff(np.sort(depths)).min() > 0.1
    # where the actors' middle is, each camera looks
    middle = [synthetic.seen_from(1, setup, np.full((1, 1, 25, 3), [0.0, 1.0, 0.0]))[0, 0, 0] for setup in range(1, 5)]
    np.testing.assert_allclose(np.array(middle)[:, :2], 0, atol=1e-9)


def _standing(depth: float) -> np.ndarray:
    """Someone who stands still for 200 frames, arms down, `depth` metres in front of a camera."""
    offsets = synthetic.subject(0, 1).offsets
    body = synthetic.kinematics(np.zeros((200, 25, 3)), offsets) * [-1, 1, -1]
    return (body + np.array([0, 0, depth]))[:, None]


def test_noise_grows_with_depth_and_towards_the_hands_and_is_correlated_in_time() -> None:
    errors = []
    for depth in (2.0, 4.0):
        still = _standing(depth)
        errors.append((synthetic.measure(still, np.random.default_rng(0)) - still)[:, 0])
    size = [e.std(axis=(0, 2)) for e in errors]
    assert size[1].mean() > 1.4 * size[0].mean()
    hand, middle = KINECT_V2.joints.index("left_hand"), KINECT_V2.centre
    assert size[0][hand] > 1.5 * size[0][middle]
    x = errors[0][:, middle]
    assert 0.3 < (x[1:] * x[:-1]).mean() / (x * x).mean() < 0.9


def test_a_joint_behind_the_trunk_is_measured_worse_and_sticks() -> None:
    scene = _standing(3.0)
    hand = KINECT_V2.joints.index("right_hand")
    in_front, behind = scene.copy(), scene.copy()
    spine = scene[:, 0, KINECT_V2.centre]
    sweep = np.linspace(-0.1, 0.1, len(scene))[:, None] * [0, 1, 0]
    in_front[:, 0, hand] = spine + sweep + [0, 0, -0.3]
    behind[:, 0, hand] = spine + sweep + [0, 0, 0.3]
    assert synthetic._hidden(in_front)[:, 0, hand].max() < 0.1
    assert synthetic._hidden(behind)[:, 0, hand].min() > 0.9
    error = [np.abs(synthetic.measure(x, np.random.default_rng(0)) - x)[:, 0, hand].mean() for x in (in_front, behind)]
    assert error[1] > 1.5 * error[0]


def test_two_person_actions_have_two_persons_and_the_others_one(measured: Clips) -> None:
    assert len(ACTIONS) - len(TWO_PERSONS) >= 12
    assert len(TWO_PERSONS) >= 3
    for i in range(len(measured)):
        assert bool(measured[i][..., 0].any(axis=(1, 2)).all())
        assert bool(measured[i][..., 1].any()) == (measured.labels[i] in TWO_PERSONS)


def test_two_persons_face_each_other(exact: Clips) -> None:
    shoulders = [KINECT_V2.joints.index(f"{side}_shoulder") for side in ("left", "right")]
    for i in np.flatnonzero(np.isin(exact.labels, TWO_PERSONS))[::3]:
        first = exact[i][0]  # (3, v, m)
        across = first[:, shoulders[0]] - first[:, shoulders[1]]  # (3, m), towards the left
        forward = np.cross(across.T, [0, 1, 0])  # left x up = forward
        towards = first[:, KINECT_V2.centre, 1] - first[:, KINECT_V2.centre, 0]
        assert forward[0] @ towards > 0 > forward[1] @ towards


def test_metadata_name_and_clip_agree(measured: Clips) -> None:
    table = measured.table
    assert table["name"].is_unique
    row = "S{setup:03d}C{camera:03d}P{subject:03d}R{replicate:03d}A{class_:03d}"
    for record in table.to_dict("records"):
        assert record["name"] == row.format(class_=record["label"] + 1, **record)
    assert set(table["camera"]) == {1, 2, 3}
    assert set(table["fold"]) == set(range(synthetic.FOLDS))
    assert (table.groupby("subject")["fold"].nunique() == 1).all()
    assert (table.groupby("action")[["label", "subject", "setup", "replicate"]].nunique() == 1).all(axis=None)
    assert (table.groupby("action")["camera"].nunique() == 3).all()
    assert measured.classes == tuple(ACTIONS)
    assert synthetic.SHORTEST <= measured.lengths.min() < measured.lengths.max() <= synthetic.LONGEST


@pytest.mark.parametrize(("name", "fold"), [("xsub", None), ("xview", None), ("xset", None), ("folds", 4)])
def test_every_split_trains_and_tests_on_every_class(measured: Clips, name: str, fold: int | None) -> None:
    parts = split(measured, name, fold)
    for index in (parts.train, parts.test):
        assert set(measured.labels[index]) == set(range(len(ACTIONS)))


def test_subjects_are_in_setups_independently_of_the_cross_subject_split() -> None:
    clips = synthetic.generate(subjects=8, noise=False)
    parts = split(clips, "xsub")
    for index in (parts.train, parts.test):
        assert set(clips.column("setup")[index]) == {1, 2, 3, 4}


@pytest.mark.usefixtures("one_thread")
def test_a_trained_encoder_has_better_neighbours_than_a_random_one_and_is_not_perfect() -> None:
    """Cross-subject 1-NN on the mean features of a small supervised LSTM: eight classes, every second frame.

    The mean of three seeds: random 50 %, trained 67 %, each seed between 48 and 52, 65 and 68.
    """
    names = ("phone call", "wave", "throw", "clap", "sit down", "stand up", "kick", "walk in place")
    clips = synthetic.generate(subjects=20)
    clips = clips.subset(np.flatnonzero(np.isin(clips.labels, [clips.classes.index(name) for name in names])))
    x = torch.from_numpy(np.stack([clips[i][:40:2, ..., 0] for i in range(len(clips))]))  # (n, t, 3, v)
    x = (x - x[..., KINECT_V2.centre, None]).flatten(2)
    y = torch.tensor(clips.labels)
    train = torch.tensor(clips.column("subject") % 2 == 1)

    def neighbours(lstm: torch.nn.Module) -> float:
        with torch.no_grad():
            h = torch.nn.functional.normalize(lstm(x)[0].mean(1), dim=1)
        nearest = (h[~train] @ h[train].T).argmax(1)
        return float((y[train][nearest] == y[~train]).float().mean())

    random, trained = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        lstm, head = torch.nn.LSTM(75, 64, batch_first=True), torch.nn.Linear(64, len(clips.classes))
        random.append(neighbours(lstm))
        adam = torch.optim.Adam([*lstm.parameters(), *head.parameters()], 5e-3)
        for _ in range(30):
            for batch in torch.randperm(int(train.sum())).split(32):
                loss = torch.nn.functional.cross_entropy(head(lstm(x[train][batch])[0].mean(1)), y[train][batch])
                adam.zero_grad()
                loss.backward()
                adam.step()
        trained.append(neighbours(lstm))
    assert np.mean(random) + 0.05 < np.mean(trained)
    assert max(trained) < 1


def test_a_parameter_that_is_too_small_is_named() -> None:
    with pytest.raises(SkelkitError, match="synthetic: subjects is 0; give 1 or more"):
        synthetic.generate(subjects=0)
    with pytest.raises(SkelkitError, match="seed is -1"):
        synthetic.generate(seed=-1)


def test_load_opens_what_generate_makes_and_keeps_it_by_its_parameters(tmp_path: Path) -> None:
    clips = synthetic.load(tmp_path, subjects=1)
    assert clips.folder is not None
    np.testing.assert_array_equal(clips.frames, synthetic.generate(subjects=1).frames)
    assert synthetic.load(tmp_path, subjects=1, seed=0).folder == clips.folder  # a default said is no other set
    assert synthetic.load(tmp_path, subjects=1, seed=1).folder != clips.folder
    clips.verify()


def test_twelve_simultaneous_callers_build_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    generate = synthetic.generate

    def counted(seed: int = 0, subjects: int = 1) -> Clips:
        made.append(subjects)
        return generate(seed, subjects)

    monkeypatch.setattr(synthetic, "generate", counted)
    together = threading.Barrier(12)
    opened: list[Clips] = []

    def call() -> None:
        together.wait()
        opened.append(synthetic.load(tmp_path, subjects=1))

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert len(opened) == 12
    assert len({clips.folder for clips in opened}) == 1
