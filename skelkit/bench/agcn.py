"""A-GCN, forward and backward, beside a literal transcription of its equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from skelkit.bench.timing import Line, spread, turns
from skelkit.data.skeleton import KINECT_V2
from skelkit.data.views import DataSpec
from skelkit.device import device, keep_freed_memory
from skelkit.models.agcn import AGCN, AGCNEncoder, Block, Convolution, GraphConvolution

Encode = Callable[[Float[Tensor, "b 3 t v m"]], Float[Tensor, "b d"]]


def literal(encoder: AGCNEncoder, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
    """The encoder's output with its own weights, written down as Shi et al. 2019 print it: (n c t v), k by k."""
    b, c, t, v, m = x.shape
    x = normalised(encoder.norm, x.permute(0, 4, 3, 1, 2).reshape(b, m * v * c, t))
    x = x.view(b, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(b * m, c, t, v)
    for block in encoder.blocks:
        x = literal_block(block, x)  # type: ignore[arg-type]
    return x.mean((2, 3)).view(b, m, -1).mean(1)


def literal_block(block: Block, x: Float[Tensor, "n c t v"]) -> Float[Tensor, "n o s v"]:
    """ReLU(temporal(graph(x)) + residual)."""
    y = convolved(block.temporal, literal_graph(block.graph, x))
    return F.relu(y + convolved(block.shortcut, x) if block.residual else y)


def literal_graph(layer: GraphConvolution, x: Float[Tensor, "n c t v"]) -> Float[Tensor, "n o t v"]:
    """Eq. 3 and 4: ReLU(norm(sum_k W_k x (A_k + B_k + C_k)) + residual)."""
    n, c, t, v = x.shape
    total = torch.zeros(())
    for k in range(3):
        theta, phi = (
            F.conv2d(x, linear.weight.chunk(3)[k][:, :, None, None], linear.bias.chunk(3)[k])  # (n e t v)
            for linear in (layer.theta, layer.phi)
        )
        size = theta.shape[1]
        product = theta.permute(0, 3, 1, 2).reshape(n, v, size * t) @ phi.reshape(n, size * t, v)
        data_dependent = (product / (size * t)).softmax(1)  # C_k
        taken = x.reshape(n, c * t, v) @ (layer.fixed[k] + layer.learned[k] + data_dependent)
        total = total + F.conv2d(taken.view(n, c, t, v), layer.weight[k].T[:, :, None, None], layer.bias[k])
    return F.relu(normalised(layer.norm, total) + convolved(layer.shortcut, x))


def convolved(layer: nn.Module, x: Float[Tensor, "n c t v"]) -> Float[Tensor, "n o s v"]:
    """A convolution over frames and its batch norm; the identity where the layer is one."""
    if not isinstance(layer, Convolution):
        return x
    convolution = layer.convolution
    weight = convolution.weight.transpose(2, 3).contiguous()  # (o c 1 frames) -> (o c frames 1)
    stride, padding = convolution.stride[::-1], convolution.padding[::-1]
    return normalised(layer.norm, F.conv2d(x, weight, convolution.bias, stride, padding))


def normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Float[Tensor, "n c *rest"]) -> Float[Tensor, "n c *rest"]:
    """The batch norm, its running statistics left as they are."""
    known = (None, None) if norm.training else (norm.running_mean, norm.running_var)
    return F.batch_norm(x, *known, norm.weight, norm.bias, norm.training, eps=norm.eps)


def agcn(batch: int = 16, frames: int = 64, rounds: int = 5, width: int = 64) -> list[Line]:
    """A training step's forward and backward on two persons of 25 joints, in 32 bit and under bf16 autocast."""
    torch.manual_seed(0)
    encoder = AGCN(width).build(DataSpec(batch, 60, KINECT_V2, 2)).to(device())
    x = torch.randn(batch, 3, frames, len(KINECT_V2), 2, device=device())
    sides = (Side("32 bit", encoder, False, 1.25), Side("bf16", encoder, True, 1.6))
    return against_literal("A-GCN", encoder, lambda x: literal(encoder, x), x, sides, rounds)


class Side(NamedTuple):
    """A way to run an encoder, and how many times as fast as the literal one it has to be."""

    name: str
    encode: Encode
    half: bool
    bound: float | None


def against_literal(
    name: str,
    encoder: nn.Module,
    literal: Encode,
    x: Float[Tensor, "b 3 t v m"],
    sides: Sequence[Side],
    rounds: int,
) -> list[Line]:
    """Forward and backward through an encoder, each way of running it against a literal one in 32 bit."""
    keep_freed_memory()

    def step(encode: Encode, half: bool) -> None:
        encoder.zero_grad()
        with torch.autocast(device().type, torch.bfloat16, enabled=half):
            features = encode(x)
        features.float().square().sum().backward()

    calls = [partial(step, literal, False), *(partial(step, side.encode, side.half) for side in sides)]
    base, *times = turns(calls, rounds)
    lines, (batch, _, frames, *_) = [], x.shape
    for side, ours in zip(sides, times, strict=True):
        ratios = [slow / quick for slow, quick in zip(base, ours, strict=True)]
        rates = f"{batch / median(ours):.1f} against {batch / median(base):.1f} clips/s"
        what = f"{name} forward and backward, batch {batch}, {frames} frames, {side.name}: ours / literal in 32 bit"
        reached = f"{spread(ratios, '.2f')} x; {rates}"
        met = None if side.bound is None else median(ratios) >= side.bound
        lines.append(Line(what, "" if side.bound is None else f"{side.bound} x", reached, met))
    return lines
