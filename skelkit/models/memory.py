"""Dictionaries of keys: the queue and the memory bank."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skelkit.files import SkelkitError


class Queue(nn.Module):
    """The K newest keys, oldest overwritten first (Rao et al. 2021, Sec. III-B3).

    Starts as U(+-1/sqrt(dim / 3)) noise, as the released code does. Batches may be of any size up to K, and K need
    not be a multiple of it.
    """

    keys: Float[Tensor, "k d"]
    oldest: Int[Tensor, ""]

    def __init__(self, size: int, dim: int, rng: Generator):
        super().__init__()
        limit = (dim / 3) ** -0.5
        self.register_buffer("keys", torch.empty(size, dim, device=rng.device).uniform_(-limit, limit, generator=rng))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.long, device=rng.device))

    @torch.no_grad()
    def push(self, keys: Float[Tensor, "b d"]) -> None:
        """Enqueue a batch of keys and dequeue as many of the oldest."""
        size = len(self.keys)
        if len(keys) > size:
            raise SkelkitError(f"queue: a batch of {len(keys)} does not fit {size} keys; raise queue or lower batch")
        place = (self.oldest + torch.arange(len(keys), device=keys.device)) % size
        self.keys[place] = keys.to(self.keys.dtype)
        self.oldest.copy_((self.oldest + len(keys)) % size)


class MemoryBank(nn.Module):
    """One key for every clip of the training set, each a moving average (Rao et al. 2021, Table I, "memory bank").

    normalised: divide a key by its L2 norm whenever it moves, as Wu et al. 2018 do (Sec. 3.2).
    """

    keys: Float[Tensor, "n d"]

    def __init__(self, clips: int, dim: int, momentum: float, rng: Generator, *, normalised: bool = False):
        super().__init__()
        self.momentum, self.normalised = momentum, normalised
        limit = (dim / 3) ** -0.5
        self.register_buffer("keys", torch.empty(clips, dim, device=rng.device).uniform_(-limit, limit, generator=rng))

    def draw(self, shape: tuple[int, ...], rng: Generator) -> Float[Tensor, "*shape d"]:
        """Keys of clips drawn at random, with replacement."""
        return self.keys[torch.randint(len(self.keys), shape, device=rng.device, generator=rng)]

    @torch.no_grad()
    def follow(self, index: Int[Tensor, " b"], keys: Float[Tensor, "b d"]) -> None:
        """Move the keys of these clips towards the fresh ones."""
        moved = torch.lerp(keys.to(self.keys.dtype), self.keys[index], self.momentum)
        self.keys[index] = F.normalize(moved, dim=1) if self.normalised else moved
