"""Tables and pages that are written from committed rows say what these say, and are up to date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rows import ROW

from skelkit.files import SkelkitError
from skelkit.report import pages, tables
from skelkit.report.published import cells
from skelkit.report.results import append

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def ascal() -> pd.DataFrame:
    return cells("ascal")


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_markdown_shows_every_cell_with_its_numbers():
    rows = [replace(ROW, seed=seed, value=v) for seed, v in enumerate((50.0, 52.0, 57.0))]
    text = tables.markdown("ascal", "Table V", [*rows, replace(ROW, row="a | b")]).split("\n")
    assert text[0] == "| row | column | labels | published | ours | 95 % interval | over | status |"
    assert "| Ours (CAE) | Fold 1 | 0% | 52.7 | 53.0 | 44.0 to 62.0 | 3 seeds | undecided |" in text
    assert "| RNN | Fold 1 | 100% | 40.0 |  |  |  | not run |" in text
    assert "| a \\| b | Fold 1 | 0% |  | 52.7 | 39.8 to 65.3 | 55 clips | extension |" in text
    assert len(text) == 2 + 30 + 2  # head; cells; the extension and its average


def test_the_summary_counts_every_cell(ascal):
    text = tables.summary("ascal", [ROW])
    assert "| Table V | 30 | 0 | 0 | 0 | 1 | 0 | 29 | 0 | 0 |" in text
    counted = [int(row.split("|")[2]) for row in text.split("\n")[2:]]
    assert sum(counted) == len(ascal)


def test_the_page_names_both_selections_apart_and_shows_what_was_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    append([ROW, replace(ROW, selection="best test epoch", value=60.0)])
    page, path = pages.results_page(), tmp_path / "README.md"
    assert "### AS-CAL, Rao et al. 2021, cells" in page
    assert page.index("## Claims") < page.index("## Baselines") < page.index("## Cells")
    assert "**Table V**, last epoch;" in page
    assert "**Table V**, best test epoch (chosen on the test set);" in page
    assert page.count(f"| {ROW.row} | {ROW.column} |") == 2  # one fold of five has no average: the cell itself stands
    assert "**Table II**" not in page  # nothing was run: it is in the counts alone
    assert pages.update_page("results/README.md", path)
    assert path.read_text(encoding="utf-8") == page
    assert not pages.update_page("results/README.md", path)


def test_a_readme_is_rewritten_between_its_markers_alone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results:begin -->\nstale\n<!-- results:end -->\nafter\n", encoding="utf-8")
    assert pages.update_readme("results", path=readme)
    text = readme.read_text(encoding="utf-8")
    block = pages.README_BLOCKS["results"]()
    assert text == f"before\n<!-- results:begin -->\n\n{block}\n\n<!-- results:end -->\nafter\n"
    assert not pages.update_readme("results", path=readme)
    assert pages.rewritten("<!-- x:begin --> old <!-- x:end -->", "new", "x") == (
        "<!-- x:begin -->\n\nnew\n\n<!-- x:end -->"
    )


def test_the_demos_block_is_of_its_own_rows_by_seed_and_encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    assert pages.demo_block() == "Not run."
    row = replace(ROW, paper="quickstart", table="Quickstart", tier="small", fold=-1, dataset="synthetic")
    encoders = {"random encoder": (40.0, 42.0), "AS-CAL, no labels": (60.0, 63.0)}
    readers = {"linear evaluation": "top-1", "kNN": "kNN top-1"}
    append(
        [
            replace(row, row=name, column=column, metric=metric, seed=seed, value=value, key=f"{name} {column} {seed}")
            for name, values in encoders.items()
            for column, metric in readers.items()
            for seed, value in enumerate(values)
        ],
        pages.demo_folder(),
    )
    text = pages.demo_block()
    once, often = text.split("over seeds 0 to 1")
    assert "| AS-CAL, no labels | 60.0 | 60.0 |" in once
    assert "| AS-CAL, no labels | 61.5 ± 2.1 | 61.5 ± 2.1 |" in often
    assert "random encoder, linear evaluation: +20.5 [+14.1, +26.9], 2 seeds" in text
    assert "no network, kNN: not run" in text


def test_a_readme_without_markers_is_refused_and_kept(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no block", encoding="utf-8")
    with pytest.raises(SkelkitError, match="no block of results"):
        pages.update_readme("results", path=readme)
    assert readme.read_text(encoding="utf-8") == "no block"
    with pytest.raises(SkelkitError, match="cannot be read"):
        pages.update_readme("results", path=tmp_path / "nowhere.md")


def test_the_readme_shows_the_committed_rows():
    text = README.read_text(encoding="utf-8")
    for name, block in pages.README_BLOCKS.items():
        assert pages.rewritten(text, block(), name) == text, "run: skelkit report --readme"
    for name, page in pages.PAGES.items():
        assert (README.parent / name).read_text(encoding="utf-8") == page(), "run: skelkit report --readme"
