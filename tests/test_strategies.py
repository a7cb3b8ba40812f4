"""The strategies of active learning: each against its definition written out, by hand, and under a change that must not
matter; and what is refused."""

from __future__ import annotations

import math
import sys
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr
from scipy.stats import entropy as scipys_entropy
from sklearn.cluster import KMeans
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.evaluate import strategies
from skelkit.evaluate.activeml import BADGE, Margin, TypiClust
from skelkit.evaluate.strategies import (
    KJS,
    STRATEGIES,
    CoreSet,
    Discriminator,
    KMeansTop,
    Uniform,
    clustered,
    divergence,
    entropy,
    shares,
    variance_ratio,
)
from skelkit.evaluate.strategy import Strategy, propose, seed_of, unlabelled
from skelkit.files import SkelkitError

ALL: dict[str, Strategy] = {
    name: kind(**{"KT": {"clusters": 6}, "KJS": {"clusters": 6}, "DIS": {"hidden": 8, "steps": 20}}.get(name, {}))
    for name, kind in STRATEGIES.items()
}
NONE = torch.empty(0, dtype=torch.long)
pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def blobs(clips: int = 60, dim: int = 5, groups: int = 6, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features around some centres, and class probabilities of four classes."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 4, (groups, dim))
    features = centres[np.arange(clips) % groups] + rng.normal(0, 1, (clips, dim))
    scores = torch.from_numpy(rng.normal(0, 2, (clips, 4)))
    return torch.from_numpy(features), scores.softmax(1)


def selected(strategy: Any, labelled: Tensor = NONE, n: int = 12, seed: int = 0, size: int = 60) -> list[int]:
    features, probabilities = blobs(size)
    return propose(strategy, features, probabilities if len(labelled) else None, labelled, n, seeded(seed)).tolist()


# ---- what holds for every strategy


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("labelled", [[], [3], [0, 5, 17, 59, 20]])
@pytest.mark.parametrize("n", [1, 13, 55])
def test_n_different_clips_without_a_label_are_selected(name: str, labelled: list[int], n: int) -> None:
    found = selected(ALL[name], torch.tensor(labelled, dtype=torch.long), n)
    assert len(set(found)) == n
    assert not set(found) & set(labelled)
    assert set(found) <= set(range(60))


@pytest.mark.parametrize("name", ALL)
def test_a_selection_is_decided_by_the_generator(name: str) -> None:
    labelled = torch.tensor([3, 8])
    torch.manual_seed(1)
    one = selected(ALL[name], labelled)
    torch.manual_seed(2)  # torch's own generator, and NumPy's, play no part
    np.random.seed(3)
    assert selected(ALL[name], labelled) == one


@pytest.mark.parametrize("name", ["U", "CS", "DIS", "KT", "KJS", "margin", "BADGE"])
def test_the_first_draw_differs_between_generators(name: str) -> None:
    assert selected(ALL[name], n=5) != selected(ALL[name], n=5, seed=1)


@pytest.mark.parametrize("name", ALL)
def test_a_selection_leaves_its_input_and_torchs_generator_as_they_were(name: str) -> None:
    features, p = blobs()
    before = [features.clone(), p.clone(), torch.get_rng_state()]
    ALL[name].select(features, p, torch.tensor([3, 8]), 7, seeded())
    for now, then in zip((features, p, torch.get_rng_state()), before, strict=True):
        assert torch.equal(now, then)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("labelled", [[], [3, 8]])
def test_nothing_is_made_on_the_default_device(name: str, labelled: list[int]) -> None:
    (features, p), known = blobs(), torch.tensor(labelled, dtype=torch.long)
    with torch.device("meta"):  # what is made without a device named lands there, and cannot meet the features
        found = propose(ALL[name], features, p if labelled else None, known, 7, seeded())
    assert found.device.type == "cpu"


@pytest.mark.parametrize("name", ALL)
def test_32_bit_features_are_taken(name: str) -> None:
    features, p = blobs()
    assert len(propose(ALL[name], features.float(), p.float(), torch.tensor([1, 2]), 9, seeded())) == 9


@pytest.mark.parametrize("name", ALL)
def test_clips_that_are_all_alike_are_still_selected_once(name: str) -> None:
    features, p = torch.ones(20, 3), torch.full((20, 4), 0.25)
    assert len(propose(ALL[name], features, p, torch.tensor([0, 1]), 9, seeded()).unique()) == 9


@pytest.mark.parametrize("name", ALL)
def test_a_strategy_is_frozen_and_refuses_unknown_knobs(name: str) -> None:
    assert isinstance(ALL[name], Strategy)
    assert hash(ALL[name]) == hash(ALL[name])
    with pytest.raises(FrozenInstanceError):
        ALL[name].clusters = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="knob"):
        replace(ALL[name], knob=1)  # type: ignore[type-var]


# ---- what is refused


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [0, 59, 10**6])
def test_more_labels_than_clips_are_refused(name: str, n: int) -> None:
    features, p = blobs()
    with pytest.raises(SkelkitError, match=f"{n} labels are asked for, and 58 of 60 clips have none; ask for 1 to 58"):
        ALL[name].select(features, p, torch.tensor([0, 1]), n, seeded())


@pytest.mark.parametrize("name", ALL)
def test_a_label_is_not_asked_for_where_every_clip_has_one(name: str) -> None:
    features, p = blobs()
    with pytest.raises(SkelkitError, match="0 of 60 clips have none; ask for no more"):
        ALL[name].select(features, p, torch.arange(60), 1, seeded())


@pytest.mark.parametrize("name", ["KJS", "margin", "BADGE"])
def test_probabilities_are_missed_once_clips_have_labels(name: str) -> None:
    with pytest.raises(SkelkitError, match=f"{name}: needs class probabilities once a clip has a label"):
        ALL[name].select(blobs()[0], None, torch.tensor([0]), 2, seeded())


@dataclass(frozen=True)
class Answering:
    """A strategy of somebody's own."""

    answer: tuple[int, ...]

    def select(self, features: Tensor, probabilities: Tensor | None, labelled: Tensor, n: int, generator: Generator):
        return torch.tensor(self.answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((4, 5, 4), "Answering: selected clip 4 twice; select 3 different ones"),
        ((4, 5), "Answering: selected 2 clips where 3 were asked for"),
        ((4, 5, 6, 7), "Answering: selected 4 clips where 3 were asked for"),
        ((4, 5, 60), "Answering: selected clip 60, and there are 60"),
        ((4, -1, 5), "Answering: selected clip -1, and there are 60"),
        ((4, 9, 5), "Answering: selected clip 9, which has its label"),
    ],
)
def test_a_wrong_answer_of_a_strategy_is_refused(answer: tuple[int, ...], said: str) -> None:
    features, p = blobs()
    with pytest.raises(SkelkitError, match=said):
        propose(Answering(answer), features, p, torch.tensor([8, 9]), 3, seeded())


@pytest.mark.parametrize(
    "answer", [[4, 5, 6], torch.tensor([[4, 5, 6]]), torch.tensor([4.0, 5.0, 6.0]), torch.ones(60, dtype=torch.bool)]
)
def test_an_answer_that_is_no_list_of_rows_is_refused(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    features, p = blobs()
    monkeypatch.setattr(Answering, "select", lambda *_: answer)
    with pytest.raises(SkelkitError, match=r"Answering: selected .*; return the rows of 3 clips, a tensor of whole"):
        propose(Answering(()), features, p, torch.tensor([8, 9]), 3, seeded())


@pytest.mark.parametrize(
    ("labelled", "said"),
    [([4, 4], "2 labelled clips, 1 of them different"), ([60], "labelled clips 60 to 60 of 60"), ([-1], "-1 to -1")],
)
def test_labelled_clips_that_are_none_are_refused(labelled: list[int], said: str) -> None:
    with pytest.raises(SkelkitError, match=said):
        unlabelled(blobs()[0], torch.tensor(labelled), 1)


def test_features_that_are_not_finite_are_refused_by_clip() -> None:
    features = torch.ones(5, 2)
    features[3, 1] = math.nan
    with pytest.raises(SkelkitError, match="features of clip 3 are not finite"):
        unlabelled(features, NONE, 1)


@pytest.mark.parametrize("wrong", ["sum", "negative", "nan"])
def test_probabilities_that_are_none_are_refused(wrong: str) -> None:
    features, p = blobs()
    below = torch.cat([torch.tensor([[-1.0, 1, 0.5, 0.5]]), p[1:]])
    changed = {"sum": 2 * p, "negative": below, "nan": p * math.nan}[wrong]
    with pytest.raises(SkelkitError, match="give the softmax"):
        propose(Uniform(), features, changed, NONE, 1, seeded())


# ---- uniform, and core-set


def test_uniform_selects_each_clip_about_as_often() -> None:
    counts = torch.zeros(6)
    for seed in range(600):
        counts[Uniform().select(torch.zeros(6, 1), None, torch.tensor([2]), 2, seeded(seed))] += 1
    assert counts[2] == 0
    assert (counts[[0, 1, 3, 4, 5]] - 240).abs().max() < 60  # 600 x 2 / 5, five standard deviations


def greedy(features: np.ndarray, centres: list[int], n: int) -> list[int]:
    """k-centre greedy with the whole matrix of distances."""
    distances = np.sqrt(((features[:, None] - features[None]) ** 2).sum(2))
    for _ in range(n):
        nearest = distances[:, centres].min(1)
        nearest[centres] = -1
        centres = [*centres, int(nearest.argmax())]
    return centres[-n:]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 20), st.integers(0, 99))
def test_core_set_equals_the_greedy_choice_written_out(many: int, n: int, seed: int) -> None:
    features, _ = blobs(30, seed=seed)
    labelled = torch.randperm(30, generator=seeded(seed))[:many]
    assert CoreSet().select(features, None, labelled, n, seeded()).tolist() == greedy(
        features.numpy(), labelled.tolist(), n
    )


def test_core_set_draws_its_first_clip_and_goes_on_from_it() -> None:
    features, _ = blobs()
    first, *rest = CoreSet().select(features, None, NONE, 9, seeded()).tolist()
    assert rest == greedy(features.numpy(), [first], 8)


def test_core_set_by_hand() -> None:
    line = torch.tensor([[0.0], [1], [4], [9], [10]])
    assert CoreSet().select(line, None, torch.tensor([1]), 3, seeded()).tolist() == [4, 2, 0]  # 9, then 3, 1


@pytest.mark.parametrize("labelled", [[7], [0, 5, 17, 59, 20], [*range(30)]])
def test_core_set_agrees_with_scikit_activeml(labelled: list[int]) -> None:
    from skactiveml.pool import CoreSet as Theirs

    features, _ = blobs()
    y = np.full(60, np.nan)
    y[labelled] = 0
    theirs = Theirs(random_state=0).query(features.numpy(), y, batch_size=15)
    ours = CoreSet().select(features, None, torch.tensor(labelled), 15, seeded())
    assert ours.tolist() == theirs.tolist()


def test_core_set_does_not_see_where_the_origin_lies_or_how_large_a_unit_is() -> None:
    features, _ = blobs()
    one, other = (CoreSet().select(x, None, torch.tensor([3]), 20, seeded()) for x in (features, 3 * features + 100))
    assert torch.equal(one, other)


def test_core_set_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    features, _ = blobs()
    whole = CoreSet().select(features, None, torch.tensor([3, 4]), 20, seeded())
    monkeypatch.setattr(strategies, "BLOCK", 7)
    assert torch.equal(CoreSet().select(features, None, torch.tensor([3, 4]), 20, seeded()), whole)


# ---- the discriminator


def test_the_discriminator_selects_where_no_label_is() -> None:
    """Two groups far apart; all labels are in the one: the other's clips are selected."""
    features = torch.cat([torch.randn(30, 4, generator=seeded()) - 5, torch.randn(30, 4, generator=seeded(1)) + 5])
    found = Discriminator().select(features, None, torch.arange(10), 25, seeded())
    assert (found >= 30).all()


def test_the_discriminators_scores_equal_a_network_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a step its order is that of its random start."""
    features, _ = blobs()
    labelled, free = torch.tensor([4, 9]), torch.tensor([i for i in range(60) if i not in (4, 9)])
    found = Discriminator(hidden=8, steps=0).select(features, None, labelled, 58, seeded())
    rng = seeded()
    inner = (2 * torch.rand(8, 6, generator=rng, dtype=torch.double) - 1) / 6**0.5
    outer = (2 * torch.rand(8, 2, generator=rng, dtype=torch.double) - 1) / 2**0.5
    x = (features - features.mean(0)) / features.std(0)
    scores = (x @ inner[:, :5].T + inner[:, 5]).clamp(min=0) @ outer[:, 0] + outer[0, 1]
    assert found.tolist() == free[scores[free].argsort(descending=True)].tolist()


def test_the_discriminators_training_equals_adam_written_out() -> None:
    features, _ = blobs()
    labelled, free = torch.tensor([4, 9, 30]), torch.tensor([i for i in range(60) if i not in (4, 9, 30)])
    found = Discriminator(hidden=6, steps=5, batch=4, lr=0.05).select(features, None, labelled, 57, seeded())
    rng = seeded()
    weights = [(2 * torch.rand(6, many, generator=rng, dtype=torch.double) - 1).numpy() / many**0.5 for many in (6, 2)]
    x = np.column_stack([((features - features.mean(0)) / features.std(0)).numpy(), np.ones(60)])
    mean, square = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(1, 6):
        drawn = np.concatenate([s[torch.randint(len(s), (4,), generator=rng)].numpy() for s in (labelled, free)])
        hidden = x[drawn] @ weights[0].T
        active, outer = np.maximum(hidden, 0), weights[1][:, 0]
        error = 1 / (1 + np.exp(-active @ outer - weights[1][0, 1])) - np.repeat([0, 1], 4)  # 1: has no label
        bias = np.zeros(6)
        bias[0] = error.sum()
        gradients = [(np.outer(error, outer) * (hidden > 0)).T @ x[drawn], np.column_stack([active.T @ error, bias])]
        for w, g, m, v in zip(weights, gradients, mean, square, strict=True):
            m += 0.1 * (g / 4 - m)
            v += 0.001 * ((g / 4) ** 2 - v)
            w -= 0.05 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    scores = np.maximum(x @ weights[0].T, 0) @ weights[1][:, 0] + weights[1][0, 1]
    assert found.tolist() == free[np.argsort(-scores[free])].tolist()


def test_one_step_of_the_discriminator_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hidden unit, all weights from 1: 1/sqrt(3) within (there are two dimensions, the second of them dead) and
    1/sqrt(2) without, so that the score grows with x. The label lies at the largest x: every gradient is positive, and
    Adam's first step takes its rate, 0.6, from every weight. Within they turn negative, without they do not: now the
    unit is active below -1 alone, where the last clip is, and all others have the score of the bias."""
    features = torch.tensor([[3.0, 0], [0, 0], [-1, 0], [1, 0], [-3, 0]])  # standardised by sqrt(5): -3 is at -1.34
    monkeypatch.setattr(Tensor, "uniform_", lambda self, *_, **__: self.fill_(1))
    before, after = (Discriminator(hidden=1, steps=steps, lr=0.6) for steps in (0, 1))
    assert before.select(features, None, torch.tensor([0]), 4, seeded()).tolist() == [3, 1, 2, 4]
    assert after.select(features, None, torch.tensor([0]), 4, seeded()).tolist() == [4, 1, 2, 3]


def test_the_discriminator_does_not_see_the_scale_of_a_dimension() -> None:
    features, _ = blobs()
    scale = torch.tensor([1.0, 10, 0.1, 7, 100], dtype=torch.double)
    one, other = (
        Discriminator(steps=50).select(x, None, torch.tensor([1, 2]), 9, seeded()) for x in (features, features * scale)
    )
    assert one.tolist() == other.tolist()


# ---- k-means top


def nearest_centre(features: np.ndarray, clusters: int, n: int, labelled: list[int], seed: int) -> list[int]:
    """KT by scikit-learn's own distances."""
    means = KMeans(clusters, random_state=seed, n_init=1).fit(features)
    distances = means.transform(features).min(1)
    members = [[i for i in np.argsort(distances, kind="stable") if means.labels_[i] == c] for c in range(clusters)]
    open_ = [[i for i in own if i not in labelled] for own in members]
    given = shares([len(own) for own in members], [len(own) for own in open_], n)
    return [int(i) for own, share in zip(open_, given, strict=True) for i in own[:share]]


@pytest.mark.parametrize("labelled", [[], [0, 5, 17, 59, 20], [*range(0, 60, 2)]])
@pytest.mark.parametrize("clusters", [1, 4, 12])
def test_kt_agrees_with_scikit_learn(labelled: list[int], clusters: int) -> None:
    features, _ = blobs()
    ours = KMeansTop(clusters).select(features, None, torch.tensor(labelled, dtype=torch.long), 20, seeded(5))
    assert ours.tolist() == nearest_centre(features.numpy(), clusters, 20, labelled, seed_of(seeded(5)))


def test_the_distances_are_scikit_learns() -> None:
    features, _ = blobs()
    cluster, distance = clustered(features, 4, seeded(5))
    means = KMeans(4, random_state=seed_of(seeded(5)), n_init=1).fit(features.numpy())
    assert cluster.tolist() == means.labels_.tolist()
    assert_close(distance, torch.from_numpy(means.transform(features.numpy()).min(1)))


def test_kt_by_hand() -> None:
    """Two clusters of four and two clips, three labels: two of the larger, one of the smaller, nearest first."""
    line = torch.tensor([[0.0], [1], [2], [5], [100], [102.2], [101.2]])[[0, 1, 2, 3, 4, 6]]  # centres 2 and 100.6
    assert sorted(KMeansTop(2).select(line, None, NONE, 3, seeded()).tolist()) == [1, 2, 4]


def test_kt_gives_each_cluster_its_share() -> None:
    features, _ = blobs()
    cluster, _ = clustered(features, 6, seeded())
    found = KMeansTop(6).select(features, None, NONE, 12, seeded())
    sizes = torch.bincount(cluster, minlength=6).tolist()
    assert torch.bincount(cluster[found], minlength=6).tolist() == shares(sizes, sizes, 12)


def test_kt_does_not_see_where_the_origin_lies() -> None:
    features, _ = blobs()
    one, other = (KMeansTop(6).select(x, None, NONE, 12, seeded()) for x in (features, features + 8))
    assert set(one.tolist()) == set(other.tolist())


def test_more_clusters_than_clips_are_as_many_as_clips() -> None:
    features, _ = blobs(9)
    assert sorted(KMeansTop(100).select(features, None, NONE, 9, seeded()).tolist()) == [*range(9)]


def test_an_empty_cluster_gives_nothing_and_the_budget_is_met() -> None:
    features = torch.tensor([[0.0]] * 5 + [[1.0]] * 5)  # two clusters of four can be filled
    cluster, _ = clustered(features, 4, seeded())
    assert len(cluster.unique()) == 2
    assert len(KMeansTop(4).select(features, None, NONE, 7, seeded()).unique()) == 7


def test_many_clips_are_clustered_in_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    features, _ = blobs(600)
    whole, _ = clustered(features, 6, seeded())
    monkeypatch.setattr(strategies, "WHOLE", 100)
    monkeypatch.setattr("sklearn.cluster.KMeans", None)  # plays no part
    parts, distance = clustered(features, 6, seeded())
    pairs = torch.stack([whole, parts]).unique(dim=1).shape[1]
    assert pairs <= 12  # nearly the same clusters
    assert distance.mean() < 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8), st.data())
def test_shares_are_whole_never_more_than_there_are_and_meet_the_budget(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    sizes, free = [a + b for a, b in pairs], [b for _, b in pairs]
    if not sum(free):
        return
    n = data.draw(st.integers(1, sum(free)))
    given_ = shares(sizes, free, n)
    assert sum(given_) == n
    assert all(0 <= share <= most for share, most in zip(given_, free, strict=True))
    if sizes == free:
        assert all(abs(share - n * size / sum(sizes)) < 1 for share, size in zip(given_, sizes, strict=True))


def test_shares_by_hand() -> None:
    assert shares([50, 30, 20], [50, 30, 20], 10) == [5, 3, 2]
    assert shares([50, 30, 20], [50, 30, 20], 5) == [3, 1, 1]  # 2.5, 1.5, 1: of equal remainders the first
    assert shares([9, 1], [9, 1], 3) == [3, 0]  # 2.7, 0.3: a small cluster gives none
    assert shares([50, 50], [50, 1], 10) == [9, 1]  # what the second lacks
    assert shares([5, 0, 5], [5, 0, 5], 10) == [5, 0, 5]


# ---- KJS


def distribution(rng: np.random.Generator, rows: int, classes: int = 4) -> np.ndarray:
    return rng.dirichlet(np.full(classes, 0.3), rows)


def test_the_divergence_equals_equations_5_to_7_written_out() -> None:
    rng = np.random.default_rng(0)
    p, q = distribution(rng, 6), distribution(rng, 5)
    p[0], q[0] = [1, 0, 0, 0], [0, 0, 1, 0]
    written = [[(rel_entr(a, (a + b) / 2).sum() + rel_entr(b, (a + b) / 2).sum()) / 2 for b in q] for a in p]
    assert_close(divergence(torch.from_numpy(p), torch.from_numpy(q)), torch.tensor(written, dtype=torch.double))


def test_the_divergence_by_hand_is_0_of_equals_and_log_2_of_what_shares_no_class() -> None:
    p = torch.tensor([[1.0, 0, 0], [0, 0.5, 0.5]])
    assert_close(divergence(p, p), torch.tensor([[0, math.log(2)], [math.log(2), 0]], dtype=torch.double))


def test_the_divergence_is_symmetric_and_blind_to_the_order_of_classes() -> None:
    rng = np.random.default_rng(1)
    p, q = (torch.from_numpy(distribution(rng, 5)) for _ in range(2))
    assert_close(divergence(p, q), divergence(q, p).T)
    assert_close(divergence(p, q), divergence(p.flip(1), q.flip(1)))


def test_uncertainty_by_hand_and_as_scipy_has_it() -> None:
    p = torch.tensor([[1.0, 0], [0.5, 0.5], [0.9, 0.1]])
    assert_close(variance_ratio(p), torch.tensor([0, 0.5, 0.1]))
    assert_close(entropy(p), torch.tensor(scipys_entropy(p.numpy(), axis=1)))


def written_out(
    features: Tensor, p: Tensor, labelled: list[int], clusters: int, n: int, uncertainty: str, seed: int
) -> list[int]:
    """Algorithm 1, line by line."""
    means = KMeans(clusters, random_state=seed, n_init=1).fit(features.numpy())
    distance = means.transform(features.numpy()).min(1)
    sizes = np.bincount(means.labels_, minlength=clusters).tolist()
    free = [[i for i in range(60) if means.labels_[i] == c and i not in labelled] for c in range(clusters)]
    given_ = shares(sizes, [len(own) for own in free], n)
    found: list[int] = []
    for c in range(clusters):
        x_l = [i for i in labelled if means.labels_[i] == c]
        if not x_l:
            s = sorted(free[c], key=lambda i: distance[i])
        else:
            similarity = {}
            for i in free[c]:
                both = [(p[i] + p[j]) / 2 for j in x_l]
                similarity[i] = min(
                    sum(rel_entr(p[i], z)) / 2 + sum(rel_entr(p[j], z)) / 2 for j, z in zip(x_l, both, strict=True)
                )
            x_0 = sorted(free[c], key=lambda i: -similarity[i])[: 2 * given_[c]]
            vague = {
                i: 1 - max(p[i]) if uncertainty == "variance ratio" else -sum(v * math.log(v) for v in p[i])
                for i in x_0
            }
            s = sorted(x_0, key=lambda i: -vague[i])
        found += s[: given_[c]]
    return found


@pytest.mark.parametrize("uncertainty", ["variance ratio", "entropy"])
@pytest.mark.parametrize("labelled", [[0], [0, 5, 17, 59, 20, 33, 41]])
@pytest.mark.parametrize("n", [7, 23])
def test_kjs_equals_algorithm_1_written_out(uncertainty: Any, labelled: list[int], n: int) -> None:
    features, p = blobs()
    found = KJS(6, uncertainty).select(features, p, torch.tensor(labelled), n, seeded(2))
    assert found.tolist() == written_out(features, p.numpy(), labelled, 6, n, uncertainty, seed_of(seeded(2)))


def test_kjs_without_labels_is_kt() -> None:
    features, p = blobs()
    assert torch.equal(
        KJS(6).select(features, None, NONE, 13, seeded()), KMeansTop(6).select(features, p, NONE, 13, seeded())
    )


def test_kjs_by_hand() -> None:
    """One cluster, one label of class 0: of the four most unlike (2 x 2), the two least certain."""
    p = torch.tensor([[1.0, 0], [0.9, 0.1], [0.45, 0.55], [0.3, 0.7], [0.1, 0.9], [0, 1]])
    found = KJS(1).select(torch.zeros(6, 1), p, torch.tensor([0]), 2, seeded())
    assert found.tolist() == [2, 3]
    assert KJS(1).select(torch.zeros(6, 1), p, torch.tensor([0]), 1, seeded()).tolist() == [4]  # of 5 and 4


def test_kjs_in_blocks_is_the_same_and_blind_to_the_order_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    features, p = blobs()
    labelled = torch.arange(20)
    whole = KJS(3).select(features, p, labelled, 20, seeded())
    assert torch.equal(KJS(3).select(features, p.flip(1), labelled, 20, seeded()), whole)
    monkeypatch.setattr(strategies, "MOST_NUMBERS", 50)
    assert torch.equal(KJS(3).select(features, p, labelled, 20, seeded()), whole)


# ---- scikit-activeml's


def test_margin_selects_the_two_closest_probabilities() -> None:
    features, p = blobs()
    best = p.sort(dim=1).values
    by_margin = (best[:, -1] - best[:, -2]).argsort().tolist()
    found = Margin().select(features, p, torch.tensor([0, 1]), 9, seeded())
    assert found.tolist() == [i for i in by_margin if i not in (0, 1)][:9]


def test_badge_starts_at_the_longest_gradient() -> None:
    features, p = blobs()
    gradient = (p - torch.nn.functional.one_hot(p.argmax(1), 4)).norm(dim=1) * features.norm(dim=1)
    gradient[[0, 1]] = 0
    assert BADGE().select(features, p, torch.tensor([0, 1]), 9, seeded())[0] == gradient.argmax()


def gradients(features: Tensor, p: Tensor) -> Tensor:
    """Of the likeliest class's cross-entropy by the last layer's weights, a row for each clip."""
    return ((p - torch.nn.functional.one_hot(p.argmax(1), p.shape[1]))[:, :, None] * features[:, None]).flatten(1)


@pytest.mark.parametrize("seed", [0, 1])
def test_badge_equals_k_means_plus_plus_over_gradients_written_out(seed: int) -> None:
    """Zero counts as a centre as well."""
    from skactiveml.utils import check_random_state

    features, p = blobs(seed=seed)
    labelled, free = torch.tensor([0, 1]), np.arange(2, 60)
    found = BADGE().select(features, p, labelled, 9, seeded(seed))
    g = gradients(features, p).numpy()[free]
    centres, chosen = [np.zeros(20)], [int(np.linalg.norm(g, axis=1).argmax())]
    draws = check_random_state(seed_of(seeded(seed)), 1 + len(free))  # as scikit-activeml seeds itself
    while len(chosen) < 9:
        centres.append(g[chosen[-1]])
        away = np.array([min(((one - centre) ** 2).sum() for centre in centres) for one in g])
        chosen.append(int(draws.choice(len(g), p=away / away.sum())))
    assert found.tolist() == free[chosen].tolist()


def test_badge_by_hand_takes_one_clip_of_each_gradient() -> None:
    """Half sure of two classes, a clip's gradient is half of it, with both signs: the longest first, then what is left
    of three places, of which a taken one has distance 0."""
    features = torch.tensor([[1.0], [1], [1], [8], [-5], [-5]], dtype=torch.double)
    for seed in range(9):
        found = BADGE().select(features, torch.full((6, 2), 0.5).double(), torch.tensor([0]), 3, seeded(seed))
        assert found[0] == 3
        assert sorted(features[found, 0].tolist()) == [-5, 1, 8]


def test_badge_ignores_the_order_of_the_classes_and_a_rotation_of_the_features() -> None:
    features, p = blobs()
    turn = torch.linalg.qr(torch.randn(5, 5, generator=seeded(), dtype=torch.double)).Q
    found = BADGE().select(features, p, torch.tensor([0, 1]), 9, seeded())
    assert BADGE().select(features @ turn, p.flip(1), torch.tensor([0, 1]), 9, seeded()).tolist() == found.tolist()


def test_badge_refuses_gradients_that_need_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skelkit.evaluate.activeml.MOST_NUMBERS", 100)
    features, p = blobs()
    with pytest.raises(SkelkitError, match="BADGE: gradients of 60 clips, 4 classes and 5 dimensions take 0 GB"):
        BADGE().select(features, p, torch.tensor([0]), 2, seeded())


def test_typiclust_selects_one_clip_of_each_cluster_without_a_label() -> None:
    features, _ = blobs(groups=6)
    tight = features.clone()
    for group in range(6):
        tight[group::6] = tight[group::6].mean(0) + (tight[group::6] - tight[group::6].mean(0)) / 20
    found = TypiClust().select(tight, None, torch.tensor([0, 7]), 4, seeded())
    assert sorted((found % 6).tolist()) == [2, 3, 4, 5]


@pytest.mark.parametrize("labelled", [[0], [0, 3, 5]])
def test_typiclust_names_no_clip_twice_where_few_clips_differ(labelled: list[int]) -> None:
    """Three places: of six clusters three are filled; none is left without a label after two clips, or at once."""
    features = torch.tensor([[0.0], [0], [0], [5], [5], [9], [9], [9]])
    found = TypiClust().select(features, None, torch.tensor(labelled), 5, seeded())
    assert len(found.unique()) == 5
    assert not set(found.tolist()) & set(labelled)
    if len(labelled) == 1:
        assert sorted(features[found[:2], 0].tolist()) == [5, 9]


@pytest.mark.parametrize("name", ["margin", "BADGE", "TypiClust"])
def test_without_scikit_activeml_its_strategies_say_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("skactiveml", "skactiveml.pool", "skactiveml.base"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SkelkitError, match=r"pip install 'skelkit\[active\]'"):
        selected(ALL[name], torch.tensor([0]))
