"""A short musical phrase from drawn cues: a tune over two chords. Times in s, pitches as MIDI numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kelly_emotion.demo.cues import Cues

SCALES = {True: (0, 2, 4, 5, 7, 9, 11), False: (0, 2, 3, 5, 7, 8, 10)}  # major, natural minor
CHORD_LEVEL = -13.0
_BEATS = np.array([0.5, 1.0, 1.5, 2.0])
_BEAT_CHANCE = np.array([0.42, 0.38, 0.08, 0.12])


@dataclass(frozen=True, slots=True)
class Note:
    """One note.

    Attributes:
        onset: From the start of the phrase, s.
        duration: Sounding time, s.
        pitch: MIDI number, 69 = 440 Hz.
        gain: Against the phrase's mean, dB.
    """

    onset: float
    duration: float
    pitch: float
    gain: float


def compose(cues: Cues, seconds: float, rng: np.random.Generator) -> list[Note]:
    """Compose a phrase that ends before `seconds`.

    Returns:
        The tune's notes in order, then the chords' notes.
    """
    beat = 60.0 / cues.tempo
    scale = SCALES[bool(cues.major)]
    tonic = round(cues.register) - int(rng.integers(0, 12))
    onsets, lengths = _rhythm(beat, seconds, rng)
    degrees = _tune(len(onsets), cues, tonic, scale, rng)
    late = beat * cues.timing / 100 * rng.standard_normal(len(onsets))
    late[0] = 0.0
    gains = cues.dynamics * rng.standard_normal(len(onsets))
    tune = []
    for onset, length, pitch, lag, gain in zip(onsets, lengths, degrees, late, gains, strict=True):
        start = max(0.0, onset + lag)
        sounding = max(0.05, min(cues.articulation * length, seconds - start))
        tune.append(Note(start, sounding, pitch, float(np.clip(gain, -12.0, 9.0))))
    return tune + _chords(cues, tonic, scale, seconds, rng)


def _rhythm(beat: float, seconds: float, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Onsets and lengths of the notes; the last one fills the rest."""
    onsets, lengths, at = [], [], 0.0
    while True:
        length = beat * float(rng.choice(_BEATS, p=_BEAT_CHANCE))
        onsets.append(at)
        lengths.append(min(length, seconds - at))
        at += length
        if at > seconds - 0.5 * beat or at > seconds - 0.12:
            return onsets, lengths


def _tune(count: int, cues: Cues, tonic: int, scale: tuple[int, ...], rng: np.random.Generator) -> list[float]:
    """Pitches: a random walk around the contour, kept inside the span and on the scale."""
    place = np.linspace(-0.5, 0.5, count) if count > 1 else np.zeros(1)
    line = cues.contour * place
    walk, at = np.empty(count), 0.0
    for i in range(count):
        at = 0.6 * at + 0.28 * cues.span * float(rng.standard_normal())
        walk[i] = at
    wanted = cues.register + line + np.clip(walk, -cues.span / 2, cues.span / 2)
    steps = np.array(scale)
    ladder = tonic + np.concatenate([steps + 12 * octave for octave in range(-5, 6)])
    return [float(ladder[np.argmin(np.abs(ladder - pitch))]) for pitch in wanted]


def _chords(
    cues: Cues, tonic: int, scale: tuple[int, ...], seconds: float, rng: np.random.Generator
) -> list[Note]:
    """The tonic triad, and another one for the second half, below the tune."""
    root = tonic % 12 + 48
    halves = [(0.0, 0), (seconds / 2, int(rng.choice([0, 3, 4, 5])))]
    sounding = seconds / 2 * min(1.0, cues.articulation + 0.1)
    return [
        Note(start, min(sounding, seconds - start), float(root + scale[(degree + step) % 7]), CHORD_LEVEL)
        for start, degree in halves
        for step in (0, 2, 4)
    ]
