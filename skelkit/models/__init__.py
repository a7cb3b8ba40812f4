"""Encoders `(b 3 t v m) -> (b d)`, heads, momentum encoders and memories."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import nn

from skelkit.data.views import DataSpec


@runtime_checkable
class EncoderConfig(Protocol):
    """What makes an encoder: a frozen dataclass of its sizes."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def build(self, data: DataSpec) -> nn.Module:
        """The encoder for clips of this kind, with `out_dim`."""
        ...
