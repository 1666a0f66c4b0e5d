"""What chords are compared with: the most frequent one, the melody's degree, logistic regression, an HMM.

All of them work on the 25 classes as degrees of the key: `2 * degree + minor`, 24 for none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.chords import N_CLASSES, NO_CLASS, reduced
from kelly_harmony.lead import METRE, SLOTS, SOUNDING, Lead
from kelly_harmony.metrics import chords_of_classes

Floats = NDArray[np.float64]
Said = list[tuple[Floats, NDArray[np.int64]]]
"""Per tune (beats, 25) scores of classes by root, and (beats,) a chord of the vocabulary."""
REGULARISATION = 1.0
MOST_BEATS = 60_000
"""Beats that logistic regression is fitted on, drawn from the training side."""


def predict_baselines(train: Sequence[Lead], on: Sequence[Lead], *, ahead: bool) -> dict[str, Said]:
    """Predictions of every baseline for every tune of `on`, fitted on `train`.

    Args:
        train: Training tunes.
        on: Tunes to predict.
        ahead: Whether what comes later may be heard, as the model hears it.
    """
    return {
        "most frequent chord of the mode": _by_cell(train, on, lambda lead: np.zeros(len(lead), np.int64)),
        "most frequent chord by degree": _by_cell(train, on, _longest_degree),
        "logistic regression": _logistic(train, on, ahead=ahead),
        "HMM": _hmm(train, on, ahead=ahead),
    }


def _degrees(lead: Lead) -> NDArray[np.int64]:
    """(beats,) classes by degree; -1 where none counts."""
    classes = reduced(lead.chords)
    turned = (classes - 2 * (lead.key // 2)) % NO_CLASS
    return np.where((classes < 0) | (classes == NO_CLASS), classes, turned)


def _sounding(lead: Lead) -> Floats:
    """(beats, 12): how long each degree sounds, beats."""
    absolute = lead.melody[:, :SOUNDING].reshape(-1, SLOTS, 12).mean(axis=1)
    columns = (np.arange(12)[None] + (lead.key // 2)[:, None]) % 12
    return np.take_along_axis(absolute, columns, axis=1).astype(np.float64)


def _said(lead: Lead, scores: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Scores by degree -> by root, and the best as a triad."""
    columns = (np.arange(NO_CLASS)[None] - 2 * (lead.key // 2)[:, None]) % NO_CLASS
    turned = np.concatenate(
        [np.take_along_axis(scores[:, :NO_CLASS], columns, 1), scores[:, NO_CLASS:]], axis=1
    )
    return turned, chords_of_classes(turned.argmax(axis=1))


def _by_cell(train: Sequence[Lead], on: Sequence[Lead], cell_of: Callable[[Lead], NDArray[np.int64]]) -> Said:
    """How often each class is, by mode and cell."""
    counts = np.full((2, 13, N_CLASSES), 1e-3)
    for lead in train:
        degrees = _degrees(lead)
        known = degrees >= 0
        np.add.at(counts, ((lead.key % 2)[known], cell_of(lead)[known], degrees[known]), 1.0)
    return [_said(lead, counts[lead.key % 2, cell_of(lead)]) for lead in on]


def _longest_degree(lead: Lead) -> NDArray[np.int64]:
    """(beats,): the degree that sounds longest, 12 for silence."""
    sounding = _sounding(lead)
    return np.where(sounding.sum(axis=1) > 0.05, sounding.argmax(axis=1), 12)


def _histograms(lead: Lead, *, ahead: bool) -> Floats:
    """(beats, features): pitch classes of this beat, the last 2, 4, 8 and 32, those to come; place, mode."""
    sounding = _sounding(lead)
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(sounding, axis=0)])
    rows = np.arange(len(lead))
    parts = [sounding]
    for beats in (2, 4, 8, 32):
        parts.append((sums[rows + 1] - sums[np.maximum(0, rows + 1 - beats)]) / beats)
        if ahead:
            parts.append((sums[np.minimum(len(lead), rows + 1 + beats)] - sums[rows + 1]) / beats)
    place = lead.metre[:, : METRE - 3].astype(np.float64)
    minor = (lead.key % 2)[:, None].astype(np.float64)
    both = np.concatenate([*parts, place], axis=1)
    return np.concatenate([both, minor, minor * both[:, :12]], axis=1)


def _logistic(train: Sequence[Lead], on: Sequence[Lead], *, ahead: bool) -> Said:
    """Multinomial logistic regression on pitch-class histograms."""
    from sklearn.linear_model import LogisticRegression

    inputs = np.concatenate([_histograms(lead, ahead=ahead) for lead in train])
    targets = np.concatenate([_degrees(lead) for lead in train])
    known = np.flatnonzero(targets >= 0)
    if len(known) > MOST_BEATS:
        known = np.sort(np.random.default_rng(0).choice(known, MOST_BEATS, replace=False))
    if len(np.unique(targets[known])) < 2:
        return _by_cell(train, on, lambda lead: np.zeros(len(lead), np.int64))
    fitted = LogisticRegression(C=REGULARISATION, max_iter=200).fit(inputs[known], targets[known])
    result = []
    for lead in on:
        scores = np.zeros((len(lead), N_CLASSES))
        scores[:, fitted.classes_.astype(int)] = fitted.predict_proba(_histograms(lead, ahead=ahead))
        result.append(_said(lead, scores))
    return result


def _hmm(train: Sequence[Lead], on: Sequence[Lead], *, ahead: bool) -> Said:
    """Hidden classes with counted transitions, melody degrees drawn from each; the posterior of each beat."""
    emit = np.full((2, N_CLASSES, 13), 0.5)
    follow = np.full((2, N_CLASSES, N_CLASSES), 0.1)
    first = np.full((2, N_CLASSES), 0.1)
    for lead in train:
        degrees, sounding = _degrees(lead), _observed(lead)
        known, mode = degrees >= 0, lead.key % 2
        np.add.at(emit, (mode[known], degrees[known]), sounding[known])
        both = known[1:] & known[:-1]
        np.add.at(follow, (mode[1:][both], degrees[:-1][both], degrees[1:][both]), 1.0)
        np.add.at(first, (mode[known], degrees[known]), 1.0)
    logs = [np.log(table / table.sum(axis=-1, keepdims=True)) for table in (emit, follow, first)]
    return [_said(lead, _posterior(lead, *logs, ahead=ahead)) for lead in on]


def _observed(lead: Lead) -> Floats:
    """(beats, 13): share of the beat of each degree, and of silence."""
    sounding = _sounding(lead)
    return np.concatenate([sounding, np.maximum(0.0, 1.0 - sounding.sum(axis=1, keepdims=True))], axis=1)


def _posterior(lead: Lead, emit: Floats, follow: Floats, first: Floats, *, ahead: bool) -> Floats:
    """Forward probabilities of each beat, times the backward ones where the rest of the tune is known."""
    mode = lead.key % 2
    heard = np.einsum("bd,bcd->bc", _observed(lead), emit[mode])
    heard = np.exp(heard - heard.max(axis=1, keepdims=True))
    moves = np.exp(follow)
    forward = np.zeros((len(lead), N_CLASSES))
    now = np.exp(first[mode[0]])
    for at in range(len(lead)):
        now = (now @ moves[mode[at]] if at else now) * heard[at]
        now = now / now.sum()
        forward[at] = now
    if not ahead:
        return forward
    behind = np.ones(N_CLASSES)
    for at in range(len(lead) - 2, -1, -1):
        behind = moves[mode[at + 1]] @ (heard[at + 1] * behind)
        behind = behind / behind.sum()
        forward[at] *= behind
    return forward
