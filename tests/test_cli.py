"""The command line: help, exit codes, one line for every fault, nothing half-written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tiny import clips_of, save_npz

from skelkit import __version__, cli
from skelkit.data import datasets
from skelkit.data.clips import Clips
from skelkit.data.skeleton import KINECT_V2
from skelkit.files import SkelkitError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a clips folder "whole" and an interchange file "flat"."""
    folder = tmp_path / "data"
    clips_of(12, 3).save(folder / "whole")
    save_npz(clips_of(6, 2, skeleton=KINECT_V2, persons=2), folder / "flat.npz")
    monkeypatch.setenv("SKELKIT_DATA", str(folder))
    return folder


def skelkit(*words: Any) -> int:
    return cli.main([str(word) for word in words])


# ── help ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words",
    [
        *((), ("data",), ("data", "list"), ("data", "import"), ("data", "verify"), ("data", "info")),
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


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("data",), ("data", "nonsense"), ("data", "info"), ("run", "--seed", "one")], ids=str
)
def test_what_is_no_command_ends_with_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        skelkit(*words)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FAULTS = {
    "data set": (("data", "info", "nonsense"), "data set 'nonsense' is not in .*import it"),
    "data set to verify": (("data", "verify", "nonsense"), "data set 'nonsense' is not in"),
    "data set to import": (("data", "import", "nonsense", "."), "nonsense: no reader.*known are nw_ucla, sbu"),
    "folder": (("data", "import", "sbu", "/nowhere/at/all"), "/nowhere/at/all"),
    "notebook": (("run", "ascal/nonsense"), "no notebook 'ascal/nonsense'; choose among .*ascal/tables"),
    "paper": (("run", "nonsense"), "no notebook 'nonsense'; choose among"),
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
    "reported paper": (("report", "nonsense"), "nonsense.csv: no such file"),
    "table": (("report", "ascal", "Table M"), "ascal: no 'Table M'; there are Table II"),
}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("fault", FAULTS)
def test_an_unknown_word_is_one_line_and_exit_code_2(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = FAULTS[fault]
    place = {"run": ("--out", tmp_path / "out"), "import": ("--to", tmp_path / "to")}
    extra = next((place[word] for word in words[:2] if word in place), ())
    before = sorted(tmp_path.rglob("*"))
    assert skelkit(*words, *extra) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("skelkit: ")
    assert re.search(message, line), line
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_data_list", interrupted)
    assert skelkit("data", "list") == 130
    assert capsys.readouterr().err == "skelkit: stopped\n"


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("1.5h", 5400), ("7", 7)])
def test_durations(text: str, expected: float) -> None:
    assert cli.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 m", "1h30m", "5d", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SkelkitError, match="is no duration"):
        cli.seconds(text)


# ── data ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_data_info_counts_clips_frames_and_metadata(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("data", "info", "whole") == 0
    said = capsys.readouterr().out
    clips = Clips.open(data / "whole")
    assert f": 12 clips, {len(clips.frames)} frames, metres" in said
    assert "15 joints, up to 1 persons" in said
    assert f"lengths: {clips.lengths.min()} to {clips.lengths.max()} frames" in said
    assert "subject: 4 (1 to 4)" in said
    assert [line.split() for line in said.splitlines()[-3:]] == [[str(c), "4", "class", str(c)] for c in range(3)]


def test_data_list_names_what_is_here_and_goes_on_after_a_damaged_one(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("skelkit.data.clips.available", lambda: ["broken", "flat", "whole"])
    (data / "broken.npz").write_bytes(b"PK")
    assert skelkit("data", "list") == 0
    broken, *others = capsys.readouterr().out.splitlines()
    assert broken.startswith(f"broken: cannot be opened: {data / 'broken.npz'}: not a readable npz")
    assert others == ["flat: 6 clips, 2 classes, 25 joints x 2", "whole: 12 clips, 3 classes, 15 joints x 1"]


def test_data_verify_finds_a_flipped_bit(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("data", "verify", "whole") == 0
    assert capsys.readouterr().out == "whole: 12 clips, sizes, values and hashes as they should be\n"
    path = data / "whole" / "frames.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert skelkit("data", "verify", "whole") == 2
    assert capsys.readouterr().err.startswith(f"skelkit: {path}: its SHA-256 is not the manifest's")


def test_data_import_saves_what_the_reader_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(datasets.READERS, "sbu", lambda folder: clips_of(4, name="sbu"))
    assert skelkit("data", "import", "sbu", tmp_path / "raw", "--to", tmp_path / "to") == 0
    assert capsys.readouterr().out == f"sbu: 4 clips in {tmp_path / 'to' / 'sbu'}\n"
    Clips.open(tmp_path / "to" / "sbu").verify()


def test_data_import_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path) -> Clips:
        raise SkelkitError(f"{folder}/a.txt: line 3 is cut short; copy it again")

    monkeypatch.setitem(datasets.READERS, "sbu", fails)
    assert skelkit("data", "import", "sbu", tmp_path / "raw", "--to", tmp_path / "to") == 2
    assert list(tmp_path.iterdir()) == []


# ── pending and report ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pending_training_that_fails_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("skelkit.pending.pending", lambda papers: [])
    for ended, code in ({(2, 0): 0, (1, 1): 1}).items():
        monkeypatch.setattr("skelkit.pending.run", lambda jobs, ended=ended, **how: ended)
        assert skelkit("run", "--pending", "--budget", "1m") == code
        assert f"{ended[0]} of 0 pending trainings done, {ended[1]} failed" in capsys.readouterr().out


def test_pending_without_data_lists_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("skelkit.data.clips.data_folders", lambda: [tmp_path])
    assert skelkit("run", "--pending", "ascal") == 0
    assert capsys.readouterr().out == ("0 trainings pending on the data that is here, about 0 minutes on this device\n")


def test_report_prints_a_table_beside_the_published_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("report", "ascal", "Table V") == 0
    said = capsys.readouterr().out
    assert said.startswith("## Table V\n")
    assert "Ours (CAE+)" in said
