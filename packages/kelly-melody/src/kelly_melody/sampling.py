"""Drawing tokens from logits so that every implementation draws the same.

Random numbers are SplitMix64 (Steele, Lea and Flood, 2014): 64-bit arithmetic without sign, modulo 2**64,

    state += 0x9E3779B97F4A7C15
    z = state
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    z = z ^ (z >> 31)

The state begins with the seed. A number in [0, 1) is `(z >> 11) * 2**-53` in double precision.

Each token takes one number for its pitch and, unless it is the end, then one for its duration, whatever the
settings. From the logits, which are widened to double precision:

1. What isn't allowed is left out; `weight[i] = exp((logit[i] - highest) / temperature)`.
2. Indices are ordered by logit, the highest first, the lower index first among equals.
3. With `top_k` only the first `top_k` stay.
4. With `top_p` below 1 those stay that it takes, in this order, to reach `top_p` times the sum of the weights
   that are left; at least one.
5. The first index, in this order, at which the running sum of weights exceeds `number * sum` is drawn; the
   last one where rounding leaves none. Sums are taken in this order, one after the other.

A temperature of 0 draws the first index of step 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError

_MASK = 2**64 - 1


@dataclass
class SplitMix64:
    """The random numbers of a phrase.

    >>> numbers = SplitMix64(0)
    >>> hex(numbers.next_word()), round(numbers.next_number(), 6)
    ('0xe220a8397b1dcdaf', 0.431528)

    Attributes:
        state: The seed at first.
    """

    state: int

    def next_word(self) -> int:
        """64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def next_number(self) -> float:
        """A number in [0, 1)."""
        return (self.next_word() >> 11) * 2.0**-53


@dataclass(frozen=True)
class Taste:
    """How tokens are drawn.

    Attributes:
        temperature: Above 1 is more daring, below 1 more careful; 0 always takes the likeliest.
        top_k: Draw among this many of the likeliest; 0: among all.
        top_p: Draw among the likeliest that together have this probability.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 100.0 or not 0.0 < self.top_p <= 1.0 or self.top_k < 0:
            raise UserError(
                f"can't draw with temperature {self.temperature}, top_k {self.top_k}, top_p {self.top_p}",
                where="sampling",
                hint="temperature from 0 to 100, top_k at least 0, top_p above 0 and at most 1",
            )


def draw(
    logits: Sequence[float] | NDArray[np.floating], allowed: Sequence[bool], taste: Taste, number: float
) -> int:
    """Draw an index.

    Args:
        logits: (n,).
        allowed: (n,); at least one is true.
        taste: How.
        number: Random, in [0, 1).

    >>> draw([0.0, 2.0, 1.0], [True, True, True], Taste(top_k=2), 0.7310)
    1
    >>> draw([0.0, 2.0, 1.0], [True, True, True], Taste(top_k=2), 0.7311)
    2
    """
    kept = [index for index in range(len(logits)) if allowed[index]]
    kept.sort(key=lambda index: -float(logits[index]))  # stable: the lower index first among equals
    if taste.temperature == 0.0:
        return kept[0]
    highest = float(logits[kept[0]])
    if taste.top_k:
        kept = kept[: taste.top_k]
    weights = [math.exp((float(logits[index]) - highest) / taste.temperature) for index in kept]
    if taste.top_p < 1.0:
        kept, weights = _nucleus(kept, weights, taste.top_p)
    threshold = number * _sum(weights)
    running = 0.0
    for index, weight in zip(kept, weights, strict=True):
        running += weight
        if running > threshold:
            return index
    return kept[-1]


def _nucleus(kept: list[int], weights: list[float], share: float) -> tuple[list[int], list[float]]:
    wanted = share * _sum(weights)
    running = 0.0
    for count, weight in enumerate(weights, start=1):
        running += weight
        if running >= wanted:
            return kept[:count], weights[:count]
    return kept, weights


def _sum(weights: Sequence[float]) -> float:
    """One after the other: other orders, and compensated sums, round differently."""
    total = 0.0
    for weight in weights:
        total += weight
    return total
