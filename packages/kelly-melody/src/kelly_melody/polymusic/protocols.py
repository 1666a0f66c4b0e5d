"""The declared protocol `polymusic`: published splits of piano rolls, with and without memory of the piece."""

from __future__ import annotations

from typing import Any

from kelly_core.evaluate import Protocol, PublishedRow, official_split

_MEASURED = (
    "published by others, not measured here: Nottingham / JSB chorales, standard splits, NLL per frame, nats"
)
_BAI = "Bai, Kolter and Koltun (2018), arXiv:1803.01271"
PUBLISHED = (
    PublishedRow("LSTM (no memory of the piece)", "3.29 / 8.45", _MEASURED, _BAI),
    PublishedRow("TCN (no memory of the piece)", "3.07 / 8.10", _MEASURED, _BAI),
    PublishedRow(
        "RRU (no memory of the piece)", "2.92 / 7.72", _MEASURED, "Zakovskis et al. (2021), arXiv:2108.00527"
    ),
)


def _arm(rolls: str, candidates: int, architecture: str, **settings: Any) -> dict[str, Any]:
    return {
        "head": "keys",
        "architecture_type": architecture,
        "keys.rolls": rolls,
        "keys.candidates": candidates,
        **settings,
    }


# Chosen on the validation pieces of each set.
_CHORALES: dict[str, Any] = {
    "batch_size": 8,
    "learning_rate": 4e-3,
    "optimizer.weight_decay": 0.1,
    "weight_averaging": 0.995,
    "dropout": 0.0,
    "keys.dropout": 0.5,
    "keys.input_dropout": 0.3,
    "keys.neighbours": 16,
    "network.layers": 1,
    "epochs": 30,
}
_TUNES: dict[str, Any] = {
    "batch_size": 4,
    "learning_rate": 2e-3,
    "optimizer.weight_decay": 0.01,
    "weight_averaging": 0.995,
    "precision": "bf16-mixed",
    "dropout": 0.1,
    "keys.dropout": 0.1,
    "keys.input_dropout": 0.1,
    "network.layers": 5,
    "keys.crop": 256,
}
ARMS = {
    "nottingham-plain": _arm(
        "Nottingham", 0, "tcn", **_TUNES, **{"network.width": 192, "network.kernel": 4, "epochs": 6}
    ),
    "nottingham-memory": _arm(
        "Nottingham", 2, "tcn", **_TUNES, **{"network.width": 128, "network.kernel": 3, "epochs": 6}
    ),
    "jsb-plain": _arm("JSB_Chorales", 0, "lstm", **_CHORALES, **{"network.width": 160}),
    "jsb-memory": _arm("JSB_Chorales", 2, "lstm", **_CHORALES, **{"network.width": 160}),
}
"""Arms without memory of the piece stand beside baselines that have none either."""
POLYMUSIC = Protocol(
    name="polymusic",
    summary="Piano rolls, published splits: NLL per frame in nats, every frame alike, the first not predicted",
    dataset="polymusic",
    folds=official_split,
    headline="nll",
    published=PUBLISHED,
    arms=ARMS,
)
PROTOCOLS = {POLYMUSIC.name: POLYMUSIC}
"""By the name that `--protocol` takes."""
