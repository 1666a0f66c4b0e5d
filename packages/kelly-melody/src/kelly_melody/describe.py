"""The front end in words and numbers, for contract and card."""

from __future__ import annotations

from typing import Any

from kelly_melody.data.read import JOINED, LONGEST_REST
from kelly_melody.features.inputs import PLACE_SIZES, RUN_CLASSES
from kelly_melody.features.memory import LAGS, SCALE_SEMITONES, SCALE_STEPS, SOURCES
from kelly_melody.features.position import BARS, METRES, PHRASES, PLACES
from kelly_melody.tokens import DURATIONS, END, GRID, HIGH, LOW, N_DURATIONS, N_PITCHES, REST

VERSION = "melody-tokens-1"
"""Changes whenever a melody would be told differently."""

FEATURES: dict[str, Any] = {
    "kind": "melody-tokens",
    "version": VERSION,
    "ticks_per_quarter": GRID,
    "pitch": f"index 0 is relative MIDI pitch {LOW}, {HIGH - LOW} is {HIGH}; {REST} is a rest, {END} the end; "
    "relative = MIDI pitch + shift, which moves the (relative) major tonic to C by -6 to 5 semitones",
    "lowest_pitch": LOW,
    "rest": REST,
    "end": END,
    "durations_ticks": list(DURATIONS),
    "joined_ticks": JOINED,
    "longest_rest_ticks": LONGEST_REST,
    "last": f"one-hot pitch ({N_PITCHES}: none), then one-hot duration ({N_DURATIONS}: none)",
    "place": f"one-hot of place in the bar in 16ths ({PLACES}), place in the quarter in ticks ({GRID}), "
    f"bar modulo {BARS}, eights of bars so far ({PHRASES}), metre ({len(METRES)} and others), upbeat, "
    "tonic (12), minor",
    "place_sizes": PLACE_SIZES,
    "metres": [f"{numerator}/{denominator}" for numerator, denominator in METRES],
    "proposals": "per source: as `last`, one-hot class of the run, whether the pitch is the first source's",
    "sources": list(SOURCES),
    "lags_bars": list(LAGS),
    "scale_steps": SCALE_STEPS.tolist(),
    "scale_semitones": SCALE_SEMITONES.tolist(),
    "run_classes": RUN_CLASSES.tolist(),
}

LIMITS = (
    "It knows one voice; chords and counterpoint are reduced to their highest notes.",
    "Trained on British and Irish dance tunes in major, minor and modal keys, it continues in that style.",
    "It copies what a tune did before, as these tunes do; raise the temperature for more that is new.",
    "Velocities aren't part of it: written notes all have one.",
    "The host computes what the memory proposes (features); a runtime without it plays worse, not wrong.",
)
