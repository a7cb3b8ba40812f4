"""Downloads from a server of our own: resumed, checked, refused; and archives that try to reach out of their folder."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from skelkit.data import archives, download
from skelkit.data.datasets import READERS, import_raw
from skelkit.data.download import BLOCK, DIRECT, STEPS, SUMS, Archive, Direct, fetch
from skelkit.files import SkelkitError

pytest.importorskip("pooch")

CONTENT = os.urandom(300_000)
HASH = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the next answers are, and what was asked."""

    content: bytes = CONTENT
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    """Bytes after which each of the next connections is cut."""
    ranges: bool = True
    early: int = 0
    """So many bytes before what is asked for, the answer begins."""
    asked: list[str] = field(default_factory=list)
    """The Range of each request."""
    address: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine: /file.zip, /moved -> /file.zip, and 404 for everything else."""
    state = Server()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/file.zip")
                self.end_headers()
                return
            if self.path != "/file.zip":
                self.send_error(404)
                return
            state.asked.append(self.headers.get("Range", ""))
            start, whole = 0, len(state.content)
            if state.ranges and "Range" in self.headers and self.headers.get("If-Range") in (None, state.etag):
                start = int(self.headers["Range"][len("bytes=") : -1]) - state.early
            if start >= whole:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.send_header("Content-Length", str(whole - start))
            self.send_header("ETag", state.etag)
            self.end_headers()
            end = start + state.cuts.pop(0) if state.cuts else whole
            self.wfile.write(state.content[start:end])

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.address = f"http://127.0.0.1:{running.server_port}"
        yield state
        running.shutdown()
        thread.join()


def get(server: Server, folder: Path, known: str = "", name: str = "file.zip", **how: Any) -> tuple[Path, str, bool]:
    return fetch(Archive(f"{server.address}/{name}", known), folder, "http://the.page", **how)


def refusal(server: Server, folder: Path, known: str = "", name: str = "file.zip") -> str:
    with pytest.raises(SkelkitError) as caught:
        get(server, folder, known, name)
    assert "\n" not in str(caught.value)
    assert not (folder / name).exists()
    return str(caught.value)


# ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_download_with_a_known_hash_arrives_whole(server: Server, tmp_path: Path) -> None:
    path, digest, known = get(server, tmp_path, HASH)
    assert (path.read_bytes(), digest, known) == (CONTENT, HASH, True)
    assert sorted(p.name for p in tmp_path.iterdir()) == [SUMS, "file.zip"]


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path, HASH)
    get(server, tmp_path, HASH)
    assert server.asked == [""]


def test_a_cut_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [2 * BLOCK, BLOCK + 5]
    assert get(server, tmp_path, HASH)[0].read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={2 * BLOCK}-", f"bytes={3 * BLOCK}-"]


def test_another_piece_than_was_asked_for_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.cuts, server.early = [2 * BLOCK], 7
    assert get(server, tmp_path)[0].read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={2 * BLOCK}-", ""]


def test_a_download_goes_on_in_another_run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TRIES", 1)
    server.cuts = [2 * BLOCK, 0]
    said = refusal(server, tmp_path, HASH)
    assert "at 0.1 MB; try again, it goes on from there, or get it from http://the.page by hand as" in said
    assert get(server, tmp_path, HASH)[0].read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={2 * BLOCK}-", f"bytes={2 * BLOCK}-"]


def test_a_connection_that_brings_nothing_is_tried_a_few_times(server: Server, tmp_path: Path) -> None:
    server.cuts = [0] * 50
    refusal(server, tmp_path)
    assert len(server.asked) == download.TRIES


def test_without_ranges_a_download_starts_anew(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [2 * BLOCK]
    assert get(server, tmp_path, HASH)[0].read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={2 * BLOCK}-"]


def test_the_rest_of_another_version_is_not_put_behind_the_first(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(b"old" * 1000)
    (tmp_path / "file.zip.part.version").write_text('"another"')
    assert get(server, tmp_path)[0].read_bytes() == CONTENT


def test_a_part_of_which_nothing_is_known_is_begun_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(b"old" * 1000)
    assert get(server, tmp_path)[0].read_bytes() == CONTENT
    assert server.asked == [""]


def test_a_part_longer_than_the_file_is_begun_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "file.zip.part.version").write_text(server.etag)
    assert get(server, tmp_path, HASH)[0].read_bytes() == CONTENT


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    assert get(server, tmp_path, HASH, "moved")[0].read_bytes() == CONTENT


def test_a_missing_file_is_one_line_that_says_what_to_do(server: Server, tmp_path: Path) -> None:
    said = refusal(server, tmp_path, name="gone.zip")
    assert "gone.zip: the server says 404 Not Found; get it from http://the.page by hand and put it at" in said


def test_a_file_got_by_hand_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "gone.zip").write_bytes(b"by hand")
    assert get(server, tmp_path, name="gone.zip")[1] == hashlib.sha256(b"by hand").hexdigest()


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TRIES", 1)
    assert "ConnectionError at 0.0 MB" in refusal(Server(address="http://127.0.0.1:9"), tmp_path)


def test_a_server_that_sends_without_end_is_stopped(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 100_000)
    assert "sends more than" in refusal(server, tmp_path)


# ── hashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_hash_is_one_line_and_the_file_thrown_away(server: Server, tmp_path: Path) -> None:
    said = refusal(server, tmp_path, "0" * 64)
    assert f"has not the known SHA-256 {'0' * 64}, so it was thrown away" in said
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_hash_is_written_down_and_asked_of_the_next_download(server: Server, tmp_path: Path) -> None:
    path, digest, known = get(server, tmp_path)
    assert (digest, known) == (HASH, False)
    assert (tmp_path / SUMS).read_text() == f"{HASH}  file.zip\n"
    path.unlink()
    server.content = CONTENT[::-1]
    assert HASH in refusal(server, tmp_path)
    server.content = CONTENT
    assert get(server, tmp_path)[1:] == (HASH, True)


def test_trust_takes_another_archive_and_knows_it_from_now_on(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path)[0].unlink()
    server.content = CONTENT[::-1]
    changed = hashlib.sha256(server.content).hexdigest()
    assert get(server, tmp_path, trust=True)[1:] == (changed, False)
    assert (tmp_path / SUMS).read_text() == f"{changed}  file.zip\n"


def test_without_pooch_one_line_says_how_to_install_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert refusal(server, tmp_path) == "download: pooch is not installed; pip install 'skelkit[data]'"


# ── data sets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_a_download_is_unpacked_and_names_the_import(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(f"{server.address}/file.zip", keep=DIRECT["sbu"].archives[0].keep, under="s01s02")
    monkeypatch.setitem(DIRECT, "sbu", Direct((archive,), "http://the.page", "for research"))
    server.content = zipped({"s01s02/01/001/skeleton_pos.txt": b"1,2", "s01s02/01/001/rgb_0.png": b"picture"})
    first, fetched, last = download.download("sbu", tmp_path / "raw")
    assert first == "sbu: from http://the.page (for research)"
    assert "1 files; SHA-256" in fetched
    assert "not published: trusted on this first download" in fetched
    assert last == f"now: skelkit data import sbu {tmp_path / 'raw'}"
    assert (tmp_path / "raw/s01s02/01/001/skeleton_pos.txt").read_bytes() == b"1,2"
    assert not list((tmp_path / "raw").rglob("*.png"))
    assert "file.zip has SHA-256" in download.provenance(tmp_path / "raw")


def test_clips_imported_from_a_download_name_its_hash(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(f"{server.address}/file.zip", keep=DIRECT["sbu"].archives[0].keep, under="s01s02")
    monkeypatch.setitem(DIRECT, "sbu", Direct((archive,), "http://the.page", "for research"))
    lines = "".join(f"{number}," + ",".join(["0.5"] * 90) + "\n" for number in (1, 2, 3))
    server.content = zipped({"01/001/skeleton_pos.txt": lines.encode()})
    list(download.download("sbu", tmp_path / "raw"))
    clips = import_raw("sbu", tmp_path / "raw", tmp_path / "data").clips
    assert list(clips.table["name"]) == ["s01s02_01_001"]
    assert f"file.zip has SHA-256 {hashlib.sha256(server.content).hexdigest()}" in clips.source


def test_every_data_set_can_be_downloaded_or_says_how_to_get_it() -> None:
    assert set(DIRECT) | set(STEPS) == set(READERS)
    assert set(DIRECT) & set(STEPS) == set()


@pytest.mark.parametrize("name", STEPS)
def test_the_steps_name_a_page_and_end_with_the_import(name: str, tmp_path: Path) -> None:
    lines = download.steps(name, tmp_path)
    assert "http" in lines[0]
    assert [line[:2] for line in lines] == [f"{i + 1}." for i in range(len(lines))]
    assert lines[-2:] == [f"3. skelkit data import {name} {tmp_path}", f"4. skelkit data verify {name}"]


def test_sbu_has_its_twenty_one_sets() -> None:
    from skelkit.data.datasets import sbu

    assert {archive.under for archive in DIRECT["sbu"].archives} == {name for fold in sbu.FOLDS for name in fold}


# ── archives ────────────────────────────────────────────────────────────────────────────────────────────────────────


def tarred(files: dict[str, bytes], how: str = "gz", **changes: Any) -> bytes:
    buffer, mode = io.BytesIO(), cast(Any, f"w:{how}")
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in changes.items():
                setattr(member, key, value)
            file.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return buffer.getvalue()


def put(folder: Path, content: bytes) -> Path:
    path = folder / "archive"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_is_unpacked_over_what_is_there(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "to/a").mkdir(parents=True)
    (tmp_path / "to/a/one").write_bytes(b"old")
    (tmp_path / "to/a/other").write_bytes(b"other")
    assert archives.unpack(put(tmp_path, pack({"a/one": b"1", "b": b"2"})), tmp_path / "to") == 2
    found = {
        p.relative_to(tmp_path / "to").as_posix(): p.read_bytes() for p in (tmp_path / "to").rglob("*") if p.is_file()
    }
    assert found == {"a/one": b"1", "a/other": b"other", "b": b"2"}


def refused(folder: Path, content: bytes, **how: Any) -> str:
    """What is said against an archive; nothing is left behind, inside the folder or beside it."""
    path = put(folder, content)
    with pytest.raises(SkelkitError) as caught:
        archives.unpack(path, folder / "to", **how)
    assert [p for p in folder.rglob("*") if p.is_file()] == [path]
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/etc/out", "\\out", "a\\..\\..\\out", "C:\\out", "C:/out", "a/../b", ".."]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_name_that_reaches_out_of_the_folder_is_refused(tmp_path: Path, name: str, pack: Any) -> None:
    assert "reaches out of the folder" in refused(tmp_path, pack({"good": b"1", name: b"2"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    said = refused(tmp_path, tarred({"a": b""}, type=kind, linkname="/etc/passwd"))
    assert "'a' is a link or a device" in said


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(link, "/etc/passwd")
    assert "'a' is a link or a device" in refused(tmp_path, buffer.getvalue())


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LIMIT", 1000)
    assert "unpacks to more than" in refused(tmp_path, pack({"a": bytes(600), "b": bytes(600)}))
    monkeypatch.setattr(archives, "MEMBERS", 1)
    assert "holds 2 files, more than 1" in refused(tmp_path, pack({"a": b"", "b": b""}))


def test_a_bomb_that_declares_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(100_000))
    content = buffer.getvalue().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert "cannot be unpacked" in refused(tmp_path, content)


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, pack: Any, share: float) -> None:
    content = pack({"a": os.urandom(5000), "b": os.urandom(5000)})
    refused(tmp_path, content[: int(share * len(content))])


def test_an_archive_without_what_is_wanted_is_refused(tmp_path: Path) -> None:
    assert "holds none of the files that are wanted" in refused(tmp_path, zipped({"a": b"1"}), keep=r"(\.txt)$")


@pytest.mark.parametrize("pack", [zipped, *(partial(tarred, how=how) for how in ("gz", "bz2", "xz"))])
def test_a_changed_byte_is_refused_or_changes_no_content(tmp_path: Path, pack: Any) -> None:
    text = "".join(f"{i * i % 977} " for i in range(200)).encode()
    whole = pack({"a": text, "b/c": text[::-1]})
    for at in range(0, len(whole), 7):
        content = bytearray(whole)
        content[at] ^= 0xFF
        archive, to = put(tmp_path, bytes(content)), tmp_path / f"to{at}"
        try:
            archives.unpack(archive, to)
        except SkelkitError as error:
            assert str(archive) in str(error)  # noqa: PT017
        assert {path.read_bytes() for path in to.rglob("*") if path.is_file()} <= {text, text[::-1]}
        shutil.rmtree(to, ignore_errors=True)
