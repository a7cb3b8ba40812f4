"""The batch runner: what it refuses before it starts, and what it makes of notebooks that fail, hang or die."""

from __future__ import annotations

import json
import os
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import psutil
import pytest

from skelkit.batch import Outcome, junit_summary, kernels, markdown_summary, parameters_of, run_notebooks
from skelkit.files import SkelkitError

PARAMETERS = 'tier = "paper"\nseed = 0\nrate = 0.1'


def write(path: Path, *code: str, parameters: str = PARAMETERS) -> Path:
    """A notebook of a title, a parameters cell (cell 2) and code cells (from cell 3)."""
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# A title"), v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=[*cells, *(v4.new_code_cell(source) for source in code)]), path)
    return path


def refused(path: Path, **parameters: object) -> str:
    """What `run_notebooks` says when it refuses; nothing may have been written."""
    out = path.parent / "out"
    with pytest.raises(SkelkitError) as caught:
        run_notebooks([path], parameters=parameters, out=out, timeout=60)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5  # the kernel's own poll for its parent takes a second
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(pid)


# --- before anything runs ---------------------------------------------------------------------------------------------


def test_parameters_are_read_with_their_defaults_in_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ipynb", parameters='# how much\ntier: str = "smoke"\nseed = -1  # any\n\nk = [1, 2]\nn = None'
    )
    assert list(parameters_of(path).items()) == [("tier", "smoke"), ("seed", -1), ("k", [1, 2]), ("n", None)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('formula = "a = b"', "two `=`"),
        ("low = high = 1", "two `=`"),
        ("seed = 1 + 1", "no plain literal"),
        ("seed = other", "no plain literal"),
        ("sizes = [\n    1,\n]", "no `name = literal` on one line"),
        ("seed += 1", "no `name = literal` on one line"),
        ("import os", "no `name = literal` on one line"),
        ("a, b = 1, 2", "no `name = literal`"),
        ("seed = ", "no Python"),
    ],
)
def test_a_parameter_line_that_papermill_would_drop_or_misread_is_refused(
    tmp_path: Path, line: str, reason: str
) -> None:
    message = refused(write(tmp_path / "a.ipynb", parameters=f"tier = 'paper'\n{line}"), tier="smoke")
    assert str(tmp_path / "a.ipynb") in message
    assert "line 2" in message
    assert reason in message


def test_an_unknown_parameter_is_refused_with_the_known_ones_listed(tmp_path: Path) -> None:
    message = refused(write(tmp_path / "a.ipynb"), tire="smoke")
    assert "a.ipynb: unknown parameter 'tire'; its parameters are tier, seed, rate" in message


def test_a_parameter_of_another_type_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb")
    assert "parameter seed = '3' is str; give int, like 0" in refused(path, seed="3")
    assert "is float; give int" in refused(path, seed=0.5)
    assert "is bool; give int" in refused(path, seed=True)


def test_what_is_no_notebook_or_no_kernel_is_refused_in_one_line(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "absent.ipynb")
    (tmp_path / "cut.ipynb").write_text('{"cells": [')
    assert "no notebook" in refused(tmp_path / "cut.ipynb")
    with pytest.raises(SkelkitError, match="kernel 'nonesuch' is not registered; known are"):
        run_notebooks([write(tmp_path / "a.ipynb")], parameters={}, out=tmp_path, timeout=9, kernel="nonesuch")


def test_a_notebook_is_never_written_over_itself_or_another(tmp_path: Path) -> None:
    path = write(tmp_path / "ascal" / "a.ipynb")
    with pytest.raises(SkelkitError, match="overwritten by its own execution"):
        run_notebooks([path], parameters={}, out=tmp_path, timeout=9)
    other = write(tmp_path / "elsewhere" / "ascal" / "a.ipynb")
    with pytest.raises(SkelkitError, match="two notebooks would be written to"):
        run_notebooks([path, other], parameters={}, out=tmp_path / "out", timeout=9)


# --- a batch in which almost everything goes wrong --------------------------------------------------------------------

GOOD = """import json, os, sys
from pathlib import Path
Path("said.json").write_text(json.dumps([tier, seed, rate, sys.executable, os.environ["SKELKIT_DATA"]]))"""
HANGS = """import os, subprocess, time
from pathlib import Path
child = subprocess.Popen(["sleep", "600"])
Path("pids.txt").write_text(f"{os.getpid()} {child.pid}")
print("before the sleep", flush=True)
time.sleep(600)"""
DIES = 'import os\nwith open("begun.txt", "a") as file:\n    file.write("begun\\n")\nos._exit(9)'


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome]]:
    """Three notebooks that fail, hang and die, and after them a good one; two at a time."""
    folder = tmp_path_factory.mktemp("batch")
    paths = [
        write(folder / "notebooks" / "ascal" / "fails.ipynb", "x = 1", "# divide | by\n1 / 0", "x = 2"),
        write(folder / "notebooks" / "ascal" / "hangs.ipynb", "x = 1", HANGS),
        write(folder / "notebooks" / "ascal" / "dies.ipynb", DIES),
        write(folder / "notebooks" / "00_good.ipynb", GOOD),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SKELKIT_DATA", "some/data")
        seen: list[Outcome] = []
        arguments = {"tier": "smoke", "seed": 7, "rate": 1}
        outcomes = run_notebooks(
            paths, parameters=arguments, out=folder / "out", timeout=20, jobs=2, on_finish=seen.append
        )
    assert sorted(seen, key=lambda o: paths.index(o.notebook)) == outcomes
    return folder, outcomes


def test_a_failing_cell_is_named_with_its_number_first_line_and_exception(batch: tuple[Path, list[Outcome]]) -> None:
    folder, (fails, *_) = batch
    assert (fails.status, fails.cell, fails.line) == ("failed", 4, "# divide | by")
    assert fails.error == "ZeroDivisionError: division by zero"
    assert fails.executed == folder / "out" / "ascal" / "fails.ipynb"
    assert "division by zero" in (folder / "out" / "ascal" / "fails.html").read_text(encoding="utf-8")


def test_a_timeout_kills_the_kernel_and_all_it_started_and_is_reported(batch: tuple[Path, list[Outcome]]) -> None:
    folder, (_, hangs, *_) = batch
    assert (hangs.status, hangs.cell, hangs.line) == ("timeout", 4, "import os, subprocess, time")
    assert hangs.error == "killed after 20 s"
    assert 20 <= hangs.seconds < 40
    pids = (folder / "notebooks" / "ascal" / "pids.txt").read_text().split()
    assert len(pids) == 2
    assert all(gone(int(pid)) for pid in pids)
    assert nbformat.read(folder / "out" / "ascal" / "hangs.ipynb", as_version=4).cells
    assert hangs.html is None


def test_a_kernel_that_dies_in_a_cell_is_a_failing_cell_and_is_not_tried_again(
    batch: tuple[Path, list[Outcome]],
) -> None:
    folder, (_, _, dies, _) = batch
    assert (dies.status, dies.cell, dies.line) == ("failed", 3, "import os")
    assert "Kernel died" in dies.error
    assert (folder / "notebooks" / "ascal" / "begun.txt").read_text() == "begun\n"


def test_the_batch_goes_on_and_a_notebook_gets_its_parameters_folder_and_interpreter(
    batch: tuple[Path, list[Outcome]],
) -> None:
    folder, (*_, good) = batch
    assert (good.status, good.cell, good.error) == ("passed", None, "")
    assert good.executed == folder / "out" / "00_good.ipynb"
    assert good.html == folder / "out" / "00_good.html"
    said = json.loads((folder / "notebooks" / "said.json").read_text())  # written by its plain name
    assert said[:4] == ["smoke", 7, 1, sys.executable]
    assert said[4].split(os.pathsep)[0] == str(folder / "some" / "data")  # a relative folder still means the same


def test_nothing_half_written_stays_beside_the_results(batch: tuple[Path, list[Outcome]]) -> None:
    folder, _ = batch
    found = sorted(p.relative_to(folder / "out").as_posix() for p in (folder / "out").rglob("*") if p.is_file())
    pairs = [f"ascal/{name}.{suffix}" for name in ("dies", "fails") for suffix in ("html", "ipynb")]
    assert found == ["00_good.html", "00_good.ipynb", *pairs, "ascal/hangs.ipynb", "junit.xml", "summary.md"]


def test_the_junit_summary_parses_and_counts(
    batch: tuple[Path, list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outcomes = batch
    monkeypatch.chdir(folder)  # names are told from here
    text = (folder / "out" / "junit.xml").read_text(encoding="utf-8")
    assert text == junit_summary(outcomes)
    suite = ET.fromstring(text)[0]
    assert [suite.get(k) for k in ("tests", "failures", "errors")] == ["4", "2", "1"]
    assert [[fault.tag for fault in case] for case in suite] == [["failure"], ["error"], ["failure"], []]
    assert suite[0].get("classname") == "ascal"
    assert suite[0][0].get("message") == "cell 4, `# divide | by`: ZeroDivisionError: division by zero"


def test_the_markdown_summary_names_notebook_and_cell(
    batch: tuple[Path, list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outcomes = batch
    monkeypatch.chdir(folder)
    text = (folder / "out" / "summary.md").read_text(encoding="utf-8")
    assert text == markdown_summary(outcomes)
    assert text.startswith("**Notebooks: 2 failed, 1 passed, 1 timeout**\n")
    row = next(line for line in text.splitlines() if "fails.ipynb" in line)
    assert row.startswith("| notebooks/ascal/fails.ipynb | failed |")
    assert row.endswith(r"| 4 | `# divide \| by` | ZeroDivisionError: division by zero |")


def test_a_summary_stays_one_line_a_notebook_and_valid_xml_whatever_the_error_says() -> None:
    wild = Outcome(Path("a/b.ipynb"), "failed", 1.0, 3, "x", "two\nlines \x1b[31mred\x00 <&>", None, None)
    assert ET.fromstring(junit_summary([wild]))[0][0][0].get("message") == "cell 3, `x`: two lines [31mred <&>"
    assert len(markdown_summary([wild]).splitlines()) == 5


# --- kernels ----------------------------------------------------------------------------------------------------------

SULKING = """import os, sys
from pathlib import Path
# In the notebook's folder stand how often to refuse, and how often it was asked.
with open("starts.txt", "a") as file:
    file.write("x")
if len(Path("starts.txt").read_text()) <= int(Path("refusals.txt").read_text()):
    sys.exit("not today")
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *sys.argv[1:]])
"""


def test_a_kernel_that_does_not_start_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "kernels" / "sulking"
    spec.mkdir(parents=True)
    (spec / "kernel.py").write_text(SULKING)
    argv = [sys.executable, str(spec / "kernel.py"), "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "s", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    paths = [write(tmp_path / name / "a.ipynb", "x = 1") for name in ("once", "always")]
    for path, refusals in zip(paths, (1, 9), strict=True):
        (path.parent / "refusals.txt").write_text(str(refusals))
    out = tmp_path / "out"
    (out / "always").mkdir(parents=True)
    (out / "always" / "a.html").write_text("left by an earlier run")

    once, always = run_notebooks(paths, parameters={}, out=out, timeout=60, jobs=2, kernel="sulking")

    assert [len((path.parent / "starts.txt").read_text()) for path in paths] == [2, 2]
    assert (once.status, once.cell) == ("passed", None)
    assert (always.status, always.cell) == ("not started", None)
    assert "Kernel died before replying" in always.error
    assert "not today" in always.error
    left = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert left == ["junit.xml", "once/a.html", "once/a.ipynb", "summary.md"]


def test_an_interrupted_batch_leaves_no_kernel_behind(tmp_path: Path) -> None:
    hangs = write(tmp_path / "ascal" / "hangs.ipynb", HANGS)
    waits = 'import time\nfrom pathlib import Path\nwhile not Path("pids.txt").exists():\n    time.sleep(0.1)'

    def interrupt(_: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_notebooks(
            [hangs, write(tmp_path / "ascal" / "waits.ipynb", waits)],
            parameters={},
            out=tmp_path / "out",
            timeout=60,
            jobs=2,
            on_finish=interrupt,
        )
    assert all(gone(int(pid)) for pid in (tmp_path / "ascal" / "pids.txt").read_text().split())
    assert not (tmp_path / "out" / "summary.md").exists()


def test_kernels_registers_two_that_start_this_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert kernels() == ["skelkit", "skelkit-gpu"]
    folder = tmp_path / "share" / "jupyter" / "kernels"
    specs = {name: json.loads((folder / name / "kernel.json").read_text()) for name in kernels()}
    assert {spec["argv"][0] for spec in specs.values()} == {sys.executable}
    assert "env" not in specs["skelkit"]
    assert specs["skelkit-gpu"]["env"] == {"SKELKIT_DEVICE": "cuda"}
