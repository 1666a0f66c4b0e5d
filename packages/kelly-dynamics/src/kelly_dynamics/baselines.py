"""What the model has to beat: constants, a table by metric position, boosted trees, the moment before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.data.source import NoteSource
from kelly_dynamics.features.context import CONTEXT
from kelly_dynamics.features.table import INPUTS
from kelly_dynamics.targets import HIGH, LOW, OUTPUTS

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(notes, inputs) -> (notes, 4)."""
TREE_NOTES = 200_000
"""Training notes the trees learn from, drawn as those of the model are."""
_METRE = [CONTEXT.index(name) for name in ("bar_sin", "bar_cos", "bar_length")]


def baselines(train: NoteSource) -> dict[str, Answer]:
    """Predictors fitted on the training side, by name."""
    true, weight = train.answers[:, : len(OUTPUTS)], train.answers[:, len(OUTPUTS) :]
    mean = _per_output(true, weight, np.mean)
    found = {
        "global mean": constant(mean),
        "global median": constant(_per_output(true, weight, np.median)),
        "metric position": by_metric_position(train.inputs, true, weight, mean),
        "boosted trees": boosted_trees(train),
    }
    if train.n_inputs == len(INPUTS["causal"]):
        found["the moment before"] = moment_before(mean)
    return found


def constant(values: NDArray[np.float64]) -> Answer:
    """The same for every note."""
    return lambda inputs: np.tile(values.astype(np.float32), (len(inputs), 1))


def by_metric_position(
    inputs: NDArray[np.float32],
    true: NDArray[np.float32],
    weight: NDArray[np.float32],
    mean: NDArray[np.float64],
) -> Answer:
    """Mean of the training notes at the same place in a bar of the same length."""
    places, which = np.unique(_places(inputs), return_inverse=True)
    total = np.stack([np.bincount(which, true[:, at] * weight[:, at]) for at in range(true.shape[1])], axis=1)
    count = np.stack([np.bincount(which, weight[:, at]) for at in range(true.shape[1])], axis=1)
    table = (total + 20 * mean) / (count + 20)

    def answer(asked: NDArray[np.float32]) -> NDArray[np.float32]:
        place = _places(asked)
        spot = np.minimum(np.searchsorted(places, place), len(places) - 1)
        return np.where((places[spot] == place)[:, None], table[spot], mean).astype(np.float32)

    return answer


def boosted_trees(train: NoteSource) -> Answer:
    """scikit-learn's histogram gradient boosting on the same inputs, one model per output."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    total = int(train.lengths.sum())
    chosen = np.sort(train.draw(min(TREE_NOTES, total), np.random.default_rng(0), window=1)[0])
    inputs, answers = train.inputs[chosen], train.answers[chosen]
    true, weight = answers[:, : len(OUTPUTS)], answers[:, len(OUTPUTS) :]
    rounds = min(200, max(20, total // 250))  # a small set is overfitted sooner
    models = []
    for at in range(true.shape[1]):
        good = np.flatnonzero(weight[:, at] > 0)
        model = HistGradientBoostingRegressor(
            max_iter=rounds, max_leaf_nodes=31, learning_rate=0.1, random_state=0
        )
        models.append(model.fit(inputs[good], true[good, at]))

    def answer(asked: NDArray[np.float32]) -> NDArray[np.float32]:
        said = np.stack([model.predict(asked) for model in models], axis=1)
        return np.clip(said, LOW, HIGH).astype(np.float32)

    return answer


def moment_before(mean: NDArray[np.float64]) -> Answer:
    """The mean velocity of the moment before; the first one gets the global mean."""
    names = INPUTS["causal"]
    known, last = names.index("known"), names.index("last_mean")

    def answer(asked: NDArray[np.float32]) -> NDArray[np.float32]:
        said = np.tile(mean.astype(np.float32), (len(asked), 1))
        said[:, 0] = np.where(asked[:, known] > 0, asked[:, last] * 20 + 64, mean[0])
        return said

    return answer


def _per_output(
    true: NDArray[np.float32], weight: NDArray[np.float32], how: Callable[..., np.floating]
) -> NDArray[np.float64]:
    return np.array([how(true[weight[:, at] > 0, at].astype(np.float64)) for at in range(true.shape[1])])


def _places(inputs: NDArray[np.float32]) -> NDArray[np.int64]:
    """A number for each place in each kind of bar."""
    sine, cosine, length = (np.round(inputs[:, column] * 50).astype(np.int64) for column in _METRE)
    return (sine + 100) * 1_000_000 + (cosine + 100) * 1_000 + length
