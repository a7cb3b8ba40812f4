"""`skelkit data ...`: what each action prints, its exit code, and nothing half-written."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tiny import clips_of, save_npz

from skelkit import cli, data_cli, files
from skelkit.data import datasets, download
from skelkit.data.clips import Clips
from skelkit.data.datasets import processed
from skelkit.data.importing import RawClip, Reading, Source
from skelkit.data.library import load
from skelkit.data.skeleton import KINECT_V2, SBU
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
    return cli.main(["data", *map(str, words)])


ACTIONS = ("list", "import", "verify", "info", "download", "template", "show")


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_a_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        skelkit(action, "--help")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: skelkit data {action}")


def test_the_help_names_every_action(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        skelkit("--help")
    said = capsys.readouterr().out
    assert all(f"\n    {action} " in said for action in ACTIONS)


@pytest.mark.parametrize("words", [(), ("nonsense",), ("info",), ("template",), ("import", "sbu")], ids=str)
def test_what_is_no_action_ends_with_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        skelkit(*words)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


FAULTS = {
    "data set": (("info", "nonsense"), "data set 'nonsense' is not in .*import it"),
    "data set to verify": (("verify", "nonsense"), "data set 'nonsense' is not in"),
    "nothing to verify": (("verify",), r"name a data set \(skelkit data list\), or give --table"),
    "split": (("verify", "whole", "--leaks", "xsup"), "unknown split 'xsup'; known are xsub"),
    "data set to import": (("import", "nonsense", "."), "nonsense: no reader.*known are cmu, hdm05, .*uwa3d"),
    "option": (("import", "sbu", ".", "-o", "cut", "late"), "sbu: no option 'cut'; it takes none"),
    "folder": (("import", "sbu", "/nowhere/at/all"), "/nowhere/at/all"),
    "data set to download": (("download", "nonsense"), "nonsense: no data set has this name; known are cmu, hdm05"),
    "words of a template": (("template", "sbu", "folder"), "data template sbu folder: give FOLDER, or: cmu RAW_FOLDER"),
    "data set to show": (("show", "nonsense"), "data set 'nonsense' is not in"),
}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("fault", FAULTS)
def test_an_unknown_word_is_one_line_and_exit_code_2(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = FAULTS[fault]
    extra = ("--to", tmp_path / "to") if words[0] == "import" else ()
    before = sorted(tmp_path.rglob("*"))
    assert skelkit(*words, *extra) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("skelkit: ")
    assert re.search(message, line), line
    assert sorted(tmp_path.rglob("*")) == before


# ── list and info ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_info_counts_clips_frames_and_metadata(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("info", "whole") == 0
    said = capsys.readouterr().out
    clips = Clips.open(data / "whole")
    assert f": 12 clips, {len(clips.frames)} frames, metres; {clips.frames.nbytes / 1e6:.1f} MB as float32" in said
    assert f"where: {data / 'whole'}; fingerprint {clips.fingerprint}" in said
    assert "split xsub: 6 clips train, 6 test" in said
    assert "15 joints, up to 1 persons" in said
    assert f"lengths: {clips.lengths.min()} to {clips.lengths.max()} frames" in said
    assert "subject: 4 (1 to 4)" in said
    assert [line.split() for line in said.splitlines()[-3:]] == [[str(c), "4", "class", str(c)] for c in range(3)]


def test_info_names_what_an_import_left_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "whole/left_out.txt").write_text("one\n")
    assert skelkit("info", "whole") == 0
    assert f"left out: what {data / 'whole/left_out.txt'} lists" in capsys.readouterr().out


def test_the_help_names_every_option_of_every_reader() -> None:
    said, names = dict[str, str](), ""
    for line in data_cli.OPTIONS.splitlines()[1:]:
        names = line[2:22].strip() or names
        for name in names.split(", "):
            said[name] = said.get(name, "") + line[22:]
    readers: dict[str, Callable[..., Any]] = {"processed files": processed.read}
    for name, place in datasets.READERS.items():
        module, function = place.split(":")
        readers[name] = getattr(import_module(f"skelkit.data.datasets.{module}"), function)
    for name, reader in readers.items():
        for option in (p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY):
            assert f"{option} " in said[name]


def test_a_closed_pipe_ends_without_a_traceback() -> None:
    command = f"{sys.executable} -m skelkit.cli data list | true"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_of_the_readme_is_one() -> None:
    text = (files.project_root() / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"(?:^|`)(skelkit data [^`\n#]*)", text, re.MULTILINE)
    assert len(found) > 10
    for command in found:
        words = command.split()[1:]
        if words[-1] != "--help":
            cli._parser().parse_args(words)


def test_the_readmes_python_saves_clips_that_load(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (files.project_root() / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(Clips\.from_arrays.*?)```", text, re.DOTALL)
    names = {"Clips": Clips, "KINECT_V2": KINECT_V2, "frames": np.ones((9, 3, 25, 1)), "offsets": [0, 4, 9]}
    monkeypatch.chdir(data.parent)
    exec(code, names | {"labels": [0, 1], "subjects": [1, 2]})
    assert load("mine").lengths.tolist() == [4, 5]


def test_an_archive_in_place_of_a_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.zip").write_bytes(b"PK")
    assert skelkit("import", "ntu60", tmp_path / "s.zip", "--to", tmp_path) == 2
    assert capsys.readouterr().err.startswith(f"skelkit: {tmp_path}/s.zip: is a file; give the folder")


def test_list_names_what_is_here_and_goes_on_after_a_damaged_one(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("skelkit.data.library.available", lambda: ["broken", "flat", "whole"])
    (data / "broken.npz").write_bytes(b"PK")
    assert skelkit("list") == 0
    broken, *others = capsys.readouterr().out.splitlines()[:3]
    assert broken.startswith(f"broken: cannot be opened: {data / 'broken.npz'}: not a readable npz")
    assert others == ["flat: 6 clips, 2 classes, 25 joints x 2", "whole: 12 clips, 3 classes, 15 joints x 1"]


def test_list_says_how_to_get_every_data_set_that_is_not_here(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips_of(name="sbu").save(data / "sbu")
    assert skelkit("list") == 0
    lines = capsys.readouterr().out.splitlines()
    missing = {line.split(":")[0]: line for line in lines if "not here" in line}
    assert set(missing) == set(datasets.READERS) - {"sbu"}
    assert missing["hdm05"] == "hdm05: not here; skelkit data download hdm05"
    assert missing["ntu60"] == "ntu60: not here; skelkit data download ntu60 says how to ask for it"


# ── import ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def toy(source: Source) -> list[RawClip]:
    text = source.path.read_text()
    if text != "good":
        raise SkelkitError(f"{source.path}, line 1: {text!r} is bad; copy it again")
    return [RawClip(np.ones((2, 3, 15, 1), np.float32))]


def toy_reading(folder: Path, *, cut: str = "early") -> Reading:
    sources = [Source(path, {"name": path.name}) for path in sorted(folder.iterdir())]
    return Reading("sbu", SBU, ("a",), sources, toy, f"toy files cut {cut}")


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A raw folder of one good and one bad file, and a reader for it."""
    monkeypatch.setattr("skelkit.data.datasets.sbu.reading", toy_reading)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/1").write_text("good")
    (tmp_path / "raw/2").write_text("bad")
    return tmp_path / "raw"


def test_import_saves_what_the_reader_made(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (raw / "2").write_text("good")
    assert skelkit("import", "sbu", raw, "--to", tmp_path / "to", "--half", "-j", 1, "-o", "cut", "late") == 0
    assert capsys.readouterr().out == f"sbu: 2 clips in {tmp_path / 'to' / 'sbu'}\n"
    clips = Clips.open(tmp_path / "to" / "sbu")
    clips.verify()
    assert clips.frames.dtype == np.float16
    assert clips.source == "toy files cut late; 2 clips"


def test_import_that_fails_leaves_nothing(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("import", "sbu", raw, "--to", tmp_path / "to") == 2
    assert capsys.readouterr().err == f"skelkit: {raw}/2, line 1: 'bad' is bad; copy it again\n"
    assert list(tmp_path.iterdir()) == [raw]


def test_import_lists_what_skip_bad_left_out(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skelkit("import", "sbu", raw, "--to", tmp_path / "to", "--skip-bad") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"sbu: 1 clips in {tmp_path / 'to' / 'sbu'}",
        "left out 1 files (left_out.txt in that folder):",
        f"  {raw}/2, line 1: 'bad' is bad; copy it again",
    ]


def test_of_many_lines_an_import_prints_twenty(capsys: pytest.CaptureFixture[str]) -> None:
    data_cli._print_some([f"line {i}" for i in range(25)])
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[0], lines[-2:]) == (21, "  line 0", ["  line 19", "  and 5 more"])


def test_import_names_the_archives_that_the_files_came_from(raw: Path, tmp_path: Path) -> None:
    (raw / "2").unlink()
    found = tmp_path / "found"
    (found / "archives").mkdir(parents=True)
    (found / "archives" / download.SUMS).write_text(f"{'ab' * 32}  toy.zip\n")
    assert download.provenance(found) == f"; toy.zip has SHA-256 {'ab' * 32}"
    assert download.provenance(raw) == ""
    (found / "archives" / download.SUMS).write_text(f"{'ab' * 32}  toy.zip\n{'cd' * 32}  two.zip\n")
    assert re.fullmatch(r"; 2 archives, their SHA256SUMS has SHA-256 [0-9a-f]{64}", download.provenance(found))


# ── verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_verify_prints_a_table_and_ends_with_0_where_all_is_well(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert skelkit("verify", "whole") == 0
    head, columns, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("whole: ")
    assert columns.split() == ["check", "found", "published"]
    assert ["clips", "12"] in [line.split() for line in lines]


def test_verify_ends_with_1_where_a_test_clip_also_trains(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = clips_of(12, 3)
    twice = clips.subset(np.r_[np.arange(12), 0])
    twice.table.loc[12, ["subject", "name"]] = [2, "copy"]
    twice.save(data / "twice")
    assert skelkit("verify", "twice") == 1
    assert re.search(r"WRONG +xsub: test clips that also train +1 of \d test clips: copy", capsys.readouterr().out)
    assert skelkit("verify", "twice", "--leaks", "xsub") == 1
    assert capsys.readouterr().out == "copy\n1 test clips of xsub also train\n"
    assert skelkit("verify", "whole", "--leaks", "xsub") == 0


def test_verify_ends_with_2_where_a_bit_is_flipped(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "whole" / "frames.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert skelkit("verify", "whole") == 2
    assert capsys.readouterr().err.startswith(f"skelkit: {path}: its SHA-256 is not the manifest's")


# ── download, template, show ────────────────────────────────────────────────────────────────────────────────────────


def test_download_of_a_data_set_that_takes_a_form_prints_the_steps_and_ends_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert skelkit("download", "ntu60", "--to", "RAW") == 2
    said = capsys.readouterr()
    assert "rose1.ntu.edu.sg" in said.out
    assert said.out.splitlines()[-2:] == ["3. skelkit data import ntu60 RAW", "4. skelkit data verify ntu60"]
    assert said.err == "skelkit: ntu60: nothing was downloaded; follow the steps above\n"


def test_download_passes_folder_and_trust_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stand_in(*given: Any, **named: Any) -> list[str]:
        return [f"{given} {named}"]

    monkeypatch.setattr(download, "download", stand_in)
    assert skelkit("download", "sbu", "--to", "RAW", "--trust") == 0
    assert capsys.readouterr().out == f"{('sbu', Path('RAW'))} {{'trust': True}}\n"


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Callable[..., Any]) -> None:
    """Put a module in the place of a real one."""
    made = ModuleType(module)
    vars(made).update(functions)
    monkeypatch.setitem(sys.modules, module, made)
    package, _, name = module.rpartition(".")
    monkeypatch.setattr(import_module(package), name, made, raising=False)


def test_template_writes_an_example_and_names_its_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, "skelkit.data.datasets.template", write=lambda folder: [folder / "a.toml", folder / "b.csv"])
    assert skelkit("template", "mine") == 0
    assert capsys.readouterr().out.splitlines() == [str(Path("mine/a.toml")), str(Path("mine/b.csv"))]


def test_template_cmu_prints_the_list_to_fill_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, "skelkit.data.datasets.cmu", template=lambda folder: f"name,class\n{folder},\n")
    assert skelkit("template", "cmu", "RAW") == 0
    assert capsys.readouterr().out == "name,class\nRAW,\n"


def test_show_names_the_pictures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(monkeypatch, "skelkit.report.gallery", show=lambda name, clip, out: [out / f"{name} {clip}.html"])
    assert skelkit("show", "sbu", "a", "--out", "pictures") == 0
    assert skelkit("show", "sbu", "--out", "pictures") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [str(Path("pictures/sbu a.html")), str(Path("pictures/sbu None.html"))]


def test_a_path_that_is_no_text_can_be_printed() -> None:
    assert data_cli._printable("a\udcffb") == "a\\udcffb"
