"""What a contract leaves to the host after the layers of a chain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kelly_core.config.base import StrictModel


class HostStep(StrictModel):
    """What is left to do with a frame behind the last layer.

    `votes`: each row `s` of an input, flat over its columns, has a weight that the chain gives, and adds to

        output[i, j] += weights[s] * rows[s, columns[0] + i] * rows[s, columns[1] + j]

    where the factor of an axis without a column is 1. An output with one axis has one column. Steps are done
    in their order, from the outputs that the chain gave.
    """

    kind: Literal["votes"]
    output: str = Field(description="what is added to: one or two axes besides the batch and time")
    weights: str = Field(description="part of the frame that comes out: a number for each row")
    rows: str = Field(description="part of the frame that goes in: the rows, one after the other")
    columns: list[int | None] = Field(description="first column by axis of the output; null: not looked at")
