"""Figures: what they show, and what they leave behind (nothing)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skelkit import store
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError
from skelkit.report import figures

RUNS = pd.DataFrame(
    [
        {"epoch": epoch, "loss": level / epoch + 0.1 * seed, "method": name, "seed": seed}
        for name, level in (("shear", 4.0), ("reverse", 2.0))
        for epoch in (1, 2, 4)
        for seed in range(3)
    ]
)
ACCURACIES = pd.DataFrame(
    {"fold": ["1", "1", "1", "2", "2", "2"], "accuracy": [80.0, 84, 60, 90, 90, 70], "row": ["CAE", "CAE", "LSTM"] * 2}
)
PAIRS = pd.DataFrame([[50.1, np.nan], [52.3, 40.0]], ["shear", "reverse"], ["shear", "reverse"])
CLIP = np.random.default_rng(0).normal(0, 1, (9, 3, 25, 1)).astype(np.float32)
POINTS, LABELS = np.random.default_rng(0).normal(0, 1, (36, 2)), np.arange(36) % 12
DRAWINGS: dict[str, Callable] = {
    "gallery": lambda: figures.gallery({"original": CLIP, "reverse": CLIP[::-1]}, KINECT_V2, frames=3),
    "curves": lambda: figures.curves(RUNS, "epoch", "loss", "method", "Loss", ylabel="loss (nats)"),
    "log curves": lambda: figures.curves(RUNS, "epoch", "loss", "method", "Loss", log=True),
    "bars": lambda: figures.bars(
        ACCURACIES, "fold", "accuracy", "row", "Table V", ylabel="top-1 (%)", lines={"no network": 55.0}
    ),
    "matrix": lambda: figures.matrix(PAIRS, "Fig. 10", "top-1 (%)", xlabel="second", ylabel="first"),
    "tsne": lambda: figures.tsne(POINTS, LABELS, [f"class {i}" for i in range(12)], "t-SNE"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_has_a_title_and_axis_labels(name: str) -> None:
    figure = DRAWINGS[name]()
    axes = figure.axes[-1] if name == "gallery" else figure.axes[0]
    assert axes.get_title() or figure.get_suptitle()
    assert axes.get_xlabel()
    assert axes.get_ylabel() or axes.get_yticklabels()[0].get_text()


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_leaves_no_setting_and_no_open_figure_behind(name: str) -> None:
    import matplotlib
    from matplotlib import pyplot

    def settings() -> dict:
        return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}

    before = settings()
    DRAWINGS[name]()._repr_png_()
    assert pyplot.get_fignums() == []
    assert settings() == before


def test_ipython_shows_a_figure_as_a_png_without_pyplot() -> None:
    from IPython.core.formatters import PNGFormatter

    png, size = PNGFormatter()(DRAWINGS["bars"]())
    assert png.startswith(b"\x89PNG")
    assert 600 < size["width"] < 1000


def test_importing_the_modules_loads_no_plotting_library() -> None:
    code = (
        "import sys, skelkit.report.figures as f, skelkit.report.player as p, numpy as np;"
        "from skelkit.data.skeleton import SBU;"
        "p.player(np.ones((2, 3, 15, 1), np.float32), SBU);"
        "print(sorted({'matplotlib', 'seaborn', 'openTSNE', 'IPython'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_variant_of_the_gallery_has_a_row_at_the_same_limits() -> None:
    figure = figures.gallery({"original": CLIP, "noise": CLIP + 0.1, "large": 2 * CLIP}, KINECT_V2, frames=3)
    assert [axes.get_yticklabels()[0].get_text() for axes in figure.axes] == ["original", "noise", "large"]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1


def test_a_curve_is_the_mean_over_seeds_with_a_band_of_one_sd() -> None:
    axes = DRAWINGS["curves"]().axes[0]
    shear = axes.lines[0]
    np.testing.assert_allclose(shear.get_ydata(), [4.1, 2.1, 1.1])  # by hand: level / epoch + mean of 0, 0.1, 0.2
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(4.2)  # the sd of 0, 0.1, 0.2 is 0.1
    assert band[:, 1].min() == pytest.approx(1.0)


def test_the_band_of_a_log_curve_stays_above_zero() -> None:
    frame = pd.DataFrame({"epoch": [1, 1], "loss": [0.01, 10.0], "method": "a"})
    axes = figures.curves(frame, "epoch", "loss", "method", "Loss", log=True).axes[0]
    assert axes.collections[0].get_paths()[0].vertices[:, 1].min() == pytest.approx(0.01)


def test_a_bar_is_the_mean_with_the_sd_and_the_random_encoder_is_a_dashed_line() -> None:
    axes = DRAWINGS["bars"]().axes[0]
    assert [bar.get_height() for bar in axes.containers[1]] == [82, 90]
    assert [text.get_text() for text in axes.texts] == ["82.0", "90.0", "60.0", "70.0"]
    whisker = axes.containers[0].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(whisker[:, 1], [82 - np.sqrt(8), 82 + np.sqrt(8)])  # sd of 80 and 84, n - 1
    line = next(line for line in axes.lines if line.get_linestyle() == "--")
    assert line.get_ydata()[0] == 55


def test_the_legend_names_bars_in_their_order_also_a_random_encoder_among_them() -> None:
    frame = pd.DataFrame({"test": "a", "top-1": [3.0, 1.0, 2.0], "network": ["ours", "random encoder", "theirs"]})
    figure = figures.bars(frame, "test", "top-1", "network", "Table", lines={"random encoder": 0.5})
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["ours", "random encoder", "theirs", "random encoder: 0.5"], "the reference line stands last"


def test_a_random_encoder_that_was_not_run_draws_no_line() -> None:
    frame = pd.DataFrame({"test": ["a"], "top-1": [3.0], "network": ["ours"]})
    figure = figures.bars(frame, "test", "top-1", "network", "Table", lines={"random encoder": float("nan")})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ours"]


def test_a_cell_that_was_not_run_is_hatched_and_named() -> None:
    figure = DRAWINGS["matrix"]()
    assert [patch.get_xy() for patch in figure.axes[0].patches if patch.get_hatch()] == [(1, 0)]
    assert [text.get_text() for text in figure.axes[0].texts] == ["50.1", "52.3", "40.0"]
    assert figure.legends[0].get_texts()[0].get_text() == "not run"
    assert len(figures.matrix(PAIRS * np.nan, "none", "%").axes[0].patches) == 4


def test_twelve_classes_have_twelve_looks_and_their_names_beside_the_axes() -> None:
    figure = DRAWINGS["tsne"]()
    drawn = figure.axes[0].collections
    looks = {(tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in drawn}
    assert len(looks) == 12
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"class {i}" for i in range(12)]
    assert len({tuple(c.get_facecolor()[0]) for c in drawn}) == 10


def test_an_embedding_is_the_same_for_the_same_seed() -> None:
    features = np.random.default_rng(0).normal(0, 1, (24, 8)).astype(np.float32)
    first, again = figures.embed(features, 0), figures.embed(features, 0)
    assert first.shape == (24, 2)
    assert np.array_equal(first, again)


def test_an_embedding_keeps_two_clusters_apart_even_of_few_points() -> None:
    features = np.random.default_rng(0).normal(0, 0.1, (8, 4))
    features[4:] += 5
    points = figures.embed(features, 0)
    within = max(np.ptp(points[:4], axis=0).max(), np.ptp(points[4:], axis=0).max())
    assert np.linalg.norm(points[:4].mean(0) - points[4:].mean(0)) > within


def test_collapsed_features_stay_one_point_and_bad_ones_are_refused() -> None:
    assert not figures.embed(np.ones((6, 3)), 0).any()
    for bad in (np.ones((3, 3)), np.full((6, 3), np.nan)):
        with pytest.raises(SkelkitError, match="at least 4 x 2 of them, all finite"):
            figures.embed(bad, 0)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    return tmp_path / "figures" / "ascal" / f"loss_{store.key(OF)[:8]}.csv"


OF = {"epochs": 60}


def table() -> pd.DataFrame:
    return pd.DataFrame({"x": [1 / 3, np.nan, 2e-9], "n": [1, 2, 3], "name": ["None", "NA", "a, b"]})


def never() -> pd.DataFrame:
    raise AssertionError("built again")


def test_figure_data_never_rewrites_a_committed_file(results: Path) -> None:
    first = figures.figure_data("ascal", "loss", OF, table, commit=True)
    before = results.read_bytes(), results.stat().st_mtime_ns
    again = figures.figure_data("ascal", "loss", OF, never, commit=True)
    pd.testing.assert_frame_equal(first, again)
    assert (results.read_bytes(), results.stat().st_mtime_ns) == before
    assert before[0] == b'x,n,name\n0.333333,1,None\n,2,NA\n2e-09,3,"a, b"\n'


def test_figure_data_of_another_setting_is_another_file(results: Path) -> None:
    figures.figure_data("ascal", "loss", OF, table, commit=True)
    with pytest.raises(AssertionError, match="built again"):
        figures.figure_data("ascal", "loss", {**OF, "epochs": 61}, never, commit=True)


def test_figure_data_writes_nothing_unless_told_to_commit(results: Path) -> None:
    shown = figures.figure_data("ascal", "loss", OF, table, commit=False)
    assert not results.exists()
    pd.testing.assert_frame_equal(shown, figures.figure_data("ascal", "loss", OF, table, commit=True))


def test_figure_data_keeps_a_named_index_as_columns(results: Path) -> None:
    def indexed() -> pd.DataFrame:
        return table().set_index("name")

    assert list(figures.figure_data("ascal", "loss", OF, indexed, commit=True).columns) == ["name", "x", "n"]


def test_a_build_that_fails_leaves_no_file_and_a_broken_file_is_named(results: Path) -> None:
    with pytest.raises(AssertionError):
        figures.figure_data("ascal", "loss", OF, never, commit=True)
    assert not list(results.parent.parent.rglob("*.csv"))
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text("")
    with pytest.raises(SkelkitError, match=r"loss_\w{8}\.csv: no table .*; delete it and build it again"):
        figures.figure_data("ascal", "loss", OF, table, commit=True)


def test_a_curve_of_few_points_shows_them() -> None:
    epochs = [1, *range(1, 13)]
    frame = pd.DataFrame({"epoch": epochs, "loss": 1.0, "m": ["short"] + ["long"] * 12})
    (axes,) = figures.curves(frame, "epoch", "loss", "m", "loss").axes
    assert [line.get_marker() for line in axes.lines] == ["o", "None"]
