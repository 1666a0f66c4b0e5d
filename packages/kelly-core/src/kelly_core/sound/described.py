"""The log-mel front end in a contract: written for the interface, read back where files are heard. No torch."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import Contract, TensorInfo
from kelly_core.data.audio_files import read_audio
from kelly_core.errors import ContractError, DataError, UserError
from kelly_core.features.audio import FEATURE_VERSION, LogMel, MelConfig
from kelly_core.sound.windows import FLOOR_DB
from kelly_core.specs import Dim

if TYPE_CHECKING:
    from kelly_core.inference import Engine

UNIT = "dB (10 log10 of mel power, floored at 1e-10)"


def mel_input(n_mels: int, frames: Dim) -> TensorInfo:
    """The network's input `input`: (batch, 1, n_mels, frames), dB."""
    return TensorInfo(name="input", shape=["batch", 1, n_mels, frames], unit=UNIT, low=FLOOR_DB)


def mel_features(config: MelConfig) -> dict[str, Any]:
    """What a contract says of the front end, under `features`."""
    return {"kind": "log-mel", "version": FEATURE_VERSION, **config.as_dict(), "floor_db": FLOOR_DB}


def mel_config(contract: Contract) -> MelConfig:
    """The front end that the contract of a model that hears describes.

    Raises:
        ContractError: It describes none, or one that this version doesn't compute.
    """
    features, where = contract.features, f"contract of {contract.model_id!r}"
    names = [field.name for field in fields(MelConfig)]
    missing = [name for name in (*names, "version") if name not in features]
    missing += [f"window.{name}" for name in ("frames", "hop_frames") if name not in contract.window]
    if missing:
        raise ContractError(
            f"its contract does not describe the log-mel front end (missing: {', '.join(missing)})",
            where=where,
            hint="export the model again",
            code="contract.other-version",
        )
    if features["version"] != FEATURE_VERSION:
        raise ContractError(
            f"it was trained on features {features['version']!r}; this kelly-core computes {FEATURE_VERSION!r}",
            where=where,
            hint="train it again, or install the kelly-core it was trained with",
            code="contract.other-version",
        )
    return MelConfig(**{name: features[name] for name in names})


def hear_file(engine: Engine, path: Path) -> tuple[NDArray[np.float32], MelConfig, float]:
    """A sound file as the model's front end gives it.

    Args:
        engine: The loaded model.
        path: Anything that libsndfile decodes.

    Returns:
        (frames, n_mels) dB, the front end's settings, and the file's length in s.

    Raises:
        DataError: The file can't be decoded, or holds nothing but digital silence.
        ContractError: The model was trained on other features than this version computes.
        UserError: The engine's file takes sound itself.
    """
    contract = engine.contract
    if contract.interface:
        raise UserError(
            f"the {engine.runtime} file takes sound itself and isn't fed with prepared features",
            where=str(path),
            hint='call engine.infer({"waveform": samples}), or choose another runtime',
        )
    front_end = _front_end(mel_config(contract))
    config = front_end.config
    samples = read_audio(path, config.sample_rate)
    mel = np.ascontiguousarray(front_end(samples).T)  # (frames, n_mels)
    if mel.max() <= FLOOR_DB:
        raise DataError(
            "it holds nothing but digital silence",
            where=str(path),
            hint="check the recording",
            code="data.sound",
        )
    return mel, config, len(samples) / config.sample_rate


@lru_cache(maxsize=4)
def _front_end(config: MelConfig) -> LogMel:
    return LogMel(config)
