"""Symbolic music: reading any MIDI file, tempo and metre maps, notes as a table, writing."""

from kelly_core.features.midi.append import with_track
from kelly_core.features.midi.keys import Key, estimate_key, parse_key
from kelly_core.features.midi.read import (
    DRUM_CHANNEL,
    MIDI_VERSION,
    NOTE_DTYPE,
    SUFFIXES,
    MidiFile,
    read_bytes,
    read_midi,
)
from kelly_core.features.midi.rewrite import rewritten, write_back
from kelly_core.features.midi.timing import Bars
from kelly_core.features.midi.write import encode, make_notes, write_notes

__all__ = [
    "DRUM_CHANNEL",
    "MIDI_VERSION",
    "NOTE_DTYPE",
    "SUFFIXES",
    "Bars",
    "Key",
    "MidiFile",
    "encode",
    "estimate_key",
    "make_notes",
    "parse_key",
    "read_bytes",
    "read_midi",
    "rewritten",
    "with_track",
    "write_back",
    "write_notes",
]
