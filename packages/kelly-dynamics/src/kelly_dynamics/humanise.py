"""Playing a flat MIDI file: its notes to contexts, the engine's answers back to ticks and velocities.

NumPy only: no torch is needed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError, UserError
from kelly_core.features.midi import DRUM_CHANNEL
from kelly_dynamics.data.musicxml import MARKINGS
from kelly_dynamics.features.table import INPUTS, known
from kelly_dynamics.score import Floats, Score
from kelly_dynamics.targets import HIGH, LOW

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile
    from kelly_core.inference import Engine
    from kelly_dynamics.data.written import WrittenScore

LOUDER, LATER, LONGER = 4.0, 0.008, 0.15
"""Spread of the variation at 1: velocities, seconds, octaves."""
_LIKE_LAST = 0.7
"""How much of one note's variation stays in the next."""


@dataclass(frozen=True)
class Played:
    """How the notes of a file are to be played, parallel to `MidiFile.notes`.

    Attributes:
        said: (notes, 4) the engine's answers; NaN for drums, which are left alone.
        velocity: (notes,) 1 to 127.
        onset_tick, duration_tick: (notes,) ticks.
        curve: (points, 2) expression over time: seconds, share of full loudness.
    """

    said: NDArray[np.float64]
    velocity: NDArray[np.int64]
    onset_tick: NDArray[np.int64]
    duration_tick: NDArray[np.int64]
    curve: Floats


def score_of(midi: MidiFile) -> tuple[Score, NDArray[np.int64]]:
    """The pitched notes of a file as a score, and where each stands in `midi.notes`.

    Raises:
        DataError: There are none.
    """
    pitched = np.flatnonzero(midi.notes["channel"] != DRUM_CHANNEL)
    if not len(pitched):
        raise DataError(
            "holds no pitched notes",
            where=str(midi.path or "MIDI"),
            hint="drums alone can't be used",
            code="data.midi",
        )
    onset = np.asarray(midi.beats(midi.notes["onset_tick"][pitched]), np.float64)
    order = pitched[np.lexsort((midi.notes["pitch"][pitched], np.round(onset, 4)))]
    notes = midi.notes[order]
    onset = np.asarray(midi.beats(notes["onset_tick"]), np.float64)
    end = np.asarray(midi.beats(notes["onset_tick"] + notes["duration_tick"]), np.float64)
    bars = midi.bars(notes["onset_tick"])
    metre = np.searchsorted(midi.metre["tick"], notes["onset_tick"], side="right") - 1
    seconds = float(notes["onset"][-1] - notes["onset"][0])
    quarters = float(onset[-1] - onset[0])
    tempo = 60 * quarters / seconds if seconds > 0 and quarters > 0 else float(midi.tempo_at(0))
    length = np.maximum(np.asarray(bars.length, np.float64), 1e-3)
    score = Score(
        onset=onset,
        duration=end - onset,
        pitch=notes["pitch"].astype(np.float64),
        position=np.mod(np.asarray(bars.position, np.float64), length),
        bar_length=length,
        beat=4.0 / midi.metre["denominator"][np.maximum(metre, 0)].astype(np.float64),
        tempo=float(np.clip(tempo, 10.0, 600.0)),
        markings=np.zeros((len(notes), len(MARKINGS)), np.float32),
    )
    return score, order


def answers(engine: Engine, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a loaded engine says about a whole sequence: (notes, inputs) -> (notes, 4)."""
    ahead = engine.contract.window.get("look_ahead", 0)
    padded = np.concatenate([inputs, np.zeros((ahead, inputs.shape[1]), np.float32)])
    output = engine.infer({"input": padded[None]}).outputs["output"]
    return np.asarray(output[0, ahead:], np.float64)


def humanise(
    midi: MidiFile,
    engine: Engine,
    *,
    written: WrittenScore | None = None,
    amount: float = 1.0,
    variation: float = 0.0,
    seed: int = 0,
) -> Played:
    """Play a file's notes.

    Args:
        midi: The file as read.
        engine: A loaded DynamicsEngine trained with `input` notes or markings.
        written: What `midi` was made from, where that was a score; its markings count then.
        amount: 0 leaves the file as it is, 1 takes over what the engine says.
        variation: How much one rendition differs from the next; 0: not at all.
        seed: Which rendition.

    Raises:
        UserError: The engine was trained to play along, or an amount is out of range.
        DataError: The file holds no pitched notes.
    """
    kind = str(engine.contract.features.get("input", "notes"))
    if kind == "causal":
        raise UserError(
            "this model plays along: it needs the performer's notes, which a flat file doesn't have",
            where=engine.model_id,
            hint="train one with `--set input=notes`, or use kelly_dynamics.live.Live",
            code="usage.other-input",
        )
    if not 0.0 <= amount <= 1.0 or variation < 0:
        raise UserError("amount must be 0 to 1, variation at least 0", where="humanise", hint="try amount 0.8")
    score, order = score_of(midi) if written is None else (written.score, written.order)
    inputs = known(score)[:, : len(INPUTS[kind])]
    said = answers(engine, np.ascontiguousarray(inputs, np.float32))
    varied = np.clip(said + variation * _variation(len(said), seed), LOW, HIGH)
    varied[score.duration <= 0, 2] = 0.0  # nobody learned how long grace notes are
    return _applied(midi, order, said, varied, amount, _curve(midi, order, said))


def _variation(count: int, seed: int) -> Floats:
    """(notes, 4) of slowly changing noise, so that neighbours vary together."""
    noise = np.random.default_rng(seed).standard_normal((count, 4))
    for at in range(1, count):
        noise[at] = _LIKE_LAST * noise[at - 1] + np.sqrt(1 - _LIKE_LAST**2) * noise[at]
    return np.asarray(noise * (LOUDER, LATER, LONGER, 0.0))


def _applied(
    midi: MidiFile, order: NDArray[np.int64], said: Floats, varied: Floats, amount: float, curve: Floats
) -> Played:
    notes = midi.notes
    velocity = notes["velocity"].astype(np.float64)
    velocity[order] += amount * (varied[:, 0] - velocity[order])
    onset, length = notes["onset_tick"].astype(np.float64), notes["duration_tick"].astype(np.float64)
    start = np.maximum(notes["onset"][order] + amount * varied[:, 1], 0.0)
    end = start + notes["duration"][order] * 2.0 ** (amount * varied[:, 2])
    if amount > 0:
        onset[order] = _ticks(midi, start)
        length[order] = np.where(length[order] > 0, np.maximum(_ticks(midi, end) - onset[order], 1), 0)
    table = np.full((len(notes), said.shape[1]), np.nan)
    table[order] = said
    return Played(
        said=table,
        velocity=np.clip(np.rint(velocity), 1, 127).astype(np.int64),
        onset_tick=np.rint(onset).astype(np.int64),
        duration_tick=np.rint(length).astype(np.int64),
        curve=curve,
    )


def _ticks(midi: MidiFile, seconds: Floats) -> Floats:
    return np.rint(np.asarray(midi.tick(seconds), np.float64))


def _curve(midi: MidiFile, order: NDArray[np.int64], said: Floats) -> Floats:
    """Mean expression of the notes of each moment, over time."""
    times, which = np.unique(midi.notes["onset"][order], return_inverse=True)
    value = np.bincount(which, said[:, 3]) / np.bincount(which)
    return np.stack([times, value], axis=1)


def as_json(midi: MidiFile, played: Played) -> dict[str, Any]:
    """Plain values: every note before and after, and the expression curve."""
    notes = [
        {
            "pitch": int(note["pitch"]),
            "onset_tick": [int(note["onset_tick"]), int(onset)],
            "duration_tick": [int(note["duration_tick"]), int(length)],
            "velocity": [int(note["velocity"]), int(velocity)],
        }
        for note, onset, length, velocity in zip(
            midi.notes, played.onset_tick, played.duration_tick, played.velocity, strict=True
        )
    ]
    curve = [[round(float(at), 4), round(float(value), 4)] for at, value in played.curve]
    return {"file": str(midi.path), "notes": notes, "expression": curve, "problems": list(midi.problems)}
