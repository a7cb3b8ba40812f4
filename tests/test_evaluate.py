"""Metrics, frozen features, linear evaluation and kNN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.augment import CropResize, Reverse, augment
from skelkit.data.clips import Clips
from skelkit.data.skeleton import SBU
from skelkit.data.views import DataSpec, Resample, Resident, View, Whole
from skelkit.evaluate.features import extract, standardised
from skelkit.evaluate.knn import KNN, knn
from skelkit.evaluate.knn import neighbours as nearest
from skelkit.evaluate.linear import AugmentedLinear, Linear, augmented_linear, linear
from skelkit.evaluate.metrics import Result, confusion, result, top_k
from skelkit.files import SkelkitError
from skelkit.models.heads import linear_classifier
from skelkit.models.sequences import Bidirectional
from skelkit.train import SGD, Steps


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def labels_of(n: int, classes: int, seed: int = 0) -> Tensor:
    return torch.randint(classes, (n,), generator=Generator().manual_seed(seed))


# ---- metrics


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(6, 9), st.integers(0, 99))
def test_top_k_and_confusion_equal_a_loop_over_the_clips(n: int, classes: int, seed: int) -> None:
    scores, labels = draw(n, classes, seed=seed), labels_of(n, classes, seed)
    table = [[0] * classes for _ in range(classes)]
    hits = {1: 0, 5: 0}
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        ranked = sorted(range(classes), key=lambda c: -row[c])
        table[label][ranked[0]] += 1
        for k in hits:
            hits[k] += label in ranked[:k]
    found = result(scores, labels, [])
    assert found.confusion == table
    shares = [table[c][c] / sum(table[c]) for c in range(classes) if sum(table[c])]
    expected = {f"top-{k}": 100 * hit / n for k, hit in hits.items()}
    assert found.scores == pytest.approx(expected | {"balanced accuracy": 100 * sum(shares) / len(shares)})
    assert found.predicted == [max(range(classes), key=lambda c: row[c]) for row in scores.tolist()]


def test_metrics_by_hand() -> None:
    """Of four clips three are right; class 2 has no test clip."""
    scores = torch.tensor([[3.0, 1, 0], [0, 2, 1], [2, 1, 0], [1, 0, 0]])
    found = result(scores, torch.tensor([0, 1, 1, 0]), [10.0, 75.0])
    assert found.scores == {"top-1": 75, "balanced accuracy": 75}, "no top-5 among three classes"
    assert found.predicted == [0, 1, 0, 0]
    named = result(scores, torch.tensor([0, 1, 1, 1]), [], "kNN").scores
    assert named == {"kNN top-1": 50, "kNN balanced accuracy": pytest.approx((100 + 100 / 3) / 2)}
    assert found.confusion == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert found.curve == [10, 75]
    assert top_k(scores, torch.tensor([0, 1, 1, 0]), 2) == 100


def test_the_diagonal_of_the_confusion_matrix_is_top_1() -> None:
    scores, labels = draw(50, 7), labels_of(50, 7)
    found = result(scores, labels, [])
    assert sum(map(sum, found.confusion)) == 50
    assert 100 * sum(found.confusion[c][c] for c in range(7)) / 50 == pytest.approx(found.scores["top-1"])
    assert [sum(row) for row in found.confusion] == torch.bincount(labels, minlength=7).tolist()


def test_metrics_ignore_the_order_of_the_clips_and_the_scale_of_the_scores() -> None:
    scores, labels = draw(50, 7), labels_of(50, 7)
    order = torch.randperm(50, generator=Generator().manual_seed(1))
    found, shuffled = result(scores, labels, []), result(scores[order], labels[order], [])
    assert found == result(9 * scores + 1, labels, [])
    assert (shuffled.scores, shuffled.confusion) == (found.scores, found.confusion)
    assert shuffled.predicted == [found.predicted[i] for i in order]


def test_confusion_by_hand_is_true_class_by_predicted_class() -> None:
    predicted, labels = torch.tensor([1, 1, 0]), torch.tensor([0, 1, 0])
    assert confusion(predicted, labels, 2) == [[1, 1], [0, 1]]


# ---- features


def some_data(n: int = 7) -> Resident:
    frames = np.random.default_rng(0).normal(size=(3 * n, 3, 15, 1)).astype(np.float32)
    columns = {"label": [0] * n}
    clips = Clips.from_arrays(
        frames, np.arange(0, 3 * n + 1, 3), skeleton=SBU, classes=["a"], name="few", columns=columns
    )
    return Resident(clips, View(4))


class Sums(nn.Module):
    """Dropout, then the sum over axes and frames: in evaluation mode its features are known."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * self.dropout(x)).sum((1, 2)).flatten(1).double()


def test_features_equal_the_encoder_clip_by_clip_without_dropout() -> None:
    data, encoder = some_data(), Sums()
    encoder.train()
    index = torch.tensor([4, 0, 6])
    found = extract(encoder, data, index)
    expected = [data.clips(index[i : i + 1]).sum((1, 2)).flatten() for i in range(3)]
    assert_close(found, torch.stack(expected))
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_features_by_hand_are_unaugmented_sums() -> None:
    data = some_data()
    data.frames.fill_(0.5)  # the row of padding as well: three axes, four frames
    assert torch.equal(extract(Sums(), data, torch.tensor([2])), torch.full((1, 15), 6.0))


def test_features_do_not_depend_on_the_batch_size() -> None:
    data = some_data()
    assert_close(extract(Sums(), data, torch.arange(7), batch=2), extract(Sums(), data, torch.arange(7)))


def of_any_length() -> tuple[Resident, nn.Module]:
    """Clips of 5 to 11 frames, padded to the longest of a batch, and an encoder that is told which frames are real."""
    torch.manual_seed(0)
    return Resident(tiny.clips_of(21, 3), Whole()), Bidirectional(6).build(DataSpec(21, 3, SBU, 1))


def test_features_of_whole_clips_equal_each_clip_by_itself_in_any_batch() -> None:
    data, encoder = of_any_length()
    everything = torch.arange(21)
    found = extract(encoder, data, everything, batch=8)
    with torch.no_grad():
        alone = [encoder(data.clips(everything[i : i + 1])) for i in range(21)]
    assert len(data.lengths.unique()) > 3
    assert_close(found, torch.cat(alone))


# ---- linear evaluation


def clusters(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Three separable classes in four dimensions."""
    labels = torch.arange(n) % 3
    return 4 * torch.eye(3, 4)[labels] + 0.3 * draw(n, 4, seed=seed), labels


def evaluated(protocol: Linear, train: Any, test: Any, classes: int = 3, seed: int = 0) -> Result:
    torch.manual_seed(seed)
    return linear(protocol, train, test, classes, Generator().manual_seed(seed))


def test_the_schedule_by_hand_halves_the_rate_after_15_35_60_and_75_of_90_epochs() -> None:
    protocol = Linear()
    rates = [protocol.optimiser.lr * protocol.schedule.rate(epoch) for epoch in range(90)]
    assert rates == [1.0] * 15 + [0.5] * 20 + [0.25] * 25 + [0.125] * 15 + [0.0625] * 15
    assert (protocol.optimiser.momentum, protocol.optimiser.nesterov, protocol.optimiser.weight_decay) == (0.9, True, 0)
    assert protocol.schedule.epochs == 90
    assert protocol.batch == 32


def test_linear_evaluation_equals_nesterovs_sgd_written_out() -> None:
    train, test = clusters(10, 0), clusters(9, 1)
    protocol = Linear(schedule=Steps(epochs=4, drops=(0.5,), factor=0.5), batch=4)
    found = evaluated(protocol, (train[0] / 4, train[1]), (test[0] / 4, test[1]))

    torch.manual_seed(0)
    weight, bias = torch.empty(3, 4), np.zeros(3)
    nn.Linear(4, 3)  # torch's own initialisation comes first
    weight = nn.init.normal_(weight, std=0.01).double().numpy()
    order, buffers = Generator().manual_seed(0), None
    x, y = (train[0] / 4).double().numpy(), np.eye(3)[train[1]]
    curve = []
    for epoch in range(4):
        rate = 1.0 if epoch < 2 else 0.5
        for index in np.array_split(torch.randperm(10, generator=order).numpy(), [4, 8]):
            scores = np.exp(x[index] @ weight.T + bias)
            error = (scores / scores.sum(1, keepdims=True) - y[index]) / len(index)
            gradients = error.T @ x[index], error.sum(0)
            buffers = gradients if buffers is None else [0.9 * b + g for b, g in zip(buffers, gradients, strict=True)]
            steps = [g + 0.9 * b for b, g in zip(buffers, gradients, strict=True)]
            weight, bias = weight - rate * steps[0], bias - rate * steps[1]
        predicted = ((test[0] / 4).double().numpy() @ weight.T + bias).argmax(1)
        curve.append(100 * np.mean(predicted == test[1].numpy()))
    assert found.curve == pytest.approx(curve)
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (test[1].numpy(), predicted), 1)
    assert found.confusion == expected.tolist()


def test_linear_evaluation_of_one_step_by_hand() -> None:
    """One feature: +1 is class 0, -1 class 1. A step at rate 1 from near 0 moves the weights by (.5, -.5) times 1.9
    (Nesterov), so that every test clip is judged by its sign."""
    train = torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1])
    test = torch.tensor([[0.5], [2.0], [-3.0], [-0.5]]), torch.tensor([0, 0, 1, 0])
    found = evaluated(Linear(schedule=Steps(epochs=1)), train, test, classes=2)
    assert found.confusion == [[2, 1], [0, 1]]
    assert found.scores == {"top-1": 75, "balanced accuracy": pytest.approx(100 * (2 / 3 + 1) / 2)}


def test_separable_classes_are_separated_and_the_last_epoch_is_the_result() -> None:
    found = evaluated(Linear(schedule=Steps(epochs=5)), clusters(60, 0), clusters(30, 1))
    assert found.scores["top-1"] == 100
    assert len(found.curve) == 5
    # Labels of chance: the curve moves up and down, and its best epoch is not what is reported.
    for seed in range(20):
        noise = draw(20, 4, seed=seed), labels_of(20, 3, seed)
        found = evaluated(Linear(schedule=Steps(epochs=6)), noise, (draw(30, 4, seed=99), labels_of(30, 3, 99)))
        assert found.scores["top-1"] == found.curve[-1]
        if max(found.curve) > found.curve[-1]:
            return
    pytest.fail("no seed had a best epoch before its last")


def test_linear_evaluation_ignores_the_order_of_the_test_clips_and_repeats_itself() -> None:
    train, (x, y) = clusters(30, 0), clusters(12, 1)
    protocol = Linear(schedule=Steps(epochs=2))
    found = evaluated(protocol, train, (x, y))
    turned = evaluated(protocol, train, (x.flip(0), y.flip(0)))
    assert found == evaluated(protocol, train, (x, y)) == replace(turned, predicted=turned.predicted[::-1])


def test_standardised_features_are_judged_alike_whatever_their_scale() -> None:
    protocol, (x, y), (u, v) = Linear(schedule=Steps(epochs=2), standardise=True), clusters(30, 0), clusters(12, 1)
    mean, scale = x.mean(0), x.std(0)
    by_hand = evaluated(replace(protocol, standardise=False), ((x - mean) / scale, y), ((u - mean) / scale, v))
    stretch, shift = torch.linspace(1e-2, 1e2, x.shape[1]), torch.linspace(-5, 5, x.shape[1])
    assert by_hand.scores == evaluated(protocol, (x, y), (u, v)).scores
    assert by_hand.scores == evaluated(protocol, (x * stretch + shift, y), (u * stretch + shift, v)).scores
    dead = evaluated(protocol, (x * 0, y), (u * 0, v))
    assert dead.scores["top-1"] in {100 * share for share in (v[:, None] == torch.arange(9)).float().mean(0).tolist()}


def test_a_classifier_whose_scores_are_not_finite_is_an_error_and_no_number() -> None:
    train, test = clusters(30, 0), clusters(12, 1)
    with pytest.raises(SkelkitError, match="scores are not finite after epoch 1; give its optimiser a rate below 1e"):
        evaluated(Linear(SGD(lr=1e38), Steps(epochs=2)), train, test)


def test_features_are_not_touched_by_the_classifier() -> None:
    x, y = clusters(12, 0)
    x.requires_grad_()
    evaluated(Linear(schedule=Steps(epochs=1)), (x.detach(), y), (x.detach(), y))
    assert x.grad is None


# ---- kNN


def neighbours(query: np.ndarray, features: np.ndarray, labels: np.ndarray, k: int) -> int:
    """The class of the k most cosine-similar features: most votes, then the nearest neighbour."""
    similarity = [f @ query / (np.linalg.norm(f) * np.linalg.norm(query)) for f in features]
    nearest = sorted(range(len(features)), key=lambda i: -similarity[i])[:k]
    votes = [labels[i] for i in nearest]
    return int(max(votes, key=lambda c: (votes.count(c), -votes.index(c))))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 999))
def test_knn_equals_a_loop_over_every_pair(k: int, seed: int) -> None:
    features, labels = draw(30, 5, seed=seed), labels_of(30, 4, seed)
    queries, truth = draw(8, 5, seed=seed + 1), labels_of(8, 4, seed + 1)
    expected = np.zeros((4, 4), int)
    for query, true in zip(queries.double().numpy(), truth.tolist(), strict=True):
        expected[true][neighbours(query, features.double().numpy(), labels.numpy(), k)] += 1
    found = knn(KNN(k), (features, labels), (queries, truth), 4)
    assert found.confusion == expected.tolist()
    assert found.scores["kNN top-1"] == pytest.approx(100 * np.trace(expected) / 8)
    assert found.curve == []


@pytest.mark.parametrize(("k", "predicted"), [(1, 0), (2, 0), (3, 1), (4, 0)])
def test_knn_by_hand(k: int, predicted: int) -> None:
    """Angles 10, 20, 30 and 40 degrees from the query, of the classes 0, 1, 1, 0: a tie goes to the nearer, and
    at k = 4, where each has two, to class 0 again."""
    angles = torch.tensor([10.0, 20.0, 30.0, 40.0]).deg2rad()
    train = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 1, 1, 0])
    found = knn(KNN(k), train, (torch.tensor([[5.0, 0.0]]), torch.tensor([0])), 2)
    assert found.confusion[0][predicted] == 1


def test_a_tie_of_many_votes_still_goes_to_the_nearer_class() -> None:
    """By hand: class 1 has rank 0 and ranks 7 to 12, class 0 has the seven between; seven votes each."""
    angles = torch.arange(1.0, 15.0).deg2rad()
    train = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([1] + [0] * 7 + [1] * 6)
    found = knn(KNN(14), train, (torch.tensor([[1.0, 0.0]]), torch.tensor([1])), 2)
    assert found.confusion == [[0, 0], [0, 1]]


def test_knn_ignores_the_length_of_features_and_the_order_of_the_training_clips() -> None:
    features, labels, queries, truth = draw(30, 5), labels_of(30, 4), draw(8, 5, seed=1), labels_of(8, 4, 1)
    found = knn(KNN(3), (features, labels), (queries, truth), 4)
    lengths = torch.linspace(0.1, 9, 30)[:, None]
    assert knn(KNN(3), ((features * lengths).flip(0), labels.flip(0)), (7 * queries, truth), 4) == found


def test_a_training_clip_is_its_own_nearest_neighbour_also_in_the_second_thousand() -> None:
    features, labels = draw(1500, 6), labels_of(1500, 5)
    assert knn(KNN(), (features, labels), (features, labels), 5).scores["kNN top-1"] == 100


@pytest.mark.parametrize("k", [0, 4])
def test_more_neighbours_than_training_clips_are_refused(k: int) -> None:
    train = draw(3, 2), labels_of(3, 2)
    with pytest.raises(SkelkitError, match=f"k = {k} with 3 training clips"):
        knn(replace(KNN(), k=k), train, train, 2)


# ---- nearest neighbours (action retrieval)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), q=st.integers(1, 12), products=st.sampled_from([1, 50, 10**8]), seed=st.integers(0, 99))
def test_neighbours_equal_the_sorted_similarities_of_every_pair(n: int, q: int, products: int, seed: int) -> None:
    query, gallery = draw(q, 6, seed=seed), draw(n, 6, seed=seed + 1)
    k = min(n, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skelkit.evaluate.knn.MOST_PRODUCTS", products)
        found = nearest(query, gallery, k)
    for row, x in zip(found.tolist(), query.double().numpy(), strict=True):
        similarity = [g @ x / np.linalg.norm(g) / np.linalg.norm(x) for g in gallery.double().numpy()]
        assert row == sorted(range(n), key=lambda i: -similarity[i])[:k]


def test_neighbours_by_hand() -> None:
    """A query along x: 5 degrees, then 60, then straight back; a gallery clip's length does not matter."""
    gallery = torch.tensor([[-1.0, 0.0], [0.5, 0.866], [90.0, 8.0]])
    assert nearest(torch.tensor([[2.0, 0.0]]), gallery, 3).tolist() == [[2, 1, 0]]


def test_no_similarity_matrix_is_larger_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = Tensor.topk

    def noted(self: Tensor, *args: Any, **options: Any) -> Any:
        sizes.append(self.numel())
        return real(self, *args, **options)

    monkeypatch.setattr(Tensor, "topk", noted)
    monkeypatch.setattr("skelkit.evaluate.knn.MOST_PRODUCTS", 1000)
    nearest(draw(50, 3), draw(90, 3), 4)
    assert (max(sizes), sum(sizes)) == (11 * 90, 50 * 90)


def test_neighbours_do_not_depend_on_the_company_of_queries() -> None:
    query, gallery = draw(9, 4), draw(30, 4, seed=1)
    alone = torch.cat([nearest(query[i : i + 1], gallery, 3) for i in range(9)])
    assert torch.equal(nearest(query, gallery, 3), alone)


def test_retrieval_is_the_class_of_the_one_nearest_neighbour() -> None:
    features, labels, queries, truth = draw(30, 5), labels_of(30, 4), draw(8, 5, seed=1), labels_of(8, 4, 1)
    found = knn(KNN(), (features, labels), (queries, truth), 4)
    hits = labels[nearest(queries, features, 1)[:, 0]] == truth
    assert found.scores["kNN top-1"] == pytest.approx(100 * hits.float().mean().item())


# ---- standardised features


def test_standardised_features_by_hand() -> None:
    """Mean 2 and standard deviation 2 of 0, 2, 4; the second dimension is constant, whatever the others have there."""
    train = torch.tensor([[0.0, 7.0], [2.0, 7.0], [4.0, 7.0]])
    found, other, none = standardised(train, torch.tensor([[5.0, 9.0]]), train[:0])
    assert found.tolist() == [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    assert other.tolist() == [[1.5, 0.0]]
    assert none.shape == (0, 2)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), d=st.integers(1, 6), exponent=st.integers(-60, 60), seed=st.integers(0, 99))
def test_standardised_features_equal_a_naive_loop_and_have_no_scale(n: int, d: int, exponent: int, seed: int) -> None:
    train, other = draw(n, d, seed=seed) + 3, draw(4, d, seed=seed + 1)
    found = standardised(train, other)
    for side, given_ in zip(found, (train, other), strict=True):
        for column in range(d):
            values = train[:, column].double().tolist()
            mean = sum(values) / n
            spread = (sum((value - mean) ** 2 for value in values) / (n - 1)) ** 0.5
            expected = [(value - mean) / spread for value in given_[:, column].double().tolist()]
            np.testing.assert_allclose(side[:, column], expected, rtol=1e-5, atol=1e-6)
    scaled = standardised(train * 2.0**exponent, other * 2.0**exponent)
    assert all(torch.equal(a, b) for a, b in zip(scaled, found, strict=True))


@pytest.mark.parametrize("scale", [1e-7, 3e-3, 1e7])
def test_another_scale_gives_the_same_features_up_to_rounding(scale: float) -> None:
    train, other = draw(30, 5), draw(8, 5, seed=1)
    for a, b in zip(standardised(train * scale, other * scale), standardised(train, other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    assert standardised(train * scale)[0].std(0).tolist() == pytest.approx([1.0] * 5)


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
def test_a_dimension_that_only_rounding_moves_becomes_0_and_one_that_little_moves_does_not(scale: float) -> None:
    constant = torch.full((20, 1), 0.1) * (1 + 2.0**-23 * draw(20, 1).round())
    little = 0.1 + 1e-5 * draw(20, 1)
    found, other = standardised(scale * torch.cat([constant, little], 1), scale * torch.ones(3, 2))
    assert constant.std() > 0
    assert not found[:, 0].any()
    assert not other[:, 0].any()
    assert found[:, 1].std().item() == pytest.approx(1)


def test_one_training_clip_and_features_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(SkelkitError, match="1 training clips have no standard deviation; give two or more"):
        standardised(draw(1, 3))
    bad = draw(4, 3)
    bad[1, 2] = torch.nan
    with pytest.raises(SkelkitError, match="1 of 4 training clips hold NaN or infinity"):
        standardised(bad)
    with pytest.raises(SkelkitError, match="1 of 4 other clips hold NaN or infinity"):
        standardised(draw(5, 3), bad)


# ---- linear evaluation with augmentation


class Flat(nn.Module):
    """A frozen encoder whose features are the clip itself; it notes what it is shown, and how."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.shown: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        self.shown.append(x.clone())
        return self.scale * x.flatten(1)


def posed(n: int = 21, frames: int = 12) -> Resident:
    """Three classes of poses that move and shake a little."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 3
    poses = rng.normal(0, 2, (3, 1, 3, 15, 1))
    x = poses[label] + rng.normal(0, 0.3, (n, frames, 3, 15, 1))
    offsets, known = np.arange(n + 1) * frames, {"skeleton": SBU, "classes": ["a", "b", "c"]}
    clips = Clips.from_arrays(
        x.reshape(-1, 3, 15, 1).astype(np.float32), offsets, name="posed", columns={"label": label}, **known
    )
    return Resident(clips, View(frames))


def augmented(protocol: AugmentedLinear, data: Resident, encoder: nn.Module, seed: int = 0) -> Result:
    train, test = torch.arange(15), torch.arange(15, 21)
    torch.manual_seed(seed)
    sides = ((data, side, data.labels[side]) for side in (train, test))
    return augmented_linear(protocol, encoder, *sides, 3, Generator().manual_seed(seed))


def test_thokers_schedule_by_hand_drops_to_a_tenth_after_50_and_70_of_80_epochs() -> None:
    protocol = AugmentedLinear()
    rates = [protocol.optimiser.lr * protocol.schedule.rate(epoch) for epoch in range(80)]
    assert rates == pytest.approx([0.1] * 50 + [0.01] * 20 + [0.001] * 10)
    assert (protocol.optimiser.weight_decay, protocol.batch, protocol.schedule.epochs) == (0, 64, 80)
    assert protocol.steps == (CropResize(shortest=0.5),)


def test_without_augmentation_it_is_linear_evaluation_of_features_extracted_once() -> None:
    data, encoder = posed(), Flat()
    protocol = AugmentedLinear(steps=(), schedule=Steps(4, drops=(0.5,)), batch=4)
    cached = Linear(protocol.optimiser, protocol.schedule, protocol.batch)
    found = augmented(protocol, data, encoder)
    train, test = ((extract(encoder, data, i), data.labels[i]) for i in (torch.arange(15), torch.arange(15, 21)))
    assert found == evaluated(cached, train, test)


def test_with_augmentation_it_equals_the_epochs_written_out() -> None:
    data, encoder, step = posed(), Flat(), CropResize(shortest=0.5)
    found = augmented(AugmentedLinear(schedule=Steps(2), batch=6), data, encoder)
    torch.manual_seed(0)
    classifier, draws = linear_classifier(12 * 45, 3), Generator().manual_seed(0)
    optimiser = torch.optim.SGD(classifier.parameters(), 0.1, momentum=0.9)
    curve = []
    for _ in range(2):
        for chosen in torch.randperm(15, generator=draws).split(6):
            views = augment(data.clips(chosen), (step,), draws)
            optimiser.zero_grad()
            nn.functional.cross_entropy(classifier(encoder(views).detach()), data.labels[chosen]).backward()
            optimiser.step()
        scores = classifier(encoder(data.clips(torch.arange(15, 21))).detach())
        curve.append(100 * (scores.argmax(1) == data.labels[15:]).float().mean().item())
    assert found.curve == pytest.approx(curve)


def test_augmented_evaluation_of_one_step_by_hand() -> None:
    """Class 0 lies at +100 in the first frame and at -100 in the second, class 1 the other way round. The classifier
    sees the training clips backwards; so after one step from near 0 it takes every test clip for the other class."""
    sign = torch.tensor([1.0, -1, 1, -1, 1])  # the first two train
    x = torch.zeros(5, 2, 3, 15, 1)
    x[:, 0, 0, 0, 0], x[:, 1, 0, 0, 0] = 100 * sign, -100 * sign
    known: Any = {
        "name": "by hand",
        "skeleton": SBU,
        "classes": ["a", "b"],
        "columns": {"label": (sign < 0).long().numpy()},
    }
    data = Resident(Clips.from_arrays(x.flatten(0, 1).numpy(), np.arange(6) * 2, **known), View(2))
    train, test = ((data, side, data.labels[side]) for side in torch.arange(5).split([2, 3]))
    backwards = AugmentedLinear((Reverse(p=1.0),), schedule=Steps(1))
    found = augmented_linear(backwards, Flat(), train, test, 2, Generator().manual_seed(0))
    assert found.confusion == [[0, 2], [1, 0]]
    forwards = replace(backwards, steps=())
    found = augmented_linear(forwards, Flat(), train, test, 2, Generator().manual_seed(0))
    assert found.confusion == [[2, 0], [0, 1]]


def test_augmented_evaluation_ignores_the_order_of_the_clips() -> None:
    """Of the test clips; and of the training clips, where one batch holds them all and nothing is drawn for each."""
    data, encoder, (test, train) = posed(), Flat().eval(), torch.arange(21).split([6, 15])
    protocol = AugmentedLinear(steps=(), schedule=Steps(3))

    def found(members: Tensor, asked: Tensor) -> Result:
        torch.manual_seed(0)
        sides = ((data, side, data.labels[side]) for side in (members, asked))
        return augmented_linear(protocol, encoder, *sides, 3, Generator().manual_seed(0))

    turned = found(train, test.flip(0))
    assert found(train, test) == found(train.flip(0), test) == replace(turned, predicted=turned.predicted[::-1])


def test_every_epoch_encodes_the_training_clips_anew_and_the_test_clips_once_as_they_are() -> None:
    data, encoder = posed(), Flat()
    augmented(AugmentedLinear(schedule=Steps(3), batch=15), data, encoder)
    test, *epochs = encoder.shown
    assert torch.equal(test, data.clips(torch.arange(15, 21)))
    assert [len(shown) for shown in epochs] == [15] * 3
    means = [shown.mean((1, 2, 3, 4)).sort().values for shown in epochs]  # the order is drawn as well
    assert not torch.equal(means[0], means[1])
    assert not torch.equal(means[1], means[2])


def test_training_clips_of_another_length_than_the_test_clips_are_refused() -> None:
    """A crop that keeps the training view's length, and a test view of its own; one that says the length is taken."""
    data, encoder, (train, test) = posed(), Flat(), torch.arange(21).split([15, 6])
    plain = data.through(Resample(8))
    sides = (data, train, data.labels[train]), (plain, test, data.labels[test])

    def found(protocol: AugmentedLinear) -> Result:
        return augmented_linear(protocol, encoder, *sides, 3, Generator().manual_seed(0))

    with pytest.raises(
        SkelkitError, match=r"training clips of 12 frames and test clips of 8; .* CropResize\(frames=8\)"
    ):
        found(AugmentedLinear(schedule=Steps(1)))
    found(AugmentedLinear((CropResize(shortest=0.5, frames=8),), schedule=Steps(1)))


def test_the_classifier_learns_the_labels_that_are_given() -> None:
    """Shuffled ones, say: they are not read off the clips."""
    data, (train, test) = posed(), torch.arange(21).split([15, 6])
    other = (data, train, (data.labels[train] + 1) % 3)
    protocol = AugmentedLinear(steps=(), schedule=Steps(15))
    known = augmented_linear(protocol, Flat(), other, (data, test, data.labels[test]), 3, Generator().manual_seed(0))
    assert known.scores["top-1"] == 0


def test_the_encoder_stays_as_it_is_and_separable_classes_are_separated() -> None:
    data, encoder = posed(), Flat().train()
    found = augmented(AugmentedLinear(schedule=Steps(15)), data, encoder)
    assert found.scores["top-1"] == 100
    assert encoder.scale.item() == pytest.approx(0.1)
    assert encoder.scale.grad is None


def test_an_encoder_that_reads_lengths_is_told_them_here_as_well_unless_a_step_moves_frames() -> None:
    data, encoder = of_any_length()
    protocol = AugmentedLinear(steps=(), schedule=Steps(2), batch=4)
    found = augmented(protocol, data, encoder)
    train, test = ((extract(encoder, data, i), data.labels[i]) for i in (torch.arange(15), torch.arange(15, 21)))
    expected = evaluated(Linear(protocol.optimiser, protocol.schedule, protocol.batch), train, test)
    assert found.scores == expected.scores
    assert found.curve == expected.curve
    with pytest.raises(SkelkitError, match="Reverse: moves frames, and BidirectionalEncoder reads"):
        augmented(replace(protocol, steps=(Reverse(),)), data, encoder)


def test_an_encoder_that_reads_lengths_takes_moved_frames_where_none_is_padding() -> None:
    """A view that repeats clips pads nothing, and a crop by lengths leaves the padding out."""
    data, encoder = of_any_length()
    looped = data.through(View(12, fill="loop"))
    for resident, steps in ((looped, (Reverse(),)), (looped, (CropResize(shortest=0.5),))):
        found = augmented(AugmentedLinear(steps=steps, schedule=Steps(2)), resident, encoder)
        assert 0 <= found.scores["top-1"] <= 100
