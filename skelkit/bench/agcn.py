"""A-GCN, forward and backward, beside a literal transcription of its equations."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from skelkit.bench.timing import Line, spread, turns
from skelkit.data.skeleton import KINECT_V2
from skelkit.data.views import DataSpec
from skelkit.device import device, keep_freed_memory
from skelkit.models.agcn import AGCN, AGCNEncoder, Block, Convolution, GraphConvolution


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


def normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """The batch norm, its running statistics left as they are."""
    known = (None, None) if norm.training else (norm.running_mean, norm.running_var)
    return F.batch_norm(x, *known, norm.weight, norm.bias, norm.training, eps=norm.eps)


def agcn(batch: int = 16, frames: int = 64, rounds: int = 5, width: int = 64) -> list[Line]:
    """A training step's forward and backward on two persons of 25 joints, in 32 bit and under bf16 autocast."""
    keep_freed_memory()
    torch.manual_seed(0)
    encoder = AGCN(width).build(DataSpec(batch, 60, KINECT_V2, 2)).to(device())
    x = torch.randn(batch, 3, frames, len(KINECT_V2), 2, device=device())

    def step(encode: Callable[[Tensor], Tensor], half: bool) -> None:
        encoder.zero_grad()
        with torch.autocast(device().type, torch.bfloat16, enabled=half):
            features = encode(x)
        features.float().square().sum().backward()

    times = turns(
        [
            lambda: step(lambda x: literal(encoder, x), half=False),
            lambda: step(encoder, half=False),
            lambda: step(encoder, half=True),
        ],
        rounds,
    )
    lines = []
    for name, ours, bound in (("32 bit", times[1], 1.25), ("bf16", times[2], 1.6)):
        ratios = [slow / quick for slow, quick in zip(times[0], ours, strict=True)]
        rates = f"{batch / median(ours):.1f} against {batch / median(times[0]):.1f} clips/s"
        what = f"A-GCN forward and backward, batch {batch}, {frames} frames, {name}: ours / literal in 32 bit"
        lines.append(Line(what, f"{bound} x", f"{spread(ratios, '.2f')} x; {rates}", median(ratios) >= bound))
    return lines
