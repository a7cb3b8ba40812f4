"""A-GCN: graph convolutions whose graph is in part learned (Shi et al. 2019, the joint stream of 2s-AGCN)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from skelkit.data.skeleton import Skeleton
from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.graph import agcn_partitions
from skelkit.models.temporal import over_frames

WIDTHS = (1, 1, 1, 1, 2, 2, 2, 4, 4, 4)
"""Each block's channels, in units of the first's; where they double, time is halved (Shi et al. 2019, Sec. 4.3)."""


@dataclass(frozen=True)
class AGCN:
    """The graph encoder X_STG of Thoker et al. 2021 (Sec. 4.2): ten adaptive graph convolution blocks."""

    width: int = 64
    """Channels of the first block, at least 4; the representation has four times as many dimensions."""

    def build(self, data: DataSpec) -> AGCNEncoder:
        """The module for this skeleton and number of persons; initialised from torch's global generator.

        Raises SkelkitError where the width leaves the embeddings of C_k, a quarter of a block's channels, empty.
        """
        if self.width < 4:
            raise SkelkitError(f"AGCN: width = {self.width} leaves no channel to embed joints in; give at least 4")
        return AGCNEncoder(self, data.skeleton, data.persons)


class AGCNEncoder(nn.Module):
    """(b 3 t v m) -> (b d), the mean over time, joints and persons.

    Inside, clips lie as (n v t c), n = b m, so that a joint's sum over its neighbours, a 1 x 1 convolution and the
    products of C_k are matrix products over neighbouring numbers, and nothing is permuted.
    """

    def __init__(self, config: AGCN, skeleton: Skeleton, persons: int):
        super().__init__()
        channels = [3, *(config.width * factor for factor in WIDTHS)]
        self.out_dim = channels[-1]
        self.norm = nn.BatchNorm1d(3 * len(skeleton) * persons)
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, skeleton, residual=inputs != 3) for inputs, outputs in pairwise(channels)
        )

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
        b, _, t, v, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(b, -1, t))  # (b mv3 t): a mean for each joint, axis, person
        x = x.view(b * m, v, 3, t).transpose(2, 3).contiguous()  # (n v t 3)
        for block in self.blocks:
            x = block(x)
        return x.mean((1, 2)).view(b, m, -1).mean(1)


class Block(nn.Module):
    """A graph convolution, then a convolution over nine frames, and around both a residual."""

    def __init__(self, inputs: int, outputs: int, skeleton: Skeleton, residual: bool):
        super().__init__()
        stride = 2 if residual and inputs != outputs else 1
        self.graph = GraphConvolution(inputs, outputs, skeleton)
        self.temporal = Convolution(inputs=outputs, outputs=outputs, frames=9, stride=stride)
        self.shortcut = Convolution(inputs, outputs, 1, stride) if residual and inputs != outputs else nn.Identity()
        self.residual = residual

    def forward(self, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v s o"]:
        y = self.temporal(self.graph(x))
        return (y.add_(self.shortcut(x)) if self.residual else y).relu_()  # a norm's output is nobody else's


class Convolution(nn.Module):
    """A convolution over time and a batch norm."""

    def __init__(self, inputs: int, outputs: int, frames: int, stride: int = 1):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, (1, frames), (1, stride), (0, frames // 2))
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out")

    def forward(self, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v s o"]:
        return normalised(self.norm, over_frames(self.convolution, x))


def normalised(norm: nn.BatchNorm2d, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v t c"]:
    """The batch norm of clips whose channels lie last."""
    return norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class GraphConvolution(nn.Module):
    """sum_k W_k x (A_k + B_k + C_k), batch norm, residual, ReLU (Shi et al. 2019, Eq. 3)."""

    fixed: Float[Tensor, "3 v v"]

    def __init__(self, inputs: int, outputs: int, skeleton: Skeleton):
        super().__init__()
        self.register_buffer("fixed", agcn_partitions(skeleton), persistent=False)  # A
        self.learned = nn.Parameter(torch.full_like(self.fixed, 1e-6))  # B
        self.theta = nn.Linear(inputs, 3 * (outputs // 4))  # the embeddings of C_1, C_2, C_3, side by side
        self.phi = nn.Linear(inputs, 3 * (outputs // 4))
        self.weight = nn.Parameter(torch.randn(3, inputs, outputs) * (2 / (3 * inputs * outputs)) ** 0.5)  # W
        self.bias = nn.Parameter(torch.zeros(3, outputs))
        self.norm = nn.BatchNorm2d(outputs)
        self.shortcut = Convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        for embedding in (self.theta, self.phi):
            nn.init.normal_(embedding.weight, std=(2 / (outputs // 4)) ** 0.5)
            nn.init.zeros_(embedding.bias)
        nn.init.constant_(self.norm.weight, 1e-6)  # a block begins as its residual

    def adjacency(self, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "3 n v v"]:
        """A + B + C, [from, to]; C is the softmax over the joints that a joint takes from (Eq. 4).

        Differs from the paper: the products are divided by their number of terms, as the released code does.
        """
        weight = torch.cat([self.theta.weight, self.phi.weight])
        both = F.linear(x, weight, torch.cat([self.theta.bias, self.phi.bias]))  # one product for all six embeddings
        theta, phi = both.unflatten(3, (2, 3, -1)).permute(3, 4, 0, 1, 2, 5).flatten(4)  # (3 n v te) each
        scores = theta @ phi.transpose(2, 3) / theta.shape[3]
        return scores.softmax(2) + (self.fixed + self.learned)[:, None]

    def forward(self, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v t o"]:
        bias = self.bias.sum(0).expand(x.shape[1], -1)
        mixed = mixture(x, self.adjacency(x), self.weight, bias)
        return normalised(self.norm, mixed).add_(self.shortcut(x)).relu_()


def mixture(
    x: Float[Tensor, "n v t c"],
    adjacency: Float[Tensor, "3 n v v"],
    weight: Float[Tensor, "3 c o"],
    bias: Float[Tensor, "v o"],
) -> Float[Tensor, "n v t o"]:
    """sum_k W_k x A_k + b, a bias for each joint; in autocast's precision where it is on."""
    device, dtype = x.device.type, x.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    return Mixture.apply(*(each.to(dtype) for each in (x, adjacency, weight, bias)))


Gradients = tuple[Float[Tensor, "n v t c"], Float[Tensor, "3 n v v"], Float[Tensor, "3 c o"], Float[Tensor, "v o"]]
"""Those of `mixture`'s arguments."""


class Mixture(torch.autograd.Function):
    """What `mixture` says. The terms add up in place, and the gradient makes x A_k again rather than keeping it."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "n v t c"],
        adjacency: Float[Tensor, "3 n v v"],
        weight: Float[Tensor, "3 c o"],
        bias: Float[Tensor, "v o"],
    ) -> Float[Tensor, "n v t o"]:
        ctx.save_for_backward(x, adjacency, weight)
        mixed = bias[:, None].repeat(len(x), 1, x.shape[2], 1).flatten(0, 2)  # (nvt o)
        for a, w in zip(adjacency, weight, strict=True):
            mixed.addmm_(_taken(x, a), w)  # (nvt c) @ (c o)
        return mixed.view(*x.shape[:3], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "n v t o"]) -> Gradients:
        x, adjacency, weight = ctx.saved_tensors
        # `zeros_like` would keep strides that a flattened view of it cannot have: the sum would go into a copy.
        to_x, to_adjacency, to_weight = x.new_zeros(x.shape), torch.empty_like(adjacency), torch.empty_like(weight)
        arriving = gradient.reshape(-1, weight.shape[2])  # (nvt o)
        for k, (a, w) in enumerate(zip(adjacency, weight, strict=True)):
            torch.mm(_taken(x, a).T, arriving, out=to_weight[k])
            to_taken = (arriving @ w.T).view(*x.shape[:2], -1)  # (n v tc)
            torch.bmm(x.flatten(2), to_taken.transpose(1, 2), out=to_adjacency[k])
            to_x.flatten(2).baddbmm_(a, to_taken)
        return to_x, to_adjacency, to_weight, gradient.sum((0, 2))


def _taken(x: Float[Tensor, "n v t c"], adjacency: Float[Tensor, "n v v"]) -> Float[Tensor, "nvt c"]:
    """x A: for each joint the weighted sum over the joints that it takes from."""
    return torch.bmm(adjacency.transpose(1, 2), x.flatten(2)).view(-1, x.shape[3])  # (n v v) @ (n v tc)
