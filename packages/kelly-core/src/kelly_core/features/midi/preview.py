"""A plain rendering of notes as sound, to hear what a model made; no claim to beauty.

Pitched notes are a few decaying partials, drums (channel 9) swept sines and noise by General MIDI pitch.
Velocity is amplitude by the square law (Dannenberg, The Interpretation of MIDI Velocity, ICMC 2006).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core import atomic
from kelly_core.features.midi.read import DRUM_CHANNEL

Samples = NDArray[np.float32]
PEAK = 0.9
LONGEST = 60.0
"""Only this much of a piece is rendered, s."""
LONGEST_NOTE = 8.0
RELEASE = 0.08
"""Time in which a note dies away after its end, s."""
PARTIALS = 6


def render(notes: NDArray[Any], sample_rate: int = 16_000, *, longest: float = LONGEST) -> Samples:
    """Render notes.

    Args:
        notes: (notes,) of `NOTE_DTYPE`; seconds count.
        sample_rate: Hz.
        longest: Where the sound ends at the latest, s; notes behind it are left out.

    Returns:
        (samples,) in [-0.9, 0.9], from second 0 to the end of the last note.
    """
    heard = notes[notes["onset"] < longest]
    lengths = np.minimum(heard["duration"], LONGEST_NOTE)
    end = min(longest, float((heard["onset"] + lengths).max(initial=0.0)) + 0.5)
    out = np.zeros(int(end * sample_rate) + 1, np.float32)
    for note, length in zip(heard, lengths.tolist(), strict=True):
        drum = note["channel"] == DRUM_CHANNEL
        pitch = int(note["pitch"])
        # Whole hundredths of a second, so that alike notes are made once.
        sound = _drum(pitch, sample_rate) if drum else _tone(pitch, round(length, 2), sample_rate)
        start = int(note["onset"] * sample_rate)
        part = out[start : start + len(sound)]
        part += sound[: len(part)] * np.float32((int(note["velocity"]) / 127) ** 2)
    peak = float(np.abs(out).max(initial=0.0))
    return out * np.float32(PEAK / peak) if peak > 0 else out


def write_preview(path: Path, notes: NDArray[Any], sample_rate: int = 16_000, *, longest: float = 30.0) -> None:
    """Write `render`'s sound as a 16-bit WAV, replaced whole."""
    import soundfile

    with atomic.replacing(path) as part:
        soundfile.write(part, render(notes, sample_rate, longest=longest), sample_rate, "PCM_16", format="WAV")


@lru_cache(maxsize=512)
def _tone(pitch: int, length: float, sample_rate: int) -> Samples:
    """Partials below the Nyquist frequency; higher ones and higher notes die away sooner."""
    count = int((length + RELEASE) * sample_rate) + 1
    time = np.arange(count) / sample_rate
    base = 440.0 * 2 ** ((pitch - 69) / 12)
    decay = 0.9 * 2 ** ((pitch - 60) / 18)  # 1/s
    sound = np.zeros(count)
    for partial in range(1, PARTIALS + 1):
        if partial * base < 0.45 * sample_rate:
            sound += np.sin(2 * np.pi * partial * base * time) * np.exp(-decay * partial * time) / partial**1.3
    attack = np.minimum(1.0, time / 0.004)
    release = np.clip((length + RELEASE - time) / RELEASE, 0.0, 1.0)
    return np.asarray(sound * attack * release, np.float32)


@lru_cache(maxsize=128)
def _drum(pitch: int, sample_rate: int) -> Samples:
    """A drum by its General MIDI number."""
    noise = np.random.default_rng(pitch)
    if pitch in {35, 36}:
        return _sweep(130.0, 45.0, 0.09, 0.35, sample_rate)
    if pitch in {37, 38, 39, 40}:
        body = _sweep(220.0, 180.0, 0.05, 0.2, sample_rate)
        return np.asarray(0.5 * body + 0.6 * _noise(noise, 0.06, len(body), sample_rate), np.float32)
    if pitch in {41, 43, 45, 47, 48, 50}:
        top = 90.0 * 2 ** ((pitch - 41) / 9)
        return _sweep(1.4 * top, top, 0.12, 0.4, sample_rate)
    seconds = {42: 0.03, 44: 0.03, 22: 0.03, 46: 0.2, 26: 0.2}.get(pitch, 0.35)  # hats, then cymbals
    crisp = np.diff(_noise(noise, seconds, int(4 * seconds * sample_rate), sample_rate), prepend=0.0)
    return np.asarray(0.35 * crisp, np.float32)


def _sweep(high: float, low: float, decay: float, seconds: float, sample_rate: int) -> Samples:
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    frequency = low + (high - low) * np.exp(-time / 0.03)
    phase = 2 * np.pi * np.cumsum(frequency) / sample_rate
    return np.asarray(np.sin(phase) * np.exp(-time / decay), np.float32)


def _noise(rng: np.random.Generator, decay: float, count: int, sample_rate: int) -> NDArray[np.float64]:
    return np.asarray(rng.standard_normal(count) * np.exp(-np.arange(count) / sample_rate / decay) * 0.5)
