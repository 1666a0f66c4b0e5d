"""The key of a file, as a whole and bar by bar, by a trained model in any runtime. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from kelly_core.errors import ContractError
from kelly_core.features.midi import MidiFile, read_midi
from kelly_core.inference import Engine, FilePrediction, Span, softmax
from numpy.typing import NDArray

from kelly_chroma_key.chroma import frames_of


def infer_file(engine: Engine, path: Path) -> FilePrediction:
    """The key of a MIDI file, and of each bar what the model knows at its end.

    Args:
        engine: The loaded model.
        path: The file.

    Raises:
        DataError: It can't be read, or no pitched note is in it.
        ContractError: The model isn't one of keys.
    """
    contract = engine.contract
    if contract.features.get("kind") != "beat-chroma":
        raise ContractError(
            "it isn't a model of keys",
            where=f"contract of {contract.model_id!r}",
            hint="train one: kelly train chroma-key --data demo",
        )
    midi = read_midi(Path(path))
    frames = frames_of(midi)
    said = softmax(engine.infer({"frames": frames[None]}).outputs["logits"][0])  # (beats, keys)
    seconds = float(midi.seconds(midi.end_tick))
    return FilePrediction(Path(path), seconds, contract.labels, said.mean(axis=0), _bars(midi, said))


def _bars(midi: MidiFile, said: NDArray[np.floating]) -> list[Span]:
    """A span per bar, with what is said after its last beat."""
    ticks = np.arange(len(said) + 1) * midi.ticks_per_beat
    times, bars = midi.seconds(ticks), midi.bars(ticks[:-1]).bar
    last = np.flatnonzero(np.append(np.diff(bars) > 0, True))
    first = np.append(0, last[:-1] + 1)
    return [
        Span(float(times[begin]), float(times[end + 1]), said[end])
        for begin, end in zip(first, last, strict=True)
    ]
