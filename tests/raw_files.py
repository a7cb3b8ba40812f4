"""What the tests of all readers ask for: one line against bad files, and clips as published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skelkit.data.clips import Clips
from skelkit.data.importing import Reading, read_clips
from skelkit.files import SkelkitError, data_folders


def refused(work: Callable[[], object]) -> str:
    """What is said against it: one line, a mend after the fault."""
    with pytest.raises(SkelkitError) as caught:
        work()
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message, "a mend follows the fault"
    return message


def refused_by(reader: Callable[..., Reading], folder: Path, **options: str) -> str:
    """What a reader says against the files of a folder."""
    return refused(lambda: read_clips(reader(folder, **options)))


def raw_folder(name: str) -> Path:
    """Where samples of the official files are; the test is skipped, by name, where there are none."""
    for folder in data_folders():
        if (folder / "raw" / name).is_dir():
            return folder / "raw" / name
    pytest.skip(f"raw/{name} is not in $SKELKIT_DATA")


def assert_clips_are_in(clips: Clips, whole: Clips) -> None:
    """Every clip equals its namesake, in that one's precision, and so do label, subject, camera and fold."""
    assert len(clips)
    assert (clips.skeleton, clips.classes, clips.units) == (whole.skeleton, whole.classes, whole.units)
    names = list(whole.table["name"])
    index = np.array([names.index(name) for name in clips.table["name"]])
    for i, j in enumerate(index):
        np.testing.assert_array_equal(clips[i].astype(whole.frames.dtype), whole[j])
    for column in ("label", "subject", "camera", "fold"):
        np.testing.assert_array_equal(clips.column(column), whole.column(column)[index])
