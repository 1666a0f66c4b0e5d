"""Whole melodies at once: what a file takes and gives that isn't called token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from kelly_core.contract import TensorInfo
from kelly_core.deployed import in_steps
from kelly_core.export import Arrays, View
from kelly_melody.data.source import MelodySource
from kelly_melody.tokens import N_DURATIONS, N_PITCHES

if TYPE_CHECKING:
    from kelly_core.task import Source, Task
    from kelly_melody.config import MelodyConfig

TOKENS = 96
"""Of a melody that a file is tried on."""


def whole_view(task: Task[MelodyConfig], model: nn.Module) -> View:
    """The inputs of a step with an axis of tokens, and `given`: pitches for which durations are asked.

    Args:
        task: Knows the step.
        model: The trained network.
    """
    given = TensorInfo(
        name="given", shape=["batch", "tokens"], dtype="int64", unit="pitch index", low=0, high=N_PITCHES - 1
    )
    steps = task.interface().inputs
    inputs = [one.model_copy(update={"shape": ["batch", "tokens", *one.shape[1:]]}) for one in steps]
    outputs = [
        TensorInfo(name="pitch", shape=["batch", "tokens", N_PITCHES], unit="logit"),
        TensorInfo(name="duration", shape=["batch", "tokens", N_DURATIONS], unit="logit, given the pitch"),
    ]

    def example(source: Source, batch: int) -> Arrays:
        assert isinstance(source, MelodySource)
        chosen = np.linspace(0, len(source.crops) - 1, batch).astype(np.int64)
        heard = {name: tensor.numpy() for name, tensor in source.fetch(chosen, None).items()}
        tokens = min(TOKENS, heard["pitch"].shape[1])
        named = {one.name: heard[one.name][:, :tokens] for one in inputs}
        return {**named, "given": heard["pitch"][:, :tokens]}

    begin = {name: array[:, None] for name, array in task.example_inputs(None, 1).items()}
    begin["given"] = np.zeros((1, 1), np.int64)
    nothing = {name: np.repeat(np.zeros_like(array), 40, axis=1) for name, array in begin.items()}
    taken = [*inputs, given]
    reference = in_steps(task, model, taken, outputs)
    extremes = {"one token": begin, "nothing": nothing}
    return View(taken, outputs, {"tokens": TOKENS}, model, reference, example, extremes)
