"""Lines of notes, runs found by chance, and the error around a run's mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.data.musicxml import MARKINGS
from kelly_dynamics.data.source import NoteSource
from kelly_dynamics.features.lines import LINES, lines
from kelly_dynamics.features.table import INPUTS, N_TABLE
from kelly_dynamics.score import Score
from kelly_dynamics.task import DynamicsTask


def _score(rows: list[tuple[float, float, int, int]]) -> Score:
    """A score in 4/4 from onset, duration, pitch, staff (1: the lower)."""
    onset, duration, pitch, staff = np.array(sorted(rows), float).T
    markings = np.zeros((len(rows), len(MARKINGS)), np.float32)
    markings[:, MARKINGS.index("lower_staff")] = staff
    four, one = np.full(len(rows), 4.0), np.ones(len(rows))
    return Score(onset, duration, pitch, onset % 4, four, one, 120.0, markings)


def _column(score: Score, name: str) -> list[float]:
    return np.round(lines(score)[:, LINES.index(name)], 3).tolist()


def test_a_held_melody_lies_above_its_accompaniment() -> None:
    melody = [(0.0, 4.0, 72, 0), (4.0, 1.0, 76, 0)]
    held = _score([*melody, (0, 1, 48, 1), (1, 1, 60, 1), (2, 1, 48, 1), (4, 1, 60, 1)])
    assert _column(held, "below_sounding_top") == pytest.approx([2, 0, 1, 2, 16 / 12, 0], abs=1e-3)
    assert _column(held, "above_sounding_bottom") == pytest.approx([0, 2, 0, 0, 0, 16 / 12], abs=1e-3)
    assert _column(held, "top_of_staff") == [1.0] * 6
    assert _column(held, "staff_step_before") == pytest.approx([0, 0, 1, -1, 1, 4 / 12], abs=1e-3)


def test_clashes_syncopes_and_new_pitch_classes() -> None:
    score = _score([(0, 1, 60, 0), (0, 1, 61, 0), (1.5, 1, 60, 0), (3, 1, 67, 0)])
    assert _column(score, "clashes") == [1.0, 1.0, 0.0, 0.0]
    assert _column(score, "syncopated") == [0.0, 0.0, 1.0, 0.0]
    assert _column(score, "new_pitch_class") == [1.0, 1.0, 0.0, 1.0]


def test_single_notes_and_none_have_lines() -> None:
    assert lines(_score([(0, 0, 60, 0)])).shape == (1, len(LINES))
    assert np.isfinite(lines(_score([(0, 0, 60, 0)]))).all()


def _source(lengths: list[int], pieces: list[str], window: int, drawn: int) -> NoteSource:
    tables = [np.zeros((length, N_TABLE), np.float32) for length in lengths]
    for at, table in enumerate(tables):
        table[:, 0], table[:, 1], table[:, -4:] = at, np.arange(len(table)), 1.0
    names = [str(at) for at in range(len(lengths))]
    return NoteSource(tables, len(INPUTS["notes"]), window, drawn, np.array(pieces), names)


def test_every_piece_is_drawn_alike_however_often_it_was_played() -> None:
    source = _source([100] * 11, ["famous"] * 10 + ["rare"], window=1, drawn=500)
    assert len(source) == 500
    owner = source.fetch(np.arange(4000), np.random.default_rng(0))["context"][:, 0, 0].numpy()
    assert np.mean(owner == 10) == pytest.approx(0.5, abs=0.03)
    assert set(owner) == set(range(11))


def test_runs_stay_within_a_performance_and_repeat_with_the_seed() -> None:
    source = _source([5, 40], ["a", "b"], window=16, drawn=50)
    first, again = (source.fetch(np.arange(200), np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first["context"], again["context"])
    inside = first["weight"][..., 0] > 0
    for run, kept in zip(first["context"], inside, strict=True):
        assert len(run[kept, 0].unique()) == 1
        assert torch.equal(run[kept, 1].diff(), torch.ones(int(kept.sum()) - 1))
    assert {int(kept.sum()) for kept in inside} == {5, 16}
    ends = first["context"][inside.sum(dim=1) == 16][:, -1, 1]
    assert ends.max() == 39


def test_the_shape_of_a_run_leaves_its_level_out() -> None:
    target = torch.randn(3, 20, 4)
    batch = {"context": torch.zeros(3, 20, 32), "target": target, "weight": torch.ones(3, 20, 4)}

    class Shifted(torch.nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by, self.scale = by, torch.nn.Module()
            self.scale.centre, self.scale.spread = torch.zeros(4), torch.ones(4)

        def scaled(self, context: torch.Tensor) -> torch.Tensor:
            return target + self.by

    def extra(by: float) -> float:
        without, with_it = (
            DynamicsTask(DynamicsConfig(window=20, loss={"shape": weight}))  # type: ignore[arg-type]
            .loss(Shifted(by), batch, torch.Generator())
            .item()
            for weight in (0.0, 1.0)
        )
        return with_it - without

    assert extra(2.0) == pytest.approx(0.0, abs=1e-5)
