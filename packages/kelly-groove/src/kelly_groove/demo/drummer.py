"""Synthetic drummers: a pattern for each style, and habits of timing and loudness that stay the same.

The habits are of the kinds that studies of microtiming name (a late snare, early or late ride and hi-hat,
swung off-beats, accents by place in the bar), with sizes drawn at random. Units: 16ths and MIDI velocity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_groove.drums import DRUMS
from kelly_groove.grid import N_DRUMS

BAR = 16
KICK, SNARE, CLOSED, OPEN, LOW, MID, HIGH, CRASH, RIDE = range(N_DRUMS)
assert len(DRUMS) == N_DRUMS

PATTERNS: dict[str, dict[int, str]] = {
    "rock": {KICK: "x.......x.x.....", SNARE: "....x.......x...", CLOSED: "x.x.x.x.x.x.x.x."},
    "punk": {KICK: "x.x...x.x.x...x.", SNARE: "..x...x...x...x.", CRASH: "x...x...x...x..."},
    "funk": {KICK: "x.x....x..x..x..", SNARE: "....x..x.x..x..x", CLOSED: "xxxxxxxxxxxxxxxx"},
    "hiphop": {KICK: "x......x..x.....", SNARE: "....x.......x..x", CLOSED: "x.x.x.x.x.xxx.x."},
    "jazz/swing": {KICK: "x.......x.......", CLOSED: "....x.......x...", RIDE: "x...x..xx...x..x"},
    "funk/purdieshuffle": {KICK: "x......xx.......", SNARE: ".......xx......x", CLOSED: "x..xx..xx..xx..x"},
    "latin/brazilian-samba": {KICK: "x..xx..xx..xx..x", SNARE: "x.x.xx.x.x.xx.x.", RIDE: "x.xxx.xxx.xxx.xx"},
    "reggae": {KICK: "........x.......", SNARE: "........x.......", CLOSED: "..x...x...x...x."},
}
"""One bar of each style: where each drum is hit."""
SWUNG = {"jazz/swing": 1.0, "funk/purdieshuffle": 1.0, "hiphop": 0.3}
"""How far the second 16th pair of a beat moves to the triplet: step 3 of 4 to 2.667."""
TEMPO = {"punk": (160, 190), "jazz/swing": (120, 180), "reggae": (70, 90), "hiphop": (80, 100)}


@dataclass(frozen=True, slots=True)
class Habits:
    """What stays the same in all that a synthetic drummer plays.

    Attributes:
        lateness: (drums,) 16ths.
        place: (16, drums) further lateness by place in the bar, 16ths.
        loudness: (drums,) velocity.
        accent: (16, drums) further velocity by place in the bar.
        jitter: Deviation of single hits, 16ths and velocity.
    """

    lateness: NDArray[np.float64]
    place: NDArray[np.float64]
    loudness: NDArray[np.float64]
    accent: NDArray[np.float64]
    jitter: tuple[float, float]


def make_drummer(number: int, seed: int) -> Habits:
    """Synthetic drummer `number` (from 0) of the set made with `seed`."""
    rng = np.random.default_rng([seed, number, 7])
    common = np.random.default_rng([seed, 1_000_003])  # what all of them share, so that a score tells something
    place = common.normal(0.0, 0.04, (BAR, N_DRUMS)) + rng.normal(0.0, 0.02, (BAR, N_DRUMS))
    beat = np.where(np.arange(BAR) % 4 == 0, 14.0, np.where(np.arange(BAR) % 2 == 0, 0.0, -20.0))
    accent = beat[:, None] + common.normal(0.0, 6.0, (BAR, N_DRUMS)) + rng.normal(0.0, 5.0, (BAR, N_DRUMS))
    return Habits(
        lateness=rng.normal(-0.02, 0.05, N_DRUMS) + common.normal(0.0, 0.03, N_DRUMS),
        place=place,
        loudness=rng.normal(80.0, 8.0, N_DRUMS),
        accent=accent,
        jitter=(0.03, 5.0),
    )


def perform(style: str, habits: Habits, bars: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Play a few bars.

    Args:
        style: A key of `PATTERNS`.
        habits: Who plays.
        bars: How many.
        rng: What varies from bar to bar.

    Returns:
        (hits, 4): position in 16ths from the start (never negative), drum, velocity, nominal step.
    """
    rows = []
    for bar in range(bars):
        for drum, pattern in PATTERNS[style].items():
            for step in range(BAR):
                written = pattern[step] == "x"
                if rng.random() > (0.94 if written else 0.02 * (drum == SNARE)):
                    continue
                swing = -SWUNG.get(style, 0.0) / 3 if step % 4 == 3 else 0.0
                late = habits.lateness[drum] + habits.place[step, drum] + swing
                late = float(np.clip(late + rng.normal(0.0, habits.jitter[0]), -0.45, 0.45))
                loud = habits.loudness[drum] + habits.accent[step, drum] + rng.normal(0.0, habits.jitter[1])
                nominal = bar * BAR + step
                rows.append((max(0.0, nominal + late), drum, float(np.clip(round(loud), 1, 127)), nominal))
    return np.array(sorted(rows))


def draw_tempo(style: str, rng: np.random.Generator) -> int:
    """Quarter notes a minute that suit a style."""
    low, high = TEMPO.get(style, (95, 125))
    return int(rng.integers(low, high + 1))
