"""Variable-order Markov models of tokens: what the networks are compared with.

Interpolated absolute discounting (Ney, Essen and Kneser, 1994). Trained on a collection it counts, in all but
the longest contexts, in how many different contexts a symbol followed (Kneser and Ney, 1995); within one melody
it counts how often, as it goes along. A context is a tuple, the nearest symbol first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kelly_melody.features.memory import remember
from kelly_melody.features.position import bars_of
from kelly_melody.tokens import END, N_DURATIONS, N_PITCHES, Melody

Floats = NDArray[np.float64]
Context = tuple[Hashable, ...]

LONG = 5
"""Tokens of the longest context learned from a collection."""
SHORT = 8
"""Tokens of the longest context learned within a melody."""
DISCOUNT = {"long": 0.8, "short": 0.2}
RUNS = (0, 1, 2, 3, 4, 6, 9, 16)
"""Lower ends of the lengths of the longest match that have a weight of their own."""


@dataclass
class Markov:
    """Counts of what followed contexts of up to `order` symbols.

    Attributes:
        size: Number of symbols.
        order: Symbols of the longest context.
        discount: Taken from every count and given to the shorter context.
        types: Whether shorter contexts count different longer ones rather than occurrences.
    """

    size: int
    order: int
    discount: float
    types: bool
    _after: dict[Context, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    _seen: set[tuple[Context, int]] = field(default_factory=set)

    def add(self, context: Context, symbol: int) -> None:
        """Count a symbol after a context."""
        for length in range(min(self.order, len(context)), -1, -1):
            here = self._after[context[:length]]
            here[symbol] = here.get(symbol, 0.0) + 1.0
            if self.types:
                longer = (context[:length], symbol)
                if longer in self._seen:
                    break  # what is shorter has counted this one
                self._seen.add(longer)

    def probabilities(self, context: Context) -> Floats:
        """(size,): of every symbol after a context."""
        result = np.full(self.size, 1.0 / self.size)
        for length in range(min(self.order, len(context)) + 1):
            counts = self._after.get(context[:length])
            if counts is None:
                break
            total = sum(counts.values())
            result = result * (self.discount * len(counts) / total)
            symbols = list(counts)
            result[symbols] += (np.array(list(counts.values())) - self.discount) / total
        return result


@dataclass
class Model:
    """Pitch and then duration given that pitch, from a collection and, if asked, from the melody itself."""

    order: int = LONG
    memory: bool = False
    weights: Floats = field(default_factory=lambda: np.full((2, len(RUNS)), 0.5))

    def __post_init__(self) -> None:
        self._long = [
            Markov(size, self.order + at, DISCOUNT["long"], types=True) for at, size in enumerate(SIZES)
        ]

    def learn(self, melodies: Sequence[Melody]) -> None:
        """Count a collection."""
        for melody in melodies:
            for pitch, duration, context in _tokens(melody, self.order):
                self._long[0].add(context, pitch)
                if duration >= 0:
                    self._long[1].add((pitch, *context), duration)

    def parts(self, melody: Melody) -> Iterator[tuple[list[Floats], list[Floats], int, int]]:
        """Per token: pitch and duration distributions of the collection and of the melody; the token."""
        short = [Markov(size, SHORT + at, DISCOUNT["short"], types=False) for at, size in enumerate(SIZES)]
        models = [self._long, short] if self.memory else [self._long]
        for pitch, duration, context in _tokens(melody, max(SHORT, self.order)):
            after = (pitch, *context)
            yield (
                [model[0].probabilities(context) for model in models],
                [model[1].probabilities(after) for model in models],
                pitch,
                duration,
            )
            short[0].add(context, pitch)
            if duration >= 0:
                short[1].add(after, duration)

    def fit_weights(self, melodies: Sequence[Melody], rounds: int = 20) -> None:
        """How much the melody's own counts weigh, by length of the longest match: expectation maximisation."""
        said: list[list[list[tuple[float, float]]]] = [[[] for _ in RUNS] for _ in SIZES]
        for melody in melodies:
            for run, (pitch, duration, p, d) in zip(longest_matches(melody), self.parts(melody), strict=True):
                at = run_class(run)
                said[0][at].append((pitch[0][p], pitch[1][p]))
                if d >= 0:
                    said[1][at].append((duration[0][d], duration[1][d]))
        for kind, classes in enumerate(said):
            for at, pairs in enumerate(classes):
                weight = 0.5
                long, short = np.array(pairs).reshape(-1, 2).T
                for _ in range(rounds if len(pairs) else 0):
                    weight = float((weight * short / (weight * short + (1 - weight) * long)).mean())
                self.weights[kind, at] = weight

    def score(self, melody: Melody) -> NDArray[np.float64]:
        """(tokens + 1, 4): nats of pitch and of duration, whether the likeliest of each is right."""
        rows = []
        runs = longest_matches(melody) if self.memory else [0] * (len(melody) + 1)
        for run, (pitch, duration, p, d) in zip(runs, self.parts(melody), strict=True):
            mixed = [self._mix(kind, run, both) for kind, both in enumerate((pitch, duration))]
            has = d >= 0
            rows.append(
                (
                    -np.log(mixed[0][p]),
                    -np.log(mixed[1][d]) if has else 0.0,
                    mixed[0].argmax() == p,
                    not has or mixed[1].argmax() == d,
                )
            )
        return np.array(rows, np.float64)

    def _mix(self, kind: int, run: int, both: list[Floats]) -> Floats:
        if len(both) == 1:
            return both[0]
        weight = self.weights[kind, run_class(run)]
        return np.asarray(weight * both[1] + (1 - weight) * both[0])


SIZES = (N_PITCHES, N_DURATIONS)


def run_class(run: int) -> int:
    """Which of `RUNS` a length of match belongs to."""
    return int(np.searchsorted(RUNS, run, side="right")) - 1


def longest_matches(melody: Melody) -> list[int]:
    """(tokens + 1,): tokens before each that an earlier place of the melody repeats exactly."""
    _, places, lengths, _ = bars_of(melody.onsets(), melody.start, melody.metres)
    return remember(melody, places, lengths)[1][:, 0].tolist()


def _tokens(melody: Melody, order: int) -> Iterator[tuple[int, int, Context]]:
    pitches, durations = melody.pitch.tolist(), melody.duration.tolist()
    codes = [pitch * 64 + duration for pitch, duration in zip(pitches, durations, strict=True)]
    for at in range(len(pitches) + 1):
        before = codes[max(0, at - order) : at][::-1]
        context = (*before, *(["start"] if at < order else []))
        yield (pitches[at], durations[at], context) if at < len(pitches) else (END, -1, context)
