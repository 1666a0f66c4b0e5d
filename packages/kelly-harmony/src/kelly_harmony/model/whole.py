"""Whole tunes at once: what a file takes and gives that isn't called beat by beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from kelly_core.deployed import in_steps
from kelly_core.export import Arrays, View
from kelly_harmony.data.source import HarmonySource

if TYPE_CHECKING:
    from kelly_core.task import Source, Task
    from kelly_harmony.config import HarmonyConfig

BEATS = 128
"""Of a tune that a file is tried on."""


def whole_view(task: Task[HarmonyConfig], model: nn.Module) -> View:
    """The tensors of a step with an axis of beats; nothing is late, whatever is heard ahead.

    Args:
        task: Knows the step.
        model: The trained network, a `kelly_harmony.model.Harmony`.
    """
    step = task.interface()
    inputs, outputs = (
        [one.model_copy(update={"shape": ["batch", "beats", *one.shape[1:]]}) for one in side]
        for side in (step.inputs, step.outputs)
    )

    def example(source: Source, batch: int) -> Arrays:
        assert isinstance(source, HarmonySource)
        chosen = np.linspace(0, len(source.leads) - 1, batch).astype(np.int64)
        heard = source.fetch(chosen, None)
        beats = min(BEATS, *(len(source.leads[index]) for index in chosen))
        return {one.name: heard[one.name][:, :beats].numpy() for one in inputs}

    silent = {name: array[:, None] for name, array in task.example_inputs(None, 1).items()}
    extremes = {
        "one beat": silent,
        "silence": {name: np.repeat(array, 40, axis=1) for name, array in silent.items()},
    }
    reference = in_steps(task, model, inputs, outputs)
    return View(inputs, outputs, {"beats": BEATS}, model, reference, example, extremes)
