"""What holds for every encoder; those of inter-skeleton contrast one by one, and the graph of a skeleton."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import reference
import torch
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.bench.agcn import literal, literal_graph
from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU, Skeleton
from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.agcn import AGCN, AGCNEncoder, GraphConvolution, mixture
from skelkit.models.graph import agcn_partitions, stgcn_partitions
from skelkit.models.gru import BiGRU, BiGRUEncoder, last_frames, over_frames
from skelkit.models.hcn import HCN, HCNEncoder
from skelkit.models.no_network import NoNetwork
from skelkit.models.stgcn import STGCN

SMALL = [
    BiGRU(8),
    BiGRU(8, directions="two forward"),
    BiGRU(8, padding="left out"),
    BiGRU(8, directions="two forward", padding="left out", initial=0.3),
    HCN(8),
    HCN(8, image=16),
    AGCN(8),
    STGCN(8),
    STGCN(8, bones=False),
]
"""The networks, which gradients reach; `NoNetwork` has no weight."""
every_network = pytest.mark.parametrize("config", SMALL, ids=str)
every_encoder = pytest.mark.parametrize("config", [*SMALL, NoNetwork()], ids=str)
pytestmark = pytest.mark.usefixtures("one_thread")


def spec(skeleton: Skeleton = SBU, persons: int = 2) -> DataSpec:
    return DataSpec(clips=6, classes=3, skeleton=skeleton, persons=persons)


def some_clips(b: int = 3, t: int = 7, v: int = 15, m: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(b, 3, t, v, m, generator=Generator().manual_seed(seed))


def built(config: Any, data: DataSpec | None = None) -> Any:
    torch.manual_seed(0)
    return config.build(data or spec())


def shaken(module: nn.Module) -> nn.Module:
    """Every parameter away from its first value, so that none is zero, one or tiny."""
    rng = Generator().manual_seed(1)
    with torch.no_grad():
        for p in module.parameters():
            p += 0.1 * torch.randn(p.shape, generator=rng)
    return module


def quiet(module: nn.Module) -> None:
    """Every parameter zero."""
    with torch.no_grad():
        for p in module.parameters():
            p.zero_()


# ---- all of them


@pytest.mark.parametrize(("config", "count"), [(BiGRU(), 44_998_656), (HCN(), 519_424), (AGCN(), 3_454_090)])
def test_the_released_encoders_sizes_for_25_joints_and_two_persons(config: Any, count: int) -> None:
    encoder = config.build(spec(KINECT_V2))
    assert sum(p.numel() for p in encoder.parameters()) == count
    assert encoder.out_dim == {BiGRU: 2048, HCN: 4096, AGCN: 256}[type(config)]


@every_encoder
@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, SBU], ids=lambda s: s.name)
@pytest.mark.parametrize("persons", [1, 2])
def test_any_skeleton_and_length_gives_finite_features_and_a_gradient_reaches_every_weight(
    config: Any, skeleton: Skeleton, persons: int
) -> None:
    encoder = shaken(built(config, spec(skeleton, persons)))
    for t in (2, 5, 20):
        features = encoder(some_clips(4, t, len(skeleton), persons))
        assert features.shape == (4, encoder.out_dim)
        assert features.dtype == torch.float32
        assert features.isfinite().all()
    if isinstance(config, NoNetwork):
        return
    features.square().sum().backward()
    for name, p in encoder.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        # A bias before a batch norm, or one that shifts a whole softmax, moves nothing.
        assert p.dim() == 1 or "bias" in name or p.grad.any(), name


@every_encoder
def test_in_evaluation_a_clip_s_features_depend_on_no_other_and_repeat_themselves(config: Any) -> None:
    encoder, x = shaken(built(config)).eval(), some_clips(5)
    together = encoder(x)
    assert torch.equal(encoder(x), together)
    assert_close(encoder(x[3:4]), together[3:4], rtol=1e-4, atol=1e-5)
    assert_close(encoder(x.flip(0)).flip(0), together, rtol=1e-4, atol=1e-5)


@every_encoder
def test_a_missing_second_person_is_taken_as_zeros(config: Any) -> None:
    encoder, x = built(config).eval(), some_clips()
    x[..., 1] = 0
    assert encoder(x).isfinite().all()
    assert not torch.isclose(encoder(x), encoder(torch.zeros_like(x))).all()


@every_network
def test_the_gradient_passes_through_bf16(config: Any) -> None:
    encoder, x = shaken(built(replace(config, dropout=0.0) if hasattr(config, "dropout") else config)), some_clips()
    plain = encoder(x)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(x)
    assert (half - plain).norm() < 0.05 * plain.norm()
    half.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in encoder.parameters())


# ---- the bidirectional GRU


def weights_of(gru: nn.Module) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy() for name, p in gru.named_parameters()}


def bidirectional(encoder: BiGRUEncoder) -> nn.GRU:
    """torch's own bidirectional GRU with the encoder's weights."""
    width, inputs = encoder.config.width, encoder.first[0].input_size
    twin = nn.GRU(inputs, width, encoder.config.layers, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for i, pair in enumerate(zip(encoder.first, encoder.second, strict=True)):
            for gru, end in zip(pair, ("", "_reverse"), strict=True):
                for name, p in gru.named_parameters():
                    twin.get_parameter(name.replace("l0", f"l{i}") + end).copy_(p)
    return twin


def frames_of(x: Tensor) -> Tensor:
    """(b t v3m), number by number: joint, axis, person."""
    b, _, t, v, m = x.shape
    order = [(j, axis, p) for j in range(v) for axis in range(3) for p in range(m)]
    return torch.stack([x[:, axis, :, j, p] for j, axis, p in order], 2).view(b, t, len(order))


@pytest.mark.parametrize("directions", ["both ways", "two forward"])
def test_the_gru_equals_two_loops_over_the_frames_of_each_layer(directions: Any) -> None:
    encoder, x = built(BiGRU(6, 3, directions)), some_clips()
    expected = []
    for clip in frames_of(x).double().numpy():
        states = clip  # (t, numbers)
        for first, second in zip(encoder.first, encoder.second, strict=True):
            turn = slice(None, None, -1 if directions == "both ways" else None)
            forth = reference.recurrent_states("gru", weights_of(first), states.T[:, :, None, None])
            back = reference.recurrent_states("gru", weights_of(second), states[turn].T[:, :, None, None])
            states = np.concatenate([forth, back[turn]], 1)
        expected.append(np.concatenate([forth[-1], back[-1]]))
    assert_close(encoder(x), torch.from_numpy(np.stack(expected)).float())


def test_both_ways_is_torchs_bidirectional_gru() -> None:
    encoder, x = built(BiGRU(6)), some_clips()
    last = bidirectional(encoder)(frames_of(x))[1]  # (2 layers, b, h): each direction's last state
    assert_close(encoder(x), torch.cat([last[-2], last[-1]], 1))


def test_two_forward_is_a_bidirectional_gru_stepped_frame_by_frame() -> None:
    """The released code's way, to 1e-5 in values and gradients."""
    encoder, x = built(BiGRU(6, directions="two forward")), some_clips(t=12)
    twin, state = bidirectional(encoder), None
    for frame in frames_of(x).split(1, 1):
        output, state = twin(frame, state)
    stepped = output[:, -1]
    assert_close(encoder(x), stepped, rtol=0, atol=1e-5)
    encoder(x).square().sum().backward()
    stepped.square().sum().backward()
    for i, pair in enumerate(zip(encoder.first, encoder.second, strict=True)):
        for gru, end in zip(pair, ("", "_reverse"), strict=True):
            for name, p in gru.named_parameters():
                expected = twin.get_parameter(name.replace("l0", f"l{i}") + end).grad
                assert_close(p.grad, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("directions", ["both ways", "two forward"])
def test_padding_that_is_left_out_is_as_if_it_were_not_there(directions: Any) -> None:
    """Each clip with its zeros, in a batch, against the clip alone without them; absences within it are read."""
    encoder, x = built(BiGRU(6, 3, directions, padding="left out")), some_clips(4, 9)
    reading = built(BiGRU(6, 3, directions))
    ends = (9, 5, 1, 7)
    for clip, end in zip(x, ends, strict=True):
        clip[:, end:] = 0
    x[0, :, 3:5] = 0  # nobody is there for a while
    x[3, ..., 1] = 0
    together = encoder(x)
    for i, end in enumerate(ends):
        assert_close(together[i : i + 1], reading(x[i : i + 1, :, :end]))
    assert_close(together[0], reading(x)[0])
    assert not torch.isclose(together[1:], reading(x)[1:]).all(1).any()


def test_what_padding_is_left_out_by_hand() -> None:
    x = torch.zeros(4, 3, 5, 15, 2)
    x[0, 1, 4, 3, 1] = -0.5
    x[1, 0, 2] = 1.0
    x[2, 2, 0, 7, 0] = 1e-9
    assert last_frames(x).tolist() == [4, 2, 0, 0]
    assert built(BiGRU(6, padding="left out"))(x).isfinite().all()


def test_weights_start_evenly_up_to_the_limit_that_is_given() -> None:
    for p in built(BiGRU(16, 2, initial=0.05)).parameters():
        assert 0.04 < p.abs().max() <= 0.05
    assert built(BiGRU(16, 2)).first[0].weight_hh_l0.abs().max() > 0.2  # torch's own: 1 / 4


def test_by_xaviers_rule_a_matrix_starts_evenly_up_to_its_sizes_limit_and_a_bias_as_torch_has_it() -> None:
    """30 inputs (5 joints, 3 axes, 2 persons) and 3 x 16 gates: sqrt(6 / 78); recurrent: sqrt(6 / 64)."""
    encoder = built(BiGRU(16, 1, initial="xavier"))
    inputs = encoder.first[0].weight_ih_l0.shape[1]
    for gru in (encoder.first[0], encoder.second[0]):
        assert 0.95 < gru.weight_ih_l0.abs().max() / (6 / (48 + inputs)) ** 0.5 <= 1
        assert 0.95 < gru.weight_hh_l0.abs().max() / (6 / (48 + 16)) ** 0.5 <= 1
        assert 0.2 < gru.bias_hh_l0.abs().max() <= 1 / 4


def test_a_frame_is_read_in_the_order_joint_axis_person() -> None:
    """By hand: a unit that looks at input 35 = (joint 5, axis 2, person 1) only, 5 x 6 + 2 x 2 + 1, and whose gates
    stand half open, says tanh(x) / 2 after one frame."""
    encoder, x = built(BiGRU(1, layers=1)), some_clips(t=1)
    quiet(encoder)
    with torch.no_grad():
        encoder.first[0].weight_ih_l0[2, 35] = 1.0
    assert_close(encoder(x), torch.stack([x[:, 2, 0, 5, 1].tanh() / 2, torch.zeros(3)], 1))


def test_a_clip_played_backwards_exchanges_the_two_ways() -> None:
    both, forward = (built(BiGRU(4, 1, directions)) for directions in ("both ways", "two forward"))
    for encoder in (both, forward):
        encoder.second.load_state_dict(encoder.first.state_dict())
    x = some_clips()
    assert_close(both(x.flip(2)), both(x).roll(4, 1))
    assert_close(forward(x)[:, :4], forward(x)[:, 4:])
    assert not torch.isclose(forward(x.flip(2)), forward(x)).any()


# ---- HCN


def convolution(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    """(c h w) -> (o h w), window by window."""
    w, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()  # type: ignore[union-attr]
    tall, wide = w.shape[2:]
    padded = np.pad(x, ((0, 0), (tall // 2, tall // 2), (wide // 2, wide // 2)))
    out = np.empty((len(w), *x.shape[1:]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, i, j] = (w * padded[:, i : i + tall, j : j + wide]).sum((1, 2, 3)) + bias
    return out


def pooled(x: np.ndarray) -> np.ndarray:
    """The greatest of each square of four."""
    return np.maximum(np.maximum(x[:, ::2, ::2], x[:, 1::2, ::2]), np.maximum(x[:, ::2, 1::2], x[:, 1::2, 1::2]))


def resampled(x: np.ndarray, frames: int) -> np.ndarray:
    """(3 t v) -> (3 frames v): frame i lies at (i + 1/2) t / frames - 1/2, between its two neighbours."""
    t = x.shape[1]
    places = np.clip((np.arange(frames) + 0.5) * t / frames - 0.5, 0, t - 1)
    low = np.floor(places).astype(int)
    high, part = np.minimum(low + 1, t - 1), (places - low)[:, None]
    return x[:, low] * (1 - part) + x[:, high] * part


def test_hcn_equals_its_layers_written_out() -> None:
    encoder, x = built(HCN(4, image=16)).eval(), some_clips(2, t=11)
    expected = []
    for clip in x.double().numpy():
        persons = []
        for person in range(2):
            pose, maps = resampled(clip[..., person], 16), []
            for stream, seen in ((encoder.pose, pose), (encoder.motion, resampled(np.diff(pose, axis=1), 16))):
                conv1, conv2 = stream.points[0], stream.points[2]
                conv3, conv4 = (layer for layer in stream.joints if isinstance(layer, nn.Conv2d))
                points = convolution(np.maximum(convolution(seen, conv1), 0), conv2)  # (16 t v)
                joints = points.transpose(2, 1, 0)  # (v t 16)
                maps.append(pooled(convolution(pooled(convolution(joints, conv3)), conv4)))
            found = np.concatenate(maps)
            for layer in encoder.joined:
                if isinstance(layer, nn.Conv2d):
                    found = pooled(np.maximum(convolution(found, layer), 0))
            persons.append(found.ravel())
        expected.append(np.maximum(*persons))
    assert_close(encoder(x), torch.from_numpy(np.stack(expected)).float(), rtol=1e-4, atol=1e-5)


def test_hcn_by_hand_looks_at_the_motion_apart_from_the_pose() -> None:
    """A joint that moves by .5 a frame on 16 frames: the motion stream alone, all weights on one path, says 6 x .5.

    On the path each of conv3 to conv6 sees only its window's middle; conv2 sums the three frames of its window, and
    at the ends two; pooling takes the most. conv1 doubles: 2 x 3 x .5 = 3.
    """
    encoder = built(HCN(2, image=16)).eval()
    quiet(encoder)
    with torch.no_grad():
        encoder.motion.points[0].weight[0, 0, 0, 0] = 2  # axis x
        encoder.motion.points[2].weight[3, 0, :, 0] = 1  # number 3 of each joint
        encoder.motion.joints[0].weight[0, 7, 1, 1] = 1  # joint 7
        encoder.motion.joints[2].weight[0, 0, 1, 1] = 1
        encoder.joined[0].weight[0, 2, 1, 1] = 1  # the motion stream's first channel
        encoder.joined[4].weight[5, 0, 1, 1] = 1
    x = torch.zeros(1, 3, 16, 15, 2)
    x[0, 0, :, 7, 1] = torch.arange(16) / 2
    assert encoder(x)[0].tolist() == [3.0 if i == 5 else 0.0 for i in range(8)]


def test_a_still_clip_has_the_same_feature_at_any_length() -> None:
    encoder, x = built(HCN(8)).eval(), some_clips(t=1)
    still = [encoder(x.expand(-1, -1, t, -1, -1)) for t in (1, 9, 64, 100)]
    for one, other in pairwise(still):
        assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_hcn_takes_the_maximum_over_persons_whatever_their_order() -> None:
    encoder, x = built(HCN(8)).eval(), some_clips(m=2)
    assert_close(encoder(x), torch.maximum(encoder(x[..., :1]), encoder(x[..., 1:])))
    assert_close(encoder(x.flip(4)), encoder(x))


def test_hcn_drops_channels_in_training_alone() -> None:
    encoder, x = built(HCN(8)), some_clips()
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


def test_a_new_hcn_tells_clips_apart() -> None:
    """From torch's own start the features of different clips differ by a few percent of their mean."""
    features = built(HCN(16)).eval()(some_clips(16)).detach()
    assert features.std(0).mean() > 0.15 * features.mean()


@pytest.mark.parametrize("image", [0, 8, 40])
def test_an_image_that_cannot_be_halved_four_times_is_refused(image: int) -> None:
    with pytest.raises(SkelkitError, match=f"image = {image} cannot be halved four times; give a multiple of 16"):
        HCN(8, image=image).build(spec())


# ---- the skeleton as a graph

CHAIN = Skeleton("chain", ("hip", "knee", "ankle", "foot"), ((1, 0), (2, 1), (3, 2)), centre=0)


def relabelled(skeleton: Skeleton, order: list[int]) -> Skeleton:
    """The same skeleton whose joint i is the old joint order[i]."""
    at = {old: new for new, old in enumerate(order)}
    return Skeleton(
        "relabelled",
        tuple(skeleton.joints[old] for old in order),
        tuple((at[c], at[p]) for c, p in skeleton.bones),
        at[skeleton.centre],
    )


def test_the_partitions_of_ntus_skeleton_have_the_released_sums() -> None:
    assert_close(agcn_partitions(KINECT_V2).sum((1, 2)), torch.tensor([25.0, 24, 20]))
    sums = stgcn_partitions(KINECT_V2).sum((1, 2))
    assert [round(value, 2) for value in sums.tolist()] == [8.95, 13.30, 2.75]


def test_the_partitions_of_a_chain_by_hand() -> None:
    """Hip, knee, ankle, foot: [k, from, to]."""
    itself, from_parent, from_child = agcn_partitions(CHAIN)
    assert itself.tolist() == torch.eye(4).tolist()
    assert from_parent.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert from_child.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    a, b = 1 / 2, 1 / 3  # ends have two neighbours with themselves, the middle three
    whole = stgcn_partitions(CHAIN, hops=None)
    assert_close(whole[0], torch.diag(torch.tensor([a, b, b, a])))
    assert_close(whole[1], torch.tensor([[0, 0, 0, 0], [a, 0, 0, 0], [0, b, 0, 0], [0, 0, b, 0]]))
    assert_close(whole[2], torch.tensor([[0, b, 0, 0], [0, 0, b, 0], [0, 0, 0, a], [0, 0, 0, 0]]))
    near = stgcn_partitions(CHAIN)  # ankle and foot are both beyond one hop
    assert_close(near[1], whole[1] + torch.tensor([[0.0] * 4, [0.0] * 4, [0, 0, 0, a], [0.0] * 4]))
    assert_close(near.sum(0), whole.sum(0))


@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, SBU], ids=lambda s: s.name)
def test_the_partitions_follow_a_relabelling_of_the_joints(skeleton: Skeleton) -> None:
    order = torch.randperm(len(skeleton), generator=Generator().manual_seed(0)).tolist()
    for partitions in (agcn_partitions, stgcn_partitions):
        moved = partitions(skeleton)[:, order][:, :, order]
        assert torch.equal(partitions(relabelled(skeleton, order)), moved)


# ---- A-GCN


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("skeleton", "persons"), [(KINECT_V2, 2), (SBU, 1)], ids=str)
def test_agcn_equals_the_literal_transcription_of_its_equations(
    skeleton: Skeleton, persons: int, training: bool
) -> None:
    """Values and gradients; in 64 bit, so that ten normalised layers do not blow up the rounding."""
    encoder = shaken(built(AGCN(8), spec(skeleton, persons))).double().train(training)
    x = some_clips(3, 9, len(skeleton), persons).double().requires_grad_()
    found = []
    for encode in (encoder, lambda x: literal(encoder, x)):
        features = encode(x)
        leaves = [x, *encoder.parameters()]
        found.append((features, torch.autograd.grad(features.pow(3).sum(), leaves)))
    (ours, our_gradients), (theirs, their_gradients) = found
    assert_close(ours, theirs)
    for one, other in zip(our_gradients, their_gradients, strict=True):
        assert_close(one, other, rtol=1e-6, atol=1e-8)


def graph_convolution(inputs: int = 2, outputs: int = 4, skeleton: Skeleton = CHAIN) -> GraphConvolution:
    torch.manual_seed(0)
    return GraphConvolution(inputs, outputs, skeleton)


def test_the_learned_graph_equals_its_formula_pair_by_pair() -> None:
    """A + B + softmax(theta x . phi x / number of terms) over the joints that a joint takes from (Eq. 4)."""
    layer, x = graph_convolution(outputs=8), torch.randn(2, 4, 5, 2, generator=Generator().manual_seed(0))
    shaken(layer)
    theta, phi = layer.theta(x), layer.phi(x)  # (n v t 3e), e = 2
    for k in range(3):
        mine = slice(2 * k, 2 * k + 2)
        for n in range(2):
            for j in range(4):
                scores = [(theta[n, i, :, mine] * phi[n, j, :, mine]).sum() / (5 * 2) for i in range(4)]
                expected = layer.fixed[k, :, j] + layer.learned[k, :, j] + torch.stack(scores).softmax(0)
                assert_close(layer.adjacency(x)[k, n, :, j], expected)


def test_a_graph_convolution_by_hand() -> None:
    """Embeddings of nothing: C is 1/4 everywhere. A one at the knee of a chain of four, W_k = 1, 10, 100."""
    layer = graph_convolution(1, 4).eval()
    quiet(layer)
    with torch.no_grad():
        layer.weight[:, 0, 0] = torch.tensor([1.0, 10.0, 100.0])
        layer.norm.weight.fill_(1.0)
    x = torch.zeros(1, 4, 1, 1)
    x[0, 1] = 1
    everywhere = (1 + 10 + 100) / 4
    # The knee keeps its own (1), the ankle takes it from its parent (10), the hip from its child (100).
    expected = torch.tensor([everywhere + 100, everywhere + 1, everywhere + 10, everywhere])
    assert_close(layer(x)[0, :, 0, 0], expected / (1 + 1e-5) ** 0.5)
    assert_close(literal_graph(layer, x.permute(0, 3, 2, 1))[0, 0, 0], layer(x)[0, :, 0, 0])


def test_relabelling_the_joints_with_their_graph_leaves_the_feature() -> None:
    order = torch.randperm(20, generator=Generator().manual_seed(0)).tolist()
    x = some_clips(v=20)
    features = []
    for skeleton, clips in ((KINECT_V1, x), (relabelled(KINECT_V1, order), x[:, :, :, order])):
        encoder = built(AGCN(8), spec(skeleton))
        for block in encoder.blocks:
            nn.init.ones_(block.graph.norm.weight)  # not the released 1e-6, with which the graph hardly counts
        features.append(encoder(clips))
    assert_close(features[0], features[1], rtol=1e-3, atol=1e-4)


def test_a_recurrence_is_in_32_bit_under_autocast_but_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x, start = nn.GRU(3, 4, batch_first=True), torch.randn(2, 5, 3), torch.randn(1, 2, 4)
    exact = over_frames(layer, x, start)
    assert_close(exact, layer(x, start)[0], rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(over_frames(layer, x, start), layer(x, start)[0], rtol=0, atol=0)
        monkeypatch.setattr("skelkit.models.gru.on_cpu", lambda _: False)  # as on a GPU
        assert_close(over_frames(layer, x.bfloat16(), start), exact, rtol=2e-2, atol=2e-2)
        assert_close(over_frames(layer, x, start), exact, rtol=0, atol=0)
        assert over_frames(layer, x).dtype == torch.float32


def test_a_mixture_has_the_same_gradient_whatever_the_strides_of_its_input() -> None:
    x, weight, bias = torch.randn(2, 4, 5, 3), torch.randn(3, 3, 6), torch.randn(4, 6)
    adjacency = torch.randn(3, 2, 4, 4)
    strided = x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    assert not strided.is_contiguous()
    gradients = []
    for given in (x.requires_grad_(), strided.requires_grad_()):
        (found,) = torch.autograd.grad(mixture(given, adjacency, weight, bias).square().sum(), given)
        gradients.append(found)
    assert gradients[0].abs().sum() > 0
    assert_close(gradients[1], gradients[0])


def test_agcn_means_over_persons_and_halves_time_twice() -> None:
    encoder, x = built(AGCN(8)).eval(), some_clips(t=12)
    assert_close(encoder(x.flip(4)), encoder(x))
    shapes: list[torch.Size] = []
    for block in encoder.blocks:
        block.register_forward_hook(lambda _, __, y: shapes.append(y.shape))
    encoder(x)
    assert [shape[2] for shape in shapes] == [12] * 4 + [6] * 3 + [3] * 3
    assert [shape[3] for shape in shapes] == [8] * 4 + [16] * 3 + [32] * 3
    assert {shape[:2] for shape in shapes} == {(6, 15)}


def test_a_new_agcn_begins_with_the_bodys_graph_and_blocks_that_pass_on_what_they_get() -> None:
    encoder: AGCNEncoder = built(AGCN(8))
    for block in encoder.blocks:
        assert torch.equal(block.graph.fixed, agcn_partitions(SBU))
        assert block.graph.learned.unique().tolist() == pytest.approx([1e-6])
    layer, x = encoder.blocks[1].graph, torch.rand(2, 15, 4, 8)
    assert_close(layer(x), x, rtol=0, atol=1e-4)


def test_a_width_without_room_for_embeddings_is_refused() -> None:
    with pytest.raises(SkelkitError, match="width = 3 leaves no channel to embed joints in; give at least 4"):
        AGCN(3).build(spec())


def test_the_feature_of_hcn_does_not_depend_on_the_number_of_persons_it_was_built_for() -> None:
    one, two = (built(HCN(8), spec(persons=m)).eval() for m in (1, 2))
    assert isinstance(one, HCNEncoder)
    x = some_clips(m=1)
    assert torch.equal(one(x), two(x))
