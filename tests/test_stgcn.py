"""ST-GCN against its literal transcription, values worked by hand, and what must not change its features."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from skelkit.bench.agcn import Side
from skelkit.bench.stgcn import difference, literal, literal_graph
from skelkit.data.skeleton import COCO, KINECT_V1, KINECT_V2, SBU, Skeleton
from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.graph import stgcn_partitions
from skelkit.models.stgcn import STGCN, GraphConvolution, STGCNEncoder

TOY = Skeleton("toy", ("root", "tip"), ((1, 0),), centre=0)
pytestmark = pytest.mark.usefixtures("one_thread")


def some_clips(b: int = 3, t: int = 9, v: int = 15, m: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(b, 3, t, v, m, generator=Generator().manual_seed(seed))


def built(skeleton: Skeleton = SBU, persons: int = 2, **settings: Any) -> STGCNEncoder:
    """A small encoder without dropout, every parameter away from its first value."""
    torch.manual_seed(0)
    encoder = STGCN(**({"width": 8, "dropout": 0.0} | settings)).build(DataSpec(6, 3, skeleton, persons))
    with torch.no_grad():
        for p in encoder.parameters():
            p += 0.1 * torch.randn(p.shape)
    return encoder


# ---- size


@pytest.mark.parametrize(("bones", "count"), [(True, 3_084_138), (False, 3_083_412)])
def test_the_released_size_is_the_encoders_without_a_classifier(bones: bool, count: int) -> None:
    """Edge importance is counted (10 x 3 x 25 x 25), the 60-class layer's 256 x 60 + 60 are not."""
    encoder = STGCN(bones=bones).build(DataSpec(1, 60, KINECT_V2, 2))
    assert encoder.out_dim == 256
    assert sum(p.numel() for p in encoder.parameters()) == count
    assert sum(block.graph.importance.numel() for block in encoder.blocks) == 18_750


def test_the_released_size_summed_by_hand() -> None:
    def block(c: int, o: int, residual: bool) -> int:
        graph, temporal = 3 * (c * o + o) + 3 * 25 * 25, 9 * o * o + o
        shortcut = c * o + o + 2 * o if residual else 0
        return graph + temporal + 2 * 2 * o + shortcut

    blocks = [block(6, 64, False), *[block(64, 64, False)] * 3, block(64, 128, True), *[block(128, 128, False)] * 2]
    blocks += [block(128, 256, True), *[block(256, 256, False)] * 2]
    assert 2 * 6 * 25 + sum(blocks) == 3_084_138


@pytest.mark.parametrize("width", [16, 32, 128])
def test_a_width_multiplies_the_channels_of_every_block(width: int) -> None:
    encoder = STGCN(width).build(DataSpec(1, 60, TOY, 1))
    widths = [block.temporal.convolution.out_channels for block in encoder.blocks]
    assert widths == [width] * 4 + [2 * width] * 3 + [4 * width] * 3
    assert encoder.out_dim == 4 * width


@pytest.mark.parametrize("width", [0, -16, 0.25])
def test_a_width_that_is_no_number_of_channels_is_refused(width: Any) -> None:
    config = STGCN()
    object.__setattr__(config, "width", width)  # past the type check that runs in tests alone
    with pytest.raises(SkelkitError, match=f"width = {width} is no number of channels; give 64, for 0.25x of it 16"):
        config.build(DataSpec(1, 3, SBU, 1))


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_a_dropout_that_leaves_nothing_is_refused(dropout: float) -> None:
    with pytest.raises(SkelkitError, match=f"dropout = {dropout} is no chance that leaves anything; give 0 to below 1"):
        STGCN(dropout=dropout).build(DataSpec(1, 3, SBU, 1))


# ---- the literal transcription


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("skeleton", "persons", "bones"), [(KINECT_V2, 2, True), (SBU, 1, True), (SBU, 2, False)], ids=str
)
def test_it_equals_the_literal_transcription(skeleton: Skeleton, persons: int, bones: bool, training: bool) -> None:
    """Values and gradients; in 64 bit, so that ten normalised layers do not blow up the rounding."""
    encoder = built(skeleton, persons, bones=bones).double().train(training)
    x = some_clips(v=len(skeleton), m=persons).double().requires_grad_()
    found = []
    for encode in (encoder, lambda x: literal(encoder, x)):
        features = encode(x)
        leaves = [x, *encoder.parameters()]
        found.append((features, torch.autograd.grad(features.pow(3).sum(), leaves)))
    (ours, our_gradients), (theirs, their_gradients) = found
    assert_close(ours, theirs)
    for one, other in zip(our_gradients, their_gradients, strict=True):
        assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_the_benchmark_sees_by_how_much_the_outputs_differ() -> None:
    encoder, x = built(), some_clips()
    side, theirs = Side("bf16, compiled", encoder, False, None), literal(encoder, x).detach()
    assert difference(side, x, theirs, bound=1e-3).met
    encoder.blocks[-1].register_forward_hook(lambda _, __, y: 1.1 * y)  # the literal one runs no module
    line = difference(side, x, theirs, bound=1e-3)
    assert (line.reached, line.met) == ("0.1", False)
    assert "bf16, compiled" in line.measured


# ---- by hand


def graph_convolution(skeleton: Skeleton, inputs: int, outputs: int) -> GraphConvolution:
    """Weights and biases of nothing, and a norm that leaves what it gets."""
    layer = GraphConvolution(inputs, outputs, skeleton).eval()
    for p in (layer.weight, layer.bias):
        nn.init.zeros_(p)
    layer.norm.eps = 0.0
    return layer


def test_a_graph_convolution_of_two_joints_by_hand() -> None:
    """Each joint has two neighbours with itself, so that every edge weighs 1/2. W_k = 1, 10, 100; b_k = 2, 20, 200.

    The root keeps 3 + 2 of its own and takes 10 x 5 + 20 from the farther tip: (5 + 70) / 2. The tip keeps 5 + 2 and
    takes 100 x 3 + 200 from the nearer root: (7 + 500) / 2.
    """
    layer = graph_convolution(TOY, 1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 10, 100]).view(3, 1, 1))
        layer.bias.copy_(torch.tensor([2.0, 20, 200]).view(3, 1))
    x = torch.tensor([3.0, 5]).view(1, 2, 1, 1)
    assert layer(x).flatten().tolist() == [37.5, 253.5]
    assert literal_graph(layer, x.permute(0, 3, 2, 1)).flatten().tolist() == [37.5, 253.5]


def test_an_edges_importance_weighs_that_edge_alone() -> None:
    """As above; the edge from tip to root counts threefold, and one that the body lacks counts for nothing."""
    layer = graph_convolution(TOY, 1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 10, 100]).view(3, 1, 1))
        layer.importance[1, 1, 0] = 3  # partition of farther joints, from the tip, to the root
        layer.importance[2, 1, 0] = 7  # in the partition of nearer joints that edge does not exist
    x = torch.tensor([3.0, 5]).view(1, 2, 1, 1)
    assert layer(x).flatten().tolist() == [(3 + 3 * 50) / 2, (5 + 300) / 2]


def test_a_bone_is_the_step_from_parent_to_joint_and_zero_at_the_root() -> None:
    encoder, seen = built(TOY, 1).eval(), []
    encoder.norm.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    x = torch.tensor([[1.0, 2, 4], [8, 16, 32]]).T.reshape(1, 3, 1, 2, 1)  # root and tip
    encoder(x)
    assert seen[0].flatten().tolist() == [1, 2, 4, 0, 0, 0, 8, 16, 32, 7, 14, 28]


def test_clips_are_normalised_by_joint_and_number_over_clips_persons_and_frames() -> None:
    encoder, x = built(), some_clips()
    seen = []
    encoder.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    nn.init.ones_(encoder.norm.weight)
    nn.init.zeros_(encoder.norm.bias)
    encoder(x)
    assert seen[0].shape == (6, 15, 9, 6)  # clips and persons, joints, frames, numbers
    assert_close(seen[0].mean((0, 2)), torch.zeros(15, 6), rtol=0, atol=1e-5)
    places = seen[0][..., :3]  # a root's bone is zero, and stays so
    assert_close(places.std((0, 2), correction=0), torch.ones(15, 3), rtol=0, atol=1e-3)


def test_time_is_halved_in_the_fifth_and_the_eighth_block() -> None:
    encoder, shapes = built().eval(), []
    for block in encoder.blocks:
        block.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape)))
    encoder(some_clips(t=12))
    assert [shape[2] for shape in shapes] == [12] * 4 + [6] * 3 + [3] * 3
    assert [shape[3] for shape in shapes] == [8] * 4 + [16] * 3 + [32] * 3
    assert {shape[:2] for shape in shapes} == {(6, 15)}


def test_a_new_encoder_takes_the_bodys_graph_as_it_is_and_starts_as_the_released_one() -> None:
    torch.manual_seed(0)
    encoder = STGCN().build(DataSpec(1, 60, KINECT_V2, 2))
    for block in encoder.blocks:
        assert torch.equal(block.graph.fixed, stgcn_partitions(KINECT_V2))
        assert block.graph.importance.unique().tolist() == [1]
    for name, p in encoder.named_parameters():
        if name.endswith("bias"):
            assert not p.any(), name
        elif name.endswith("weight"):
            assert abs(p.std().item() - 0.02) < 0.005, name
            assert abs(p.mean().item() - ("norm" in name)) < 0.005, name


def explained(features: Tensor, by: Tensor, fitted: int) -> float:
    """The share of the features' variance that an affine map tells, fitted on the first clips and asked on the rest."""
    by = torch.cat([by, torch.ones(len(by), 1)], 1)
    told = by @ torch.linalg.lstsq(by[:fitted], features[:fitted], driver="gelsd").solution
    centred = features[fitted:] - features[fitted:].mean(0)
    return 1 - float((features - told)[fitted:].square().sum() / centred.square().sum())


def test_a_new_encoder_hands_on_little_but_the_mean_pose_until_its_norms_are_settled() -> None:
    """What BYOL's two random encoders stand for: bodies of one shape in many poses, which they move a little."""
    torch.manual_seed(0)
    encoder = STGCN(8, dropout=0.0).build(DataSpec(300, 3, SBU, 1))
    x = torch.randn(1, 3, 1, 15, 1) + 0.3 * torch.randn(300, 3, 1, 15, 1) + 0.1 * torch.randn(300, 3, 6, 15, 1)
    pose = x.mean(2).flatten(1)
    with torch.no_grad():
        assert explained(encoder.eval()(x), pose, 200) > 0.7
        for norm in encoder.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                norm.momentum = 1.0  # one look is enough
        encoder.train()(x)
        assert explained(encoder.eval()(x), pose, 200) < 0.4


def test_every_block_but_the_first_drops_numbers_in_training_alone() -> None:
    encoder, x = built(dropout=0.5), some_clips()
    assert [block.dropout.p for block in encoder.blocks] == [0.0] + [0.5] * 9
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


# ---- invariances


@pytest.mark.parametrize("training", [True, False])
def test_the_order_of_the_persons_does_not_matter(training: bool) -> None:
    encoder, x = built().double().train(training), some_clips().double()
    assert_close(encoder(x.flip(4)), encoder(x))


def test_two_equal_persons_have_the_feature_of_one() -> None:
    encoder, x = built().eval(), some_clips(m=1)
    assert_close(encoder(x.expand(-1, -1, -1, -1, 2)), encoder(x))


@pytest.mark.parametrize("skeleton", [KINECT_V1, COCO], ids=lambda s: s.name)
def test_relabelling_the_joints_with_their_graph_leaves_the_feature(skeleton: Skeleton) -> None:
    v = len(skeleton)
    order = torch.randperm(v, generator=Generator().manual_seed(0)).tolist()
    at = {old: new for new, old in enumerate(order)}
    bones = tuple((at[c], at[p]) for c, p in skeleton.bones)
    moved = Skeleton("moved", tuple(skeleton.joints[old] for old in order), bones, at[skeleton.centre])
    one, other = (built(s).double() for s in (skeleton, moved))
    state = one.state_dict()
    for name, value in state.items():
        if name.endswith("importance"):
            state[name] = value[:, order][:, :, order]
        elif name.startswith("norm.") and value.dim():
            state[name] = value.view(v, 6)[order].flatten()
    other.load_state_dict(state)
    x = some_clips(v=v).double()
    assert_close(other(x[:, :, :, order]), one(x))


COMPILED = """
import torch
from skelkit.data.skeleton import SBU
from skelkit.data.views import DataSpec
from skelkit.models.stgcn import STGCN

encoder, x = STGCN(4, dropout=0.0).build(DataSpec(1, 3, SBU, 2)), torch.randn(2, 3, 9, 15, 2)
encoder.blocks = encoder.blocks[:5]  # with all kinds of them
compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
found = []
for each in (encoder, compiled):
    with torch.autocast("cpu", torch.bfloat16):
        y = each(x)
    found.append([y, *torch.autograd.grad(y.square().sum(), list(encoder.parameters()))])
print(all((one - other).norm() <= 0.05 * one.norm() for one, other in zip(*found)))
"""


def test_it_compiles_into_one_graph_under_autocast() -> None:
    """Forward and backward, as on a GPU: nothing in it falls back to Python. In a process without the tests' type
    checks, and in UTF-8: torch reads a template of its own by the locale."""
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", COMPILED], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
