"""Playing files: whatever the engine says, the file stays a sound one with the same notes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import DataError, UserError
from kelly_core.features.midi import DRUM_CHANNEL, make_notes, read_bytes, read_midi, rewritten, write_notes
from kelly_core.features.midi.write import encode
from kelly_dynamics.humanise import humanise
from kelly_dynamics.targets import HIGH, LOW


def _engine(seed: int = 0, kind: str = "notes", low: Any = LOW, high: Any = HIGH) -> Any:
    """An engine that says anything within the contract's bounds."""
    rng = np.random.default_rng(seed)

    def infer(inputs: dict[str, Any]) -> Any:
        said = rng.uniform(low, high, (*inputs["input"].shape[:2], 4)).astype(np.float32)
        return SimpleNamespace(outputs={"output": said})

    contract = SimpleNamespace(features={"input": kind}, window={"look_ahead": 3})
    return SimpleNamespace(contract=contract, infer=infer, model_id="dynamicsengine")


NOTES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(55, 62), st.integers(1, 127)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(notes=NOTES, amount=st.floats(0, 1), variation=st.floats(0, 2), seed=st.integers(0, 5))
def test_notes_keep_number_and_pitch_and_none_is_stuck(
    notes: list[tuple[int, int, int, int]], amount: float, variation: float, seed: int
) -> None:
    free: dict[int, int] = {}
    kept = []
    for onset, length, pitch, velocity in sorted(notes):  # no overlap to begin with
        if onset >= free.get(pitch, 0):
            kept.append((onset * 120, length * 120, pitch, velocity))
            free[pitch] = onset + length
    onset, length, pitch, velocity = map(np.array, zip(*kept, strict=True))
    midi = read_bytes(encode(make_notes(pitch, onset, length, velocity), 120.0), Path("x.mid"))
    played = humanise(midi, _engine(seed), amount=amount, variation=variation, seed=seed)
    again = read_bytes(rewritten(midi, played.onset_tick, played.duration_tick, played.velocity), Path("y.mid"))
    assert sorted(again.notes["pitch"].tolist()) == sorted(pitch.tolist())
    assert not again.problems
    assert ((again.notes["velocity"] >= 1) & (again.notes["velocity"] <= 127)).all()
    assert (again.notes["duration_tick"] > 0).all()
    for value in np.unique(pitch):
        same = again.notes[again.notes["pitch"] == value]
        same = same[np.argsort(same["onset_tick"])]
        assert (same["onset_tick"][1:] >= (same["onset_tick"] + same["duration_tick"])[:-1]).all()


def _file(folder: Path, channel: int = 0) -> Path:
    path = folder / "flat.mid"
    write_notes(path, make_notes(np.arange(60, 72), np.arange(12) * 240, np.full(12, 240), 80, channel=channel))
    return path


def test_amount_nought_changes_nothing(tmp_path: Path) -> None:
    midi = read_midi(_file(tmp_path))
    played = humanise(midi, _engine(), amount=0.0, variation=1.0)
    np.testing.assert_array_equal(played.velocity, midi.notes["velocity"])
    np.testing.assert_array_equal(played.onset_tick, midi.notes["onset_tick"])
    np.testing.assert_array_equal(played.duration_tick, midi.notes["duration_tick"])


def test_full_amount_takes_what_is_said(tmp_path: Path) -> None:
    midi = read_midi(_file(tmp_path))
    said = (100.0, 0.05, -1.0, 0.7)
    played = humanise(midi, _engine(low=said, high=said))
    assert set(played.velocity) == {100}
    assert set(played.duration_tick - midi.notes["duration_tick"] // 2) <= {-1, 0, 1}
    np.testing.assert_allclose(
        played.onset_tick - midi.notes["onset_tick"], 48, atol=1
    )  # .05 s at 120 a minute
    np.testing.assert_allclose(played.curve[:, 1], 0.7, atol=1e-6)


def test_the_seed_makes_a_rendition_repeatable(tmp_path: Path) -> None:
    midi = read_midi(_file(tmp_path))
    first, same, other = (humanise(midi, _engine(), variation=1.0, seed=seed).velocity for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_drums_alone_and_models_that_play_along_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pitched notes"):
        humanise(read_midi(_file(tmp_path, DRUM_CHANNEL)), _engine())
    with pytest.raises(UserError, match="plays along"):
        humanise(read_midi(_file(tmp_path)), _engine(kind="causal"))
    with pytest.raises(UserError, match="amount"):
        humanise(read_midi(_file(tmp_path)), _engine(), amount=2.0)
