"""From an audio file to emotions: the same front end, speech region and windows as in training. No torch.

Probabilities of a file are the normalised geometric mean over its windows, as in the evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError
from kelly_core.features.audio import MelConfig
from kelly_core.inference import Engine, FilePrediction, Span
from kelly_core.sound.described import hear_file
from kelly_core.sound.windows import FLOOR_DB, active_region, cut_window, evaluation_starts

WINDOWS_AT_ONCE = 32
"""Windows per call of the engine: bounds the memory of long files."""
LONG_FILE = 10.0
"""Files longer than this, in s, are also shown over time."""
SPAN_HOP = 2.0
"""Distance between two answers over time in a long file, s, unless the caller says otherwise."""
FloatArray = NDArray[np.float32]


def infer_file(engine: Engine, path: Path, hop: float | None = None) -> FilePrediction:
    """Recognise the emotion of an audio file.

    Args:
        engine: The loaded model.
        path: Anything that libsndfile decodes.
        hop: Distance between two answers over time, s; None gives them every 2 s for files longer than
            10 s, and none for shorter ones.

    Raises:
        DataError: The file can't be decoded, or holds nothing but digital silence.
        ContractError: The model was trained on other features than this version computes.
        UserError: `hop` is not positive.
    """
    if hop is not None and not hop > 0:
        raise UserError(f"the hop must be above 0 s, got {hop:g}", where="--hop", hint="for example 0.5")
    mel, config, seconds = hear_file(engine, path)
    contract = engine.contract
    window = contract.window["frames"]
    starts = evaluation_starts(active_region(mel), window, contract.window["hop_frames"])
    whole = _normalised(_log_probabilities(engine, mel, starts, window).mean(axis=0))
    every = hop if hop is not None else SPAN_HOP if seconds > LONG_FILE else None
    spans = () if every is None else tuple(_spans(engine, mel, window, config, every))
    return FilePrediction(path, seconds, contract.labels, whole, spans)


def _spans(engine: Engine, mel: FloatArray, window: int, config: MelConfig, hop: float) -> Iterator[Span]:
    """One window after the other at a fixed distance; those of digital silence are left out."""
    step = max(1, round(hop * config.frame_rate))
    last = max(0, len(mel) - window)
    starts = [
        start
        for start in range(0, last + step, step)
        if start < len(mel) and mel[start : start + window].max() > FLOOR_DB
    ]
    scores = _log_probabilities(engine, mel, starts, window)
    for start, row in zip(starts, scores, strict=True):
        end = min(start + window, len(mel) - 1)
        yield Span(start / config.frame_rate, end / config.frame_rate, _normalised(row))


def _log_probabilities(
    engine: Engine, mel: FloatArray, starts: Sequence[int], window: int
) -> NDArray[np.float64]:
    """(windows, classes)."""
    rows = []
    for at in range(0, len(starts), WINDOWS_AT_ONCE):
        cut = [cut_window(mel, start, window) for start in starts[at : at + WINDOWS_AT_ONCE]]
        batch = np.ascontiguousarray(np.stack(cut).transpose(0, 2, 1))[:, None]  # (batch, 1, n_mels, window)
        probabilities = engine.infer({"input": batch}).probabilities().astype(np.float64)
        rows.append(np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)))
    return np.concatenate(rows) if rows else np.zeros((0, len(engine.contract.labels)))


def _normalised(log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(log_probabilities - log_probabilities.max())
    return raised / raised.sum()
