"""ST-GCN, forward and backward, beside a literal transcription of its equations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from skelkit.bench.agcn import Side, against_literal, convolved, normalised
from skelkit.bench.timing import Line
from skelkit.data.skeleton import KINECT_V2, Skeleton
from skelkit.data.views import DataSpec
from skelkit.device import device
from skelkit.models.stgcn import STGCN, Block, GraphConvolution, STGCNEncoder


def literal(encoder: STGCNEncoder, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
    """The encoder's output with its own weights, step by step as Yan et al. 2018 describe it: (n c t v)."""
    if encoder.config.bones:
        x = torch.cat([x, literal_bones(x, encoder.skeleton)], 1)
    b, c, t, v, m = x.shape
    x = normalised(encoder.norm, x.permute(0, 4, 3, 1, 2).reshape(b * m, v * c, t))
    x = x.view(b * m, v, c, t).permute(0, 2, 3, 1).contiguous()
    for block in encoder.blocks:
        x = literal_block(block, x)  # type: ignore[arg-type]
    return x.mean((2, 3)).view(b, m, -1).mean(1)


def literal_bones(x: Float[Tensor, "b 3 t v m"], skeleton: Skeleton) -> Float[Tensor, "b 3 t v m"]:
    """Joint minus parent, one after the other."""
    bones = torch.zeros_like(x)
    for child, parent in skeleton.bones:
        bones[:, :, :, child] = x[:, :, :, child] - x[:, :, :, parent]
    return bones


def literal_block(block: Block, x: Float[Tensor, "n c t v"]) -> Float[Tensor, "n o s v"]:
    """ReLU(dropout(temporal(graph(x))) + residual)."""
    y = F.dropout(convolved(block.temporal, literal_graph(block.graph, x)), block.dropout.p, block.training)
    return F.relu(y + convolved(block.shortcut, x) if block.residual else y)


def literal_graph(layer: GraphConvolution, x: Float[Tensor, "n c t v"]) -> Float[Tensor, "n o t v"]:
    """One 1 x 1 convolution to three times the channels, then the sum over partitions and neighbours."""
    n, _, t, v = x.shape
    weight = layer.weight.transpose(1, 2).flatten(0, 1)[:, :, None, None]  # (3o c 1 1)
    three = F.conv2d(x, weight, layer.bias.flatten()).view(n, 3, -1, t, v)
    mixed = torch.einsum("nkctv,kvw->nctw", three, layer.fixed * layer.importance)
    return F.relu(normalised(layer.norm, mixed.contiguous()))


def stgcn(batch: int = 16, frames: int = 150, rounds: int = 5, width: int = 64) -> Iterator[Line]:
    """A training step's forward and backward on two persons of 25 joints, and how far apart the outputs are."""
    torch.manual_seed(0)
    spec = DataSpec(batch, 60, KINECT_V2, 2)
    encoder = STGCN(width).build(spec).to(device())
    x = torch.randn(batch, 3, frames, len(KINECT_V2), 2, device=device())
    sides = [Side("32 bit", encoder, False, 1.3), Side("bf16", encoder, True, 1.7)]
    if device().type == "cuda":  # the bounds of 32 bit and bf16 alone are a CPU's
        sides = [side._replace(bound=None) for side in sides]
        sides.append(Side("bf16, compiled", torch.compile(encoder), True, 3.0))
    still = STGCN(width, dropout=0.0).build(spec).to(device())  # dropout draws by where in memory a number lies
    still.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        theirs = literal(still, x)
    for side in sides:
        encode = torch.compile(still) if "compiled" in side.name else still
        yield difference(side._replace(encode=encode), x, theirs, bound=TOLERANCE[side.half])
    yield from against_literal("ST-GCN", encoder, lambda x: literal(encoder, x), x, sides, rounds)


TOLERANCE = {False: 1e-3, True: 1e-2}
"""How far an output may be from the literal one in 32 bit, as a part of it: in 32 bit (convolutions on a GPU round to
TF32) and in bf16, whose numbers have eight bits."""


@torch.no_grad()
def difference(side: Side, x: Float[Tensor, "b 3 t v m"], theirs: Float[Tensor, "b d"], bound: float) -> Line:
    """How far a side's outputs are from the literal ones, as a part of these."""
    with torch.autocast(device().type, torch.bfloat16, enabled=side.half):
        apart = ((side.encode(x).float() - theirs).norm() / theirs.norm()).item()
    return Line(
        f"ST-GCN without dropout, {side.name}: distance of ours from literal in 32 bit / size of literal",
        f"under {bound:g}",
        f"{apart:.1g}",
        apart < bound,
    )
