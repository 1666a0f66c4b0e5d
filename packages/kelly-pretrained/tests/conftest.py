"""Small models with RANDOM weights in the real layout: what they say means nothing, how they are run does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

SENTENCES = ["a happy song, played on the piano", "a sad song about rain", "drums and bass, loud and fast"]
LANGUAGES = ("en", "de", "fr")


def train_tokenizer(folder, size, special=()):
    """A byte-level BPE vocabulary and its merges, learned from three sentences."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False, special_tokens=list(special)
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.model.save(str(folder))
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    return vocab, [tuple(line.split()) for line in lines]


def save_whisper(folder, *, multilingual=True):
    """A random Whisper with one layer and 16 channels, in the files of the published one."""
    import torch
    from tokenizers import AddedToken
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    vocab, merges = train_tokenizer(folder, 300)
    tokenizer = WhisperTokenizer(vocab=vocab, merges=merges)
    spoken = [f"<|{code}|>" for code in LANGUAGES]
    special = ["<|endoftext|>", "<|startoftranscript|>", *spoken, "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text in special], True)
    tokenizer.add_tokens([AddedToken(f"<|{0.02 * step:.2f}|>", normalized=False) for step in range(1501)])
    number = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    ends = {f"{place}_token_id": number["<|endoftext|>"] for place in ("eos", "bos", "pad")}
    begins = {"decoder_start_token_id": number["<|startoftranscript|>"], **ends}
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=12,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **begins,
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    known = {
        "lang_to_id": {token: number[token] for token in spoken},
        "task_to_id": {task: number[f"<|{task}|>"] for task in ("transcribe", "translate")},
    }
    model.generation_config = GenerationConfig(
        max_length=12,
        is_multilingual=multilingual,
        no_timestamps_token_id=number["<|notimestamps|>"],
        prev_sot_token_id=number["<|startofprev|>"],
        max_initial_timestamp_index=50,
        begin_suppress_tokens=[number["<|endoftext|>"]],
        **begins,
        **(known if multilingual else {}),
    )
    for part in (model, tokenizer, WhisperFeatureExtractor()):
        part.save_pretrained(folder)
    return folder


def save_clap(folder, *, fusion=False):
    """A random CLAP with 8 channels and embeddings of 12 numbers, in the files of the published one."""
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizer

    vocab, merges = train_tokenizer(folder, 320, ("<s>", "<pad>", "</s>", "<unk>", "<mask>"))
    tokenizer = RobertaTokenizer(vocab=vocab, merges=merges, model_max_length=30)
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    audio = {"patch_embeds_hidden_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_classes": 4}
    audio |= {"depths": [1, 1], "num_attention_heads": [2, 2], "enable_fusion": fusion}
    config = ClapConfig(
        text_config={"vocab_size": len(tokenizer), "max_position_embeddings": 32, **text},
        audio_config={"fusion_type": "aff_2d" if fusion else None, **audio},
        projection_dim=12,
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    extractor = ClapFeatureExtractor(truncation="fusion" if fusion else "rand_trunc")
    for part in (ClapModel(config), tokenizer, extractor):
        part.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory):
    return save_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="session")
def clap_folder(tmp_path_factory):
    return save_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="session")
def fused_clap_folder(tmp_path_factory):
    return save_clap(tmp_path_factory.mktemp("fused"), fusion=True)


@pytest.fixture(scope="session")
def whisper(whisper_folder):
    from kelly_pretrained.whisper import open_weights

    return open_weights(whisper_folder)


@pytest.fixture(scope="session")
def clap(clap_folder):
    from kelly_pretrained.clap import open_weights

    return open_weights(clap_folder)


def write_sound(path, seconds, rate=16_000, channels=1, hertz=220.0):
    """A tone that swells and fades; every channel the same."""
    time = np.arange(int(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * hertz * time) * np.sin(np.pi * time / max(seconds, 1e-9)) ** 2
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate, subtype="FLOAT")
    return Path(path)


@pytest.fixture
def sound(tmp_path):
    """`sound(name, seconds, rate, channels, hertz)` writes a WAV file and gives its path."""
    return lambda name, *details, **more: write_sound(tmp_path / name, *details, **more)


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """A workspace, and a hub's cache, in which nothing is."""
    from huggingface_hub import constants

    for name in ("KELLY_DATA_ROOT", "KELLY_PRETRAINED", "KELLY_PLUGINS", "KELLY_NO_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path / "place"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path
