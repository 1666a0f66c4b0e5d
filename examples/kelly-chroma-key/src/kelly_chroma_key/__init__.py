"""Key detection from MIDI for Kelly."""

__version__ = "0.1.0"
