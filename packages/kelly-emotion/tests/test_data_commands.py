"""`kelly init` and `kelly data` as a user runs them, on real files."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from typer import Typer
from typer.testing import CliRunner

from kelly_core.cli import data, init
from kelly_core.config.resolve import resolve
from kelly_core.data import Dataset
from kelly_core.data.discover import open_dataset
from kelly_core.errors import DataError, UserError
from kelly_core.plugins import PluginHost
from kelly_core.workspace import DATA_FOLDERS, Workspace
from kelly_emotion.config import EmotionConfig


@pytest.fixture
def place(tmp_path, monkeypatch):
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.setenv("KELLY_WORKSPACE", str(folder))
    monkeypatch.delenv("KELLY_DATA_ROOT", raising=False)
    return folder


@pytest.fixture
def clips(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("happy", "sad", "angry"):
        for i in range(4):
            path = tmp_path / "clips" / label / f"{i}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, rng.uniform(-0.3, 0.3, 24_000), 16_000)
    return tmp_path / "clips"


def run(*args):
    return CliRunner().invoke(data.app, [str(arg) for arg in args], catch_exceptions=False)


def open_named(path, dataset=None):
    host = PluginHost()
    return open_dataset(host, host.model("emotion"), path and str(path), dataset, Workspace.locate(), None, {})


def test_init_makes_a_workspace_and_again_changes_nothing(tmp_path):
    app = Typer()
    app.command()(init.command)
    folder = tmp_path / "new"
    first = CliRunner().invoke(app, [str(folder), "--json"], catch_exceptions=False)
    assert "configs/emotion.yaml" in json.loads(first.stdout)["made"]
    assert (folder / "docs" / "model_cards").is_dir()
    (folder / "configs" / "emotion.yaml").write_text("epochs: 3\n")
    again = CliRunner().invoke(app, [str(folder), "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["made"] == []
    assert (folder / "configs" / "emotion.yaml").read_text() == "epochs: 3\n"


def test_the_configuration_init_writes_changes_nothing_until_edited(tmp_path):
    app = Typer()
    app.command()(init.command)
    CliRunner().invoke(app, [str(tmp_path)], catch_exceptions=False)
    path = tmp_path / "configs" / "emotion.yaml"
    for architecture in ("cnn", "streaming"):
        asked = [f"architecture_type={architecture}"]
        plain = resolve(EmotionConfig, sets=asked).config
        assert resolve(EmotionConfig, workspace_file=path, sets=asked).config == plain
    text = path.read_text()
    path.write_text(text.replace("\n#epochs: 90", "\nepochs: 7"))
    assert resolve(EmotionConfig, workspace_file=path).config.epochs == 7
    path.write_text(re.sub(r"^#(?=(?:  )?\w+:(?: |$))", "", text, flags=re.MULTILINE))  # all switched on
    assert resolve(EmotionConfig, workspace_file=path).config == EmotionConfig()


def test_data_init_makes_the_root_and_links_it(place, tmp_path):
    root = tmp_path / "disk"
    assert run("init", root, "--link").exit_code == 0
    assert all((root / name).is_dir() for name in DATA_FOLDERS)
    assert (place / "data").resolve() == root
    assert run("init", root, "--link").exit_code == 0
    with pytest.raises(DataError, match="something else already"):
        run("init", tmp_path / "other", "--link")
    (place / "data").unlink()
    with pytest.raises(UserError, match="nothing to link"):
        run("init", "--link")


def test_imported_clips_are_found_without_naming_them(place, clips):
    report = json.loads(run("import", clips, "--to", "emotions", "--json").stdout)
    assert (report["converted"], report["padded"], report["problems"]) == (12, 0, [])
    found = json.loads(run("stats", "--json").stdout)
    assert found["root"] == str(place / "data" / "raw" / "emotions")
    assert found["overall"]["items"] == 12
    assert found["overall"]["total_s"] == pytest.approx(18.0)
    assert found["formats"] == {"WAV PCM_16, 16000 Hz, mono": 12}
    assert found["classes"]["sad"]["groups"] == 4


def test_validate_passes_clean_data_and_fails_on_leaks_and_unusable_files(place, clips):
    assert run("validate", clips).exit_code == 0
    split = json.loads(run("validate", clips, "--json").stdout)["split"]
    samples, rate = soundfile.read(clips / "happy" / "0.wav")
    for i in range(20):  # copies of one clip under twenty names stand on all sides
        soundfile.write(clips / "happy" / f"copy{i}.flac", samples, rate)
    (clips / "sad" / "broken.wav").write_text("not sound")
    result = run("validate", clips, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert {leak["kind"] for leak in found["leaks"]} == {"same audio"}
    assert [problem["path"] for problem in found["problems"]] == [str(clips / "sad" / "broken.wav")]
    assert sum(side["items"] for side in split.values()) == 12
    plain = run("validate", clips)
    assert "unusable: " in plain.stdout
    assert "same audio in" in plain.stdout


def test_the_cache_is_shown_and_cleared(place, clips):
    run("validate", clips)
    shown = json.loads(run("cache", "--json").stdout)
    assert shown["bytes"] > 0
    assert json.loads(run("cache", "--clear", "--json").stdout)["freed"] == shown["bytes"]
    assert json.loads(run("cache", "--json").stdout)["bytes"] == 0


def test_precompute_fills_the_cache(place, clips):
    found = json.loads(run("precompute", clips, "--json").stdout)
    assert sum(found["examples"].values()) == 12
    assert json.loads(run("cache", "--json").stdout)["bytes"] > 0


def test_no_data_anywhere_shows_both_ways(place):
    with pytest.raises(DataError, match="no data for 'emotion'") as caught:
        open_named(None)
    assert "kelly data import SRC --to emotions" in caught.value.hint
    assert "--data demo" in caught.value.hint


def test_an_unknown_layout_says_what_was_seen_and_what_is_known(place, tmp_path):
    (tmp_path / "odd" / "Tuesday").mkdir(parents=True)
    (tmp_path / "odd" / "a.doc").touch()
    with pytest.raises(
        DataError, match=r"1 folders \(Tuesday\), 1 .doc files.*audio-folder: .*ravdess: "
    ) as caught:
        open_named(tmp_path / "odd")
    assert "--dataset NAME" in caught.value.hint


def test_ravdess_with_a_metadata_file_is_still_ravdess(place, tmp_path):
    folder = tmp_path / "set" / "Actor_01"
    folder.mkdir(parents=True)
    (folder / "03-01-05-01-01-01-01.wav").touch()
    (tmp_path / "set" / "metadata.csv").write_text("file,label\nActor_01/03-01-05-01-01-01-01.wav,angry\n")
    assert open_named(tmp_path / "set").name == "ravdess"
    assert open_named(tmp_path / "set", "audio-folder").name == "audio-folder"


class HostWithGreedyDataset(PluginHost):
    """Has one more dataset, which says it knows everything."""

    def specs(self, kind, spec_class):
        knows = SimpleNamespace(resolve=lambda: lambda path: True)
        greedy = SimpleNamespace(name="greedy", models=("emotion",), builtin=False, recognises=knows)
        return [greedy, *super().specs(kind, spec_class)]


def test_two_plugins_that_know_a_layout_are_both_named(place, clips):
    host = HostWithGreedyDataset()
    with pytest.raises(DataError, match="'greedy' and 'audio-folder' both know") as caught:
        open_dataset(host, host.model("emotion"), str(clips), None, Workspace.locate(), None, {})
    assert "--dataset greedy or --dataset audio-folder" in caught.value.hint


def test_a_missing_folder_a_file_and_a_data_root_are_understood(place, clips, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_named(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a file") as caught:
        open_named(clips / "happy" / "0.wav")
    assert str(clips / "happy") in caught.value.hint
    root = tmp_path / "root"
    (root / "raw").mkdir(parents=True)
    clips.rename(root / "raw" / "emotions")
    assert len(open_named(root).items) == 12


class HostWithBrokenDataset(PluginHost):
    """Has one more dataset, whose `recognises` raises."""

    def specs(self, kind, spec_class):
        def explode(path):
            raise RuntimeError("boom")

        broken = SimpleNamespace(
            name="broken",
            models=("emotion",),
            builtin=False,
            recognises=SimpleNamespace(resolve=lambda: explode),
        )
        return [broken, *super().specs(kind, spec_class)]


def test_a_plugin_that_breaks_while_looking_leaves_the_others_working(place, clips, caplog):
    host = HostWithBrokenDataset()
    opened = open_dataset(host, host.model("emotion"), str(clips), None, Workspace.locate(), None, {})
    assert opened.name == "audio-folder"
    assert "'broken' can't look at" in caplog.text


class HostWithDemo(PluginHost):
    """Has one built-in dataset, which only says where it was told to lie."""

    def dataset(self, name):
        opener = SimpleNamespace(resolve=lambda: lambda path, options: Dataset(name, path, [], synthetic=True))
        return SimpleNamespace(name=name, builtin=True, opener=opener)


@pytest.mark.parametrize(
    ("data", "dataset"), [("demo", None), (None, "emotion-demo"), ("demo", "emotion-demo")]
)
def test_the_demo_set_needs_no_path(place, data, dataset):
    host = HostWithDemo()
    opened = open_dataset(host, host.model("emotion"), data, dataset, Workspace.locate(), None, {})
    assert (opened.name, opened.root) == ("emotion-demo", place / "data" / "cache" / "emotion-demo")
