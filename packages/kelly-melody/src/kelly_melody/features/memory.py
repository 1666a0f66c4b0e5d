"""What this melody did before, token by token: candidates for the next token and how much speaks for each.

Every source proposes one earlier token as the next one, with a run: how many tokens before the two places
agree. It looks back only, costs one pass over the melody per token, and is all integers, so that any host
computes it alike. Sources, in this order (`SOURCES`):

- `exact`: after the longest earlier match of pitches and durations; the latest of equals.
- `other`: the same among places that went on differently than `exact` says.
- `steps`: after the longest match of scale steps and durations, moved to where the melody now is.
- `rhythm`: after the longest match of durations that stood at the same places of their bars.
- `bars N`: what began exactly N bars ago; its run counts tokens that agreed with those N bars before them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kelly_melody.tokens import DURATIONS, LOW, N_DURATIONS, N_PITCHES, REST, Melody

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
SOURCES = ("exact", "other", "steps", "rhythm", *(f"bars {lag}" for lag in LAGS))
N_SOURCES = len(SOURCES)
NO_PITCH = N_PITCHES
NO_DURATION = N_DURATIONS
LONGEST_RUN = 31

SCALE_STEPS = np.array([0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6])
"""Step of the major scale that a pitch so many semitones above its tonic stands on."""
SCALE_SEMITONES = np.array([0, 2, 4, 5, 7, 9, 11])
"""Semitones of each step above the tonic."""
_RELATIVE = np.arange(N_PITCHES) + LOW
DEGREE = 7 * (_RELATIVE // 12) + SCALE_STEPS[_RELATIVE % 12]
"""Scale step of each pitch index in C; that of a rest means nothing."""


def from_degree(degree: int) -> int:
    """Pitch index of a scale step; `NO_PITCH` outside the range."""
    index = 12 * (degree // 7) + int(SCALE_SEMITONES[degree % 7]) - LOW
    return index if 0 <= index < REST else NO_PITCH


@dataclass
class Memory:
    """The melody so far, one token after the other.

    Attributes:
        room: Tokens that there is room for; grows where it has to.
    """

    room: int = 256
    count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._pitch = np.zeros(self.room, np.int64)
        self._duration = np.zeros(self.room, np.int64)
        self._codes = np.full((3, self.room), -1, np.int64)
        self._runs = np.zeros((3, self.room + 1), np.int64)
        self._at: dict[int, int] = {}
        self._lag_runs = [0] * len(LAGS)
        self._last_degree = -1

    def add(self, pitch: int, duration: int, onset: int, place: int, bar: int) -> None:
        """Hear a token.

        Args:
            pitch: Pitch index.
            duration: Duration index.
            onset: Where it begins, in ticks.
            place: Ticks since its bar line.
            bar: Length of its bar in ticks.
        """
        at = self.count
        if at == self.room:
            self._grow()
        self._pitch[at], self._duration[at] = pitch, duration
        for lag, bars in enumerate(LAGS):
            before = self._at.get(onset - bars * bar, -1)
            same = before >= 0 and self._pitch[before] == pitch and self._duration[before] == duration
            self._lag_runs[lag] = min(self._lag_runs[lag] + 1, LONGEST_RUN) if same else 0
        self._at[onset] = at
        degree = -1 if pitch >= REST else int(DEGREE[pitch])
        step = 99 if degree < 0 or self._last_degree < 0 else degree - self._last_degree
        self._last_degree = degree
        codes = (pitch * N_DURATIONS + duration, (step + 100) * N_DURATIONS + duration, place * 64 + duration)
        for view, code in enumerate(codes):
            mine = self._codes[view]
            runs = self._runs[view]
            runs[1 : at + 1] = (runs[:at] + 1) * (mine[:at] == code)
            mine[at] = code
        self.count = at + 1

    def _grow(self) -> None:
        self.room *= 2
        for name in ("_pitch", "_duration", "_codes", "_runs"):
            old = getattr(self, name)
            new = np.full(
                (*old.shape[:-1], old.shape[-1] + self.count), -1 if name == "_codes" else 0, np.int64
            )
            new[..., : old.shape[-1]] = old
            setattr(self, name, new)

    def candidates(self, onset: int, bar: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What the sources say about the token that begins at `onset`.

        Args:
            onset: Ticks; the end of the last token heard.
            bar: Length of the bar in ticks.

        Returns:
            (sources, 2) pitch and duration index, `NO_PITCH` and `NO_DURATION` where a source says nothing,
            and (sources,) runs, at most `LONGEST_RUN`, 0 where it says nothing or nothing agreed.
        """
        said = np.full((N_SOURCES, 2), (NO_PITCH, NO_DURATION), np.int64)
        runs = np.zeros(N_SOURCES, np.int64)
        at = self.count
        if at > 1:
            self._matches(at, said, runs)
        for lag, bars in enumerate(LAGS):
            before = self._at.get(onset - bars * bar, -1)
            if before >= 0:
                said[4 + lag] = self._pitch[before], self._duration[before]
                runs[4 + lag] = self._lag_runs[lag]
        return said, np.minimum(runs, LONGEST_RUN)

    def _matches(self, at: int, said: NDArray[np.int64], runs: NDArray[np.int64]) -> None:
        exact = self._runs[0, 1:at]
        best, run = _latest_longest(exact)
        if run:
            said[0], runs[0] = (self._pitch[best], self._duration[best]), run
            others = exact * (self._codes[0, 1:at] != self._codes[0, best])
            other, run = _latest_longest(others)
            if run:
                said[1], runs[1] = (self._pitch[other], self._duration[other]), run
        best, run = _latest_longest(self._runs[1, 1:at])
        if run:
            said[2], runs[2] = (self._moved(best), self._duration[best]), run
        best, run = _latest_longest(self._runs[2, 1:at])
        if run:
            said[3], runs[3] = (NO_PITCH, self._duration[best]), run

    def _moved(self, before: int) -> int:
        """The step that led to the token `before`, taken from the last pitch."""
        pitch = int(self._pitch[before])
        came = int(self._pitch[before - 1])
        if pitch >= REST or came >= REST or self._last_degree < 0:
            return pitch if pitch >= REST else NO_PITCH
        return from_degree(self._last_degree + int(DEGREE[pitch]) - int(DEGREE[came]))


def _latest_longest(runs: NDArray[np.int64]) -> tuple[int, int]:
    """Place of the token after the longest run, the latest of equals, and the run; `runs[0]` is token 1's."""
    place = len(runs) - 1 - int(np.argmax(runs[::-1]))
    return place + 1, int(runs[place])


def remember(
    melody: Melody, places: NDArray[np.int64], bars: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Candidates for every token of a melody and for its end.

    Args:
        melody: The melody.
        places: (tokens + 1,) ticks since the bar line.
        bars: (tokens + 1,) length of the bar in ticks.

    Returns:
        (tokens + 1, sources, 2) and (tokens + 1, sources), as `Memory.candidates`.
    """
    memory = Memory(max(1, len(melody)))
    onsets = melody.onsets().tolist()
    said, runs = [], []
    for at, onset in enumerate(onsets):
        found = memory.candidates(onset, int(bars[at]))
        said.append(found[0])
        runs.append(found[1])
        if at < len(melody):
            memory.add(int(melody.pitch[at]), int(melody.duration[at]), onset, int(places[at]), int(bars[at]))
    return np.stack(said), np.stack(runs)


assert len(DURATIONS) < 64
