"""Declared protocols: how the audio autoencoder is measured on public sets."""

from __future__ import annotations

from kelly_core.evaluate import Protocol, declared_folds

RAVDESS_5FOLD = Protocol(
    name="ravdess-5fold",
    summary="RAVDESS speech without calm, 5 speaker folds: error on new speakers, linear probe of emotion",
    dataset="ravdess",
    folds=declared_folds,
    headline="mae_db",
    options={"calm": "drop"},
)

PROTOCOLS = {RAVDESS_5FOLD.name: RAVDESS_5FOLD}
"""By the name that `--protocol` takes."""
