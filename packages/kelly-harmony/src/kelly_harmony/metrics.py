"""How well chords are named: sums per tune of what mir_eval and a count of beats say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.chords import N_CHORDS, N_CLASSES, N_QUALITIES, NONE, label_of, reduced
from kelly_harmony.lead import Lead

METRICS = ("accuracy", "root_accuracy", "top3", "chord_accuracy", "majmin", "root")
"""By column of the sums: of the 25 classes, of roots, within the three likeliest classes, of the whole
vocabulary, all by beats; mir_eval's majmin and root, by seconds."""
Floats = NDArray[np.floating]

GATHER = (reduced(np.arange(N_CHORDS))[:, None] == np.arange(N_CLASSES)).astype(np.float32)
"""(N_CHORDS, 25): 1 where a chord belongs to a class; those neither major nor minor belong to none."""


def classes_of(probabilities: Floats) -> Floats:
    """(..., N_CHORDS) probabilities -> (..., 25), the sums over each class's chords."""
    return probabilities @ GATHER


def chord_sums(lead: Lead, classes: Floats, chords: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """What is right, and what counts, in one tune.

    Args:
        lead: With the annotated chords.
        classes: (beats, 25) scores of the reduced classes.
        chords: (beats,) the named chord of the whole vocabulary.

    Returns:
        Two arrays of one number per metric. Beats whose annotated chord is neither major, minor nor none
        count for `chord_accuracy` and roots alone, as mir_eval does.
    """
    truth, known = reduced(lead.chords), lead.chords >= 0
    counted = truth >= 0
    best = np.argsort(-classes, axis=1)[:, :3]
    roots = _root(lead.chords[known]) == _root_of_class(best[known, 0])
    right = [
        (best[:, 0] == truth)[counted].sum(),
        roots.sum(),
        (best == truth[:, None]).any(axis=1)[counted].sum(),
        (chords == lead.chords)[known].sum(),
    ]
    size = [counted.sum(), known.sum(), counted.sum(), known.sum()]
    for numerator, denominator in _mir_eval_sums(lead, chords_of_classes(best[:, 0])):
        right.append(numerator)
        size.append(denominator)
    return np.array(right, np.float64), np.array(size, np.float64)


def chords_of_classes(classes: NDArray[np.integer]) -> NDArray[np.int64]:
    """A plain major or minor triad for each class, `NONE` for none."""
    return np.where(classes == N_CLASSES - 1, NONE, classes // 2 * N_QUALITIES + classes % 2).astype(np.int64)


def _root(chords: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.asarray(chords // N_QUALITIES)


def _root_of_class(classes: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.asarray(classes // 2)  # 24 -> 12, as NONE // N_QUALITIES


def _mir_eval_sums(lead: Lead, said: NDArray[np.int64]) -> list[tuple[float, float]]:
    """Seconds that agree and seconds that count, for majmin and root.

    Source: Raffel et al. (2014), ISMIR: mir_eval, `chord.majmin` and `chord.root`.
    """
    import mir_eval

    begin, end = float(lead.edges[0]), float(lead.edges[-1])
    if not lead.labels:
        return [(0.0, 0.0), (0.0, 0.0)]
    changes = np.flatnonzero(np.diff(said, prepend=said[:1] - 1))
    bounds = np.append(lead.edges[changes], end)
    ours = np.stack([bounds[:-1], bounds[1:]], axis=1)
    names = [label_of(int(chord)) for chord in said[changes]]
    truth, labels = mir_eval.util.adjust_intervals(
        lead.intervals, list(lead.labels), begin, end, mir_eval.chord.NO_CHORD, mir_eval.chord.NO_CHORD
    )
    intervals, reference, estimated = mir_eval.util.merge_labeled_intervals(truth, labels, ours, names)
    seconds = mir_eval.util.intervals_to_durations(intervals)
    found = []
    for compare in (mir_eval.chord.majmin, mir_eval.chord.root):
        agrees = compare(reference, estimated)
        counts = agrees >= 0
        found.append((float((agrees * seconds)[counts].sum()), float(seconds[counts].sum())))
    return found


def as_ratios(right: Floats, size: Floats) -> dict[str, float]:
    """The metrics of any number of tunes: sums over sums."""
    totals = size.sum(axis=0)
    return {
        name: float(right[:, at].sum() / totals[at]) if totals[at] else float("nan")
        for at, name in enumerate(METRICS)
    }


def tables(right: Floats, size: Floats) -> Mapping[str, tuple[Floats, Floats]]:
    """For each metric its numerator and denominator per tune."""
    return {name: (right[:, at], size[:, at]) for at, name in enumerate(METRICS)}
