"""What holds for every notebook: its form (static), and that it executes at tier smoke.

After editing one in JupyterLab, `python tests/test_notebooks.py` puts them all back into the stripped form.
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import nbformat
import pytest
from conftest import Execution, contents

from skelkit.batch import parameters_of, run_notebooks
from skelkit.files import project_root
from skelkit.report.pages import PAPERS

FOLDER = project_root() / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.relative_to(FOLDER).with_suffix("").as_posix() for path in NOTEBOOKS]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stripped(path: Path) -> str:
    """The notebook as it is committed: no outputs, no counts, this metadata, and of the cells' metadata the tags."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(notebook) + "\n"


def code_lines(path: Path) -> list[int]:
    """Lines that are not blank, of each code cell."""
    cells = nbformat.read(path, as_version=4).cells
    return [sum(bool(line.strip()) for line in c.source.splitlines()) for c in cells if c.cell_type == "code"]


@every_notebook
def test_a_notebook_is_committed_stripped_and_regenerates_byte_for_byte(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == stripped(path), "run: python tests/test_notebooks.py"


@every_notebook
def test_a_notebook_is_valid_and_its_cells_have_distinct_ids(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@every_notebook
def test_a_notebook_is_short_enough_to_read(path: Path) -> None:
    lines = code_lines(path)
    assert len(nbformat.read(path, as_version=4).cells) <= 25
    assert sum(lines) <= 120
    assert statistics.median(lines) <= 8
    assert max(lines) <= 30


@every_notebook
def test_a_notebook_defines_no_class_and_opens_with_a_title(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    for cell in cells:
        assert cell.cell_type == "markdown" or not any(
            line.lstrip().startswith("class ") for line in cell.source.splitlines()
        )


@every_notebook
def test_a_notebooks_links_lead_somewhere_and_a_papers_lead_to_it_its_code_and_its_other_notebooks(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    linked = {link for cell in cells if cell.cell_type == "markdown" for link in LINK.findall(cell.source)}
    here = {(path.parent / link).resolve() for link in linked if "://" not in link}
    assert not [each for each in here if not each.exists()]
    if (paper := path.parent.name) in PAPERS:
        assert PAPERS[paper].link in linked
        code = [project_root() / "skelkit" / folder / f"{paper}.py" for folder in ("methods", "recipes")]
        assert {*code, *path.parent.glob("*.ipynb")} - {path} <= here


@every_notebook
def test_a_notebook_has_one_cell_of_plain_parameters(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1
    needed = {"tier", "seed"} if path.parent == FOLDER else {"tier", "seed", "dataset"}
    assert needed <= set(parameters_of(path))


@every_notebook
def test_a_notebook_executes_at_tier_smoke(path: Path, execution: Execution) -> None:
    outcome = execution.outcomes[path]
    assert outcome.status == "passed", f"cell {outcome.cell}, `{outcome.line}`: {outcome.error}"
    assert outcome.html is not None


def test_executing_the_tables_a_second_time_trains_nothing(execution: Execution, tmp_path: Path) -> None:
    """With SKELKIT_BUILD=0 a training, an extraction or an evaluation that is not in the store is an error."""
    path = next((p for p in execution.outcomes if p.name == "tables.ipynb"), None)
    if path is None:
        pytest.skip("no notebook of tables was selected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKELKIT_RESULTS", str(execution.results))
        patch.setenv("SKELKIT_BUILD", "0")
        (outcome,) = run_notebooks([path], parameters={"tier": "smoke"}, out=tmp_path, timeout=300)
    assert outcome.status == "passed", f"cell {outcome.cell}, `{outcome.line}`: {outcome.error}"


def test_executing_the_notebooks_at_smoke_leaves_the_committed_results_as_they_are(execution: Execution) -> None:
    assert contents(execution.results) == execution.before


if __name__ == "__main__":
    for notebook in NOTEBOOKS:
        notebook.write_text(stripped(notebook), encoding="utf-8")
