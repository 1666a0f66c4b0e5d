"""Tensors at a model's interface, and tables that lie beside the network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from kelly_core.config.base import StrictModel
from kelly_core.specs import TensorSpec

BATCH = "batch"
"""Name of the symbolic dimension that counts independent examples."""


class TensorInfo(StrictModel):
    """A named tensor: `shape` has sizes and names of varying dimensions."""

    name: str = Field(description="as in the exported file")
    shape: list[int | str] = Field(description="sizes, and names of dimensions that vary")
    dtype: str = Field(default="float32", description="NumPy's name of the type")
    unit: str = Field(default="", description="what the numbers mean")
    low: float | None = Field(default=None, description="smallest value there is")
    high: float | None = Field(default=None, description="largest value there is")

    @classmethod
    def from_spec(cls, spec: TensorSpec) -> TensorInfo:
        """The same, from a plugin's declaration."""
        return cls(
            name=spec.name,
            shape=list(spec.shape),
            dtype=spec.dtype,
            unit=spec.unit,
            low=spec.low,
            high=spec.high,
        )


class StateInfo(TensorInfo):
    """A recurrent state tensor and the value every element has after a reset."""

    reset: float = Field(default=0.0, description="value of every element after a reset")

    @property
    def next_name(self) -> str:
        """Name of the output that carries its value for the following call."""
        return f"next_{self.name}"


class Pooling(StrictModel):
    """What the host does with a frame-by-frame network's outputs over time."""

    kind: str = Field(description="none, or mean_plus_max: mean of the first half + max of the second half")
    meaning: str = Field(default="", description="the same in words")


class TableInfo(StrictModel):
    """Constant numbers that belong to the trained model, of float32."""

    shape: list[int] = Field(description="sizes of the axes")
    unit: str = Field(default="", description="what the numbers and the axes mean")
    values: list[float] = Field(description="in C order, rounded to four digits")

    @classmethod
    def of(cls, array: ArrayLike, unit: str) -> TableInfo:
        """A table of any shape."""
        table = np.asarray(array, np.float32)
        return cls(shape=list(table.shape), unit=unit, values=[float(f"{one:.4g}") for one in table.ravel()])

    def array(self) -> NDArray[Any]:
        """The table as float32."""
        return np.asarray(self.values, np.float32).reshape(self.shape)
