"""What clips must be: whole numbers, finite coordinates, labels of their classes, offsets that rise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skelkit.files import SkelkitError


def integers(place: str, what: str, values: np.ndarray | Sequence[Any]) -> np.ndarray:
    """int64, from whole numbers of any type: a label of 1.5 or NaN is refused, not cut."""
    given = np.asarray(values)
    if given.dtype.kind in "fiu":
        with np.errstate(invalid="ignore"):
            whole = given.astype(np.int64)
        if bool((whole == given).all()):
            return whole
    raise SkelkitError(f"{place}: {what} holds {given.dtype}, not all of it whole numbers; give integers")


def first_not_finite(frames: np.ndarray) -> int | None:
    for start in range(0, len(frames), 65536):  # in blocks: a mask of all of NTU would take 700 MB
        finite = np.isfinite(frames[start : start + 65536]).all(axis=(1, 2, 3))
        if not finite.all():
            return start + int(finite.argmin())
    return None


def check_labels(place: str, table: pd.DataFrame, classes: int) -> None:
    labels = table["label"].to_numpy()
    wrong = (labels < -1) | (labels >= classes)
    if wrong.any():
        i = int(wrong.argmax())
        raise SkelkitError(
            f"{place}: clip {table['name'][i]} has label {labels[i]}, and there are {classes} classes, from 0; "
            "mend the label, or give -1 for none"
        )


def check_shapes(place: str, frames: tuple[int, ...], offsets: np.ndarray, joints: int) -> None:
    if len(frames) != 4 or frames[1:3] != (3, joints) or frames[3] < 1:
        raise SkelkitError(f"{place}: frames has shape {frames}; give (sum of t, 3, {joints} joints, persons)")
    rising = offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0 and bool((np.diff(offsets) > 0).all())
    if not rising or offsets[-1] != frames[0]:
        raise SkelkitError(
            f"{place}: offsets must rise from 0 to the {frames[0]} frames, one clip each; export it again"
        )
