"""Acoustic cues of seven emotions, as distributions that a synthetic performer draws from.

Which way each cue points is taken from published tables; the numbers and their spreads are ours, chosen so
that neighbouring emotions overlap as they do for listeners.

- Juslin and Laukka (2003), "Communication of emotions in vocal expression and music performance",
  Psychological Bulletin 129(5), 770-814: the summary of acoustic cues for anger, fear, happiness and
  sadness (tempo, level and its variability, high-frequency energy, pitch, contour, attacks,
  articulation, irregularity of timing).
- Scherer and Oshinsky (1977), "Cue utilization in emotion attribution from auditory stimuli", Motivation
  and Emotion 1(4), 331-346, table on p. 340: the source for disgust (many harmonics, small pitch
  variation, round envelope, slow) and for surprise (many harmonics, rising contour, large pitch
  variation, fast, sharp envelope), which studies of performance leave out.
- Gabrielsson and Lindström (2010), "The role of structure in the musical expression of emotions", in
  Handbook of Music and Emotion, Oxford: mode, register, range and contour.
- Eerola, Friberg and Bresin (2013), "Emotional expression in music: contribution, linearity, and
  additivity of primary musical cues", Frontiers in Psychology 4, 487: mode, tempo, level, articulation,
  timbre and register varied independently, and nearly additive in effect.

Neutral is ours: the middle of every scale, played evenly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

UNITS = MappingProxyType(
    {
        "tempo": "beats per minute",
        "major": "chance of a major key",
        "register": "mean pitch, MIDI number",
        "span": "pitch range, semitones",
        "contour": "rise over the phrase, semitones",
        "articulation": "sounding share of a note",
        "level": "loudness, dBFS",
        "dynamics": "spread of level between notes, dB",
        "tilt": "spectral tilt, dB per octave",
        "attack": "attack, ms",
        "vibrato": "vibrato depth, cents",
        "timing": "irregularity of onsets, % of a beat",
        "roughness": "depth of amplitude roughness, 0 to 1",
    }
)


@dataclass(frozen=True, slots=True)
class Cues:
    """One value of every cue; units in `UNITS`."""

    tempo: float
    major: float
    register: float
    span: float
    contour: float
    articulation: float
    level: float
    dynamics: float
    tilt: float
    attack: float
    vibrato: float
    timing: float
    roughness: float


CENTRES: MappingProxyType[str, Cues] = MappingProxyType(
    {
        "happy": Cues(146, 0.90, 73, 11, 2, 0.50, -20, 2.0, -9.5, 12, 14, 2.0, 0.05),
        "sad": Cues(68, 0.12, 63, 6, -4, 0.92, -29, 1.2, -13.0, 70, 24, 5.0, 0.05),
        "angry": Cues(140, 0.15, 67, 6, 2, 0.70, -16, 3.0, -4.5, 7, 18, 4.0, 0.45),
        "fear": Cues(134, 0.15, 75, 6, 3, 0.55, -28, 4.0, -9.0, 35, 34, 9.0, 0.15),
        "surprise": Cues(130, 0.55, 72, 16, 9, 0.55, -20, 4.0, -5.5, 8, 10, 6.0, 0.08),
        "disgust": Cues(84, 0.20, 61, 5, 1, 0.75, -22, 2.0, -5.0, 50, 14, 5.0, 0.35),
        "neutral": Cues(100, 0.60, 67, 8, 0, 0.80, -24, 1.2, -8.5, 25, 8, 1.5, 0.05),
    }
)
"""Middle of each emotion's distribution."""

SPREAD = Cues(0.12, 0.0, 2.5, 0.2, 1.8, 0.10, 2.5, 0.25, 1.5, 0.4, 0.35, 0.3, 0.4)
"""Standard deviation of every emotion: of the logarithm for the cues in `RATIOS`, plain for the others.

Draws end at two deviations."""

RATIOS = frozenset({"tempo", "span", "dynamics", "attack", "vibrato", "timing", "roughness"})
"""Cues whose differences are heard as ratios."""

LIMITS: MappingProxyType[str, tuple[float, float]] = MappingProxyType(
    {
        "tempo": (44.0, 220.0),
        "register": (48.0, 86.0),
        "span": (3.0, 24.0),
        "articulation": (0.2, 1.0),
        "level": (-38.0, -13.0),
        "tilt": (-18.0, -2.0),
        "attack": (4.0, 160.0),
        "roughness": (0.0, 0.8),
    }
)


def draw_cues(emotion: str, rng: np.random.Generator) -> Cues:
    """Draw one performance's cues; `major` comes out as 0 or 1.

    Every cue is drawn on its own, so a performance may have some that are typical and some that aren't.
    """
    centre, values = CENTRES[emotion], dict[str, Any]()
    for field in fields(Cues):
        middle, spread = getattr(centre, field.name), getattr(SPREAD, field.name)
        off = float(np.clip(rng.standard_normal(), -2.0, 2.0))  # nobody plays angry at half its tempo
        if field.name == "major":
            value = float(rng.random() < middle)
        elif field.name in RATIOS:
            value = middle * math.exp(spread * off)
        else:
            value = middle + spread * off
        low, high = LIMITS.get(field.name, (-np.inf, np.inf))
        values[field.name] = float(np.clip(value, low, high))
    return Cues(**values)
