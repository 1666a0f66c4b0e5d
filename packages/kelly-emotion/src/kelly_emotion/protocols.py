"""Declared protocols: how EmotionRecognizer is measured on public sets."""

from __future__ import annotations

from kelly_core.evaluate import Protocol, PublishedRow, declared_folds

RAVDESS_5FOLD = Protocol(
    name="ravdess-5fold",
    summary="RAVDESS speech, 7 classes without calm, 5 speaker folds (Luna-Jiménez et al., 2021)",
    dataset="ravdess",
    folds=declared_folds,
    headline="uar",
    options={"calm": "drop"},
    settings={"validate_every": 5},
    published=(
        PublishedRow(
            "wav2vec 2.0 XLSR-53, fine-tuned",
            "accuracy 0.8182",
            "8 classes with calm, the same 5 speaker folds, pre-trained on 56k h of speech",
            "Luna-Jiménez et al. (2022), Applied Sciences 12(1), 327; not checked against the paper",
        ),
        PublishedRow(
            "CNN-14 (PANNs), fine-tuned",
            "accuracy 0.7658",
            "8 classes with calm, 5 speaker folds, pre-trained on AudioSet",
            "Luna-Jiménez et al. (2021), Sensors 21(22), 7665; not checked against the paper",
        ),
        PublishedRow(
            "human listeners",
            "accuracy 0.60",
            "audio-only speech and song, 8 emotions, forced choice",
            "Livingstone and Russo (2018), PLoS ONE 13(5): e0196391; not checked against the paper",
        ),
    ),
)

PROTOCOLS = {RAVDESS_5FOLD.name: RAVDESS_5FOLD}
"""By the name that `--protocol` takes."""
