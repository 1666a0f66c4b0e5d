"""What a person looks at: sample predictions and the confusion matrix."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.inference import softmax
from kelly_core.sound.picture import draw_mels


def draw_confusion(matrix: NDArray[np.int64], labels: Sequence[str], path: Path, title: str) -> Path:
    """Draw a confusion matrix, rows normalised, counts written in.

    Args:
        matrix: (classes, classes) counts, rows true.
        labels: Class names.
        path: PNG to write.
        title: Heading.
    """
    from matplotlib.figure import Figure

    share = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, vmin=0, vmax=1, cmap="viridis")
    for row, column in np.ndindex(*matrix.shape):
        colour = "white" if share[row, column] < 0.6 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    figure.colorbar(image, label="share of the true class")
    figure.savefig(path, dpi=110)
    return path


def write_sample(
    folder: Path,
    clip: str,
    mel: NDArray[np.float32],
    logits: NDArray[np.float64],
    truth: str,
    labels: Sequence[str],
    seconds_per_frame: float,
) -> None:
    """Put one clip, its picture and its top three classes side by side."""
    probabilities = softmax(logits)
    best = np.argsort(probabilities)[::-1][:3]
    top = [{"label": labels[i], "probability": round(float(probabilities[i]), 4)} for i in best]
    name = Path(clip).stem
    shutil.copyfile(clip, folder / Path(clip).name)
    heading = f"{name}: {truth}, heard as {top[0]['label']} ({top[0]['probability']:.0%})"
    draw_mels({heading: mel}, folder / f"{name}.png", seconds_per_frame)
    (folder / f"{name}.json").write_text(
        json.dumps({"file": clip, "truth": truth, "top": top}, indent=2) + "\n"
    )
