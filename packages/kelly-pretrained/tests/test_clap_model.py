"""CLAP with random weights: embeddings are unit vectors, the same every time, and labels are treated alike."""

import numpy as np
import pytest

from kelly_core.errors import CheckpointError, DataError, UserError
from kelly_pretrained.clap import open_weights, window_starts

LABELS = ["a happy song", "a sad song about rain", "drums"]


@pytest.fixture(params=["unfused", "fused"])
def either(request, clap, fused_clap_folder):
    """The published kind, and the one that could also hear more than a window at once."""
    return clap if request.param == "unfused" else open_weights(fused_clap_folder)


def test_a_file_becomes_a_unit_vector_and_the_same_one_every_time(either, sound):
    path = sound("tone.wav", 3.0, 44_100)
    first = either.embed_file(path)
    np.random.seed(1)  # noqa: NPY002 - the library crops and marks at random by it
    second = either.embed_file(path)
    assert first.embedding.shape == (either.dims,) == (12,)
    assert np.linalg.norm(first.embedding) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(first.embedding, second.embedding)
    assert first.seconds == pytest.approx(3.0, abs=1e-3)


def test_channels_are_mixed_and_any_rate_becomes_the_models(clap, sound):
    mono = clap.embed_file(sound("mono.wav", 2.0, 48_000)).embedding
    assert np.array_equal(clap.embed_file(sound("stereo.wav", 2.0, 48_000, 2)).embedding, mono)
    slow = clap.embed_file(sound("slow.wav", 2.0, 32_000)).embedding
    other = clap.embed_file(sound("other.wav", 2.0, 48_000, 1, 3000.0)).embedding
    assert np.abs(slow - mono).max() < np.abs(other - mono).max() / 10


def test_a_long_file_is_embedded_in_whole_windows_up_to_its_end(clap, sound):
    found = clap.embed_file(sound("long.wav", 23.0, 8_000))
    assert found.times == [(0.0, 10.0), (10.0, 20.0), (13.0, 23.0)]
    assert found.windows.shape == (3, clap.dims)
    assert np.allclose(np.linalg.norm(found.windows, axis=1), 1.0, atol=1e-6)
    mean = found.windows.mean(axis=0)
    assert np.allclose(found.embedding, mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("samples", [1, 9, 10, 11, 19, 20, 21, 85])
def test_windows_cover_every_sample_and_none_reaches_beyond(samples):
    starts = window_starts(samples, 10)
    covered = {at for start in starts for at in range(start, min(start + 10, samples))}
    assert covered == set(range(samples))
    assert starts == sorted(set(starts))
    assert all(start + 10 <= max(samples, 10) for start in starts)


def test_probabilities_sum_to_1_and_follow_their_labels(clap, sound):
    heard = clap.embed_file(sound("tone.wav", 12.0, 16_000))
    result = clap.classify(heard, LABELS, clap.embed_texts(LABELS))
    assert result.probabilities.sum() == pytest.approx(1.0, abs=1e-6)
    assert [(span.start, span.end) for span in result.spans] == [(0.0, 10.0), (2.0, 12.0)]
    assert all(span.probabilities.sum() == pytest.approx(1.0, abs=1e-6) for span in result.spans)
    order = [2, 0, 1]
    turned = [LABELS[i] for i in order]
    other = clap.classify(heard, turned, clap.embed_texts(turned))
    assert np.allclose(other.probabilities, result.probabilities[order], atol=1e-5)
    assert [best.label for best in other.get_top_k(3)] == [best.label for best in result.get_top_k(3)]


def test_probabilities_are_those_of_the_library(clap, sound):
    import soundfile
    import torch

    path = sound("tone.wav", 10.0, 48_000)
    samples, rate = soundfile.read(path, dtype="float32")
    audio = clap.processor.feature_extractor(samples, sampling_rate=rate, return_tensors="pt")
    text = clap.processor.tokenizer(LABELS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = clap.model(**audio, **text).logits_per_audio.softmax(dim=-1)[0].numpy()
    found = clap.classify(clap.embed_file(path), LABELS, clap.embed_texts(LABELS)).probabilities
    assert np.allclose(found, expected, atol=1e-5)


def test_a_label_longer_than_the_model_reads_is_refused_not_cut(clap):
    with pytest.raises(UserError, match="tokens; the model reads 30"):
        clap.embed_texts(["drums", "rain and piano " * 20])


def test_the_folder_of_another_model_and_a_file_without_sound_are_refused(clap, whisper_folder, tmp_path):
    with pytest.raises(CheckpointError, match="it is of a 'whisper' model, not 'clap'"):
        open_weights(whisper_folder)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(DataError, match="is empty"):
        clap.embed_file(tmp_path / "empty.wav")
