"""The bidirectional GRU, X_SEQ of Thoker et al. 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skelkit.data.views import DataSpec


@dataclass(frozen=True)
class BiGRU:
    """The sequence encoder X_SEQ of Thoker et al. 2021 (Sec. 4.2): a 3-layer bidirectional GRU."""

    width: int = 1024
    """Hidden units H of each layer and direction; the representation has twice as many dimensions."""
    layers: int = 3
    """Stacked layers; each reads both directions of the one below."""
    directions: Literal["both ways", "two forward"] = "both ways"
    """"both ways" is a bidirectional GRU. "two forward" is what the released code computes: it steps such a GRU frame
    by frame, so that the second direction runs forward in time as well."""

    def build(self, data: DataSpec) -> BiGRUEncoder:
        """The module for this skeleton and number of persons; initialised from torch's global generator."""
        return BiGRUEncoder(self, 3 * len(data.skeleton) * data.persons)


class BiGRUEncoder(nn.Module):
    """(b 3 t v m) -> (b 2h): each direction's state after its own last step.

    The paper does not say which state; a direction's last one is the only one that has read the whole clip. Run both
    ways, that is the second direction's state at the first frame.
    """

    def __init__(self, config: BiGRU, inputs: int):
        super().__init__()
        self.config = config
        self.out_dim = 2 * config.width
        sizes = [inputs] + [self.out_dim] * (config.layers - 1)
        self.first = nn.ModuleList(nn.GRU(size, config.width, batch_first=True) for size in sizes)
        self.second = nn.ModuleList(nn.GRU(size, config.width, batch_first=True) for size in sizes)

    def forward(self, x: Float[Tensor, "b 3 t v m"]) -> Float[Tensor, "b d"]:
        """A frame is read in the order joint, axis, person, as in the released code."""
        states = x.permute(0, 2, 3, 1, 4).flatten(2)  # (b t v3m)
        for first, second in zip(self.first, self.second, strict=True):
            # A direction runs over all frames in one call: twice as fast as both together frame by frame.
            forth, back = first(states)[0], second(self._turned(states))[0]
            states = torch.cat([forth, self._turned(back)], 2)  # (b t 2h)
        return torch.cat([forth[:, -1], back[:, -1]], 1)

    def _turned(self, states: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        """Time as the second direction sees it."""
        return states.flip(1) if self.config.directions == "both ways" else states
