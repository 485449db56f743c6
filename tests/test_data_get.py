"""Fetching, against a server on loopback: shown first, resumed, verified, kept."""

import hashlib
import re
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agekit.builtin.celeba import CelebA
from agekit.builtin.folder import ImageFolder
from agekit.builtin.mnist import Mnist
from agekit.contracts import Dataset, Download
from agekit.data import get as get_module
from agekit.data.get import _OnlySecurely, get
from agekit.errors import DataError
from tests.layouts import random_pixels

CONTENT = random_pixels(300_000).tobytes()


class Server(ThreadingHTTPServer):
    """Serves CONTENT under any name, in the way that a test asks for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.content = CONTENT
        self.ranges = True
        self.stop_after = len(CONTENT)
        self.status = 0
        self.location = ""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    """Answers a GET as its server says."""

    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.status:
            self.send_response(server.status)
            if server.location:
                self.send_header("Location", server.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        found = re.match(r"bytes=(\d+)-$", wanted or "") if server.ranges else None
        start = int(found[1]) if found else 0
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        if found:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.end_headers()
        self.wfile.write(server.content[start : server.stop_after])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(get_module, "_BLOCK_BYTES", 1 << 16)
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def published(server: Server, **changes: object) -> type[Dataset]:
    """A data set of one file, file.bin, on this server."""
    about = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT), "file": "file.bin"} | changes
    return offering(Download(**({"url": server.url("file.bin")} | about)))  # type: ignore[arg-type]


def offering(*files: Download) -> type[Dataset]:
    class Published(Mnist):
        """Published."""

        downloads = files

    return Published


def yes(text: str) -> bool:
    return True


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_whole_with_progress(server, tmp_path):
    reports: list[tuple[str, int, int]] = []
    found = get(
        "set", published(server), tmp_path / "new", confirm=yes, progress=lambda *report: reports.append(report)
    )
    assert found == [tmp_path / "new" / "file.bin"]
    assert found[0].read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["file.bin"]
    assert reports == [("file.bin", min(n << 16, len(CONTENT)), len(CONTENT)) for n in range(1, 6)]
    assert server.asked == [None]


def test_an_md5_does_where_nothing_better_is_published(server, tmp_path):
    md5 = hashlib.md5(CONTENT).hexdigest()
    get("set", published(server, sha256="", md5=md5), tmp_path, confirm=yes)
    assert names(tmp_path) == ["file.bin"]
    with pytest.raises(DataError, match="not the published file"):
        get("set", published(server, sha256="", md5=md5[::-1], file="other"), tmp_path, confirm=yes)


def test_the_licence_and_the_files_are_shown_and_no_means_no(server, tmp_path):
    shown: list[str] = []
    assert get("set", published(server), tmp_path / "new", confirm=lambda text: bool(shown.append(text))) == []  # type: ignore[func-returns-value]
    assert all(part in shown[0] for part in (Mnist.licence, Mnist.homepage, server.url("file.bin"), "0.3 MB"))
    assert server.asked == []
    assert not (tmp_path / "new").exists()


def test_what_is_there_is_verified_again_and_kept(server, tmp_path):
    get("set", published(server), tmp_path, confirm=yes)
    get("set", published(server), tmp_path, confirm=yes)
    assert len(server.asked) == 1
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DataError, match=r"file\.bin is there, but is not the published file"):
        get("set", published(server), tmp_path, confirm=yes)
    assert (tmp_path / "file.bin").read_bytes()[-1:] == b"?"


def test_an_interrupted_fetch_is_carried_on(server, tmp_path):
    server.stop_after = 200_000
    with pytest.raises(DataError, match="broke off at 200000 of 300000 bytes; the same command carries on"):
        get("set", published(server), tmp_path, confirm=yes)
    assert names(tmp_path) == ["file.bin.part"]
    server.stop_after = len(CONTENT)
    get("set", published(server), tmp_path, confirm=yes)
    assert server.asked == [None, "bytes=200000-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert names(tmp_path) == ["file.bin"]


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"wrong" * 1000)
    server.ranges = False
    get("set", published(server), tmp_path, confirm=yes)
    assert server.asked == ["bytes=5000-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 1])
def test_a_part_that_is_whole_or_too_long_asks_for_no_rest(size, server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes((CONTENT + b"more")[:size])
    get("set", published(server), tmp_path, confirm=yes)
    assert server.asked == ([] if size == len(CONTENT) else [None])
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "content", [CONTENT[:-1] + b"?", CONTENT + b"more", CONTENT * 3], ids=["other", "longer", "much longer"]
)
def test_a_file_that_is_not_the_published_one_is_not_kept(content, server, tmp_path):
    server.content, server.stop_after = content, len(content)
    blocks: list[str] = []
    with pytest.raises(DataError, match=r"file\.bin is not the published file.*nothing was kept"):
        get("set", published(server), tmp_path, confirm=yes, progress=lambda name, done, total: blocks.append(name))
    assert names(tmp_path) == []
    assert len(blocks) == 5  # what comes after the announced size is not read


def test_a_wrong_part_is_found_out(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"wrong" * 1000)
    with pytest.raises(DataError, match="not the published file"):
        get("set", published(server), tmp_path, confirm=yes)
    assert names(tmp_path) == []


def test_several_files_are_fetched_and_the_first_is_kept_where_the_second_fails(server, tmp_path):
    right = published(server).downloads[0]
    wrong = published(server, sha256="0" * 64, file="wrong.bin").downloads[0]
    with pytest.raises(DataError):
        get("set", offering(right, wrong), tmp_path, confirm=yes)
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("status", [404, 416, 500])
def test_what_the_server_answers_is_told(status, server, tmp_path):
    server.status = status
    with pytest.raises(DataError, match=rf"file\.bin: the server answers {status}"):
        get("set", published(server), tmp_path, confirm=yes)


def test_a_part_that_the_server_does_not_know_is_given_up(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    server.status = 416
    with pytest.raises(DataError, match="answers 416"):
        get("set", published(server), tmp_path, confirm=yes)
    assert names(tmp_path) == []


def test_a_server_that_is_not_there_is_told(server, tmp_path):
    server.shutdown()
    server.socket.close()
    with pytest.raises(DataError, match=r"file\.bin cannot be fetched: .*refused"):
        get("set", published(server), tmp_path, confirm=yes)


@pytest.mark.parametrize(
    "url", ["http://example.org/f", "ftp://127.0.0.1/f", "file:///etc/hostname", "http://127.0.0.1.example.org/f"]
)
def test_nothing_but_https_is_fetched(url, server, tmp_path):
    with pytest.raises(DataError, match="only https is"):
        get("set", published(server, url=url), tmp_path, confirm=yes)
    server.status, server.location = 302, url
    with pytest.raises(DataError, match=r"only https is|not allowed"):
        get("set", published(server), tmp_path, confirm=yes)
    assert names(tmp_path) == []


def test_what_is_asked_for_securely_is_not_led_to_a_server_on_this_machine():
    """Loopback may be asked in plain, by tests; a server far away may not send anyone there."""
    asked = urllib.request.Request("https://example.org/f")
    with pytest.raises(DataError, match=r"leads to http://127\.0\.0\.1/admin, which is not fetched"):
        _OnlySecurely().redirect_request(asked, None, 302, "Found", {}, "http://127.0.0.1/admin")  # type: ignore[arg-type]


@pytest.mark.parametrize(("dataset", "says"), [(CelebA, "by hand from https://mmlab"), (ImageFolder, "put your own")])
def test_a_data_set_without_files_to_fetch_says_so(dataset, says, tmp_path):
    with pytest.raises(DataError, match=says) as caught:
        get("set", dataset, tmp_path, confirm=yes)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="set cannot be written to"):
        get("set", published(server), tmp_path / "file" / "folder", confirm=yes)
