"""What a trained model says about a drum part, through the engine: no torch needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ContractError, UserError
from kelly_groove.data.read import drum_notes, on_grid
from kelly_groove.drums import CHANNEL
from kelly_groove.grid import N_DRUMS, Performance, windows
from kelly_groove.humanise import Changes, Feel, Said, changes

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile
    from kelly_core.inference import Engine

AT_ONCE = 256
"""Steps of one call."""
OUTPUTS = ("offset", "velocity", "offset_spread", "velocity_spread")

Arrays = dict[str, NDArray[Any]]


def groove_file(
    engine: Engine,
    midi: MidiFile,
    controls: tuple[int, int],
    feel: Feel,
    memory: Mapping[str, NDArray[Any]] | None = None,
    channel: int = CHANNEL,
) -> tuple[Performance, Changes]:
    """The drum part of a file, and what the model would change in it.

    Args:
        engine: With the model loaded.
        midi: The file.
        controls: Style and family index, `kelly_groove.styles.controls`.
        feel: How much of the groove is taken over.
        memory: What `remember` heard; None where nothing was heard.
        channel: Channel of the drums, from 0.

    Raises:
        DataError: There is no drum note in it.
    """
    chosen = drum_notes(midi, channel)
    part = on_grid(midi, chosen)
    return part, changes(midi, chosen, part, say(engine, part, controls, memory), feel)


def say(
    engine: Engine,
    part: Performance,
    controls: tuple[int, int],
    memory: Mapping[str, NDArray[Any]] | None = None,
) -> Said:
    """Predictions for every step that has a hit, zeros elsewhere."""
    _check_kind(engine)
    steps = np.unique(part.hits["step"])
    rows = {name: np.zeros((len(part.steps), N_DRUMS)) for name in OUTPUTS}
    for at in range(0, len(steps), AT_ONCE):
        inputs = step_inputs(engine, part, steps[at : at + AT_ONCE], controls)
        if memory is not None:
            count = len(inputs["style"])
            inputs |= {name: np.repeat(array, count, axis=0) for name, array in memory.items()}
        outputs = engine.infer(inputs).outputs
        for name in OUTPUTS:
            rows[name][steps[at : at + AT_ONCE]] = outputs[name]
    return Said(**rows)


def remember(engine: Engine, part: Performance, controls: tuple[int, int]) -> Arrays:
    """State of a live model after it has heard a performance step by step.

    Raises:
        UserError: The model was trained on scores only and remembers nothing.
    """
    _check_kind(engine)
    if not engine.contract.state:
        raise UserError(
            "this model was trained on what is written and can't follow a drummer",
            where="--like",
            hint="train one that can: kelly train groove --set input=live",
            code="usage.other-input",
        )
    played = part.played()
    state: Arrays = {}
    before = np.zeros((1, N_DRUMS, 3), dtype=np.float32)
    for step in range(len(part.steps)):
        inputs = step_inputs(engine, part, np.array([step]), controls) | state | {"played": before}
        state = engine.infer(inputs).state
        before = played[step : step + 1]
    return {**state, "played": before}


def step_inputs(
    engine: Engine, part: Performance, steps: NDArray[np.integer], controls: tuple[int, int]
) -> Arrays:
    """Inputs of one call for these steps; a live model is told of no hit."""
    inputs: Arrays = {
        "window": windows(part.mask)[steps],
        "context": part.context()[steps],
        "style": np.full(len(steps), controls[0], dtype=np.int64),
        "family": np.full(len(steps), controls[1], dtype=np.int64),
    }
    if engine.contract.state:
        inputs["played"] = np.zeros((len(steps), N_DRUMS, 3), dtype=np.float32)
    return inputs


def summary(midi: MidiFile, part: Performance, made: Changes) -> dict[str, Any]:
    """What changed, for people and JSON."""
    seconds = midi.seconds(made.onset_tick) - midi.notes["onset"]
    moved = made.onset_tick != midi.notes["onset_tick"]
    return {
        "notes": len(midi.notes),
        "drum_notes": len(part.hits),
        "moved": int(moved.sum()),
        "mean_shift_ms": round(float(np.abs(seconds[moved]).mean() * 1000) if moved.any() else 0.0, 2),
        "largest_shift_ms": round(float(np.abs(seconds).max(initial=0.0) * 1000), 2),
        "mean_velocity": round(float(made.velocity.mean()), 1) if len(made.velocity) else 0.0,
        "problems": list(midi.problems),
    }


def _check_kind(engine: Engine) -> None:
    if engine.contract.features.get("kind") != "drum-grid":
        raise ContractError(
            "it isn't a model of drum parts",
            where=f"contract of {engine.contract.model_id!r}",
            hint="train one: kelly train groove --data demo",
            code="contract.other-version",
        )
