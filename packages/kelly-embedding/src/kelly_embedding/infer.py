"""From a sound file to its embedding: the same front end and windows as in training. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kelly_core.inference import Engine, FileEmbedding
from kelly_core.sound.described import hear_file
from kelly_core.sound.windows import active_region, cut_window, evaluation_starts
from kelly_embedding.pool import pool

WINDOWS_AT_ONCE = 256
"""Windows per call of the engine: bounds the memory of long files."""


def embed_file(engine: Engine, path: Path) -> FileEmbedding:
    """Embed a sound file.

    Windows lie half a window apart over what sounds of the file. The file's embedding is the mean of each
    number over the windows, then the deviation of each.

    Args:
        engine: The loaded model.
        path: Anything that libsndfile decodes.

    Raises:
        DataError: The file can't be decoded, or holds nothing but digital silence.
        ContractError: The model was trained on other features than this version computes.
        UserError: The engine's file takes sound itself.
    """
    mel, config, seconds = hear_file(engine, path)
    window = engine.contract.window["frames"]
    starts = evaluation_starts(active_region(mel), window, engine.contract.window["hop_frames"])
    parts = []
    for at in range(0, len(starts), WINDOWS_AT_ONCE):
        cut = np.stack([cut_window(mel, start, window) for start in starts[at : at + WINDOWS_AT_ONCE]])
        batch = np.ascontiguousarray(cut.transpose(0, 2, 1))[:, None]  # (batch, 1, n_mels, window)
        parts.append(engine.infer({"input": batch}).outputs["embedding"])
    windows = np.concatenate(parts)
    times = [
        (max(0.0, start / config.frame_rate), min(seconds, (start + window) / config.frame_rate))
        for start in starts
    ]
    return FileEmbedding(Path(path), seconds, pool(windows), windows, times)
