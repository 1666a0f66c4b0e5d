"""What a person listens to: melodies with the predicted and the written chords, as MIDI and sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.lead import MIDDLE, SLOTS, SOUNDING, Lead
from kelly_harmony.voicing import segments, voice_chords

TICKS = 480
BPM = 100.0


def write_sample(folder: Path, name: str, lead: Lead, said: NDArray[np.integer], beats: int) -> None:
    """Write the first beats with each kind of chords.

    Args:
        folder: Where to.
        name: Begin of the files' names.
        lead: The tune, with the written chords.
        said: (beats,) the predicted ones.
        beats: How many.
    """
    from kelly_core.features.midi import encode
    from kelly_core.features.midi.samples import write_sample as write_midi_sample

    first = int(np.argmax(lead.melody[:, -1] > 0.05)) if len(lead) else 0
    part = slice(first, first + beats)
    melody = _melody_notes(lead.melody[part])
    for version, chords in {"written": lead.chords, "predicted": said}.items():
        notes = np.concatenate([melody, _chord_notes(np.maximum(0, chords[part]))])
        data = encode(notes, BPM, (4, 4), TICKS, ("", "Melody", "Chords"))
        write_midi_sample(folder, f"{name}.{version}", data)


def _melody_notes(melody: NDArray[np.float32]) -> NDArray[Any]:
    """The melody as the network hears it: in each slot the pitch class that sounds longest, near its height."""
    from kelly_core.features.midi import make_notes

    slots = melody[:, :SOUNDING].reshape(-1, 12)
    heard = slots.max(axis=1) > 0.3
    height = np.repeat(melody[:, -2] * 12.0 + MIDDLE + 12.0 * (melody[:, -2] == 0.0), SLOTS)
    best = slots.argmax(axis=1)
    pitch = np.clip(best + 12 * np.rint((height - best) / 12.0), 0, 127).astype(np.int64)
    new = heard & np.append(True, (np.diff(pitch) != 0) | ~heard[:-1])
    starts = np.flatnonzero(new)
    stops = [int(at + 1 + np.argmax(np.append(~heard[at + 1 :] | new[at + 1 :], True))) for at in starts]
    tick = TICKS // SLOTS
    lengths = (np.array(stops, np.int64) - starts) * tick
    return make_notes(pitch[starts], starts * tick, lengths, 90, track=1, ticks_per_beat=TICKS, bpm=BPM)


def _chord_notes(chords: NDArray[np.integer]) -> NDArray[Any]:
    from kelly_core.features.midi import make_notes

    parts = segments(chords, np.arange(len(chords)) // 4)
    voiced = voice_chords([part.chord for part in parts], [float("inf")] * len(parts))
    rows = [
        (pitch, part.start * TICKS, (part.stop - part.start) * TICKS)
        for part, voices in zip(parts, voiced, strict=True)
        for pitch in voices
    ]
    pitch, onset, length = np.array(rows, np.int64).reshape(-1, 3).T
    return make_notes(pitch, onset, length, 60, channel=1, track=2, ticks_per_beat=TICKS, bpm=BPM)
