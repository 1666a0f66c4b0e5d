"""Pictures and samples that a person can look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core import atomic
from kelly_dynamics.targets import OUTPUTS

SHOWN = 300
"""Notes of a sample."""


def write_sample(folder: Path, name: str, said: NDArray[np.float32], true: NDArray[np.float32]) -> None:
    """Velocities of the first notes of a performance, said and played, as a picture; all outputs as JSON.

    Args:
        folder: Where to write.
        name: The performance's file.
        said: (notes, 4), the model's.
        true: (notes, 4), what was played.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    stem = "-".join(Path(name).with_suffix("").parts[-3:])
    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(true[:SHOWN, 0], ".", markersize=3, color="0.6", label="played")
    axes.plot(said[:SHOWN, 0], ".", markersize=3, color="C0", label="DynamicsEngine")
    axes.set(xlabel="note", ylabel="velocity", ylim=(0, 127), title=stem)
    axes.legend(loc="upper right")
    with atomic.replacing(folder / f"{stem}.png") as part:
        figure.savefig(part, dpi=100)
    columns = {
        output: np.round(said[:SHOWN, at].astype(float), 4).tolist() for at, output in enumerate(OUTPUTS)
    }
    atomic.write_json(folder / f"{stem}.json", {"performance": stem, "said": columns})


def draw_correlations(r: NDArray[np.float64], path: Path) -> Path:
    """Histogram of Pearson's r between said and played velocities, one count per performance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.hist(r, bins=np.linspace(-1, 1, 41).tolist(), color="C0")
    axes.axvline(float(r.mean()), color="k", linewidth=1)
    axes.set(
        xlabel="Pearson's r of velocities",
        ylabel="performances",
        title=f"{len(r)} performances, mean {r.mean():.2f}",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as part:
        figure.savefig(part, dpi=120)
    return path
