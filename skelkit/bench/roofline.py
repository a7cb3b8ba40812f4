"""The least time that a piece of work can take on a device, from its arithmetic and its memory traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from skelkit.bench.timing import turns
from skelkit.device import device


class Roofline(TorchDispatchMode):
    """Counts, while it is entered, each operation's arithmetic and the bytes of its operands and results.

    An operation that reads and writes more than that, or does other arithmetic than products and convolutions, takes
    longer than what is counted: the sum is a floor for a program that runs these operations one after the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[int, int]] = []
        """(FLOPs, bytes) of each."""

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        if not function.is_view:
            name = function.overloadpacket.__name__.removesuffix("_")  # of a sum in place as of one that is not
            count = flop_registry.get(getattr(torch.ops.aten, name, None))
            flops = count(*args, **(kwargs or {}), out_val=made) if count else 0
            moved = {id(x): x.numel() * x.element_size() for x in tree_leaves((args, kwargs, made)) if _held(x)}
            self.operations.append((flops, sum(moved.values())))
        return made

    def seconds(self, flops: float, memory: float) -> float:
        """Each operation as long as the slower of arithmetic (FLOP/s) and memory (bytes/s) makes it."""
        return sum(max(f / flops, b / memory) for f, b in self.operations)


def _held(x: Any) -> bool:
    return isinstance(x, Tensor)


def peaks(half: bool, rounds: int = 3, size: tuple[int, int] | None = None) -> tuple[float, float]:
    """This device's FLOP/s in a large matrix product (of bf16, where half), and bytes/s in a large copy; the best.

    On a GPU in 32 bit the product is as exact as convolutions are there, by default TF32: they are what it bounds.
    size: rows of the matrices and numbers of the copy, by default large enough for the device.
    """
    exactness = torch.get_float32_matmul_precision()
    if device().type == "cuda" and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision("high")
    n, many = size or ((8192, 2**28) if device().type == "cuda" else (2048, 2**25))
    a, b = (torch.randn(n, n, device=device(), dtype=torch.bfloat16 if half else torch.float32) for _ in range(2))
    source, target = (torch.zeros(many, device=device()) for _ in range(2))
    sides: list[Callable[[], object]] = [lambda: a @ b, lambda: target.copy_(source)]
    try:
        product, copy = (min(times) for times in turns(sides, rounds, calls=3))
    finally:
        torch.set_float32_matmul_precision(exactness)
    return 2 * n**3 / product, 2 * 4 * many / copy
