"""What this drummer did so far, told as numbers per drum; nothing in here is learned.

Two memories. A table holds running mean, fading means and last hit of each drum at each place of the bar, at
each place of the beat, and anywhere. `likeness` gives means over the last steps, weighted by how like what is
written around them is to what is written around this step. A host keeps both as state; `past_of` computes
whole parts.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from kelly_groove.config import LONGEST_GAP
from kelly_groove.grid import N_DRUMS, REACH, STEPS_PER_BEAT, WINDOW

PLACES = 16
RATES = (0.0, 0.15, 0.4, 1.0)
"""Weight of a hit in the means of a table; at least one over the number of hits, so 0 is the running mean."""
ROWS = PLACES + STEPS_PER_BEAT + 1
COLUMNS = N_DRUMS + 1
"""Of a table: drums, and the mean over what is hit."""
NUMBERS = 1 + 2 * len(RATES)
"""In a table's cell: number of hits, means of the offset, means of the velocity."""
BLOCK = 128


class Likeness(NamedTuple):
    """A way of comparing two steps.

    Attributes:
        reach: Steps on either side that count.
        strictness: Hits that only one of the two has make the weight smaller, each by e to the power of this.
        fading: Steps after which the weight has fallen by e; 0: never.
        period: Steps count only at the same place of the bar (16) or the beat (4); 1: all do.
    """

    reach: int
    strictness: float
    fading: float = 0.0
    period: int = 1


LIKENESSES = (
    Likeness(2, 2.0),
    Likeness(2, 2.0, fading=32.0),
    Likeness(1, 2.0, period=PLACES),
    Likeness(0, 2.0, period=STEPS_PER_BEAT),
    Likeness(8, 0.7),
    Likeness(4, 2.0, fading=64.0),
    Likeness(REACH, 0.7, period=PLACES),
)
REACHES = tuple(sorted({kind.reach for kind in LIKENESSES}))
_REACH_OF = [REACHES.index(kind.reach) for kind in LIKENESSES]
_STRICTNESS = [kind.strictness for kind in LIKENESSES]
_FADING = [1.0 / kind.fading if kind.fading else 0.0 for kind in LIKENESSES]
_PERIODS = [(1, PLACES, STEPS_PER_BEAT).index(kind.period) for kind in LIKENESSES]
PAST = 4 * NUMBERS + 3 * len(LIKENESSES) + 1
"""Numbers per drum."""


def empty_table(batch: int, like: Tensor) -> Tensor:
    """(batch, ROWS, COLUMNS, NUMBERS): nothing was heard."""
    return like.new_zeros(batch, ROWS, COLUMNS, NUMBERS)


def write(table: Tensor, place: Tensor, played: Tensor) -> Tensor:
    """A table after a step.

    Args:
        table: (batch, ROWS, COLUMNS, NUMBERS).
        place: (batch, PLACES), one-hot, of the step.
        played: (batch, drums, 3), at the step.
    """
    hit = played[..., :1].clamp(0.0, 1.0)
    count = hit.sum(dim=1, keepdim=True)
    together = (played * hit).sum(dim=1, keepdim=True) / count.clamp(min=1.0)
    heard = torch.cat((played, together), dim=1)[:, None, :, 1:, None]
    hit = torch.cat((hit, count.clamp(max=1.0)), dim=1)[:, None]
    rows = _rows(place)
    cells = table.gather(1, rows)
    count = cells[..., :1] + hit
    rates = torch.tensor(RATES, dtype=table.dtype, device=table.device)
    weight = hit * torch.maximum(rates, 1.0 / count.clamp(min=1.0))
    means = cells[..., 1:].unflatten(-1, (2, len(RATES)))
    means = means + weight[..., None, :] * (heard - means)
    return table.scatter(1, rows, torch.cat((count, means.flatten(-2)), dim=-1))


def read(table: Tensor, place: Tensor) -> Tensor:
    """What a table says about a step: (batch, drums, 4 x NUMBERS); the last quarter is of all drums."""
    cells = table.gather(1, _rows(place))
    everything = cells[:, 2:, N_DRUMS:].expand(-1, -1, N_DRUMS, -1)
    told = torch.cat((cells[:, :, :N_DRUMS], everything), dim=1)
    scale = told.new_tensor([0.0] + [8.0] * len(RATES) + [4.0] * len(RATES))
    counts = 0.5 * torch.log1p(told[..., :1]).expand(-1, -1, -1, NUMBERS)
    is_count = told.new_tensor([1.0] + [0.0] * (NUMBERS - 1))
    return (told * scale + counts * is_count).transpose(1, 2).flatten(2)


def _rows(place: Tensor) -> Tensor:
    """Rows of a table that belong to a place, for gather: (batch, 3, COLUMNS, NUMBERS)."""
    at = place.argmax(dim=-1)
    of_beat = PLACES + at % STEPS_PER_BEAT
    rows = torch.stack((at, of_beat, torch.full_like(at, ROWS - 1)), dim=1)
    return rows[:, :, None, None].expand(-1, -1, COLUMNS, NUMBERS)


def values_of(played: Tensor, place: Tensor) -> Tensor:
    """What is remembered of a step: (..., drums, 3), (..., PLACES) -> (..., 3 x drums + PLACES)."""
    hit = played[..., 0].clamp(0.0, 1.0)
    return torch.cat((hit, hit * played[..., 1], hit * played[..., 2], place), dim=-1)


def likeness(wrong: Tensor, place: Tensor, values: Tensor, age: Tensor, span: int) -> Tensor:
    """What was done at like steps.

    Args:
        wrong: (batch, reaches, steps, past), hits that only one of two steps has within each of `REACHES`.
        place: (batch, steps, PLACES), of the steps that are asked about.
        values: (batch, past, 3 x drums + PLACES) of `values_of`.
        age: (steps, past), steps between the two; outside 1 to `span` a step isn't seen.
        span: Steps that are remembered.

    Returns:
        (batch, steps, drums, 3 x likenesses + 1).
    """
    seen = ((age >= 1) & (age <= span)).to(values.dtype)
    age = age.clamp(min=0).to(values.dtype)
    there = values[..., 3 * N_DRUMS :]
    at_place = place @ there.transpose(-2, -1)
    at_beat = _of_beat(place) @ _of_beat(there).transpose(-2, -1)
    same = torch.stack((torch.ones_like(at_place), at_place, at_beat), dim=1)[:, _PERIODS]
    strict, fading = (values.new_tensor(column)[:, None, None] for column in (_STRICTNESS, _FADING))
    weight = (-strict * wrong[:, _REACH_OF] - fading * age).exp() * (same * seen)
    sums = weight @ values[:, None, :, : 3 * N_DRUMS]  # (batch, likenesses, steps, 3 x drums)
    mass, offset, velocity = sums.split(N_DRUMS, dim=-1)
    sure = mass + 1e-3
    told = torch.stack((0.5 * torch.log1p(20.0 * mass), 8.0 * offset / sure, 4.0 * velocity / sure), dim=2)
    hit = values[..., None, :, :N_DRUMS] * seen[..., None]
    gap = torch.where(hit > 0, age[..., None], age.new_tensor(float(LONGEST_GAP))).amin(dim=-2)
    gap = torch.log1p(gap.clamp(max=LONGEST_GAP)) / 2.0
    return torch.cat((told.flatten(1, 2), gap[:, None]), dim=1).permute(0, 2, 3, 1)


def differences(query: Tensor, keys: Tensor) -> Tensor:
    """Hits that only one of two windows has: (batch, reaches, steps, past).

    Args:
        query: (batch, steps, WINDOW, drums), what is written around the steps that are asked about.
        keys: (batch, past, WINDOW, drums).
    """
    query, keys = query.clamp(0.0, 1.0), keys.clamp(0.0, 1.0)
    found = []
    for reach in REACHES:
        near = slice(REACH - reach, REACH + reach + 1)
        one, other = (part[..., near, :].flatten(-2) for part in (query, keys))
        both = one @ other.transpose(-2, -1)
        found.append(one.sum(dim=-1)[..., :, None] + other.sum(dim=-1)[..., None, :] - 2.0 * both)
    return torch.stack(found, dim=1)


def differences_along(window: Tensor, score: Tensor) -> Tensor:
    """`differences` of one step from all steps of a score: q + s - 2 q s, summed over what is near.

    Args:
        window: (batch, WINDOW, drums), around the step.
        score: (batch, past + 2 x REACH, drums).

    Returns:
        (batch, reaches, 1, past).
    """
    window, score = window.clamp(0.0, 1.0), score.clamp(0.0, 1.0)
    steps = score.shape[1]
    crossed = (1.0 - 2.0 * window) @ score.transpose(1, 2)  # (batch, WINDOW, steps)
    # Row d moves d steps to the left: in rows that are one longer, its numbers come to stand so.
    flat = torch.nn.functional.pad(crossed.reshape(-1, WINDOW * steps), (0, WINDOW))
    beside = flat.reshape(-1, WINDOW, steps + 1)[..., : steps - 2 * REACH]
    distance = torch.arange(-REACH, REACH + 1, device=window.device).abs()
    near = (distance <= torch.tensor(REACHES, device=window.device)[:, None]).to(window.dtype)
    return (near @ (beside + window.sum(dim=-1, keepdim=True)))[:, :, None]


def _of_beat(place: Tensor) -> Tensor:
    return place.unflatten(-1, (PLACES // STEPS_PER_BEAT, STEPS_PER_BEAT)).sum(dim=-2)


@torch.no_grad()
def past_of(window: Tensor, place: Tensor, played: Tensor, span: int) -> Tensor:
    """The past of every step of whole parts that start from nothing.

    Args:
        window: (batch, steps, WINDOW, drums).
        place: (batch, steps, PLACES), one-hot.
        played: (batch, steps, drums, 3); what is played at a step counts for later ones only.
        span: Steps that are compared.

    Returns:
        (batch, steps, drums, PAST).
    """
    batch, steps = place.shape[:2]
    tables = accumulate(
        range(steps - 1),
        lambda table, at: write(table, place[:, at], played[:, at]),
        initial=empty_table(batch, played),
    )
    of_table = torch.stack([read(table, place[:, at]) for at, table in enumerate(tables)], dim=1)
    values = values_of(played, place)
    blocks = []
    for start in range(0, steps, BLOCK):
        stop, first = min(start + BLOCK, steps), max(0, start - span)
        places = torch.arange(first, stop, device=played.device)
        age = places[start - first :, None] - places[None, :]
        now, then = slice(start, stop), slice(first, stop)
        wrong = differences(window[:, now], window[:, then])
        blocks.append(likeness(wrong, place[:, now], values[:, then], age, span))
    return torch.cat((of_table, torch.cat(blocks, dim=1)), dim=-1)


def recent_of(played: Tensor, recent: int) -> Tensor:
    """The last steps before each, newest first: (batch, steps, drums, 3) -> (..., recent x drums x 3)."""
    told = told_of(played).flatten(-2)
    before = [
        torch.nn.functional.pad(told, (0, 0, back, 0))[:, : told.shape[1]] for back in range(1, recent + 1)
    ]
    return torch.cat(before, dim=-1)


def told_of(played: Tensor) -> Tensor:
    """Hits as the network is shown them: (..., drums, 3), of drums that are hit."""
    return played * played[..., :1].clamp(0.0, 1.0) * played.new_tensor([1.0, 4.0, 2.0])
