"""Weights are looked for in one order, fetched only when told to, and a message says where and how."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kelly_core.cli import run
from kelly_core.errors import CheckpointError
from kelly_core.workspace import Workspace
from kelly_pretrained.origins import CLAP, WHISPER_TINY
from kelly_pretrained.weights import find_weights

FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def fill(folder, *left_out):
    folder.mkdir(parents=True)
    for name in FILES:
        if name not in left_out:
            (folder / name).write_text("{}")
    return folder


def cache(hub, origin, *left_out):
    """A model in the hub's cache, as the hub's library lays it out."""
    place = hub / f"models--{origin.repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    return fill(place / "snapshots" / COMMIT, *left_out)


def test_the_folder_named_comes_first_then_the_variable_then_the_data_root_then_the_cache(
    own_places, monkeypatch
):
    place = Workspace.locate()
    cached = cache(own_places / "hub", CLAP)
    assert find_weights(CLAP, place) == cached
    below_data = fill(place.root / "data" / "pretrained" / "clap")
    assert find_weights(CLAP, place) == below_data
    monkeypatch.setenv("KELLY_DATA_ROOT", str(own_places / "disk"))
    assert find_weights(CLAP, place) == cached
    moved = fill(own_places / "disk" / "pretrained" / "clap")
    assert find_weights(CLAP, place) == moved
    monkeypatch.setenv("KELLY_PRETRAINED", str(own_places / "weights"))
    assert find_weights(CLAP, place) == cached
    mine = fill(own_places / "weights" / "clap")
    assert find_weights(CLAP, place) == mine
    assert find_weights(CLAP, place, Path("named")) == Path("named")


def test_a_model_that_is_half_in_the_cache_is_not_used(own_places):
    cache(own_places / "hub", CLAP, "model.safetensors")
    with pytest.raises(CheckpointError, match="aren't here"):
        find_weights(CLAP, Workspace.locate())


def test_missing_weights_are_one_message_with_places_and_commands(own_places, sound, capsys):
    path = sound("tone.wav", 0.5)
    assert run(["predict", "whisper-tiny", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("error[") == 1
    for part in (
        str(own_places / "place" / "data" / "pretrained" / "whisper-tiny"),
        str(own_places / "hub"),
        "kelly predict whisper-tiny FILE --download",
        "hf download openai/whisper-tiny ",
        "--weights DIR",
    ):
        assert part in said.err


def test_without_the_libraries_the_message_names_the_extra(sound, capsys, monkeypatch):
    monkeypatch.setattr("kelly_pretrained.origins.MODULES", ("torch", "no_such_transformers"))
    assert run(["predict", "clap", str(sound("tone.wav", 0.5)), "--json"]) == 2
    said = capsys.readouterr().err
    assert "clap needs no_such_transformers, not installed here" in said
    assert "pip install 'kelly-pretrained[inference]'" in said


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's protocol that a download needs, for one model with pickled weights only."""

    files = {"config.json": b"{}", "preprocessor_config.json": b"{}", "tokenizer.json": b"{}"}
    files |= {"pytorch_model.bin": b"weights", "flax_model.msgpack": b"of another library"}
    asked = []

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        if "/tree/" in self.path:
            rows = [
                {"type": "file", "path": path, "size": len(data), "oid": COMMIT}
                for path, data in self.files.items()
            ]
            self.answer(json.dumps(rows).encode(), "application/json")
        elif self.path.startswith("/api/models/"):
            self.answer(
                json.dumps({"id": CLAP.repo, "sha": COMMIT, "siblings": []}).encode(), "application/json"
            )
        elif name in self.files:
            self.asked.append(name)
            self.answer(self.files[name], "application/octet-stream")
        else:
            self.send_error(404)

    do_HEAD = do_GET  # noqa: N815 - the server's name for it

    def answer(self, body, kind):
        self.send_response(200)
        for header, value in (
            ("Content-Type", kind),
            ("Content-Length", len(body)),
            ("ETag", f'"{len(body)}"'),
        ):
            self.send_header(header, str(value))
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


FETCH = (
    "from kelly_core.workspace import Workspace\nfrom kelly_core.errors import CheckpointError\n"
    "from kelly_pretrained.origins import CLAP\nfrom kelly_pretrained.weights import find_weights\n"
    "for _ in range(2):\n"
    "    try: print(find_weights(CLAP, Workspace.locate(), download=True))\n"
    "    except CheckpointError as error: print(error)\n"
)


def fetch(folder, address):
    """Look for CLAP twice in a process of its own, which may download it from there."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": address,
        "HF_HUB_CACHE": str(folder),
        "HF_HUB_ETAG_TIMEOUT": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", FETCH], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_download_brings_what_is_needed_and_nothing_twice(hub, tmp_path):
    got = fetch(tmp_path / "fetched", hub)
    assert len(got) == 2, got
    first, second = map(Path, got)
    assert first == second
    wanted = {"config.json", "preprocessor_config.json", "tokenizer.json", "pytorch_model.bin"}
    assert {path.name for path in first.iterdir()} == wanted
    assert (first / "pytorch_model.bin").read_bytes() == b"weights"
    assert set(Hub.asked) == wanted


def test_a_hub_that_cant_be_reached_is_an_error_of_ours(tmp_path):
    said = fetch(tmp_path / "fetched", "http://127.0.0.1:9")
    assert "weights of clap: laion/clap-htsat-unfused can't be downloaded: " in said[0]
    assert "check the network" in said[1]


def test_both_say_where_they_come_from(own_places):
    for origin in (CLAP, WHISPER_TINY):
        about = origin.about(own_places)
        assert about["licence"] == "Apache-2.0"
        assert "arXiv" in about["citation"]
        assert about["published_as"] == origin.repo
