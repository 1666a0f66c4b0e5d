"""What a groove is compared with: no groove, means, trees, and the drummer's own running mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_groove.data.source import GrooveSource
from kelly_groove.grid import N_DRUMS, REACH, Performance, windows

Floats = NDArray[np.float64]
PLAIN_VELOCITY = 80.0
"""What "no groove" plays at."""
PLACES = 16
SHRINK = 1.0
"""Hits that the training mean counts for in a running mean; of 0.5 to 32 the best on validation timing."""

_Targets = Sequence[tuple[Floats, Floats]]
"""Per performance, offset in 16ths and velocity of each hit."""


def predict_baselines(train: GrooveSource, on: GrooveSource, *, live: bool) -> dict[str, _Targets]:
    """Predictions of every baseline for every performance of `on`, fitted on `train`."""
    found: dict[str, _Targets] = {
        "no offset": [_constant(p, 0.0, PLAIN_VELOCITY) for p in on.performances],
        "constant": _mean_of(train, on, lambda *_: 0),
        "mean by style, position, drum": _mean_of(train, on, _style_position_drum),
        "boosted trees": boosted_trees(train, on),
    }
    if live:
        found["running mean by position, drum"] = running_mean(train, on)
    return found


def _constant(performance: Performance, offset: float, velocity: float) -> tuple[Floats, Floats]:
    count = len(performance.hits)
    return np.full(count, offset), np.full(count, velocity)


def _position_drum(performance: Performance) -> NDArray[np.int64]:
    hits = performance.hits
    place = performance.steps["in_bar"][hits["step"]] % PLACES
    return np.asarray(place.astype(np.int64) * N_DRUMS + hits["drum"])


def _style_position_drum(performance: Performance, style: int) -> Any:
    return style * PLACES * N_DRUMS + _position_drum(performance)


def _mean_of(
    train: GrooveSource, on: GrooveSource, cell_of: Callable[[Performance, int], Any], prior: float = 8.0
) -> _Targets:
    """Means of the training side by cell, those of few hits drawn to the mean by position and drum."""
    size = 1 + PLACES * N_DRUMS * (1 + int(max(train.controls[:, 0].max(), on.controls[:, 0].max())))
    sums = np.zeros((3, size))
    for performance, (style, _) in zip(train.performances, train.controls, strict=True):
        cells = np.broadcast_to(cell_of(performance, int(style)), len(performance.hits))
        for row, values in enumerate((None, performance.hits["offset"], performance.hits["velocity"])):
            sums[row] += np.bincount(cells, values, size)
    coarse = _position_drum_means(train)
    result = []
    for performance, (style, _) in zip(on.performances, on.controls, strict=True):
        cells = np.broadcast_to(cell_of(performance, int(style)), len(performance.hits))
        wide = coarse[:, _position_drum(performance)]
        count = sums[0, cells]
        blend = (sums[1:, cells] + prior * wide) / (count + prior)
        result.append((blend[0], blend[1]))
    return result


def _position_drum_means(train: GrooveSource) -> Floats:
    """(2, places x drums): mean offset and velocity, drawn to the overall means."""
    cells = np.concatenate([_position_drum(p) for p in train.performances])
    hits = np.concatenate([p.hits for p in train.performances])
    count = np.bincount(cells, minlength=PLACES * N_DRUMS)
    rows = [
        (np.bincount(cells, hits[name], PLACES * N_DRUMS) + 8.0 * hits[name].mean()) / (count + 8.0)
        for name in ("offset", "velocity")
    ]
    return np.stack(rows)


def running_mean(train: GrooveSource, on: GrooveSource) -> _Targets:
    """Mean of this drummer's earlier hits of the same drum at the same place, begun from the training mean."""
    prior = _position_drum_means(train)
    result = []
    for performance in on.performances:
        cells = performance.hits["step"], _position_drum(performance)
        values = np.stack([performance.hits["offset"], performance.hits["velocity"]])
        sums, counts = prior * SHRINK, np.full(prior.shape[1], SHRINK)
        said = np.zeros_like(values, dtype=np.float64)
        edges = [0, *(np.flatnonzero(np.diff(cells[0])) + 1).tolist(), len(performance.hits)]
        for start, stop in pairwise(edges):  # hits of one step know nothing of each other
            here = cells[1][start:stop]
            said[:, start:stop] = sums[:, here] / counts[here]
            np.add.at(counts, here, 1.0)
            for row in (0, 1):
                np.add.at(sums[row], here, values[row, start:stop])
        result.append((said[0], said[1]))
    return result


def boosted_trees(train: GrooveSource, on: GrooveSource) -> _Targets:
    """Gradient-boosted trees on place, drum, tempo, style and the hits around."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs = np.concatenate([_tree_features(train, index) for index in range(len(train.performances))])
    hits = np.concatenate([p.hits for p in train.performances])
    fitted = [
        HistGradientBoostingRegressor(
            max_iter=120, learning_rate=0.15, early_stopping=False, random_state=0
        ).fit(inputs, hits[name])
        for name in ("offset", "velocity")
    ]
    result = []
    for index in range(len(on.performances)):
        features = _tree_features(on, index)
        offset, velocity = (model.predict(features) for model in fitted)
        result.append((offset, velocity))
    return result


def _tree_features(source: GrooveSource, index: int) -> NDArray[np.float32]:
    """(hits, features) of one performance."""
    performance = source.performances[index]
    hits, steps = performance.hits, performance.steps
    around = windows(performance.mask)[:, REACH - 4 : REACH + 5]  # four steps on either side
    where = hits["step"]
    style, family = source.controls[index]
    columns = [
        hits["drum"],
        steps["in_bar"][where],
        steps["bar_steps"][where],
        steps["bpm"][where],
        np.full(len(hits), style),
        np.full(len(hits), family),
        performance.mask.sum(axis=1)[where],
    ]
    return np.concatenate(
        [np.stack(columns, axis=1).astype(np.float32), around.reshape(len(around), -1)[where]], axis=1
    )
