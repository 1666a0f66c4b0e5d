"""Figures of a piano roll's prediction, as sums per piece. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kelly_melody.polymusic.memory import bucket

COLUMNS = ("nll", "frames", "nll_novel", "novel", "hits", "sounding_or_said")
"""Sums over the predicted frames of a piece: NLL in nats, how many there are; both for novel frames; keys that
sound and are said with a probability over a half; keys of which either is true."""
RATIOS = {
    "nll": ("nll", "frames"),
    "nll_novel": ("nll_novel", "novel"),
    "accuracy": ("hits", "sounding_or_said"),
}
NOVEL = 4
"""A frame is novel unless it comes after this many frames or more that stand earlier in the piece too."""


def piece_sums(
    logits: NDArray[np.floating], roll: NDArray[np.uint8], novel: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Sums of one piece.

    Args:
        logits: (frames, 88), said after each frame of the next; the last is not used.
        roll: (frames, 88); the first frame is not predicted.
        novel: (frames,), as `novel_frames` gives it.

    Returns:
        (6,) as in `COLUMNS`. The NLL of a frame is the sum over the keys (natural logarithm).
    """
    said, true = logits[:-1].astype(np.float64), roll[1:] > 0
    nll = np.logaddexp(0.0, np.where(true, -said, said)).sum(axis=1)
    on = said > 0
    new = novel[:-1]
    return np.array(
        [nll.sum(), len(nll), nll[new].sum(), new.sum(), (on & true).sum(), (on | true).sum()], np.float64
    )


def novel_frames(buckets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether what follows each frame is novel: no match of `NOVEL` frames or more ends there.

    Args:
        buckets: (frames, candidates) of `remembered`, with one candidate or more.
    """
    novel: NDArray[np.bool_] = buckets[:, 0] < int(bucket(np.array(NOVEL)))
    return novel


def ratios(sums: NDArray[np.float64]) -> Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Numerator and denominator per piece of each metric, from (pieces, 6)."""
    column = dict(zip(COLUMNS, sums.T, strict=True))
    return {name: (column[top], column[bottom]) for name, (top, bottom) in RATIOS.items()}


def figures(sums: NDArray[np.float64]) -> dict[str, float]:
    """NLL per frame in nats, every frame of the set weighted alike; of novel frames; accuracy of sounding keys.

    Accuracy is hits / (hits + misses + false alarms) over the set (Bay, Ehmann and Downie, 2009).
    """
    return {
        name: float(top.sum() / bottom.sum()) if bottom.sum() else float("nan")
        for name, (top, bottom) in ratios(sums).items()
    }
