"""How transformations are chained, chosen and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from skelkit.data.skeleton import Skeleton
from skelkit.files import SkelkitError


@runtime_checkable
class Augmentation(Protocol):
    """What `augment` calls; `parameters` is whatever `sample` returned."""

    def sample(self, shape: torch.Size, rng: Generator) -> Any: ...

    def apply(self, x: Float[Tensor, "b 3 t v m"], parameters: Any, /) -> Float[Tensor, "b 3 t2 v m"]: ...


def augment(
    x: Float[Tensor, "b 3 t v m"],
    steps: Sequence[Augmentation],
    rng: Generator,
    lengths: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "b 3 t2 v m"]:
    """Apply the steps in their order, each with freshly sampled parameters for every clip.

    Only a step that says so (`CropResize`) changes the number of frames. Coordinates stay in 32 bit under autocast.
    lengths: how many of each clip's first frames are real; a step that crops (`crops_lengths`) then leaves the padding
    out, and all frames that it gives are real. None: all frames are real.
    """
    with torch.autocast(x.device.type, enabled=False):
        for step in steps:
            if lengths is not None and getattr(step, "crops_lengths", False):
                x, lengths = step.apply(x, step.sample(x.shape, rng, lengths)), None  # type: ignore[call-arg]
            else:
                x = step.apply(x, step.sample(x.shape, rng))
    return x


def fitted(steps: Sequence[Augmentation], skeleton: Skeleton) -> tuple[Augmentation, ...]:
    """The same steps, each that must know the skeleton (`LeftRightDrop`) told of it: before `augment`, once.

    Raises SkelkitError where the skeleton lacks what a step needs.
    """
    return tuple(step.fitted(skeleton) if hasattr(step, "fitted") else step for step in steps)


@dataclass(frozen=True)
class OneOf:
    """Draw one of several steps for each clip: the randomised i of Thoker et al. 2021, Eq. 4."""

    steps: tuple[Augmentation, ...]
    """The steps to draw from; each must keep the number of frames."""
    p: tuple[float, ...] = ()
    """Each step's chance, as shares of their sum; () is a fair draw."""

    def __post_init__(self) -> None:
        if not self.steps:
            raise SkelkitError("augmentation: OneOf has no steps; give at least one")
        if self.p and (len(self.p) != len(self.steps) or min(self.p) < 0 or sum(self.p) <= 0):
            raise SkelkitError(f"augmentation: p = {self.p} for {len(self.steps)} steps; give one chance for each")

    def fitted(self, skeleton: Skeleton) -> OneOf:
        """The same draw, of steps that know the skeleton."""
        return replace(self, steps=fitted(self.steps, skeleton))

    def sample(self, shape: torch.Size, rng: Generator) -> tuple[Int[Tensor, " b"], list[Any]]:
        chances = _chances(self.p or (1.0,) * len(self.steps), rng.device)
        choice = torch.multinomial(chances, shape[0], replacement=True, generator=rng)
        return choice, [step.sample(shape, rng) for step in self.steps]

    def apply(
        self, x: Float[Tensor, "b 3 t v m"], parameters: tuple[Int[Tensor, " b"], list[Any]]
    ) -> Float[Tensor, "b 3 t v m"]:
        # Every step on every clip, then a choice: each clip's own step alone would make a GPU wait for the indices.
        choice, drawn = parameters
        found = self.steps[0].apply(x, drawn[0])
        for i, (step, own) in enumerate(zip(self.steps[1:], drawn[1:], strict=True), start=1):
            found = torch.where((choice == i)[:, None, None, None, None], step.apply(x, own), found)
        return found


@lru_cache(maxsize=32)
def _chances(p: tuple[float, ...], device: torch.device) -> Float[Tensor, " steps"]:
    """Kept on the device, as in `members`."""
    return torch.tensor(p, device=device)


@lru_cache(maxsize=32)
def members(groups: tuple[tuple[int, ...], ...], v: int, device: torch.device) -> Bool[Tensor, "groups v"]:
    """Which of v joints each group holds. Kept on the device: what is sent there makes a GPU wait at every step."""
    return torch.tensor([[joint in group for joint in range(v)] for group in groups], device=device)


def uniform(size: tuple[int, ...], low: float, high: float, rng: Generator) -> Float[Tensor, "*size"]:
    """Numbers of U[low, high]."""
    return torch.empty(size, device=rng.device).uniform_(low, high, generator=rng)


def coin(b: int, p: float, rng: Generator) -> Bool[Tensor, " b"]:
    """True with chance p, for each clip."""
    return torch.rand(b, device=rng.device, generator=rng) < p


def some(candidates: int, how_many: Int[Tensor, " b"], rng: Generator) -> Bool[Tensor, "b candidates"]:
    """`how_many[i]` candidates drawn without replacement in row i."""
    rank = torch.rand(len(how_many), candidates, device=rng.device, generator=rng).argsort(1).argsort(1)
    return rank < how_many[:, None]


def linear_map(x: Float[Tensor, "b 3 t v m"], matrix: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 t v m"]:
    """Every joint's place times its clip's matrix."""
    return torch.bmm(matrix, x.flatten(2)).view_as(x)  # (b 3 3) @ (b 3 tvm), the fast layout


def frames_at(x: Float[Tensor, "b 3 t v m"], frame: Int[Tensor, "b t2"]) -> Float[Tensor, "b 3 t2 v m"]:
    """The frames that each clip's index names, as one gather of whole (v m) rows."""
    b, c, t, v, m = x.shape
    rows = torch.arange(b * c, device=x.device).view(b, c, 1) * t + frame[:, None]  # (b c t2)
    return x.reshape(b * c * t, v * m).index_select(0, rows.flatten()).view(b, c, -1, v, m)
