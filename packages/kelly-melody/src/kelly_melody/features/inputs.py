"""The numbers that a network is told at a token: the last token, position and key, what the memory proposes.

Kept as small integers (`Told`) and spread into ones and zeros (`spread`) where a network takes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_core.features.midi import Key
from kelly_melody.features.memory import remember
from kelly_melody.features.position import POSITION, POSITION_SIZES, bars_of, position_features
from kelly_melody.tokens import END, N_DURATIONS, N_PITCHES, Melody, Metre

NOTHING_PITCH = N_PITCHES
NOTHING_DURATION = N_DURATIONS
"""Where there is no token: before the first, or where a source says nothing."""
TOKEN = N_PITCHES + 1 + N_DURATIONS + 1
"""One-hot pitch (the last: none), one-hot duration (the last: none)."""
PLACE_SIZES = {**POSITION_SIZES, "tonic": 12, "minor": 1}
"""Position, one-hot tonic of the (relative) major key, minor."""
PLACE = sum(PLACE_SIZES.values())
TONIC = slice(POSITION, POSITION + 12)
"""Where the tonic stands in `PLACE`."""
RUN_CLASSES = np.array([0, 1, 2, 3, 4, 4, *[5] * 3, *[6] * 7, *[7] * 16])
"""Class of each run of 0 to 31 tokens."""
N_RUN_CLASSES = 8
PROPOSAL = TOKEN + N_RUN_CLASSES + 1
"""A source: its token as above, its run's class one-hot, whether its pitch is the first source's."""


@dataclass(frozen=True)
class Told:
    """Inputs and truth of a melody; the last row is its end.

    Attributes:
        last: (tokens + 1, 2) pitch and duration of the token before.
        place: (tokens + 1, PLACE) of zeros and ones.
        proposals: (tokens + 1, sources, 3) pitch, duration, class of the run.
        target: (tokens + 1, 2) what comes; the end's duration is -1.
        novel: (tokens + 1,) whether fewer than four tokens before it repeat an earlier place exactly.
    """

    last: NDArray[np.int64]
    place: NDArray[np.float32]
    proposals: NDArray[np.uint8]
    target: NDArray[np.int64]
    novel: NDArray[np.bool_]


NOVEL_BELOW = 4
"""Tokens of an exact match that make the following one a repeat."""


def memory_of(melody: Melody) -> NDArray[np.uint8]:
    """(tokens + 1, sources, 3): pitch, duration and run of what the memory proposes; worth caching."""
    _, places, lengths, _ = bars_of(melody.onsets(), melody.start, melody.metres)
    said, runs = remember(melody, places, lengths)
    return np.concatenate([said, runs[..., None]], axis=-1).astype(np.uint8)


def tell(melody: Melody, memory: NDArray[np.uint8] | None = None) -> Told:
    """All inputs of a melody.

    Args:
        melody: The melody.
        memory: Its `memory_of`, if that is known.
    """
    memory = memory_of(melody) if memory is None else memory
    bar, place, _, metres = bars_of(melody.onsets(), melody.start, melody.metres)
    tokens = np.stack([melody.pitch, melody.duration], axis=1)
    proposals = memory.copy()
    proposals[..., 2] = RUN_CLASSES[memory[..., 2]]
    return Told(
        last=np.concatenate([[[NOTHING_PITCH, NOTHING_DURATION]], tokens]),
        place=place_features(bar, place, metres, melody.key),
        proposals=proposals,
        target=np.concatenate([tokens, [[END, -1]]]),
        novel=memory[:, 0, 2] < NOVEL_BELOW,
    )


def place_features(
    bar: NDArray[np.int64], place: NDArray[np.int64], metres: list[Metre], key: Key
) -> NDArray[np.float32]:
    """(tokens, PLACE) position and key."""
    out = np.zeros((len(bar), PLACE), np.float32)
    out[:, :POSITION] = position_features(bar, place, metres)
    out[:, TONIC][:, key.major_tonic] = 1.0
    out[:, -1] = key.minor
    return out


def spread_token(token: NDArray[np.integer]) -> NDArray[np.float32]:
    """(..., 2) pitch and duration to (..., TOKEN) ones and zeros."""
    out = np.zeros((*token.shape[:-1], TOKEN), np.float32)
    np.put_along_axis(out, token[..., :1].astype(np.int64), 1.0, axis=-1)
    np.put_along_axis(out, token[..., 1:2].astype(np.int64) + N_PITCHES + 1, 1.0, axis=-1)
    return out


def spread_proposals(proposals: NDArray[np.integer]) -> NDArray[np.float32]:
    """(..., sources, 3) pitch, duration, class of the run to (..., sources, PROPOSAL) ones and zeros."""
    runs = np.zeros((*proposals.shape[:-1], N_RUN_CLASSES + 1), np.float32)
    np.put_along_axis(runs, proposals[..., 2:].astype(np.int64), 1.0, axis=-1)
    runs[..., -1] = proposals[..., 0] == proposals[..., :1, 0]
    return np.concatenate([spread_token(proposals[..., :2]), runs], axis=-1)
