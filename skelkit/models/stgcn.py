"""ST-GCN: graph convolutions over the body's bones and convolutions over time (Yan et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.skeleton import Skeleton, bone_stream
from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.agcn import WIDTHS, Convolution, mixture, normalised
from skelkit.models.graph import stgcn_partitions


@dataclass(frozen=True)
class STGCN:
    """The encoder of Moliner et al. 2022 (Sec. 4.2), "the original ST-GCN": ten blocks of graph and time."""

    width: int = 64
    """Channels of the first block; the representation has four times as many dimensions. The paper's widths 0.25x,
    0.5x, 1x and 2x are 16, 32, 64 and 128."""
    bones: bool = True
    """Whether each joint's bone (joint minus parent, zero at the root) stands beside its place: six channels for
    three."""
    dropout: float = 0.5
    """The chance that a number is dropped at the end of a block's convolution over time, the first block's left out.
    The paper gives none; this is the released ST-GCN's."""

    def build(self, data: DataSpec) -> STGCNEncoder:
        """The module for this skeleton, any number of persons; initialised from torch's global generator.

        Raises SkelkitError where the width is no positive whole number, or the dropout is outside [0, 1).
        """
        if not isinstance(self.width, int) or self.width < 1:
            raise SkelkitError(f"STGCN: width = {self.width} is no number of channels; give 64, for 0.25x of it 16")
        if not 0 <= self.dropout < 1:
            raise SkelkitError(f"STGCN: dropout = {self.dropout} is no chance that leaves anything; give 0 to below 1")
        return STGCNEncoder(self, data.skeleton)


class STGCNEncoder(nn.Module):
    """(b 3 t v m) -> (b d), the mean over time, joints and persons; persons share all weights.

    Differs from the paper: Yan et al. 2018 print nine blocks that halve time in the fourth and the seventh, and drop
    after the residual. As in their released code, a block without a residual goes before those nine, and dropout,
    which it has none of, comes before the residual.
    Inside, clips lie as (n v t c), n = b m, as in A-GCN and for its reasons.
    """

    parents: Int[Tensor, " v"]

    def __init__(self, config: STGCN, skeleton: Skeleton):
        super().__init__()
        self.config, self.skeleton = config, skeleton
        inputs = 6 if config.bones else 3
        channels = [inputs, *(config.width * factor for factor in WIDTHS)]
        self.out_dim = channels[-1]
        # On the device with the weights: indices sent there would make a GPU wait in every step.
        self.register_buffer("parents", torch.tensor(skeleton.parents), persistent=False)
        self.norm = nn.BatchNorm1d(inputs * len(skeleton))
        self.blocks = nn.ModuleList(
            Block(*sizes, skeleton, 0.0 if i == 0 else config.dropout, residual=i > 0)
            for i, sizes in enumerate(pairwise(channels))
        )
        for name, parameter in self.named_parameters():  # as released; no paper says
            if name.endswith("norm.weight"):
                nn.init.normal_(parameter, 1.0, 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.endswith("weight"):
                nn.init.normal_(parameter, 0.0, 0.02)

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
        if self.config.bones:
            x = torch.cat([x, bone_stream(x, self.skeleton, self.parents)], 1)
        b, c, t, v, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(b * m, v * c, t))  # a mean for each joint and number
        x = x.view(b * m, v, c, t).transpose(2, 3).contiguous()  # (n v t c)
        for block in self.blocks:
            x = block(x)
        return x.mean((1, 2)).view(b, m, -1).mean(1)


class Block(nn.Module):
    """A graph convolution, then a convolution over nine frames with dropout, and around both a residual."""

    def __init__(self, inputs: int, outputs: int, skeleton: Skeleton, dropout: float, residual: bool):
        super().__init__()
        stride = 2 if residual and inputs != outputs else 1
        self.graph = GraphConvolution(inputs, outputs, skeleton)
        self.temporal = Convolution(outputs, outputs, 9, stride)
        self.dropout = nn.Dropout(dropout, inplace=True)  # a norm's output is nobody else's
        self.shortcut = Convolution(inputs, outputs, 1, stride) if stride == 2 else nn.Identity()
        self.residual = residual

    def forward(self, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v s o"]:
        y = self.dropout(self.temporal(self.graph(x)))
        return (y.add_(self.shortcut(x)) if self.residual else y).relu_()


class GraphConvolution(nn.Module):
    """ReLU(norm(sum_k (W_k x + b_k) (A_k * M_k))), A the body's three partitions, M the edges' learned importance
    (Yan et al. 2018, Eq. 10 and its learnable edge importance: each partition has an M of its own).

    The sum over neighbours comes first: it runs on the inputs, which are seldom wider than the outputs.
    """

    fixed: Float[Tensor, "3 v v"]

    def __init__(self, inputs: int, outputs: int, skeleton: Skeleton):
        super().__init__()
        self.register_buffer("fixed", stgcn_partitions(skeleton), persistent=False)  # A
        self.importance = nn.Parameter(torch.ones_like(self.fixed))  # M
        self.weight = nn.Parameter(torch.empty(3, inputs, outputs))  # W
        self.bias = nn.Parameter(torch.empty(3, outputs))  # b
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Float[Tensor, "n v t c"]) -> Float[Tensor, "n v t o"]:
        adjacency = self.fixed * self.importance  # [from, to]
        bias = adjacency.sum(1).T @ self.bias  # (v o): what a joint takes of each b_k
        every = adjacency[:, None].expand(-1, len(x), -1, -1)
        return normalised(self.norm, mixture(x, every, self.weight, bias)).relu_()
