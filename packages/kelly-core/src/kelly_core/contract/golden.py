"""Golden vectors, in the fewest digits that read back the same; other interfaces that files may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kelly_core.config.base import StrictModel
from kelly_core.contract.tensors import TensorInfo


class GoldenVector(StrictModel):
    """Inputs and the outputs that the trained model gave for them, as nested lists.

    Recurrent state is left out: it starts from its reset value. Run in chunks with the state passed on, a
    consumer has to get the same outputs.
    """

    name: str = Field(description="what the case is")
    inputs: dict[str, Any] = Field(description="tensors by name, as nested lists")
    outputs: dict[str, Any] = Field(description="tensors by name, as nested lists")

    @classmethod
    def of(
        cls, name: str, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
    ) -> GoldenVector:
        """Store arrays with the fewest digits that read back as the same float32."""
        return cls(
            name=name,
            inputs={key: _as_lists(value) for key, value in inputs.items()},
            outputs={key: _as_lists(value) for key, value in outputs.items()},
        )


class OtherInterface(StrictModel):
    """Another interface that files of the model may have; it has no state."""

    inputs: list[TensorInfo] = Field(description="what a call takes, in order")
    outputs: list[TensorInfo] = Field(default=[], description="empty: the contract's")
    window: dict[str, int] = Field(default={}, description="usual sizes of the varying dimensions")
    golden: list[GoldenVector] = Field(default=[], description="inputs with the trained model's answers")


def _as_lists(array: NDArray[Any]) -> Any:
    array = np.asarray(array)
    if array.dtype == np.float32:
        # str() gives the shortest decimal that is this float32; as a double it would be twice as long.
        array = np.array([float(str(v)) for v in array.ravel()], np.float64).reshape(array.shape)
    return array.tolist()
