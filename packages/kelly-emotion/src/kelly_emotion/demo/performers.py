"""Synthetic performers: each has a timbre, a tuning, a room and habits that stay the same in all clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HARMONICS = 40

_OWN_STREAM = 1_000_000  # no clip's seed has this word, and zeros at the end of a seed don't count


@dataclass(frozen=True, slots=True)
class Performer:
    """What stays the same whatever is played.

    Attributes:
        name: `"synthetic-01"` and so on.
        harmonics: `(40,)` weights of the partials before the emotion's spectral tilt.
        phases: `(40,)` starting phases of the partials, radians.
        tuning: Offset from 440 Hz, cents.
        tempo: Factor on every tempo.
        level: Added to every level, dB.
        register: Added to every pitch, semitones.
        sustain: Level a held note settles at, 0 (plucked) to 1 (bowed).
        vibrato_rate: Hz.
        room: Length of the room's decay, s.
        wet: Share of the room in the sound, as an amplitude.
        noise: Level of the recording's noise, dBFS.
    """

    name: str
    harmonics: npt.NDArray[np.float64]
    phases: npt.NDArray[np.float64]
    tuning: float
    tempo: float
    level: float
    register: float
    sustain: float
    vibrato_rate: float
    room: float
    wet: float
    noise: float


def make_performer(number: int, seed: int) -> Performer:
    """Performer `number` (from 0) of the set made with `seed`."""
    rng = np.random.default_rng([seed, number, _OWN_STREAM])
    order = np.arange(1, HARMONICS + 1)
    body = 10 ** (0.15 * rng.standard_normal(HARMONICS))
    even = np.where(order % 2 == 0, rng.uniform(0.15, 1.0), 1.0)  # weak even partials sound hollow
    formant = 1.0 + rng.uniform(0.0, 3.0) * np.exp(-((np.log2(order / rng.uniform(2.0, 6.0)) / 0.6) ** 2))
    return Performer(
        name=f"synthetic-{number + 1:02d}",
        harmonics=body * even * formant,
        phases=rng.uniform(0.0, 2 * np.pi, HARMONICS),
        tuning=float(rng.normal(0.0, 8.0)),
        tempo=float(np.exp(rng.normal(0.0, 0.07))),
        level=float(rng.normal(0.0, 1.5)),
        register=float(rng.normal(0.0, 2.0)),
        sustain=float(rng.uniform(0.25, 0.95)),
        vibrato_rate=float(rng.uniform(4.5, 6.8)),
        room=float(rng.uniform(0.08, 0.3)),
        wet=float(rng.uniform(0.05, 0.3)),
        noise=float(rng.uniform(-78.0, -62.0)),
    )
