"""Rows: whole or absent, never twice, never lost, and a damaged file names its line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from rows import ROW

from skelkit.files import SkelkitError
from skelkit.report.results import Row, append, frame, read, read_all


def test_a_row_is_read_as_it_was_appended(tmp_path):
    row = replace(ROW, row="Shuffle&Learn", column="h~_T | é\u2028", value=1 / 3)
    assert append([row], tmp_path) == 1
    assert read("ascal", tmp_path) == [row]


def test_no_file_holds_no_rows(tmp_path):
    assert read("ascal", tmp_path) == []
    assert read_all(tmp_path / "nowhere") == []


def test_a_second_run_adds_nothing(tmp_path):
    rows = [replace(ROW, seed=seed) for seed in range(3)]
    assert append(rows, tmp_path) == 3
    before = (tmp_path / "ascal.jsonl").read_bytes()
    again = [replace(row, value=1.0, started="later", commit="other", device="cuda") for row in rows]
    assert append(again, tmp_path) == 0
    assert (tmp_path / "ascal.jsonl").read_bytes() == before


def test_one_call_with_a_row_twice_keeps_the_first(tmp_path):
    assert append([ROW, replace(ROW, value=1.0)], tmp_path) == 1
    assert read("ascal", tmp_path) == [ROW]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("key", "z9"),
        ("metric", "top-5"),
        ("selection", "best test epoch"),
        ("table", "Fig. 9"),
        ("row", "random encoder"),
        ("column", "Fold 2"),
        ("fold", 1),
        ("seed", 1),
    ],
)
def test_a_row_that_differs_in_its_identity_is_another_row(tmp_path, name, other):
    assert append([ROW, replace(ROW, **{name: other})], tmp_path) == 2


def test_rows_are_appended_in_order_and_each_paper_has_its_file(tmp_path):
    append([ROW, replace(ROW, paper="sesar")], tmp_path)
    append([replace(ROW, seed=1)], tmp_path)
    assert [row.seed for row in read("ascal", tmp_path)] == [0, 1]
    assert [(row.paper, row.seed) for row in read_all(tmp_path)] == [("ascal", 0), ("ascal", 1), ("sesar", 0)]


def test_the_default_folder_is_the_results_folder_and_takes_no_smoke_row(tmp_path, monkeypatch):
    monkeypatch.setenv("SKELKIT_RESULTS", str(tmp_path))
    append([ROW])
    assert read("ascal", tmp_path / "rows") == read("ascal") == read_all() == [ROW]
    with pytest.raises(SkelkitError, match=r"Table V.*smoke row is never committed"):
        append([replace(ROW, seed=1), replace(ROW, tier="smoke")])
    assert read("ascal") == [ROW]


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_cut_short_names_file_and_line(tmp_path, cut):
    append([ROW, replace(ROW, seed=1)], tmp_path)
    path = tmp_path / "ascal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: -1 - cut])  # its newline and more
    damaged = path.read_bytes()
    for act in (lambda: read("ascal", tmp_path), lambda: append([replace(ROW, seed=2)], tmp_path)):
        with pytest.raises(SkelkitError, match=r"ascal\.jsonl, line 2: cut short") as fault:
            act()
        assert "\n" not in str(fault.value)
    assert path.read_bytes() == damaged


def test_a_last_line_that_lacks_only_its_newline_is_whole(tmp_path):
    append([ROW], tmp_path)
    path = tmp_path / "ascal.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    append([replace(ROW, seed=1)], tmp_path)
    assert read("ascal", tmp_path) == [ROW, replace(ROW, seed=1)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"colour": "red"}, "line 1: unknown key 'colour'"),
        ({"seed": "0"}, "line 1: seed is '0'; give int"),
        ({"value": None}, "line 1: value is None; give float"),
        ({"parents": "b2"}, "line 1: parents is 'b2'"),
        ({"value": float("nan")}, "line 1: .*the value is nan"),
        ({"tier": "papr"}, "line 1: .*tier 'papr' is none of paper, reduced, small, smoke"),
        ({"variant": "ours"}, "line 1: .*variant 'ours'"),
        ({"selection": "best"}, "line 1: .*selection 'best'"),
        ({"column": "Average"}, "line 1: .*an average is worked out"),
    ],
)
def test_a_line_that_is_no_row_names_file_line_and_field(tmp_path, change, fault):
    (tmp_path / "ascal.jsonl").write_text(json.dumps(asdict(ROW) | change) + "\n")
    with pytest.raises(SkelkitError, match=rf"ascal\.jsonl, {fault}"):
        read("ascal", tmp_path)


@pytest.mark.parametrize("name", [field.name for field in fields(Row)])
def test_a_missing_key_is_named(tmp_path, name):
    record = asdict(ROW)
    del record[name]
    (tmp_path / "ascal.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(SkelkitError, match=f"line 1: '{name}' is missing"):
        read("ascal", tmp_path)


@pytest.mark.parametrize("text", [b"\n", b"<<<<<<< ours\n", b"[1]\n", b"\xff\xfe\n"])
def test_foreign_text_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "ascal.jsonl").write_bytes(text)
    with pytest.raises(SkelkitError, match=r"ascal\.jsonl") as fault:
        read("ascal", tmp_path)
    assert "\n" not in str(fault.value)


def test_a_whole_number_in_the_file_is_a_float_in_the_row(tmp_path):
    (tmp_path / "ascal.jsonl").write_text(json.dumps(asdict(ROW) | {"value": 50, "seconds": 3}) + "\n")
    (row,) = read("ascal", tmp_path)
    assert (type(row.value), type(row.seconds)) == (float, float)


def test_a_full_disk_leaves_the_rows_as_they_were(tmp_path, monkeypatch):
    append([ROW], tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SkelkitError, match=r"ascal\.jsonl.*No space left"):
            append([replace(ROW, seed=1)], tmp_path)
    assert read("ascal", tmp_path) == [ROW]
    assert not list(tmp_path.glob(".*.part"))
    assert append([replace(ROW, seed=1)], tmp_path) == 1  # and the lock was let go


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SkelkitError, match="file"):
        append([ROW], tmp_path / "file" / "rows")


APPENDER = """
import json, sys
from dataclasses import replace
from skelkit.report.results import Row, append
record, me, folder = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
row = Row(**record | {"parents": tuple(record["parents"])})
sys.stdin.readline()  # the starting shot
for seed in range(3):
    append([replace(row, seed=seed, key=str(me)), row], folder)
"""


def test_twelve_processes_that_append_at_once_lose_no_row(tmp_path):
    command = [sys.executable, "-c", APPENDER, json.dumps(asdict(ROW))]
    everyone = [
        subprocess.Popen([*command, str(me), str(tmp_path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for me in range(12)
    ]
    for process in everyone:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in everyone:
        assert process.communicate(timeout=120)[1] == b""
        assert process.returncode == 0
    rows = read("ascal", tmp_path)
    wanted = {(str(me), seed) for me in range(12) for seed in range(3)} | {(ROW.key, ROW.seed)}
    assert len(rows) == len(wanted) == 37
    assert {(row.key, row.seed) for row in rows} == wanted


def test_a_frame_has_a_line_a_row_and_its_columns_even_when_empty():
    names = [field.name for field in fields(Row)]
    table = frame([ROW, replace(ROW, seed=1)])
    assert list(table.columns) == list(frame([]).columns) == names
    assert len(frame([])) == 0
    assert table["seed"].tolist() == [0, 1]
    assert table["value"].dtype == float


def test_the_committed_rows_are_rows_each_once_and_none_is_smoke():
    rows = read_all(Path(__file__).parent.parent / "results" / "rows")
    assert len({row.identity for row in rows}) == len(rows)
    assert "smoke" not in {row.tier for row in rows}
