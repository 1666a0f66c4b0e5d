"""What a piece did before: how it went on after the longest earlier matches of the last frames.

The host computes this beside the network, which only sees the result; so it costs the same for every
architecture, and a runtime of another language can do it with a hash of frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KEYS = 88
EDGES = (1, 2, 3, 4, 6, 8, 12, 16, 32)
"""Lengths of a match, in frames, at which the next bucket begins; bucket 0 means that there is none."""
BUCKETS = len(EDGES) + 1


class RollMemory:
    """The frames of one piece so far.

    Two frames match when the same keys sound. A match of length n means that the last n frames stand
    somewhere earlier in the piece too; its continuation is the frame that came next there. Candidates
    differ in their continuation: the longest match first, of equally long ones the latest.

    Args:
        candidates: How many continuations are offered.
    """

    def __init__(self, candidates: int) -> None:
        self.candidates = candidates
        self._numbers: dict[bytes, int] = {}  # which keys sound -> number of that frame
        self._seen = np.zeros(64, np.int64)  # numbers of the frames so far
        self._frames = np.zeros((64, KEYS), np.uint8)
        self._lengths = np.zeros(64, np.int64)  # how long a match ends at each earlier frame
        self._count = 0

    def push(self, frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Take in the next frame.

        Args:
            frame: (88,), 1 where a key sounds.

        Returns:
            Continuations (candidates, 88), zeros where there is none, and the lengths of their matches
            (candidates,) in frames.
        """
        at = self._count
        if at == len(self._seen):
            self._seen = np.concatenate([self._seen, np.zeros_like(self._seen)])
            self._frames = np.concatenate([self._frames, np.zeros_like(self._frames)])
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        number = self._numbers.setdefault(frame.tobytes(), len(self._numbers))
        same = self._seen[:at] == number
        longer = np.concatenate(([0], self._lengths[: max(0, at - 1)]))[:at] + 1
        self._lengths[:at] = np.where(same, longer, 0)
        self._seen[at], self._frames[at] = number, frame
        self._count += 1
        return self._candidates()

    def _candidates(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        continuations = np.zeros((self.candidates, KEYS), np.uint8)
        lengths = np.zeros(self.candidates, np.int64)
        last = self._count - 1
        left = self._lengths[:last].copy()
        following = self._seen[1 : self._count]
        for candidate in range(self.candidates if last else 0):
            place = last - 1 - int(np.argmax(left[::-1]))
            if left[place] == 0:
                break
            lengths[candidate] = left[place]
            continuations[candidate] = self._frames[place + 1]
            left[following == following[place]] = 0
        return continuations, lengths


def remembered(roll: NDArray[np.uint8], candidates: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Continuations and buckets of match length of a whole piece.

    Args:
        roll: (frames, 88).
        candidates: How many continuations.

    Returns:
        (frames, candidates, 88) and (frames, candidates): what the memory says after each frame.
    """
    memory = RollMemory(candidates)
    continuations = np.zeros((len(roll), candidates, KEYS), np.uint8)
    lengths = np.zeros((len(roll), candidates), np.int64)
    for at, frame in enumerate(np.ascontiguousarray(roll) if candidates else ()):
        continuations[at], lengths[at] = memory.push(frame)
    return continuations, bucket(lengths)


def bucket(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which bucket a length belongs to, 0 where there is no match; any shape.

    >>> bucket(np.array([0, 1, 5, 100])).tolist()
    [0, 1, 4, 9]
    """
    return np.searchsorted(EDGES, lengths, side="right").astype(np.int64)
