"""The README's example runs, its links lead somewhere, and no measured number in it is typed by hand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from skelkit import losses
from skelkit.files import project_root
from skelkit.report import pages

ROOT = project_root()
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BY_HAND = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", TEXT, flags=re.DOTALL)
"""What no generator writes."""
SIZES = {"1.5 GB", "3.11", "2.11", "2.13.0", "7.3", "95 %"}
"""The numbers that are no results: memory, versions, and the level of the confidence intervals."""


def test_the_library_example_trains_and_evaluates_as_it_stands(
    one_thread: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(from dataclasses.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["train_features"].shape == names["test_features"].shape == (200, 256)
    assert not names["train_features"].requires_grad
    assert 0 <= names["scores"]["top-1"] <= 100
    assert capsys.readouterr().out.startswith("2040 torch.Size([200, 256])")


def test_a_link_within_the_project_leads_to_a_file_or_heading() -> None:
    titles = re.findall(r"^#+ (.*)", TEXT, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings
        elif not link.startswith("http"):
            assert (ROOT / link).exists(), link


def test_the_first_screen_names_the_commands_and_every_paper() -> None:
    first = TEXT.splitlines()[:30]
    assert [line.split()[:2] for line in first if line.startswith("make ")] == [["make", "demo"], ["make", "test"]]
    assert [paper for paper in pages.PAPERS for line in first if f"methods/{paper}.py" in line] == [*pages.PAPERS]


def test_a_paper_is_linked_by_its_arxiv_page_or_doi_and_cited() -> None:
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for of in pages.PAPERS.values():
        assert re.fullmatch(r"https://(arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\d{4,}/\S+)", of.link)
        assert of.link.removeprefix("https://doi.org/").removeprefix("https://arxiv.org/abs/") in cited
        assert all(callable(getattr(losses, name)) for name in of.losses)


def test_no_measured_number_is_typed_by_hand() -> None:
    found = set(re.findall(r"\d+\.\d[\d.]*(?: GB)?", BY_HAND)) | set(re.findall(r"\d+ ?%|\d+ points|± \d+", BY_HAND))
    assert found == SIZES


def test_the_rooms_of_the_package_are_named() -> None:
    listed = BY_HAND[BY_HAND.index("| folder |") : BY_HAND.index("A tier is one word")]
    rooms = {p.name for p in (ROOT / "skelkit").iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    missing = {room for room in rooms if f"{room}/" not in listed}
    assert missing == set()


def test_the_packages_that_a_bare_node_needs_are_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        assert re.split(r"[<>=~! ]", requirement)[0] in BY_HAND
