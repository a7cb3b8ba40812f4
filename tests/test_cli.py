"""The command line: help, exit codes, one line for every fault, nothing half-written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rows import ROW

from skelkit import __version__, cli
from skelkit.data import library
from skelkit.files import SkelkitError
from skelkit.parameters import parameters_of
from skelkit.recipes import PAPERS
from skelkit.report import claims, pages, published, results, tables


def skelkit(*words: Any) -> int:
    return cli.main([str(word) for word in words])


# ── help ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words",
    [
        *((), ("data",)),
        *(("run",), ("report",), ("bench",), ("demo",), ("kernels",)),
    ],
    ids=" ".join,
)
def test_every_command_has_a_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        skelkit(*words, "--help")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(('skelkit', *words))}")


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        skelkit("--help")
    said = capsys.readouterr().out
    assert all(f"\n    {command} " in said for command in ("data", "run", "demo", "report", "bench", "kernels"))


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        skelkit("--version")
    assert (end.value.code, capsys.readouterr().out) == (0, f"{__version__}\n")


@pytest.mark.parametrize("words", [(), ("nonsense",), ("data",), ("run", "--seed", "one")], ids=str)
def test_what_is_no_command_ends_with_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        skelkit(*words)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FAULTS = {
    "notebook": (("run", "ascal/nonsense"), "no notebook 'ascal/nonsense'; choose among .*ascal/tables"),
    "paper": (
        ("run", "nonsense"),
        "choose among 00_quickstart, ascal, .* byol, .* longt_gan, .* sesar, .* tutorials, ",
    ),
    "tier": (("run", "ascal", "--tier", "huge"), "unknown tier 'huge'; choose one of smoke, small, reduced, paper"),
    "tier as a parameter": (("run", "ascal", "-p", "tier", "huge"), "unknown tier 'huge'"),
    "data set of a notebook": (("run", "ascal", "--dataset", "nonsense"), "data set 'nonsense' is not in"),
    "parameter": (("run", "ascal", "-p", "nonsense", "1"), "unknown parameter 'nonsense'; its parameters are"),
    "type of a parameter": (("run", "ascal", "-p", "seed", "one"), "parameter seed = 'one' is str; give int"),
    "kernel": (("run", "ascal/tables", "--kernel", "nonsense"), "kernel 'nonsense' is not registered"),
    "duration": (("run", "ascal", "--timeout", "soon"), "'soon' is no duration; give 90s, 20m or 2h"),
    "number of jobs": (("run", "ascal", "-j", "0"), "-j 0: give 1 or more"),
    "pending paper": (("run", "--pending", "nonsense"), "unknown paper 'nonsense'; choose one of ascal"),
    "budget": (("run", "--pending", "--budget", "soon"), "'soon' is no duration"),
    "jobs without a budget": (("run", "--pending", "-j", "2"), "-j 2: without --budget pending cells are only listed"),
    "notebooks' options of pending cells": (
        ("run", "--pending", "--tier", "small", "--seed", "0", "-p", "missing", "show"),
        "--tier, --seed, -p: of notebooks alone; a pending training is as its recipe has it",
    ),
    **{
        f"{flag} of pending cells": (
            ("run", "--pending", "--budget", "1m", flag, "sbu"),
            f": {flag}: of notebooks alone",
        )
        for flag in ("--out", "--timeout", "--kernel")
    },
    "table of notebooks": (("run", "ascal", "--table", "Table V"), "--table: notebooks run whole; add --pending"),
    "pending table": (("run", "--pending", "ascal", "--table", "Table M"), "unknown table 'Table M'; choose one of"),
    "budget of notebooks": (("run", "ascal", "--budget", "20m"), "--budget: only pending trainings have one"),
    "reported paper": (("report", "nonsense"), "unknown paper 'nonsense'; published cells stand for"),
    "table": (("report", "ascal", "Table M"), "ascal: no 'Table M'; there are Table II"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_unknown_word_is_one_line_and_exit_code_2(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = FAULTS[fault]
    extra = ("--out", tmp_path / "out") if words[0] == "run" and "--pending" not in words else ()
    before = sorted(tmp_path.rglob("*"))
    assert skelkit(*words, *extra) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("skelkit: ")
    assert re.search(message, line), line
    assert sorted(tmp_path.rglob("*")) == before


# ── data sets that are not here ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skelkit.data.library.data_folders", lambda: [tmp_path])


BY_DEFAULT = {parameters_of(path).get("dataset", "synthetic") for path in cli.notebooks([])}


@pytest.mark.usefixtures("_no_data")
@pytest.mark.parametrize("dataset", sorted(BY_DEFAULT))
def test_a_notebook_runs_on_the_data_set_that_it_has_by_default_where_there_is_none(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("skelkit.batch.run_notebooks", lambda _, parameters, **how: asked.append(parameters) or [])
    assert skelkit("run", "--dataset", dataset) == 0
    assert asked == [{"tier": "smoke", "dataset": dataset}]


@pytest.mark.usefixtures("_no_data")
@pytest.mark.parametrize("paper", PAPERS)
def test_every_data_set_of_a_recipe_is_known_where_it_is_not_present(paper: str) -> None:
    for dataset in (*PAPERS[paper].PAPERS_OWN, *PAPERS[paper].OURS):
        library.check_name(dataset)
    with pytest.raises(SkelkitError, match="data set 'nonsense' is not in"):
        library.check_name("nonsense")


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_bench", interrupted)
    assert skelkit("bench") == 130
    assert capsys.readouterr().err == "skelkit: stopped\n"


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("1.5h", 5400), ("7", 7)])
def test_durations(text: str, expected: float) -> None:
    assert cli.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 m", "1h30m", "5d", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SkelkitError, match="is no duration"):
        cli.seconds(text)


# ── pending and report ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pending_training_that_fails_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("skelkit.pending.pending", lambda *asked: [])
    for ended, code in ({(2, 0): 0, (1, 1): 1}).items():
        monkeypatch.setattr("skelkit.pending.run", lambda jobs, ended=ended, **how: ended)
        assert skelkit("run", "--pending", "--budget", "1m") == code
        assert f"{ended[0]} of 0 pending trainings done, {ended[1]} failed" in capsys.readouterr().out


@pytest.mark.usefixtures("_no_data")
def test_pending_without_data_lists_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("run", "--pending", "ascal") == 0
    assert capsys.readouterr().out == ("0 jobs pending on the data that is here, about 0 minutes on this device\n")


def test_pending_cells_are_filtered_by_paper_table_and_data_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("skelkit.pending.pending", lambda *chosen: asked.append(chosen) or [])
    assert skelkit("run", "--pending", "ascal", "--table", "Table V", "--dataset", "sbu") == 0
    assert skelkit("run", "--pending") == 0
    assert asked == [(["ascal"], ["Table V"], ["sbu"]), ([], [], [])]
    assert "0 jobs pending" in capsys.readouterr().out


def test_report_prints_one_screen_of_decided_claims_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("report") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 160
    for paper, title in pages.PAPERS.items():
        judged = claims.judged(paper)
        (head,) = [line for line in lines if line.startswith(f"{title.short}: claims: ")]
        assert sum(int(number) for number in re.findall(r"(\d+) [a-z]", head)) == len(judged)
        at = lines.index(head) + 1
        decided = [each for each in judged if each.verdict in ("holds", "contradicted")]
        for line, each in zip(lines[at : at + len(decided)], decided, strict=True):
            assert line.split(maxsplit=1)[0] == each.verdict
            assert each.claim.claim[:60] in line
            assert line.endswith(str(each.difference))
    assert pages.PAPERS.keys() == PAPERS.keys()
    decided = sum(each.verdict in ("holds", "contradicted") for paper in PAPERS for each in claims.judged(paper))
    assert len(lines) == len(PAPERS) + decided + 4  # counts, an empty line, the mark, what else there is
    (counts,) = [line for line in lines if line.startswith("published cells: ")]
    printed = sum(int(number) for number in re.findall(r"(\d+) [a-z]", counts))
    assert printed == tables.counted()["published cells"].sum() == sum(len(published.cells(p)) for p in PAPERS)


@pytest.fixture
def _one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    results.append([ROW])


@pytest.mark.usefixtures("_one_row")
def test_report_of_a_paper_prints_its_claims_and_the_tables_that_have_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("report", "ascal") == 0
    head, *said = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert head.startswith("| claim | verdict | difference [95 % interval] | ours |")
    assert [line.split(" | ")[0].removeprefix("| ") for line in head.split("\n")[2:]] == [
        each.claim for each in claims.claims("ascal")
    ]
    title, table = said  # one section of one table
    assert title.startswith("**Table V**, last epoch;")
    assert [line.split(" | ")[0] for line in table.split("\n")[2:]] == [f"| {ROW.row}"]


@pytest.mark.usefixtures("_one_row")
def test_report_of_all_cells_prints_every_one_of_a_paper_or_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("report", "ascal", "--all") == 0
    said = capsys.readouterr().out
    assert re.findall("^## (.*)$", said, re.MULTILINE) == published.tables("ascal")
    assert len(re.findall(r"^\| (?!row |---)", said, re.MULTILINE)) == len(published.cells("ascal"))
    assert skelkit("report", "--all") == 0
    said = capsys.readouterr().out
    every = [f"{paper}, {table}" for paper in published.papers() for table in published.tables(paper)]
    assert re.findall("^## (.*)$", said, re.MULTILINE) == every


def test_report_prints_a_table_beside_the_published_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("report", "ascal", "Table V") == 0
    said = capsys.readouterr().out
    assert said.startswith("## Table V\n")
    assert "Ours (CAE+)" in said
