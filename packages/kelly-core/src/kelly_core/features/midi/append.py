"""A further track for a file that was read: notes, and texts such as lyrics and markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError
from kelly_core.features.midi import smf
from kelly_core.features.midi.read import MidiFile
from kelly_core.features.midi.rewrite import LONGEST_DELTA, track_chunk
from kelly_core.features.midi.write import note_track

TextKind = Literal["lyric", "marker", "text", "cue"]
_KINDS: dict[str, int] = {"text": 0x01, "lyric": 0x05, "marker": 0x06, "cue": 0x07}


def with_track(
    midi: MidiFile,
    notes: NDArray[Any],
    *,
    name: str = "",
    texts: Sequence[tuple[int, TextKind, str]] = (),
    programs: Mapping[int, int] | None = None,
) -> bytes:
    """The bytes of a file with one more track; every event that it had keeps its bytes and tick.

    Args:
        midi: The file as it was read; of format 0 it becomes format 1.
        notes: (notes,) of `NOTE_DTYPE`; ticks count, the column `track` doesn't. Of notes that would sound
            into the next of their channel and pitch, the end moves.
        name: The new track's name.
        texts: (tick, kind, text); what Latin-1 lacks is written as `?`.
        programs: Channel -> General MIDI program from 0.

    Raises:
        UserError: A value is out of the format's range.
    """
    ticks = np.array([tick for tick, _, _ in texts], np.int64)
    if np.any((ticks < 0) | (ticks > LONGEST_DELTA)):
        raise UserError("a text's tick is out of range", where="with_track", hint="times begin at 0")
    events = [(tick, _KINDS[kind], text.encode("latin-1", "replace")) for tick, kind, text in texts]
    raw = midi.raw
    chunks = [track_chunk(raw, number) for number in range(len(raw.tracks))]
    chunks.append(note_track(notes, name, programs or {}, midi.ticks_per_beat, events))
    return b"".join([smf.header(1, len(chunks), raw.division), *chunks, *raw.foreign])
