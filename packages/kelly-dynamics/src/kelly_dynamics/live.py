"""Playing along: one step per moment, with the performer's past as it comes in.

live = Live(engine, score)
while not live.done:
said = live.next()                      # (notes of the coming moment, 4)
live.played(velocities, onset_seconds)  # what the performer did
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError
from kelly_dynamics.features.history import History
from kelly_dynamics.features.table import known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_core.inference import Engine
    from kelly_dynamics.score import Score


class Live:
    """A loaded engine, a known score, and a performance under way.

    Args:
        engine: A loaded DynamicsEngine trained with `input: causal`.
        score: What is going to be played.

    Raises:
        UserError: The engine was trained on another input.
    """

    def __init__(self, engine: Engine, score: Score) -> None:
        if engine.contract.features.get("input") != "causal":
            raise UserError(
                "this model doesn't know the performance so far",
                hint="train one with `--set input=causal`",
                code="usage.other-input",
            )
        self._engine = engine
        self._known = known(score)
        self._history = History(score)
        self._state: dict[str, NDArray[np.float32]] = {}

    @property
    def done(self) -> bool:
        """Whether every moment has been played."""
        return self._history.moment >= len(self._history.firsts) - 1

    def next(self) -> NDArray[np.float32]:
        """How to play the coming moment: (notes, 4), by rising pitch. Ask once per moment.

        Returns:
            Velocity, onset deviation (s), articulation (octaves), expression (share) of each note.
        """
        first, last = self._history.firsts[self._history.moment : self._history.moment + 2]
        inputs = np.concatenate([self._known[first:last], self._history.coming()], axis=1)
        result = self._engine.infer({"input": inputs[None].astype(np.float32), **self._state})
        self._state = result.state
        return np.asarray(result.outputs["output"][0], np.float32)

    def played(self, velocity: Sequence[float] | NDArray[np.float64], onset: float) -> None:
        """Tell how the moment was played: velocities by rising pitch, and when, in seconds."""
        self._history.played(velocity, onset)
