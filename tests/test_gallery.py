"""Pictures of data sets: what they show, for few classes and many, any skeleton, and up to four persons."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import clips_of, save_npz

from skelkit.data.clips import Clips
from skelkit.data.datasets.sbu import to_metres
from skelkit.data.protocols import split
from skelkit.data.skeleton import KINECT_V2, SBU, Skeleton
from skelkit.files import SkelkitError
from skelkit.report import gallery

FIVE = Skeleton("five", ("hip", "chest", "head", "hand", "foot"), ((1, 0), (2, 1), (3, 1), (4, 0)), 0)
LONG = "put on a hat or a cap and take it off again_while_walking_towards_somebody_else_Donaudampfschifffahrt"


def crowd() -> Clips:
    """120 classes with long names, four persons, of whom the last never comes, in millimetres; half the clips empty."""
    clips = clips_of(240, 120, KINECT_V2, 4)
    frames = clips.frames * 1000
    frames[..., 3] = 0
    frames[: clips.offsets[50]] = 0
    frames[clips.offsets[60]] *= 300  # a sensor's jump
    return replace(clips, frames=frames, units="millimetres", classes=tuple(f"{i} {LONG}" for i in range(120)))


SETS: dict[str, Callable[[], Clips]] = {
    "three classes": lambda: clips_of(7, 3, FIVE),
    "120 classes": crowd,
    "one clip": lambda: clips_of(1, 1, SBU, 2),
    "no labels": lambda: clips_of(4, 2).subset(np.arange(4)),
}


def some(name: str) -> Clips:
    clips = SETS[name]()
    if name == "no labels":
        clips.table["label"] = -1
    return clips


def texts(figure: object) -> list[str]:
    from matplotlib.text import Text

    return [t.get_text().replace("\n", " ") for t in figure.findobj(Text) if t.get_visible() and t.get_text()]  # type: ignore[attr-defined]


DRAWINGS = {
    "class balance": lambda clips: gallery.class_balance(clips, next(iter(gallery.splits(clips)), None)),
    "lengths": gallery.lengths,
    "poses": gallery.poses,
}


@cache
def drawn(name: str, drawing: str) -> Any:
    """A drawing, which takes seconds for many classes, made once."""
    return DRAWINGS[drawing](some(name))


@pytest.mark.parametrize("drawing", DRAWINGS)
@pytest.mark.parametrize("name", SETS)
def test_every_drawing_names_the_data_set_and_touches_no_edge(name: str, drawing: str) -> None:
    from matplotlib.image import imread

    figure = drawn(name, drawing)
    assert any("tiny" in text for text in texts(figure))
    grey = imread(io.BytesIO(figure._repr_png_()[0])).min(axis=2)
    assert grey.min() < 0.5
    edges = np.concatenate([edge.ravel() for edge in (grey[:8], grey[-8:], grey[:, :8], grey[:, -8:])])
    assert edges.min() == 1


@pytest.mark.parametrize("drawing", ["class balance", "poses"])
def test_the_names_of_120_classes_stand_whole_and_apart(drawing: str) -> None:
    from matplotlib.text import Text

    figure = drawn("120 classes", drawing)
    figure.draw_without_rendering()
    plain = {re.sub(r"\s", "", name) for name in crowd().classes}
    names = [t for t in figure.findobj(Text) if re.sub(r"\s", "", t.get_text()) in plain]
    names = [t for t in names if t.get_window_extent().width > 1]  # a tick has a second label, which is not shown
    assert {re.sub(r"\s", "", t.get_text()) for t in names} == plain
    boxes = np.array([t.get_window_extent().extents for t in names])  # (120, 4): x0, y0, x1, y1
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    both = (np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1)) > 0.5).all(2)
    assert not (both & ~np.eye(len(boxes), dtype=bool)).any()


def test_the_bars_are_the_counts_of_each_class_and_side() -> None:
    clips = clips_of(21, 2)
    sides = split(clips, "xsub")
    axes = gallery.class_balance(clips, sides).axes[0]
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    expected = [[np.sum(clips.labels[index] == c) for c in range(2)] for index in (sides.train, sides.test)]
    assert widths == expected
    assert f"{expected[0][0]} + {expected[1][0]}" in texts(axes.figure)


def test_clips_on_neither_side_and_clips_without_a_label_are_counted() -> None:
    clips = clips_of(24, 2)
    clips.table.loc[0, "label"] = -1
    figure = gallery.class_balance(clips, split(clips, "v1-v2"))
    assert sum(bar.get_width() for bars in figure.axes[0].containers for bar in bars) == 24
    assert "(no label)" in texts(figure)
    assert any(text.startswith("neither (") for text in texts(figure))


@pytest.mark.parametrize("found", [[5], [5, 5, 5], [1, 900, 3, 4, 4], [40, 41, 43], [10, 210]])
def test_the_histogram_holds_every_clip_once(found: list[int]) -> None:
    frames = np.ones((sum(found), 3, 5, 1), np.float32)
    offsets = np.cumsum([0, *found])
    clips = Clips.from_arrays(frames, offsets, skeleton=FIVE, classes=["a"], name="own", columns={})
    axes = gallery.lengths(clips).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == len(found)
    assert f"median {np.median(found):g}" in texts(axes.figure)


def test_the_grid_draws_the_persons_that_are_there_and_says_where_nobody_is() -> None:
    clips = crowd()
    said = texts(gallery.poses(clips, np.arange(48, 52)))
    assert sum(text.endswith("frames, nobody in it") for text in said) == 2
    assert "persons 2 to 3" in said


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_name_is_text_and_no_formula(drawing: str) -> None:
    clips = replace(clips_of(4, 2), name="$5", classes=("$\\frac$ wave", ""))
    DRAWINGS[drawing](clips)._repr_png_()


def test_an_empty_clip_says_so_in_its_title() -> None:
    clips = crowd()
    assert "nobody in it" in gallery.animation(clips, 3).html
    assert "nobody in it" not in gallery.animation(clips, 100).html


def test_no_pose_leaves_its_cell() -> None:
    """A clip with a far jump is drawn smaller, and no other clip is."""
    clips = clips_of(12, 12)
    frames = clips.frames.copy()
    frames[clips.offsets[3], :, 0] += 300
    jumping = replace(clips, frames=frames)
    sizes = []
    for c in (clips, jumping):
        figure = gallery.poses(c)
        points = [np.ma.getdata(s.get_offsets()) for s in figure.axes[0].collections if len(s.get_offsets()) > 1]
        assert len(points) == 12 * 4
        room = gallery.WIDTH / 4
        assert all(np.ptp(p[:, 0]) <= room and np.ptp(p[:, 1]) <= gallery.HEIGHT for p in points)
        sizes.append(np.ptp(points[0], axis=0))
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=0.35)


def test_one_clip_a_class_is_of_middling_length() -> None:
    lengths = [9, 3, 5, 4, 8, 2]
    offsets = np.cumsum([0, *lengths])
    frames = np.ones((offsets[-1], 3, 5, 1), np.float32)
    columns = {"label": [0, 0, 0, 2, 2, 2]}
    clips = Clips.from_arrays(frames, offsets, skeleton=FIVE, classes="abc", name="own", columns=columns)
    assert gallery.one_of_each_class(clips).tolist() == [2, 3]


def test_the_splits_are_those_that_the_table_allows() -> None:
    clips = clips_of(40)
    assert [side.name for side in gallery.splits(clips)] == ["folds", "xview", "xsub", "xset"]
    clips.table[["fold", "camera"]] = -1
    clips.table["setup"] = 2
    assert [side.name for side in gallery.splits(clips)] == ["xsub"]


def test_sbu_is_drawn_in_metres() -> None:
    clips = replace(clips_of(2, 2, SBU, 2), units="normalised", name="sbu")
    page = gallery.animation(clips, 0).html
    record = json.loads(html.unescape(re.search(r'data-clip="([^"]*)"', page)[1]))  # type: ignore[index]
    (panel,) = record["panels"]
    grid = np.frombuffer(base64.b64decode(panel["xyz"]), "<i2").reshape(panel["t"], 2, 15, 3)
    sizes = np.ptp(grid * record["step"], axis=(0, 1, 2))
    np.testing.assert_allclose(np.sort(sizes), np.sort(np.ptp(to_metres(clips[0]), axis=(0, 2, 3))), rtol=1e-3)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clips:
    """A data set `mine`, found by its name, whose clips have names that are no good as files."""
    clips = clips_of(12, 3)
    save_npz(clips, tmp_path / "mine.npz", name=np.array([f"../{i}/<clip>" for i in range(12)]))
    monkeypatch.setenv("SKELKIT_DATA", str(tmp_path))
    return clips


def test_show_writes_three_pictures_and_a_page_that_holds_them(mine: Clips, tmp_path: Path) -> None:
    written = gallery.show("mine", None, tmp_path / "out")
    assert [path.name for path in written] == ["class_balance.png", "lengths.png", "poses.png", "mine.html"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[:3])
    page = written[3].read_text(encoding="utf-8")
    held = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert [base64.b64decode(image) for image in held] == [path.read_bytes() for path in written[:3]]
    assert "data-clip=" in page
    assert not re.search(r"https?:|href=|<link|import\(|fetch\(", page)


@pytest.mark.parametrize("clip", ["4", "../4/<clip>"])
def test_show_finds_a_clip_by_number_or_name_and_stays_in_its_folder(mine: Clips, tmp_path: Path, clip: str) -> None:
    (path,) = gallery.show("mine", clip, tmp_path / "out")
    assert path.parent == tmp_path / "out"
    page = path.read_text(encoding="utf-8")
    record = json.loads(html.unescape(re.search(r'data-clip="([^"]*)"', page)[1]))  # type: ignore[index]
    assert record["panels"][0]["t"] == mine.lengths[4]
    assert "<clip>" not in page


@pytest.mark.parametrize("clip", ["12", "-1", "4.0", "", "../4/<clop>", "9" * 5000])
def test_show_names_a_clip_that_is_there_where_one_is_not(mine: Clips, tmp_path: Path, clip: str) -> None:
    with pytest.raises(SkelkitError, match=r"^mine: no clip .*; give a number from 0 to 11, or a name such as \.\./"):
        gallery.show("mine", clip, tmp_path)


def test_show_of_no_clips_and_into_a_file_is_an_error_of_one_line(mine: Clips, tmp_path: Path) -> None:
    with pytest.raises(SkelkitError, match="holds no clip"):
        gallery.lengths(mine.subset(np.arange(0)))
    (tmp_path / "taken").write_text("here")
    with pytest.raises(SkelkitError, match="taken"):
        gallery.show("mine", "0", tmp_path / "taken")
