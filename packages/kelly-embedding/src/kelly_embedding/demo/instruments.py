"""Six kinds of synthetic instrument. Sound is mono at 16 kHz, full scale ±1; times in s, pitches in Hz."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
HIGHEST = 7_000.0
"""Partials above are left out, so that nothing aliases."""
Floats = NDArray[np.float64]
BELL = (1.0, 2.76, 5.40, 8.93)
"""Partials of a bar that swings freely (Fletcher and Rossing, The Physics of Musical Instruments)."""


@dataclass(frozen=True, slots=True)
class Player:
    """What stays alike over all clips of a player, whatever the instrument.

    Attributes:
        tuning: Factor on every pitch.
        brightness: Exponent added to how partials fall off; positive is darker.
        hum_db: Level of the room's noise.
        gain_db: Level of the recording.
    """

    tuning: float
    brightness: float
    hum_db: float
    gain_db: float


def make_player(number: int, seed: int) -> Player:
    """A player, the same for the same number and seed."""
    rng = np.random.default_rng([seed, number])
    return Player(
        float(2 ** rng.uniform(-0.05, 0.05)),
        float(rng.uniform(-0.3, 0.3)),
        float(rng.uniform(-70.0, -50.0)),
        float(rng.uniform(-18.0, 0.0)),
    )


def render(kind: str, player: Player, seconds: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A short phrase on one instrument.

    Args:
        kind: One of `KINDS`.
        player: Who plays.
        seconds: Length of the phrase.
        rng: Where notes come from.

    Returns:
        (samples,), at most full scale.
    """
    total = np.zeros(int(seconds * SAMPLE_RATE))
    count = int(rng.integers(3, 6))
    for onset in np.linspace(0.05, 0.75, count) * seconds:
        begin = int(onset * SAMPLE_RATE)
        pitch = player.tuning * 220.0 * 2 ** (int(rng.choice([0, 2, 4, 7, 9, 12])) / 12)
        note = KINDS[kind](pitch, rng.uniform(0.25, 0.5) * seconds, player, rng) * rng.uniform(0.5, 1.0)
        end = min(len(total), begin + len(note))
        total[begin:end] += note[: end - begin]
    total *= 10 ** (player.gain_db / 20) * 0.7 / np.abs(total).max()
    total += 10 ** (player.hum_db / 20) * rng.normal(size=len(total))
    return np.clip(total, -1.0, 1.0).astype(np.float32)


def _time(seconds: float) -> Floats:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _partials(
    ratios: Sequence[float], fall: float, pitch: float, time: Floats, player: Player, vibrato: float = 0.0
) -> tuple[Floats, Floats]:
    """(partials, samples) sines that grow weaker with their ratio, and (partials, 1) their ratios."""
    kept = np.array([ratio for ratio in ratios if ratio * pitch * 1.02 < HIGHEST])[:, None]
    phase = 2 * np.pi * pitch * (time + vibrato * np.sin(2 * np.pi * 5.5 * time) / (2 * np.pi * 5.5))
    return np.sin(kept * phase) * kept ** -(fall + player.brightness), kept


def _edges(time: Floats, attack: float, release: float) -> Floats:
    """An envelope that rises, holds and falls, linearly."""
    return np.minimum(1.0, np.minimum(time / attack, (time[-1] - time) / release))


def _plucked(pitch: float, seconds: float, player: Player, _: np.random.Generator) -> Floats:
    time = _time(seconds)
    sines, ratios = _partials(range(1, 24), 1.0, pitch, time, player)
    return np.asarray((sines * np.exp(-time * (3.0 + 1.5 * ratios))).sum(axis=0) * _edges(time, 0.003, 0.02))


def _bowed(pitch: float, seconds: float, player: Player, _: np.random.Generator) -> Floats:
    time = _time(seconds)
    sines, _ratios = _partials(range(1, 24), 0.8, pitch, time, player, vibrato=0.01)
    return np.asarray(sines.sum(axis=0) * _edges(time, 0.12, 0.08))


def _reed(pitch: float, seconds: float, player: Player, rng: np.random.Generator) -> Floats:
    time = _time(seconds)
    sines, _ratios = _partials(range(1, 24, 2), 0.5, pitch, time, player)
    return np.asarray((sines.sum(axis=0) + 0.03 * rng.normal(size=len(time))) * _edges(time, 0.03, 0.04))


def _bell(pitch: float, seconds: float, player: Player, _: np.random.Generator) -> Floats:
    time = _time(seconds)
    sines, ratios = _partials(BELL, 0.3, 2 * pitch, time, player)
    return np.asarray((sines * np.exp(-time * ratios)).sum(axis=0) * _edges(time, 0.002, 0.05))


def _drum(pitch: float, seconds: float, player: Player, rng: np.random.Generator) -> Floats:
    time = _time(min(seconds, 0.25))
    swept = np.sin(2 * np.pi * pitch / 3 * (time + 0.03 * (1 - np.exp(-time / 0.02))))
    stroke = rng.normal(size=len(time)) * np.exp(-time / 0.03) * 10 ** (-player.brightness / 2)
    return np.asarray((swept * np.exp(-time / 0.08) + 0.6 * stroke) * _edges(time, 0.001, 0.02))


def _breath(pitch: float, seconds: float, player: Player, rng: np.random.Generator) -> Floats:
    time = _time(seconds)
    spectrum = np.fft.rfft(rng.normal(size=len(time)))
    bins = np.fft.rfftfreq(len(time), 1 / SAMPLE_RATE)
    spectrum *= np.exp(-0.5 * ((bins - 4 * pitch) / (600 * 2**-player.brightness)) ** 2)
    noise = np.fft.irfft(spectrum, len(time))
    return np.asarray(noise / np.abs(noise).max() * _edges(time, 0.15, 0.15))


Note = Callable[[float, float, Player, np.random.Generator], Floats]
"""`note(pitch, seconds, player, rng)`: (samples,) of one note."""
KINDS: dict[str, Note] = {
    "bell": _bell,
    "bowed": _bowed,
    "breath": _breath,
    "drum": _drum,
    "plucked": _plucked,
    "reed": _reed,
}
