"""What a trained model says about a melody, through the engine: no torch needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ContractError
from kelly_harmony.chords import N_CHORDS, NONE, symbol_of
from kelly_harmony.data.midi import Beats, beats_of, lead_of
from kelly_harmony.data.tracks import find_track, melody_track, notes_of
from kelly_harmony.decode import decode, varied
from kelly_harmony.keys import key_name
from kelly_harmony.lead import MELODY, METRE, Lead
from kelly_harmony.prior import Prior, strength_of
from kelly_harmony.voicing import segments, voice_chords

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile
    from kelly_core.inference import Engine, FilePrediction

VELOCITY = 58
PROGRAM = 4
"""General MIDI: electric piano."""
DRUMS = 9
Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a melody is harmonised.

    Attributes:
        how: `greedy`, `beam` or `viterbi`.
        weight: How much the prior of which chord follows counts.
        variation: 0 takes the best chords, 1 draws them by their probability.
        seed: Of the draw.
        track: The melody's track, by name or number from 1; None finds it.
        key: `2 * tonic + minor`; None takes the file's, else estimates.
    """

    how: str = "viterbi"
    weight: float = 0.3
    variation: float = 0.0
    seed: int = 0
    track: str | None = None
    key: int | None = None


@dataclass(frozen=True)
class Harmonised:
    """A melody with chords.

    Attributes:
        lead: The melody on its beats, with the chords.
        key_from: `given`, `file` or `estimated`.
        probabilities: (beats, N_CHORDS).
        notes: The chords' notes, `NOTE_DTYPE`.
        texts: (tick, symbol) of each chord.
    """

    lead: Lead
    key_from: str
    probabilities: Floats
    notes: NDArray[Any]
    texts: Sequence[tuple[int, str]]


def harmonise(engine: Engine, midi: MidiFile, wish: Wish) -> Harmonised:
    """Chords for the melody of a file.

    Raises:
        DataError, UserError: There is no melody, or no such track.
        ContractError: The engine holds another kind of model.
    """
    lead, key_from = lead_of(midi, track=wish.track, key=wish.key)
    scores = log_probabilities(engine, lead)
    moves = prior_moves(engine, lead) if wish.how != "greedy" else []
    chords = decode(wish.how, varied(scores, wish.variation, wish.seed), moves, weight=wish.weight)
    named = Lead(lead.melody, lead.metre, lead.key, chords, lead.edges, name=lead.name)
    track = find_track(midi, wish.track) if wish.track is not None else melody_track(midi)
    melody = notes_of(midi, track)
    beats = beats_of(midi, int((melody["onset_tick"] + melody["duration_tick"]).max()))
    notes, texts = chord_notes(midi, melody, beats, named)
    return Harmonised(named, key_from, np.exp(scores), notes, texts)


def log_probabilities(engine: Engine, lead: Lead) -> Floats:
    """(beats, N_CHORDS) of a melody, beat by beat through the engine."""
    _check_kind(engine)
    if engine.contract.interface:
        return _normalised(_whole(engine, lead))
    ahead = int(engine.contract.features["look_ahead_beats"])
    rows, state = [], {}
    for at in range(len(lead) + ahead):
        inputs = _inputs(lead, at)
        result = engine.infer({**inputs, **state})
        state = result.state
        if at >= ahead:
            rows.append(result.outputs["logits"][0])
    return _normalised(np.array(rows, np.float64).reshape(-1, N_CHORDS))


def _whole(engine: Engine, lead: Lead) -> Floats:
    """(beats, N_CHORDS) logits from a file that takes tunes at once."""
    named = {"melody": lead.melody, "metre": lead.metre, "key": lead.key}
    given = engine.infer({name: array[None] for name, array in named.items()})
    return np.asarray(given.outputs["logits"][0], np.float64)


def _normalised(logits: Floats) -> Floats:
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def _inputs(lead: Lead, at: int) -> dict[str, NDArray[Any]]:
    """One beat; behind the last one, the silence that brings out what is late."""
    if at >= len(lead):
        silence = np.zeros((1, MELODY), np.float32), np.zeros((1, METRE), np.float32)
        return {"melody": silence[0], "metre": silence[1], "key": lead.key[-1:]}
    here = slice(at, at + 1)
    return {"melody": lead.melody[here], "metre": lead.metre[here], "key": lead.key[here]}


def prior_moves(engine: Engine, lead: Lead) -> list[Floats]:
    """Per beat (N_CHORDS + 1, N_CHORDS): the model's prior after each chord."""
    tables = engine.contract.tables
    prior = Prior(tables["stay"].array(), tables["move"].array())
    after = lru_cache(maxsize=None)(prior.in_key)
    return [
        after(key, strength)
        for key, strength in zip(lead.key.tolist(), strength_of(lead.metre).tolist(), strict=True)
    ]


def chord_notes(
    midi: MidiFile, melody: NDArray[Any], beats: Beats, lead: Lead
) -> tuple[NDArray[Any], list[tuple[int, str]]]:
    """Voiced chords, struck when they change and at each bar line, and where each symbol stands."""
    from kelly_core.features.midi import make_notes

    parts = segments(lead.chords, beats.bar)
    ticks = np.rint(beats.edges).astype(np.int64)
    ends = melody["onset_tick"] + melody["duration_tick"]
    ceilings = []
    for part in parts:
        over = (melody["onset_tick"] < ticks[part.stop]) & (ends > ticks[part.start])
        ceilings.append(float(melody["pitch"][over].min()) if over.any() else float("inf"))
    columns: list[tuple[int, int, int]] = []
    for part, voices in zip(parts, voice_chords([part.chord for part in parts], ceilings), strict=True):
        start, stop = int(ticks[part.start]), int(ticks[part.stop])
        columns += [(pitch, start, max(1, stop - start)) for pitch in voices]
    texts = [
        (int(ticks[part.start]), symbol_of(part.chord, int(lead.key[part.start])))
        for part in segments(lead.chords)
    ]
    pitch, onset, length = np.array(columns, np.int64).reshape(-1, 3).T
    return make_notes(pitch, onset, length, VELOCITY, channel=_free_channel(midi)), texts


def _free_channel(midi: MidiFile) -> int:
    """A channel that no note of the file uses; the last where all are used."""
    used = set(midi.notes["channel"].tolist()) | {DRUMS}
    return next((channel for channel in range(16) if channel not in used), 15)


def written(midi: MidiFile, made: Harmonised, symbols: str) -> bytes:
    """The file with a track of chords, and their symbols as `lyrics`, `markers`, `both` or `none`."""
    from kelly_core.features.midi import with_track

    kinds = {"lyrics": ["lyric"], "markers": ["marker"], "both": ["marker", "lyric"], "none": []}[symbols]
    texts = [(tick, kind, symbol) for tick, symbol in made.texts for kind in kinds]
    channel = int(made.notes["channel"][0]) if len(made.notes) else 0
    return with_track(midi, made.notes, name="Chords", texts=texts, programs={channel: PROGRAM})  # type: ignore[arg-type]


def summary(midi: MidiFile, made: Harmonised, *, beats: bool) -> dict[str, Any]:
    """What was said, for people and JSON."""
    lead = made.lead
    best = made.probabilities[np.arange(len(lead)), lead.chords]
    told: dict[str, Any] = {
        "key": key_name(int(np.bincount(lead.key).argmax())),
        "key_from": made.key_from,
        "beats": len(lead),
        "chords": len(made.texts),
        "progression": [symbol for _, symbol in made.texts],
        "mean_probability": round(float(best.mean()), 4),
        "problems": list(midi.problems),
    }
    if beats:
        told["per_beat"] = [
            {
                "seconds": round(float(lead.edges[at]), 3),
                "chord": symbol_of(int(lead.chords[at]), int(lead.key[at])),
                "probability": round(float(best[at]), 4),
            }
            for at in range(len(lead))
        ]
    return told


def infer_file(engine: Engine, path: Path) -> FilePrediction:
    """What `Engine.infer_file` gives: the chord of each beat, and how likely each is over the whole melody."""
    from kelly_core.features.midi import read_midi
    from kelly_core.inference import FilePrediction, Span

    lead, _ = lead_of(read_midi(Path(path)))
    said = np.exp(log_probabilities(engine, lead))
    spans = [Span(float(lead.edges[at]), float(lead.edges[at + 1]), said[at]) for at in range(len(lead))]
    seconds = float(lead.edges[-1] - lead.edges[0])
    return FilePrediction(Path(path), seconds, engine.contract.labels, said.mean(axis=0), spans)


def _check_kind(engine: Engine) -> None:
    contract = engine.contract
    if contract.features.get("kind") != "melody-beats" or not {"stay", "move"} <= set(contract.tables):
        raise ContractError(
            "it isn't a model of chords, or one of an older version",
            where=f"contract of {contract.model_id!r}",
            hint="train one: kelly train harmony --data demo",
            code="contract.other-version",
        )


assert NONE < N_CHORDS
