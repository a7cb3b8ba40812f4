"""A skeleton as a graph: its bones, split into three partitions and normalised, as graph convolutions take them.

Both functions return (3, from, to): entry [k, i, j] weighs what joint j takes from joint i in partition k, so that a
feature (.., v) moves by `x @ adjacency[k]`. Towards the centre means along a bone from child to parent.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from skelkit.data.skeleton import Skeleton


def _inward(skeleton: Skeleton) -> Float[Tensor, "v v"]:
    """1 at [child, parent] of every bone."""
    adjacency = torch.zeros(len(skeleton), len(skeleton))
    for child, parent in skeleton.bones:
        adjacency[child, parent] = 1
    return adjacency


def _averaged(adjacency: Float[Tensor, "v v"]) -> Float[Tensor, "v v"]:
    """What a joint takes sums to one; a joint that takes nothing stays at zero."""
    return adjacency / adjacency.sum(0).clamp(min=1)


def agcn_partitions(skeleton: Skeleton) -> Float[Tensor, "3 v v"]:
    """Joint itself, from its parent, from its children: each normalised for itself (Shi et al. 2019, Sec. 3.1).

    On NTU RGB+D's 25 joints the partitions sum to 25, 24 and 20.
    """
    inward = _inward(skeleton)
    return torch.stack([torch.eye(len(skeleton)), _averaged(inward.T), _averaged(inward)])


def stgcn_partitions(skeleton: Skeleton, hops: int | None = 1) -> Float[Tensor, "3 v v"]:
    """Joint itself, from farther joints, from nearer ones: all normalised together (Yan et al. 2018, Sec. 3.3-3.4).

    The distance to the centre of the bones (the joint without a parent) is counted up to `hops`; all beyond it are
    equally far, and what comes from an equally far joint counts as coming from a farther one.
    Differs from the paper: by default one hop is counted, as in the released code, so that only bones near the centre
    have a direction, and NTU RGB+D's partitions sum to 8.95, 13.30 and 2.75. None counts to the end, as the paper says.
    """
    inward = _inward(skeleton)
    v, parent = len(skeleton), dict(skeleton.bones)
    distance = torch.zeros(v)
    for joint in range(v):
        up = joint
        while up in parent:
            up = parent[up]
            distance[joint] += 1
    if hops is not None:
        distance = distance.clamp(max=hops + 1)
    itself = torch.eye(v)
    whole = _averaged(inward + inward.T + itself)
    nearer = distance[:, None] < distance  # [from, to]
    return torch.stack([whole * itself, whole * (1 - itself) * ~nearer, whole * nearer])
