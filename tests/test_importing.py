"""Importing: parallel as in one process, resumable, bounded, and one line for whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from skelkit.data import importing
from skelkit.data.clips import Clips
from skelkit.data.importing import Flaw, Imported, RawClip, Reading, Source, import_clips, parts, read_clips
from skelkit.data.skeleton import SBU
from skelkit.files import SkelkitError

Read = Callable[[Source], Sequence[RawClip | Flaw]]


@pytest.fixture(autouse=True)
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store for each test, and parts of two files."""
    monkeypatch.setenv("SKELKIT_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(importing, "BATCH", 2)


def put(folder: Path, n: int) -> list[Path]:
    """Files 000, 001, ...: each holds the number of its frames."""
    folder.mkdir(exist_ok=True)
    for i in range(n):
        (folder / f"{i:03d}").write_text(f"{2 + i % 3}")
    return sorted(folder.iterdir())


def read_one(source: Source) -> list[RawClip]:
    """A clip of so many frames as the file says; what is no number is a fault."""
    text = source.path.read_text()
    with open(source.path.parent.parent / "log", "a") as log:
        log.write(f"{source.path.name}\n")
    if not text.isdigit():
        raise SkelkitError(f"{source.path}, line 1: {text!r} is no number; copy it again")
    number = int(source.path.name)
    frames = np.full((int(text), 3, 15, 1 + number % 2), number, np.float32)
    return [RawClip(frames, {"label": number % 2})]


def read_log(folder: Path) -> list[str]:
    """The files that were read since the last call."""
    log = folder / "log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names


def reading_of(paths: Sequence[Path | SkelkitError], read: Read = read_one, **changes: Any) -> Reading:
    sources = [p if isinstance(p, SkelkitError) else Source(p, {"subject": 1, "name": p.name}) for p in paths]
    return Reading(**{"name": "toy", "skeleton": SBU, "classes": ("even", "odd"), "sources": sources, "read": read,
                      "source": "toy files", "expected": 100} | changes)  # fmt: skip


def put_in(folder: Path, reading: Reading, **how: Any) -> Imported:
    return import_clips(reading, folder / "clips", **{"processes": 1} | how)


def refusal(folder: Path, reading: Reading, **how: Any) -> str:
    """The one line against an import, which leaves no clips folder behind."""
    with pytest.raises(SkelkitError) as caught:
        put_in(folder, reading, **how)
    assert "\n" not in str(caught.value)
    assert not (folder / "clips").exists()
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
    return str(caught.value)


def same(a: Clips, b: Clips) -> bool:
    return np.array_equal(a.frames, b.frames) and np.array_equal(a.offsets, b.offsets) and a.table.equals(b.table)


# ── what comes out ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_clips_come_in_the_order_of_the_sources_with_all_their_columns(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 5)[::-1]
    clips = put_in(tmp_path, reading_of(paths)).clips
    clips.verify()
    assert list(clips.table["name"]) == ["004", "003", "002", "001", "000"]
    assert clips.labels.tolist() == [0, 1, 0, 1, 0]
    assert clips.column("subject").tolist() == [1] * 5
    assert clips.column("camera").tolist() == [-1] * 5
    assert clips.lengths.tolist() == [3, 2, 4, 3, 2]
    assert clips.source == "toy files; 5 of 100 clips"


def test_two_processes_make_the_same_files_as_one(tmp_path: Path) -> None:
    reading = reading_of(put(tmp_path / "raw", 11))
    import_clips(reading, tmp_path / "one", processes=1)
    import_clips(reading, tmp_path / "two", processes=2)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_folder_imported_holds_what_read_clips_holds(tmp_path: Path) -> None:
    reading = reading_of(put(tmp_path / "raw", 5))
    assert same(put_in(tmp_path, reading).clips, read_clips(reading))


def test_a_clip_of_one_person_is_padded_with_an_absent_one(tmp_path: Path) -> None:
    clips = put_in(tmp_path, reading_of(put(tmp_path / "raw", 4))).clips
    assert clips.persons == 2
    assert [bool(clips[i][..., 1].any()) for i in range(4)] == [False, True, False, True]
    assert (clips[2][..., 0] == 2).all()


def test_half_stores_16_bits_a_number(tmp_path: Path) -> None:
    reading = reading_of(put(tmp_path / "raw", 5))
    whole, half = import_clips(reading, tmp_path / "a").clips, import_clips(reading, tmp_path / "b", half=True).clips
    assert half.frames.dtype == np.float16
    half.verify()
    np.testing.assert_array_equal(half.frames, whole.frames.astype(np.float16))


def far(source: Source) -> list[RawClip]:
    return [RawClip(np.full((1, 3, 15, 1), 70_000, np.float32))]


def test_what_would_be_infinite_in_16_bits_is_refused(tmp_path: Path) -> None:
    reading = reading_of(put(tmp_path / "raw", 3), far)
    assert "does not fit into 16 bits; import it without --half" in refusal(tmp_path, reading, half=True)
    assert put_in(tmp_path, reading).clips.frames.max() == 70_000


def several(source: Source) -> list[RawClip]:
    count = int(source.path.read_text())
    return [RawClip(np.ones((1, 3, 15, 1), np.float32), {"name": f"{source.path.name}_{i}"}) for i in range(count)]


def test_a_file_holds_as_many_clips_as_its_reader_finds(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 3)
    paths[1].write_text("0")
    clips = put_in(tmp_path, reading_of(paths, several)).clips
    assert list(clips.table["name"]) == ["000_0", "000_1", "002_0", "002_1", "002_2", "002_3"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [*put(tmp_path / "raw", 3), *put(tmp_path / "again", 1)]
    assert refusal(tmp_path, reading_of(paths)) == "toy: two files hold the clip 000; take one of them away"
    with pytest.raises(SkelkitError, match="two files hold the clip 000"):
        read_clips(reading_of(paths))


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, reading_of([])) == "toy: no clip in 0 files; give another folder"
    said = refusal(tmp_path, reading_of([SkelkitError("a: is bad; mend it")]), skip_bad=True)
    assert said == "toy: no clip in 1 files (a: is bad; mend it); give another folder"


def test_fewer_than_one_process_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, reading_of(put(tmp_path / "raw", 3)), processes=0) == "0 reading processes: give 1 or more"


# ── bad files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def bad_files(folder: Path) -> list[Path | SkelkitError]:
    """Nine files, of which 003 and 007 hold no number; a tenth, after 004, has a name that lies."""
    paths = put(folder / "raw", 9)
    for i in (7, 3):
        paths[i].write_text("none")
    return [*paths[:5], SkelkitError(f"{folder}/raw/x: lies; mend the name"), *paths[5:]]


@pytest.mark.parametrize("processes", [1, 2])
def test_the_first_fault_in_the_order_of_the_files_is_raised_and_nothing_written(
    tmp_path: Path, processes: int
) -> None:
    said = refusal(tmp_path, reading_of(bad_files(tmp_path)), processes=processes)
    assert said == f"{tmp_path}/raw/003, line 1: 'none' is no number; copy it again"


def test_skip_bad_lists_each_file_that_it_leaves_out(tmp_path: Path) -> None:
    done = put_in(tmp_path, reading_of(bad_files(tmp_path)), skip_bad=True)
    assert list(done.clips.table["name"]) == ["000", "001", "002", "004", "005", "006", "008"]
    assert done.left_out == (
        f"{tmp_path}/raw/003, line 1: 'none' is no number; copy it again",
        f"{tmp_path}/raw/x: lies; mend the name",
        f"{tmp_path}/raw/007, line 1: 'none' is no number; copy it again",
    )
    assert (tmp_path / "clips/left_out.txt").read_text().splitlines() == list(done.left_out)
    assert done.clips.source == "toy files; 7 of 100 clips, 3 files left out"


def read_flawed(source: Source) -> Sequence[RawClip | Flaw]:
    """Every third file holds no clip as distributed."""
    return [Flaw(f"{source.path}: empty; left out")] if int(source.path.name) % 3 == 2 else read_one(source)


def test_known_flaws_stop_nothing_and_are_named_also_when_the_import_was_interrupted(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 7)
    flawed = reading_of(paths, read_flawed, flaws=[Flaw("pose: no clip; left out")])
    paths[6].write_text("none")
    refusal(tmp_path, flawed)
    paths[6].write_text("2")
    read_log(tmp_path)
    done = put_in(tmp_path, flawed)
    assert read_log(tmp_path) == ["006"]  # the parts before were read when the import was refused
    said = [f"{tmp_path}/raw/00{i}: empty; left out" for i in (2, 5)]
    assert done.flaws == ("pose: no clip; left out", *said)
    assert done.left_out == ()
    assert (tmp_path / "clips/left_out.txt").read_text().splitlines() == list(done.flaws)
    assert list(done.clips.table["name"]) == ["000", "001", "003", "004", "006"]
    assert done.clips.source == "toy files; 5 of 100 clips, 3 known flaws"
    assert list(read_clips(flawed).table["name"]) == ["000", "001", "003", "004", "006"]


def test_without_bad_files_there_is_no_list_of_them(tmp_path: Path) -> None:
    done = put_in(tmp_path, reading_of(put(tmp_path / "raw", 3)), skip_bad=True)
    assert done.left_out == ()
    assert not (tmp_path / "clips/left_out.txt").exists()


def test_an_old_clips_folder_stays_where_a_new_file_is_bad(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 5)
    put_in(tmp_path, reading_of(paths))
    before = {path: path.read_bytes() for path in (tmp_path / "clips").iterdir()}
    paths[4].write_text("none")
    with pytest.raises(SkelkitError, match="004, line 1"):
        put_in(tmp_path, reading_of(paths))
    assert {path: path.read_bytes() for path in (tmp_path / "clips").iterdir()} == before


def test_a_folder_that_is_something_else_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    with pytest.raises(SkelkitError, match="is there already and no clips folder"):
        put_in(tmp_path, reading_of(put(tmp_path / "raw", 3)))
    assert read_log(tmp_path) == []


def raises(error: BaseException, source: Source) -> list[RawClip]:
    raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("odd\nthings"), "the reader failed (ValueError: odd things); leave it out, and report this"),
        (RecursionError("too deep"), "the reader failed (RecursionError: too deep)"),
        (KeyError("name"), "the reader failed (KeyError: 'name')"),
        (MemoryError(), "does not fit into memory; leave it out"),
        (PermissionError(13, "Permission denied"), "cannot be read (Permission denied); copy it again"),
        (OSError("odd"), "cannot be read (odd); copy it again"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_reader_raises_is_one_line_that_names_the_file(tmp_path: Path, error: Exception, said: str) -> None:
    reading = reading_of(put(tmp_path / "raw", 3), partial(raises, error))
    assert f"{tmp_path}/raw/000: {said}" in refusal(tmp_path, reading)


def gives(frames: Any, columns: dict[str, Any], source: Source) -> list[RawClip]:
    return [RawClip(frames, columns)]


GOOD = np.ones((2, 3, 15, 1), np.float32)
NAN = GOOD.copy()
NAN[1, 0, 3, 0] = np.nan


@pytest.mark.parametrize(
    ("frames", "columns", "said"),
    [
        (GOOD[:0], {}, "its frames have the shape (0, 3, 15, 1); leave it out"),
        (GOOD[..., :0], {}, "its frames have the shape (2, 3, 15, 0)"),
        (GOOD[:, :, :14], {}, "its frames have the shape (2, 3, 14, 1)"),
        (GOOD[0], {}, "its frames have the shape (3, 15, 1)"),
        (NAN, {}, "frame 2: NaN or infinity; mend it or leave it out"),
        (GOOD.astype(np.float64) * 1e39, {}, "frame 1: NaN or infinity"),
        (GOOD, {"colour": 1}, "the reader failed (TypeError: unknown column 'colour')"),
        (GOOD, {"label": 2}, "toy: clip 000 has label 2, and there are 2 classes"),
        (GOOD, {"label": "one"}, "toy: label holds <U"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_clip_that_cannot_be_one_is_refused(tmp_path: Path, frames: Any, columns: dict[str, Any], said: str) -> None:
    reading = reading_of(put(tmp_path / "raw", 1), partial(gives, frames, columns))
    assert said in refusal(tmp_path, reading)


# ── interrupted, and begun again ────────────────────────────────────────────────────────────────────────────────────


def test_an_import_that_was_interrupted_reads_only_the_rest(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 8)
    reading = reading_of(paths)
    paths[5].write_text("none")
    refusal(tmp_path, reading)
    assert read_log(tmp_path) == ["000", "001", "002", "003", "004", "005"]
    paths[5].write_text("4")
    again = put_in(tmp_path, reading).clips
    assert read_log(tmp_path) == ["004", "005", "006", "007"]
    assert same(again, read_clips(reading))


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 6)
    paths[5].write_text("none")
    refusal(tmp_path, reading_of(paths))
    read_log(tmp_path)
    paths[0].write_text("7")
    os.utime(paths[0], ns=(1, 1))
    paths[5].write_text("4")
    assert put_in(tmp_path, reading_of(paths)).clips.lengths[0] == 7
    assert read_log(tmp_path) == ["000", "001", "004", "005"]


def test_a_fault_that_has_passed_is_not_remembered(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 2)
    failing = reading_of(paths, partial(raises, PermissionError(13, "Permission denied")))
    assert "Permission denied" in refusal(tmp_path, failing)
    assert len(put_in(tmp_path, reading_of(paths)).clips) == 2  # the files are as they were


@pytest.mark.parametrize("change", [{"options": {"cut": "late"}}, {"version": 2}, {"name": "other"}], ids=str)
def test_parts_read_in_another_way_are_not_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    paths = put(tmp_path / "raw", 4)
    bad = [*paths, SkelkitError("x: is bad; mend it")]
    refusal(tmp_path, reading_of(bad))
    read_log(tmp_path)
    put_in(tmp_path, reading_of(paths, **change))
    assert read_log(tmp_path) == ["000", "001", "002", "003"]


def test_a_file_read_beside_another_counts_as_part_of_it(tmp_path: Path) -> None:
    (path, other) = put(tmp_path / "raw", 2)
    sources = [Source(path, {"name": "a"}, (other,))]
    before = parts.key(reading_of([]), sources)
    other.write_text("100")
    assert parts.key(reading_of([]), sources) != before


def test_a_damaged_part_is_read_again(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 4)
    refusal(tmp_path, reading_of([*paths, SkelkitError("x: is bad; mend it")]))
    for part in (tmp_path / "store/imports/toy").iterdir():
        part.write_bytes(part.read_bytes()[:100])
    assert same(put_in(tmp_path, reading_of(paths)).clips, read_clips(reading_of(paths)))


def test_parts_are_removed_once_they_have_served(tmp_path: Path) -> None:
    put_in(tmp_path, reading_of(put(tmp_path / "raw", 4)))
    assert not (tmp_path / "store/imports/toy").exists()


# ── processes, memory, disk ─────────────────────────────────────────────────────────────────────────────────────────


class CountingPool:
    """In place of the pool: work is done when its result is asked for; counts what is under way."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.under_way = CountingPool.most = 0

    def __enter__(self) -> CountingPool:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def submit(self, make: Callable[..., Any], *each: Any) -> Any:
        self.under_way += 1
        CountingPool.most = max(CountingPool.most, self.under_way)
        pool = self

        class Result:
            def result(self) -> Any:
                pool.under_way -= 1
                return make(*each)

        return Result()

    def shutdown(self, cancel_futures: bool) -> None:
        pass


def test_the_parts_under_way_do_not_grow_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "ProcessPoolExecutor", CountingPool)
    clips = put_in(tmp_path, reading_of(put(tmp_path / "raw", 60)), processes=2).clips
    assert len(clips) == 60
    assert CountingPool.most == importing.AT_ONCE * 2


def test_no_more_than_one_part_lies_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the folder is written, the parts are opened one after another."""
    events: list[str] = []
    opened, write = parts.Part.frames, importing.write

    def frames(self: parts.Part, persons: int) -> np.ndarray:
        events.append("opened")
        return opened(self, persons)

    def writing(folder: Path, blocks: Iterable[np.ndarray], *rest: Any) -> Clips:
        def written() -> Iterator[np.ndarray]:
            for block in blocks:
                yield block
                events.append("written")

        return write(folder, written(), *rest)

    monkeypatch.setattr(parts.Part, "frames", frames)
    monkeypatch.setattr(importing, "write", writing)
    put_in(tmp_path, reading_of(put(tmp_path / "raw", 8)))
    assert events == ["opened", "written"] * 4


def test_two_imports_of_one_data_set_do_not_take_each_others_parts(tmp_path: Path) -> None:
    reading = reading_of(put(tmp_path / "raw", 3))
    (tmp_path / "store/imports").mkdir(parents=True)
    with FileLock(tmp_path / "store/imports/.toy.lock"):
        assert refusal(tmp_path, reading) == "toy: another import of it is under way; wait until it has ended"
    assert len(put_in(tmp_path, reading).clips) == 3


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    reading = reading_of(put(tmp_path / "raw", 3))
    (tmp_path / "store").write_text("a file")
    assert "cannot be written" in refusal(tmp_path, reading)


def dies(source: Source) -> list[RawClip]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_killed_process_is_one_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, reading_of(put(tmp_path / "raw", 6), dies), processes=2)
    assert said.startswith("import: a reading process was killed (out of memory?); start again")


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    said = refusal(tmp_path, reading_of(put(tmp_path / "raw", 3)))
    assert "cannot be written (No space left on device); free space or choose another folder" in said
    assert list((tmp_path / "store/imports/toy").iterdir()) == []


def test_memory_that_is_not_enough_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: Any) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr(parts.Part, "frames", short)
    assert refusal(tmp_path, reading_of(put(tmp_path / "raw", 3))).startswith(
        "toy: out of memory; close other programs"
    )


def interrupts(source: Source) -> list[RawClip]:
    if source.path.name == "005":
        raise KeyboardInterrupt
    return read_one(source)


def test_ctrl_c_leaves_only_whole_parts(tmp_path: Path) -> None:
    paths = put(tmp_path / "raw", 8)
    with pytest.raises(KeyboardInterrupt):
        put_in(tmp_path, reading_of(paths, interrupts))
    assert not (tmp_path / "clips").exists()
    assert [path.suffix for path in (tmp_path / "store/imports/toy").iterdir()] == [".npz"] * 2
    read_log(tmp_path)
    put_in(tmp_path, reading_of(paths))
    assert read_log(tmp_path) == ["004", "005", "006", "007"]


def slow(source: Source) -> list[RawClip]:
    time.sleep(0.1)
    return read_one(source)


WATCHED = """
import signal, sys
from pathlib import Path
import test_importing as t
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job does not have
    try:
        t.importing.BATCH = 2
        t.put_in(Path(sys.argv[1]), t.reading_of(sorted(Path(sys.argv[1], "raw").iterdir()), t.slow), processes=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_in_a_terminal_stops_two_processes_without_a_traceback(tmp_path: Path) -> None:
    put(tmp_path / "raw", 200)
    program = tmp_path / "program.py"
    program.write_text(WATCHED)
    tests = os.pathsep.join([str(Path(__file__).parent), str(Path(importing.__file__).parents[3])])
    running = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": tests},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    folder = tmp_path / "store/imports/toy"
    for _ in range(600):
        if folder.exists() and len(list(folder.glob("[!.]*.npz"))) > 3:
            break
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)  # a terminal tells every process of the group
    errors = running.communicate(timeout=60)[1]
    assert (running.returncode, errors) == (130, "")
    assert not (tmp_path / "clips").exists()
    assert {path.suffix for path in folder.iterdir()} == {".npz"}
