"""Hearing a melody and writing on, token by token, with any runtime of the network; no torch needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.features.midi import Key
from kelly_melody.features.inputs import (
    NOTHING_DURATION,
    NOTHING_PITCH,
    RUN_CLASSES,
    place_features,
    spread_proposals,
    spread_token,
)
from kelly_melody.features.memory import Memory
from kelly_melody.features.position import bars_of
from kelly_melody.sampling import SplitMix64, Taste, draw
from kelly_melody.tokens import DURATIONS, END, LOW, N_PITCHES, REST, Melody, Metre

Arrays = dict[str, NDArray[Any]]
Step = Callable[[Mapping[str, NDArray[Any]], Arrays], tuple[NDArray[Any], NDArray[Any], Arrays]]
"""Inputs and state of one token to logits (N_PITCHES,), (N_PITCHES, N_DURATIONS) and the following state."""

_LENGTHS = np.array(DURATIONS)


@dataclass
class Host:
    """What stands between a stream of tokens and the network: it remembers, counts bars, and makes the inputs.

    Attributes:
        key: Key of the melody.
        metres: Metre changes, as in `Melody`.
        start: Ticks from the bar line to the first token.
    """

    key: Key
    metres: Sequence[tuple[int, Metre]]
    start: int = 0
    onset: int = field(init=False)

    def __post_init__(self) -> None:
        self.onset = self.start
        self._memory = Memory()
        self._last = (NOTHING_PITCH, NOTHING_DURATION)

    @property
    def metre(self) -> Metre:
        """In force where the next token begins."""
        return self._here()[3][0]

    def inputs(self) -> Arrays:
        """What the network is told before the next token, batch 1."""
        bar, place, length, metres = self._here()
        said, runs = self._memory.candidates(self.onset, int(length[0]))
        proposals = np.concatenate([said, RUN_CLASSES[runs][:, None]], axis=1)
        return {
            "last": spread_token(np.array([self._last])),
            "place": place_features(bar, place, metres, self.key),
            "proposals": spread_proposals(proposals[None]),
        }

    def hear(self, pitch: int, duration: int) -> None:
        """Take a token (indices) as the next one."""
        _, place, length, _ = self._here()
        self._memory.add(pitch, duration, self.onset, int(place[0]), int(length[0]))
        self._last = (pitch, duration)
        self.onset += DURATIONS[duration]

    def to_bar_line(self) -> int:
        """Ticks from here to the next bar line; 0 on one."""
        _, place, length, _ = self._here()
        return int(-place[0] % length[0])

    def _here(self) -> Any:
        return bars_of(np.array([self.onset]), self.start, self.metres)


@dataclass
class Composer:
    """A host together with the network and its state.

    Attributes:
        host: Where the melody stands.
        step: The network.
    """

    host: Host
    step: Step
    state: Arrays = field(default_factory=dict)

    def listen(self, melody: Melody) -> None:
        """Hear a melody from its start."""
        for pitch, duration in zip(melody.pitch.tolist(), melody.duration.tolist(), strict=True):
            _, _, self.state = self.step(self.host.inputs(), self.state)
            self.host.hear(pitch, duration)

    def write(
        self, ticks: int | None, taste: Taste, numbers: SplitMix64, most: int = 4096
    ) -> list[tuple[int, int]]:
        """Go on for exactly this long, or to the end.

        Args:
            ticks: How long; None to stop where the network ends the melody.
            taste: How tokens are drawn.
            numbers: What they are drawn with.
            most: Tokens at which to stop in any case where `ticks` is None.

        Returns:
            Pitch and duration indices.
        """
        made: list[tuple[int, int]] = []
        left = ticks
        pitches = self._allowed()
        pitches[END] = ticks is None
        while (left is None and len(made) < most) or (left is not None and left > 0):
            pitch_logits, duration_logits, following = self.step(self.host.inputs(), self.state)
            pitch = draw(pitch_logits, pitches, taste, numbers.next_number())
            if pitch == END:
                break
            room = _LENGTHS[-1] if left is None else left
            duration = draw(duration_logits[pitch], room >= _LENGTHS, taste, numbers.next_number())
            self.state = following
            self.host.hear(pitch, duration)
            made.append((pitch, duration))
            left = left - DURATIONS[duration] if left is not None else None
        return made

    def _allowed(self) -> NDArray[np.bool_]:
        """Pitches that are MIDI pitches in this key; rests."""
        sounding = np.arange(N_PITCHES) + LOW - self.host.key.shift
        allowed = (sounding >= 0) & (sounding <= 127)
        allowed[REST] = True
        return np.asarray(allowed)
