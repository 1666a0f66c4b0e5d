"""Renders a phrase as sound: wavetable voices with envelopes and vibrato, a small room, a little noise."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kelly_emotion.demo.cues import Cues
from kelly_emotion.demo.performers import HARMONICS, Performer
from kelly_emotion.demo.phrase import Note

SAMPLE_RATE = 16_000
"""Rate of everything rendered, Hz."""

PEAK = 0.95
"""Largest sample that comes out."""

Samples = npt.NDArray[np.float32]

_TABLE = 1024
_TOP_HZ = 7200.0
_RELEASE = 0.03
_DARKER = -5.0  # dB per octave that a note loses as it decays, as struck and blown tones do


def render(
    notes: list[Note], cues: Cues, performer: Performer, seconds: float, rng: np.random.Generator
) -> Samples:
    """Render a phrase.

    Args:
        notes: From `phrase.compose`.
        cues: What the phrase was composed from.
        performer: Whose timbre, room and noise.
        seconds: Length of the clip; what would sound longer is faded out.
        rng: Source of the noise, the vibrato's phases and the room.

    Returns:
        `(samples,)` float32 at 16 kHz, no sample beyond `PEAK`.
    """
    total = int(seconds * SAMPLE_RATE)
    lead = int(rng.uniform(0.02, 0.2) * SAMPLE_RATE)
    dry = np.zeros(total, np.float32)
    growl = float(rng.uniform(32.0, 60.0))
    for note in notes:
        voice = _voice(note, cues, performer, growl, rng)
        start = lead + int(note.onset * SAMPLE_RATE)
        room = max(0, min(len(voice), total - start))
        dry[start : start + room] += voice[:room]
    wet = _reverberate(dry, performer, rng)
    level = cues.level + performer.level
    sound = wet * np.float32(10 ** (level / 20) / max(loudness(wet), 1e-9))
    peak = float(np.abs(sound).max())
    if peak > PEAK - 0.02:
        sound *= np.float32((PEAK - 0.02) / peak)
    fade = int(0.04 * SAMPLE_RATE)
    sound[-fade:] *= _rise(fade)[::-1]
    sound += np.float32(10 ** (performer.noise / 20)) * rng.standard_normal(total, dtype=np.float32)
    return np.clip(sound, -PEAK, PEAK)


def loudness(samples: Samples) -> float:
    """RMS of the louder half of the 50 ms frames: what is heard as a phrase's level, rests left out."""
    size = SAMPLE_RATE // 20
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    power = np.sort(np.square(frames).mean(axis=1))
    return float(np.sqrt(power[len(power) // 2 :].mean()))


def _voice(note: Note, cues: Cues, performer: Performer, growl: float, rng: np.random.Generator) -> Samples:
    """One note with its release, `(samples,)` float32."""
    count = int((note.duration + _RELEASE) * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
    hertz = 440.0 * 2 ** ((note.pitch + performer.register - 69 + performer.tuning / 100) / 12)
    # Vibrato settles in over a quarter of a second, as a player's does.
    swing = cues.vibrato / 1200 * math.log(2) * np.minimum(time / np.float32(0.25), 1)
    turn = 2 * np.pi * performer.vibrato_rate * time + np.float32(rng.uniform(0, 2 * np.pi))
    cycles = np.cumsum(hertz / SAMPLE_RATE * (1 + swing * np.sin(turn)), dtype=np.float64)
    place = np.asarray((cycles - np.floor(cycles)) * _TABLE, np.float32)
    below = np.minimum(place.astype(np.int32), _TABLE - 1)  # rounding to float32 may reach the end
    between = place - below
    decay = np.exp(-time / np.float32(0.35))
    dark = _read(_table(hertz, cues.tilt + _DARKER, performer), below, between)
    bright = _read(_table(hertz, cues.tilt, performer), below, between)
    sound = dark + decay * (bright - dark)
    sound *= performer.sustain + (1 - performer.sustain) * decay
    if cues.roughness > 0.01:
        sound *= 1 - cues.roughness * np.float32(0.5) * (1 + np.sin(2 * np.pi * np.float32(growl) * time))
    return sound * _gate(count, cues.attack) * np.float32(10 ** (note.gain / 20))


def _table(hertz: float, tilt: float, performer: Performer) -> Samples:
    """One period at unit RMS, with no partial near half the sample rate, its first point repeated."""
    order = np.arange(1, HARMONICS + 1)
    weights = performer.harmonics * 10 ** (tilt * np.log2(order) / 20)
    weights[order * hertz > _TOP_HZ] = 0.0
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    spectrum[1 : HARMONICS + 1] = weights * np.exp(1j * performer.phases)
    period = np.fft.irfft(spectrum)
    period /= max(float(np.sqrt(np.square(period).mean())), 1e-12)
    return np.append(period, period[0]).astype(np.float32)


def _read(table: Samples, below: npt.NDArray[np.int32], between: Samples) -> Samples:
    """Linear interpolation: `below` are the indices, `between` the way to the next one, 0 to 1."""
    step: Samples = np.diff(table)
    return table[below] + between * step[below]


def _gate(count: int, attack: float) -> Samples:
    """Raised-cosine attack (ms) and release, so that no note clicks."""
    gate = np.ones(count, np.float32)
    rise = max(2, min(int(attack / 1000 * SAMPLE_RATE), count // 2))
    fall = max(2, min(int(_RELEASE * SAMPLE_RATE), count // 2))
    gate[:rise] = _rise(rise)
    gate[-fall:] *= _rise(fall)[::-1]
    return gate


def _rise(count: int) -> Samples:
    """Half a cosine from 0 to 1, `(count,)` float32."""
    return (0.5 - 0.5 * np.cos(np.pi * np.arange(count) / count)).astype(np.float32)


def _reverberate(dry: Samples, performer: Performer, rng: np.random.Generator) -> Samples:
    """Add a room: noise that decays by 60 dB in the performer's time."""
    from scipy.fft import irfft, next_fast_len, rfft

    count = int(performer.room * SAMPLE_RATE)
    tail = rng.standard_normal(count, dtype=np.float32) * np.exp(-6.9 * np.arange(count) / count).astype(
        np.float32
    )
    tail *= np.float32(performer.wet / np.sqrt(np.square(tail).sum()))
    size = next_fast_len(len(dry) + count, real=True)
    wet = irfft(rfft(dry, size) * rfft(tail, size), size)[: len(dry)]
    return dry + np.asarray(wet, np.float32)
