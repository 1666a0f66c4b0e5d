"""A key as a number, as the network and its contract take it: `2 * tonic + minor`, tonics counted from C."""

from __future__ import annotations

from kelly_core.features.midi import Key
from kelly_harmony.chords import ROOTS

N_KEYS = 24


def key_number(key: Key) -> int:
    """The number of a key.

    >>> key_number(Key(fifths=-1, minor=True))
    5
    """
    return 2 * key.tonic + int(key.minor)


def key_name(key: int) -> str:
    """The name of a number's key for people: `Bb major`."""
    return f"{ROOTS[key // 2]} {'minor' if key % 2 else 'major'}"
