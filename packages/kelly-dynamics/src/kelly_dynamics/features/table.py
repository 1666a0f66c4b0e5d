"""One table per performance: everything that any of the three inputs sees, with targets, ready to be cached."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.data.musicxml import MARKINGS
from kelly_dynamics.features.context import CONTEXT, context
from kelly_dynamics.features.history import HISTORY, history
from kelly_dynamics.features.lines import LINES, lines
from kelly_dynamics.score import Performance, Score
from kelly_dynamics.targets import OUTPUTS, targets

FEATURE_VERSION = "4"
"""Changed whenever the same files would give other numbers."""
INPUTS: dict[str, tuple[str, ...]] = {
    "notes": CONTEXT,
    "markings": (*CONTEXT, *LINES, *MARKINGS),
    "causal": (*CONTEXT, *LINES, *MARKINGS, *HISTORY),
}
"""What each `input` sees, in order: each continues the one before."""
N_TABLE = len(INPUTS["causal"]) + 2 * len(OUTPUTS)


def known(score: Score) -> NDArray[np.float32]:
    """(notes, 77): the columns of `INPUTS["markings"]`, what a score alone gives."""
    return np.concatenate([context(score), lines(score), score.markings], axis=1).astype(np.float32)


def make_table(score: Score, played: Performance) -> NDArray[np.float32]:
    """(notes, 105): the columns of `INPUTS["causal"]`, then the targets, then their weights."""
    values, weights = targets(score, played)
    parts = [known(score), history(score, played), values, weights]
    return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)
