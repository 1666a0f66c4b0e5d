"""The commands as a user types them: what they print, write and refuse, and their exit codes."""

import json

import numpy as np
import pytest

from kelly_core.cli import run

LABELS = "a happy song,a sad song about rain"


@pytest.fixture
def kelly(capsys):
    """`kelly(*words)` gives exit code, stdout and stderr."""

    def call(*words):
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


@pytest.fixture
def clips(sound, tmp_path):
    """Two sounds, and between them a file that holds none."""
    paths = [sound("a.wav", 1.0, 44_100, 2), tmp_path / "b.wav", sound("c.wav", 12.0, 8_000, 1, 900.0)]
    paths[1].write_text("no sound")
    return paths


def test_whisper_writes_down_each_file_with_language_and_times(kelly, whisper_folder, sound):
    path = sound("talk.wav", 1.0)
    code, out, _ = kelly("predict", "whisper-tiny", path, "--weights", whisper_folder, "--language", "de")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["file", "time", "words"]
    assert lines[1].split() == [str(path), "1.0", "s", "(de)"]
    assert " - " in lines[2]


def test_a_bad_file_doesnt_stop_the_others_and_the_command_ends_with_2(kelly, whisper_folder, clips):
    code, out, _ = kelly(
        "predict", "whisper-tiny", *clips, "--weights", whisper_folder, "--json", "--threads", 1
    )
    assert code == 2
    said = json.loads(out)
    assert [one["file"] for one in said["predictions"]] == [str(clips[0]), str(clips[2])]
    assert [one["file"] for one in said["errors"]] == [str(clips[1])]
    assert "is not sound" in said["errors"][0]["error"]
    first = said["predictions"][0]
    assert first["language_detected"]
    assert first["seconds"] == 1.0
    assert first["text"] == " ".join(segment["text"] for segment in first["segments"])
    assert said["model"]["name"] == "whisper-tiny"
    assert said["model"]["weights"] == str(whisper_folder)
    assert said["model"]["licence"]


def test_a_folder_is_read_whole_with_weights_from_the_variable(
    kelly, clap_folder, clips, tmp_path, monkeypatch
):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "clap").symlink_to(clap_folder)
    monkeypatch.setenv("KELLY_PRETRAINED", str(tmp_path / "weights"))
    code, out, err = kelly("predict", "clap", clips[0].parent, "--labels", LABELS)
    assert code == 2
    assert out.count("a happy song") >= 2
    assert f"at {clips[1]}" in err


def test_labels_get_probabilities_for_the_file_and_over_time(kelly, clap_folder, clips):
    words = ("predict", "clap", clips[2], "--labels", LABELS, "--weights", clap_folder)
    code, out, _ = kelly(*words, "--json")
    assert code == 0
    [one] = json.loads(out)["predictions"]
    assert sum(best["score"] for best in one["top"]) == pytest.approx(1.0, abs=1e-5)
    assert [(span["start"], span["end"]) for span in one["spans"]] == [(0.0, 10.0), (2.0, 12.0)]
    assert "embedding" not in one
    turned = json.loads(kelly(*words[:4], ",".join(reversed(LABELS.split(","))), *words[5:], "--json")[1])
    assert turned["predictions"][0]["top"] == one["top"]
    assert "█" in kelly(*words)[1]


def test_embeddings_are_written_one_row_a_file_with_the_bad_one_blank(kelly, clap_folder, clips, tmp_path):
    target = tmp_path / "out.npy"
    words = ("predict", "clap", *clips, "--embedding", target, "--weights", clap_folder)
    code, out, err = kelly(*words, "--json")
    assert code == 2
    assert f"wrote {target}: 3 rows of 12" in err
    rows, said = np.load(target), json.loads(out)
    assert rows.shape == (3, 12)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows[[0, 2]], axis=1) == pytest.approx([1.0, 1.0], abs=1e-6)
    assert np.isnan(rows[1]).all()
    assert said["embedding"] == {"file": str(target), "rows": [str(path) for path in clips]}
    assert said["predictions"][1]["embedding"] == pytest.approx(rows[2].tolist(), abs=1e-5)


def test_files_are_ranked_by_how_near_they_are_to_another(kelly, clap_folder, sound):
    kick, other = sound("kick.wav", 1.0), sound("other.wav", 1.0, 16_000, 1, 2000.0)
    words = ("predict", "clap", other, kick, "--like", kick, "--weights", clap_folder)
    code, out, _ = kelly(*words)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [str(kick), str(other)]
    near = {one["file"]: one["similarity"] for one in json.loads(kelly(*words, "--json")[1])["predictions"]}
    assert near[str(kick)] == pytest.approx(1.0, abs=1e-5)
    assert near[str(other)] < near[str(kick)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing was asked about the files"),
        (("--labels", "one"), "one label beside none"),
        (("--labels", "a,b,a"), "'a' stands twice"),
        (("--embedding", "out.txt"), "embeddings aren't written as .txt"),
        (("--json", "--weights", "nowhere"), "no such folder of weights"),
        (("--labels", LABELS, "--like", "nowhere.wav"), "there is no such file"),
    ],
)
def test_a_mistake_is_one_message_and_ends_with_2(kelly, clap_folder, sound, words, message):
    weights = () if "--weights" in words else ("--weights", clap_folder)
    code, out, err = kelly("predict", "clap", sound("tone.wav", 0.5), *words, *weights)
    assert code == 2
    if "--json" in words:
        assert message in json.loads(out)["error"]["message"]
    else:
        assert out == ""
    assert err.count("error[") == 1
    assert message in err
    assert "\n  -> " in err


def test_an_unknown_language_is_one_message_however_many_files(kelly, whisper_folder, clips):
    code, _, err = kelly("predict", "whisper-tiny", *clips, "--language", "xx", "--weights", whisper_folder)
    assert code == 2
    assert err.count("error[") == 1


@pytest.mark.parametrize("model", ["whisper-tiny", "clap"])
@pytest.mark.parametrize("command", ["train", "evaluate", "export", "verify", "bench", "config"])
def test_what_needs_training_is_refused_with_the_reason(kelly, command, model):
    code, out, err = kelly(command, model)
    assert code == 2
    assert out == ""
    assert f"'{model}' is only run (`kelly predict {model}`)" in err
    assert "its training took 6" in err
    assert f"at kelly {command}" in err
    assert "-> fine-tune it with the transformers library" in err
