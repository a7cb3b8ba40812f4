"""Figures that pyplot does not know of."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, that no pyplot knows of; in a notebook it shows as a sharp PNG of its own size."""
    return _figure_class()(figsize=(width, height), layout="constrained")


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """IPython draws a plain Figure only once pyplot's inline backend is loaded; this one can draw itself."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            FigureCanvasAgg(self)

        def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
            png = io.BytesIO()
            self.savefig(png, format="png", dpi=160, bbox_inches="tight", pad_inches=0.08)
            width, height = struct.unpack(">II", png.getvalue()[16:24])  # of the header: the size after cropping
            return png.getvalue(), {"width": round(width * 0.6), "height": round(height * 0.6)}  # 96 dots an inch

    return NotebookFigure
