"""Whisper with random weights: real files load and are checked, and times and languages are as promised."""

import json
import shutil

import pytest

from kelly_core.errors import CheckpointError, DataError, UserError
from kelly_pretrained.whisper import open_weights, tidy


@pytest.fixture
def heard(whisper):
    """What the network's encoder is given: a list of (1, n_mels, frames) that grows."""
    given = []

    def keep(_, args, named):
        given.append(next(one for one in (*args, *named.values()) if getattr(one, "ndim", 0) == 3))

    hook = whisper.model.model.encoder.register_forward_pre_hook(keep, with_kwargs=True)
    yield given
    hook.remove()


@pytest.fixture
def copy(whisper_folder, tmp_path):
    """A copy of the model's folder that a test may damage."""
    return shutil.copytree(whisper_folder, tmp_path / "copy")


def test_the_same_file_gives_the_same_words_at_any_rate_and_channel_count(whisper, sound):
    mono = whisper.transcribe(sound("mono.wav", 2.0), "en")
    assert mono == whisper.transcribe(mono.path, "en")
    assert mono.seconds == 2.0
    assert mono.segments
    wide = whisper.transcribe(sound("wide.wav", 2.0, 16_000, 2), "en")
    assert wide.segments == mono.segments
    fast = whisper.transcribe(sound("fast.wav", 2.0, 48_000, 2), "en")
    assert fast.seconds == pytest.approx(2.0, abs=1e-3)


def test_the_network_hears_a_file_of_any_rate_at_its_own(whisper, sound, heard):
    whisper.transcribe(sound("slow.wav", 1.5, 16_000), "en")
    whisper.transcribe(sound("fast.wav", 1.5, 44_100), "en")
    slow, fast = heard[0], heard[-1]
    assert slow.shape == fast.shape == (1, 80, 3000)
    loud = slow[..., :150] > slow.max() - 1.0  # of 2 from the loudest, in units of 4 bel
    assert (slow[..., :150] - fast[..., :150])[loud].abs().max() < 0.05


@pytest.mark.parametrize("seconds", [0.3, 5.0, 35.0])
def test_times_are_in_order_and_within_the_file(whisper, sound, seconds):
    said = whisper.transcribe(sound("any.wav", seconds), "en")
    times = [at for one in said.segments for at in (one.start, one.end)]
    assert times == sorted(times)
    assert all(0.0 <= at <= said.seconds for at in times)
    assert all(one.text == one.text.strip() != "" for one in said.segments)


def test_a_file_longer_than_a_window_is_heard_to_its_end(whisper, sound, heard):
    said = whisper.transcribe(sound("long.wav", 35.0), "en")
    assert {tuple(window.shape) for window in heard} == {(1, 80, 3000)}
    assert len(heard) >= 2
    assert said.segments[-1].end > 30.0


def test_what_is_heard_in_the_padding_and_nothing_are_left_out():
    pieces = [(0.0, 2.0, " a"), (2.0, 2.5, "  "), (1.5, 4.5, "b"), (4.9, 30.0, "c"), (5.0, 6.0, "d")]
    kept = tidy(pieces, 5.0)
    assert [(one.start, one.end, one.text) for one in kept] == [(0, 2, "a"), (2, 4.5, "b"), (4.9, 5, "c")]


def test_a_language_is_taken_by_code_or_name_or_detected(whisper, sound):
    assert whisper.language("German") == whisper.language("de") == "de"
    detected = whisper.transcribe(sound("tone.wav", 1.0))
    assert detected.detected
    assert detected.language in ("en", "de", "fr")
    assert not whisper.transcribe(detected.path, "fr").detected
    with pytest.raises(UserError, match="no language 'germn'") as unknown:
        whisper.language("germn")
    assert "'german'" in unknown.value.hint


def test_a_model_of_english_alone_needs_no_language(copy, sound):
    said = json.loads((copy / "generation_config.json").read_text())
    said = {key: value for key, value in said.items() if key not in ("lang_to_id", "task_to_id")}
    (copy / "generation_config.json").write_text(json.dumps({**said, "is_multilingual": False}))
    model = open_weights(copy)
    assert model.language("English") == "en"
    heard = model.transcribe(sound("tone.wav", 1.0), "en")
    assert (heard.language, heard.detected) == ("en", False)
    with pytest.raises(UserError, match="no language 'de'"):
        model.language("de")


def test_a_pickled_file_of_weights_gives_what_the_safe_one_gives(whisper, whisper_folder, copy, sound):
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    path = sound("tone.wav", 1.0)
    assert open_weights(copy).transcribe(path, "en") == whisper.transcribe(path, "en")


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the file ran code')",))


def test_a_pickled_file_that_wants_to_run_code_is_refused(copy):
    import torch

    torch.save({"model": Bomb()}, copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="can't be opened"):
        open_weights(copy)


def test_weights_that_lack_a_tensor_are_refused_not_filled_with_random_numbers(copy):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copy / "model.safetensors")
    del tensors["model.encoder.conv1.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lack 1 of \d+ tensors, the first: 'model.encoder.conv1"):
        open_weights(copy)


def test_weights_of_another_size_are_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "d_model": 32}))
    with pytest.raises(CheckpointError, match="can't be opened"):
        open_weights(copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "isn't the configuration of a model"),
        ("config.json", '{"model_type": "clap"}', "it is of a 'clap' model, not 'whisper'"),
        ("model.safetensors", "no tensors", "can't be opened"),
        ("tokenizer.json", "{}", "can't be opened"),
        ("model.safetensors", None, "no model.safetensors or pytorch_model.bin"),
        ("preprocessor_config.json", None, "no preprocessor_config.json or processor_config.json"),
        ("generation_config.json", None, "generation_config.json is missing or says nothing of times"),
    ],
)
def test_a_damaged_or_incomplete_folder_is_refused_with_what_to_do(copy, name, content, message):
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_text(content)
    with pytest.raises(CheckpointError, match=message) as refused:
        open_weights(copy)
    assert "openai/whisper-tiny" in refused.value.hint


def test_a_file_without_sound_is_refused(whisper, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound")
    with pytest.raises(DataError, match="is not sound that can be decoded"):
        whisper.transcribe(tmp_path / "notes.wav")


def test_opening_and_running_leave_the_librarys_own_settings_as_they_were(whisper, sound, capfd):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    whisper.transcribe(sound("tone.wav", 0.5), "en")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")
