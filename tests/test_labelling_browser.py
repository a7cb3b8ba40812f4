"""The labelling notebook as a person meets it: JupyterLab in a headless browser, own clips from CSV files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from browser import chromium, lab, run_all, until

from skelkit.data.datasets import import_raw, template
from skelkit.files import project_root

NOTEBOOK = project_root() / "notebooks" / "tutorials" / "label_with_active_learning.ipynb"
TINY = {"dataset": "mine", "tier": "smoke", "labels_per_round": 2, "rounds": 2, "epochs": 2, "strategy": "KT"}


def prepare(folder: Path) -> None:
    """Own clips in `data/`, and the notebook with tiny parameters beside them."""
    template.write(folder / "raw")
    import_raw("mine", folder / "raw", folder / "data")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += "\n" + "\n".join(f"{name} = {value!r}" for name, value in TINY.items())
    nbformat.write(notebook, folder / "label.ipynb")


class Page:
    """What is seen of the labeller, and what can be clicked."""

    def __init__(self, window: Any):
        self.window = window

    def find(self, css: str) -> list[Any]:
        return self.window.find_elements("css selector", f".skelkit-labeller {css}")

    def says(self, text: str) -> None:
        def seen() -> bool:
            failed = self.window.find_elements("css selector", ".jp-RenderedText[data-mime-type*=stderr]")
            assert not any("Error" in each.text for each in failed), failed[0].text
            return any(text in each.text for each in self.find(".widget-html"))

        until(seen, f"the page says {text!r}")

    def button(self, text: str) -> Any:
        found = [each for each in self.find("button.jupyter-button") if each.text.strip() == text]
        assert found, f"no button {text!r} among {[b.text for b in self.find('button')]}"
        return found[0]

    def click(self, text: str) -> None:
        button = until(lambda: self.button(text).is_enabled() and self.button(text), f"{text!r} can be clicked")
        self.window.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()

    def plays(self) -> None:
        """The skeleton moves by itself: nine frames on, the picture is another."""
        stage = until(lambda: self.find("canvas") and self.find("input[type=range]"), "a skeleton stands on the stage")
        self.window.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage[0])
        picture = "return document.querySelector('.skelkit-labeller canvas').toDataURL()"
        first = self.window.execute_script(picture)
        until(lambda: self.window.execute_script(picture) != first, "the skeleton moves")
        until(lambda: int(self.find("input[type=range]")[0].get_property("value")) > 8, "frames are played")

    @property
    def curve(self) -> str:
        return self.find("img")[-1].get_attribute("alt")


def journal(folder: Path) -> list[str]:
    path = folder / "my_labels_mine_smoke_0.jsonl"
    return [json.loads(line)["class"] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_person_labels_in_jupyterlab_and_a_session_closed_half_way_loses_no_label(tmp_path: Path) -> None:
    prepare(tmp_path)
    with lab(tmp_path, SKELKIT_DATA=str(tmp_path / "data"), OMP_NUM_THREADS="1") as served:
        with chromium() as window:
            page = Page(window)
            run_all(window, served, "label.ipynb")
            page.says("Round 1 of 2, clip 1 of 2")
            assert page.curve == "No round has been trained yet."
            page.plays()
            page.click("wave")
            page.says("Round 1 of 2, clip 2 of 2")
            assert journal(tmp_path) == ["wave"]  # on disk before the next clip
            page.plays()
            page.click("squat")
            page.says("all 2 clips have their label")
            page.click("2: squat")  # a wrong click
            page.says("Round 1 of 2, clip 2 of 2")
            page.plays()
            page.click("walk")
            page.click("Train on all 2 labels")
            page.says("Round 2 of 2, clip 1 of 2")
            assert re.fullmatch(r"[\d.]+ % after 2 labels", page.curve)
            page.plays()
            page.click("squat")
            page.says("Round 2 of 2, clip 2 of 2")
        served.stop_kernels()  # closed half-way
        with chromium() as window:
            page = Page(window)
            run_all(window, served, "label.ipynb")
            page.says("3 labels were found again")
            page.says("Round 2 of 2, clip 2 of 2")
            page.button("1: squat")
            assert re.fullmatch(r"[\d.]+ % after 2 labels", page.curve)
            page.plays()
            page.click("wave")
            page.click("Train on all 4 labels")
            page.says("Done: 4 labels in 2 rounds")
            assert re.fullmatch(r"[\d.]+ % after 2 labels; [\d.]+ % after 4 labels", page.curve)
    assert journal(tmp_path) == ["wave", "squat", "walk", "squat", "wave"]
