"""What a contract leaves to the host around the layers of a chain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kelly_core.config.base import StrictModel


class Votes(StrictModel):
    """Rows of an input, flat over their columns, that add to an output by weights which the chain gives.

    Each row `s` adds

        output[i, j] += weights[s] * rows[s, columns[0] + i] * rows[s, columns[1] + j]

    The factor of an axis without a column is 1. An output with one axis has one column.
    """

    kind: Literal["votes"] = "votes"
    output: str = Field(description="what is added to: one or two axes besides the batch and time")
    weights: str = Field(description="part of the frame that comes out: a number for each row")
    rows: str = Field(description="part of the frame that goes in: the rows, one after the other")
    columns: list[int | None] = Field(description="first column by axis of the output; null: not looked at")


class Turn(StrictModel):
    """Numbers that go round, e.g. pitch classes towards the tonic of a key, and chords back from it.

    The part begins with `groups` times `cycle` times `inner` numbers; what comes behind them stays. With n the
    place of the 1 in `by`, divided by `per` and rounded down:

        turned[group, k, i] = part[group, (k + n) % cycle, i]
        turned[group, (k + n) % cycle, i] = part[group, k, i]    where `back`
    """

    kind: Literal["turn"] = "turn"
    part: str = Field(description="part of a frame; what comes of it takes its place")
    by: str = Field(description="part of the frame that goes in: a 1 among zeros")
    per: int = Field(default=1, ge=1, description="places in `by` for one step of the cycle")
    groups: int = Field(default=1, ge=1, description="circles, one after the other")
    cycle: int = Field(ge=2, description="places of the circle")
    inner: int = Field(default=1, ge=1, description="numbers that move together")
    back: bool = Field(default=False, description="the other way round")


HostStep = Annotated[Votes | Turn, Field(discriminator="kind")]
"""What is left to do with a frame behind the last layer; steps are done in their order."""
