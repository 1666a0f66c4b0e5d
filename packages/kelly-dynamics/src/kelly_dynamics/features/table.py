"""One table per performance: everything that any of the three inputs sees, with targets, ready to be cached."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.data.musicxml import MARKINGS
from kelly_dynamics.features.context import CONTEXT, context
from kelly_dynamics.features.history import HISTORY, history
from kelly_dynamics.score import Performance, Score
from kelly_dynamics.targets import OUTPUTS, targets

FEATURE_VERSION = "2"
"""Changed whenever the same files would give other numbers."""
INPUTS: dict[str, tuple[str, ...]] = {
    "notes": CONTEXT,
    "markings": (*CONTEXT, *MARKINGS),
    "causal": (*CONTEXT, *MARKINGS, *HISTORY),
}
"""What each `input` sees, in order: each continues the one before."""
N_TABLE = len(INPUTS["causal"]) + 2 * len(OUTPUTS)


def make_table(score: Score, played: Performance) -> NDArray[np.float32]:
    """(notes, 84): the columns of `INPUTS["causal"]`, then the targets, then their weights."""
    values, weights = targets(score, played)
    parts = [context(score), score.markings, history(score, played), values, weights]
    return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)
