"""Several encoders of one clip, each reading it as another representation: a sequence, an image, a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skelkit.data.views import DataSpec
from skelkit.files import SkelkitError
from skelkit.models.sequences import encode


@dataclass(frozen=True)
class Representations:
    """Encoders by the name of the representation they read (Thoker et al. 2021, Sec. 3.3)."""

    encoders: tuple[tuple[str, Any], ...]
    """(name, the encoder's config), such as ("SEQ", ...), ("IMG", ...), ("STG", ...)."""

    def __post_init__(self) -> None:
        names = [name for name, _ in self.encoders]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise SkelkitError(f"representations: {twice} is named twice; a representation is contrasted with others")
        if not names:
            raise SkelkitError("representations: none is named; give at least one")

    def build(self, data: DataSpec) -> nn.ModuleDict:
        """The encoders of clips of this kind, by name."""
        return nn.ModuleDict({name: config.build(data) for name, config in self.encoders})


class Joined(nn.Module):
    """The features of several encoders side by side; `pool` asks recurrent ones for a pooling that is not their own."""

    def __init__(self, *encoders: nn.Module, pool: Literal["mean", "last"] | None = None):
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.pool = pool
        self.reads_lengths = any(getattr(encoder, "reads_lengths", False) for encoder in encoders)
        self.out_dim = sum(int(encoder.out_dim) for encoder in encoders)  # type: ignore[arg-type, misc]

    def forward(self, x: Float[Tensor, "b 3 t v m"], lengths: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b d"]:
        found = [encoder(x, self.pool) if self.pool else encode(encoder, x, lengths) for encoder in self.encoders]
        return torch.cat(found, 1)
