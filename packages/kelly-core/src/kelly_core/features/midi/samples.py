"""What a training run leaves to listen to: a MIDI file and beside it the same as sound."""

from __future__ import annotations

from pathlib import Path

from kelly_core import atomic
from kelly_core.features.midi.preview import write_preview
from kelly_core.features.midi.read import MidiFile, read_bytes


def write_sample(folder: Path, name: str, data: bytes, *, longest: float = 30.0) -> MidiFile:
    """Write `NAME.mid` and a rendered `NAME.wav`; for `Task.write_samples`.

    Args:
        folder: Where to.
        name: Stem of both files.
        data: A MIDI file's bytes: `encode(notes, ...)` of new notes, or `rewritten(midi, ...)`.
        longest: Seconds of sound at most.

    Returns:
        The file as read back.
    """
    atomic.write_bytes(folder / f"{name}.mid", data)
    midi = read_bytes(data, folder / f"{name}.mid")
    write_preview(folder / f"{name}.wav", midi.notes, longest=longest)
    return midi
