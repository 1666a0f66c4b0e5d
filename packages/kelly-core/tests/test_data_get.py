"""Downloading and unpacking archives, from a server on this machine."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kelly_core.data.fetch import fetch
from kelly_core.data.unpack import unpack
from kelly_core.errors import DataError
from kelly_core.progress import Silent
from kelly_core.specs import ArchiveSpec

CONTENT = bytes(range(256)) * 4000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        body = CONTENT[start:]
        self.send_response(206 if wanted and server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut] if server.cut else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.ranges, running.cut = [], True, None
        threading.Thread(target=running.serve_forever, daemon=True).start()
        running.archive = ArchiveSpec(
            f"http://127.0.0.1:{running.server_port}/set.zip", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
        )
        yield running
        running.shutdown()


def test_a_download_that_stopped_goes_on_where_it_was(server, tmp_path):
    server.cut = 300_000
    with pytest.raises(DataError, match="stopped") as caught:
        fetch(server.archive, tmp_path, Silent())
    assert "--from" in str(caught.value)
    server.cut = None
    assert fetch(server.archive, tmp_path, Silent()).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]
    assert not (tmp_path / "set.zip.part").exists()


def test_a_server_without_ranges_sends_everything_again(server, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(b"x" * 1000)
    server.ranges = False
    assert fetch(server.archive, tmp_path, Silent()).read_bytes() == CONTENT


def test_what_is_there_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "set.zip").write_bytes(CONTENT)
    fetch(server.archive, tmp_path, Silent())
    assert server.asked == []


def test_a_wrong_file_is_refused_and_not_kept(server, tmp_path):
    wrong = ArchiveSpec(server.archive.url, len(CONTENT), "0" * 64)
    with pytest.raises(DataError, match="SHA-256"):
        fetch(wrong, tmp_path, Silent())
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_announced_are_not_written(server, tmp_path):
    with pytest.raises(DataError, match="more than"):
        fetch(ArchiveSpec(server.archive.url, 1000), tmp_path, Silent())


def test_no_server_is_a_message(tmp_path):
    with pytest.raises(DataError, match="stopped"):
        fetch(ArchiveSpec("http://127.0.0.1:9/x.zip"), tmp_path, Silent())


def zipped(path, names, content=b"music"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def tarred(path, *infos, mode="w:xz"):
    with tarfile.open(path, mode) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def test_archives_are_unpacked_without_what_the_packing_system_left(tmp_path):
    archive = zipped(tmp_path / "a.zip", ["set/a.mid", "set/deep/b.mid", "__MACOSX/x", "set/Icon\r", "read.me"])
    assert unpack(archive, tmp_path / "out", Silent()) == ["read.me", "set"]
    assert (tmp_path / "out/set/deep/b.mid").read_bytes() == b"music"
    found = sorted(p.name for p in (tmp_path / "out").rglob("*"))
    assert found == ["a.mid", "b.mid", "deep", "read.me", "set"]


def test_tar_archives_too(tmp_path):
    info = tarfile.TarInfo("set/a.mid")
    info.size = 5
    unpack(tarred(tmp_path / "a.tar.xz", info), tmp_path / "out", Silent())
    assert (tmp_path / "out/set/a.mid").read_bytes() == b"xxxxx"


@pytest.mark.parametrize("name", ["../evil", "/evil", "set/../../evil", "C:evil", "set\\..\\evil", "a\nb"])
def test_paths_out_of_the_folder_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="leads out"):
        unpack(zipped(tmp_path / "a.zip", ["set/a.mid", name]), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    info = tarfile.TarInfo("set/link")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="link"):
        unpack(tarred(tmp_path / "a.tar", info, mode="w"), tmp_path / "out", Silent())


def test_symbolic_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("set/link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link"):
        unpack(tmp_path / "a.zip", tmp_path / "out", Silent())


def test_bombs_are_refused(tmp_path):
    with pytest.raises(DataError, match="would become"):
        unpack(zipped(tmp_path / "a.zip", ["zeros"], bytes(70 << 20)), tmp_path / "out", Silent())


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="damaged or no archive"):
        unpack(tmp_path / "a.zip", tmp_path / "out", Silent())


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", ["set/a", "set/b"], bytes(range(256)) * 100).read_bytes())
    data[60:80] = bytes(20)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError):
        unpack(tmp_path / "a.zip", tmp_path / "out", Silent())
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_already_stays(tmp_path):
    (tmp_path / "out/set").mkdir(parents=True)
    with pytest.raises(DataError, match="there already"):
        unpack(zipped(tmp_path / "a.zip", ["set/a"]), tmp_path / "out", Silent())


@pytest.fixture
def plugin(fakes, tmp_path):
    """A model and a dataset whose archive is the file given, as an installed plugin would declare them."""

    def write(archive):
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        code = f"""
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import ArchiveSpec, DatasetSpec, LazyRef, ModelSpec
KELLY_API = 1
ref = LazyRef("nowhere:Nothing")

@hookimpl
def kelly_models():
    return [ModelSpec("key", "keyfinder", "a task", "a model", ref, ref, data_folder="grooves")]

@hookimpl
def kelly_datasets():
    archive = ArchiveSpec("http://127.0.0.1:9/set.zip", {archive.stat().st_size}, "{digest}")
    return [DatasetSpec("drums", "drums", ("key",), ref, licence="CC0", archive=archive),
            DatasetSpec("none", "nothing", ("key",), ref)]
"""
        fakes.write("kelly-key", code, models=["key"], datasets=["drums", "none"])

    return write


def test_an_archive_of_ones_own_is_checked_and_unpacked_where_training_looks(fakes, plugin, tmp_path):
    archive = zipped(tmp_path / "mine.zip", ["groove/a.mid"])
    plugin(archive)
    done = fakes.kelly("data", "get", "drums", "--from", str(archive), KELLY_DATA_ROOT=str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert "licence: CC0" in done.stdout
    assert (tmp_path / "data/raw/grooves/groove/a.mid").read_bytes() == b"music"
    archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    wrong = fakes.kelly("data", "get", "drums", "--from", str(archive), KELLY_DATA_ROOT=str(tmp_path / "other"))
    assert wrong.returncode == 2
    assert "SHA-256" in wrong.stderr
    assert not (tmp_path / "other/raw").exists()


def test_what_has_no_archive_says_so(fakes, plugin, tmp_path):
    plugin(zipped(tmp_path / "mine.zip", ["a"]))
    done = fakes.kelly("data", "get", "none")
    assert done.returncode == 2
    assert "no archive" in done.stderr
