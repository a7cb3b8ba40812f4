"""Features compressed by an auto-encoder: its layers and its training written out, and what the code keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from skelkit.evaluate.compression import CompressedKNN, Compressor, compressed_knn, compressor
from skelkit.evaluate.knn import KNN, knn
from skelkit.files import SkelkitError

pytestmark = pytest.mark.usefixtures("one_thread")


def some_features(n: int = 40, d: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Four classes along directions of their own, in noise, within (-1, 1) as a GRU's states are."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(0, 1, (4, d))
    labels = np.arange(n) % 4
    features = np.tanh(directions[labels] + rng.normal(0, 0.2, (n, d)))
    return torch.from_numpy(features).float(), torch.from_numpy(labels)


def made(protocol: CompressedKNN, features: Tensor, seed: int = 0) -> Compressor:
    torch.manual_seed(seed)
    return compressor(protocol, features, Generator().manual_seed(seed))


def test_the_layers_equal_their_formulas() -> None:
    torch.manual_seed(0)
    module, x = Compressor(16, (2, 4, 8)), torch.randn(5, 16)
    w = [(layer.weight, layer.bias) for layer in (*module.down, *module.up)]
    assert [tuple(a.shape) for a, _ in w] == [(8, 16), (4, 8), (2, 4), (4, 2), (8, 4), (16, 8)]
    h = x
    for a, b in w[:2]:
        h = (h @ a.T + b).tanh()
    code = h @ w[2][0].T + w[2][1]
    assert_close(module(x), code)
    h = code.tanh()
    for a, b in w[3:5]:
        h = (h @ a.T + b).tanh()
    assert_close(module.returned(code), h @ w[5][0].T + w[5][1])


def test_one_layer_by_hand() -> None:
    """Weights of 1 without biases: the code of (1, 2) is their sum, and comes back as tanh(3) twice."""
    module = Compressor(2, (2,))
    for p in module.parameters():
        torch.nn.init.constant_(p, float(p.dim() == 2))
    code = module(torch.tensor([[1.0, 2.0]]))
    assert code.tolist() == [[3.0]]
    assert_close(module.returned(code), torch.full((1, 2), 3.0).tanh())


def test_the_training_equals_adam_written_out() -> None:
    features = some_features(10, 8)[0]
    protocol = CompressedKNN(parts=(2, 4), epochs=3, batch=4, lr=0.01)
    module = made(protocol, features)
    torch.manual_seed(0)
    twin, order = Compressor(8, (2, 4)), Generator().manual_seed(0)
    weights = list(twin.parameters())
    first, second = ([torch.zeros_like(p) for p in weights] for _ in range(2))
    step = 0
    for _ in range(3):
        for chosen in torch.randperm(10, generator=order).split(4):
            step += 1
            x = features[chosen]
            loss = sum((a - b).abs() for a, b in zip(twin.returned(twin(x)).flatten(), x.flatten(), strict=True))
            slopes = torch.autograd.grad(loss / x.numel(), weights)
            for p, g, m, v in zip(weights, slopes, first, second, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g**2)
                with torch.no_grad():
                    p -= 0.01 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    for ours, theirs in zip(module.parameters(), weights, strict=True):
        assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_features_come_back_closer_after_training() -> None:
    features = some_features(64)[0]
    errors = []
    for epochs in (0, 60):
        module = made(CompressedKNN(parts=(2, 4), epochs=epochs, lr=0.01), features)
        errors.append((module.returned(module(features)) - features).abs().mean().item())
    assert errors[1] < 0.5 * errors[0]


def test_classes_that_lie_apart_stay_apart_in_an_eighth_of_the_dimensions() -> None:
    train, test = some_features(80, 32), some_features(40, 32, seed=1)
    protocol = CompressedKNN(epochs=60, batch=16, lr=0.005)
    torch.manual_seed(0)
    found = compressed_knn(protocol, train, test, 4, Generator().manual_seed(0))
    assert found.scores["kNN top-1"] == 100


@pytest.mark.parametrize("k", [1, 3])
def test_the_code_votes_as_plain_neighbours_do(k: int) -> None:
    train, test = some_features(), some_features(12, seed=1)
    protocol = CompressedKNN(k, epochs=2)
    module = made(protocol, train[0])
    expected = knn(KNN(k), (module(train[0]).detach(), train[1]), (module(test[0]).detach(), test[1]), 4)
    torch.manual_seed(0)
    found = compressed_knn(protocol, train, test, 4, Generator().manual_seed(0))
    assert np.array_equal(found.confusion, expected.confusion)


def test_neither_labels_nor_test_clips_shape_the_code_and_their_order_does_not_matter() -> None:
    train, test = some_features(), some_features(12, seed=1)
    protocol = CompressedKNN(epochs=2)

    def confusion(ours: Any, theirs: Any) -> np.ndarray:
        torch.manual_seed(0)
        return np.array(compressed_knn(protocol, ours, theirs, 4, Generator().manual_seed(0)).confusion)

    whole = confusion(train, test)
    assert np.array_equal(confusion(train, (test[0].flip(0), test[1].flip(0))), whole)
    parts = [confusion(train, (test[0][i::2], test[1][i::2])) for i in (0, 1)]
    assert np.array_equal(parts[0] + parts[1], whole)
    swapped = confusion((train[0], 3 - train[1]), (test[0], 3 - test[1]))
    assert np.array_equal(swapped[::-1, ::-1], whole)


@pytest.mark.parametrize("parts", [(), (0,), (32,)])
def test_a_code_of_no_numbers_is_refused(parts: tuple[int, ...]) -> None:
    with pytest.raises(SkelkitError, match=r"compression: parts .* of 16 dimensions leave nothing; give 1 to 16"):
        Compressor(16, parts)


def test_more_neighbours_than_clips_are_refused() -> None:
    with pytest.raises(SkelkitError, match="k = 41 with 40 training clips"):
        compressed_knn(CompressedKNN(41, epochs=0), some_features(), some_features(4), 4, Generator())
