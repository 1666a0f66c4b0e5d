"""What an inference gives back: raw outputs, probabilities, the best labels, and parts of a file over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import Contract
from kelly_core.errors import ContractError, UserError

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class TopK:
    """One of the best labels.

    Attributes:
        label: Its name.
        score: Its probability, 0 to 1.
        index: Its position in the model's labels.
    """

    label: str
    score: float
    index: int


@dataclass(frozen=True)
class InferenceResult:
    """The outputs of one call.

    Attributes:
        outputs: Arrays by the contract's output names.
        contract: What they mean.
    """

    outputs: dict[str, NDArray[Any]]
    contract: Contract

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """Recurrent state under its input names, to pass into the following call."""
        return {state.name: self.outputs[state.next_name] for state in self.contract.state}

    def scores(self) -> Floats:
        """The first output as (batch, classes), with the contract's pooling over time applied."""
        info = self.contract.outputs[0]
        values: Floats = self.outputs[info.name]
        if self.contract.pooling.kind == "mean_plus_max":
            mean, peak = np.split(values, 2, axis=1)  # (batch, 2 classes, frames)
            values = mean.mean(axis=2) + peak.max(axis=2)
        return values

    def probabilities(self) -> Floats:
        """Probability of each label: (batch, labels), rows sum to 1.

        Raises:
            ContractError: The model has no labels.
        """
        scores = self.scores()
        labels = self.contract.labels
        if not labels or scores.ndim != 2 or scores.shape[1] != len(labels):
            raise ContractError(
                f"{self.contract.model_id!r} gives {scores.shape} for {len(labels)} labels, no classification",
                where=f"output {self.contract.outputs[0].name!r}",
                hint="read `.outputs`",
            )
        return scores if self.contract.outputs[0].unit == "probability" else softmax(scores)

    def get_top_k(self, k: int = 1) -> list[TopK]:
        """The `k` most probable labels of a batch of one, best first.

        Raises:
            UserError: The batch holds more than one item: then ask `get_top_k_batch`.
        """
        rows = self.get_top_k_batch(k)
        if len(rows) != 1:
            raise UserError(
                f"get_top_k is for a batch of one; this one holds {len(rows)}",
                where="InferenceResult.get_top_k",
                hint="use get_top_k_batch(k), which gives one list per item",
            )
        return rows[0]

    def get_top_k_batch(self, k: int = 1) -> list[list[TopK]]:
        """The `k` most probable labels of every item, best first."""
        return [top_k(row, self.contract.labels, k) for row in self.probabilities()]


@dataclass(frozen=True)
class Span:
    """A part of a file.

    Attributes:
        start, end: Where it lies, in seconds.
        probabilities: (labels,).
    """

    start: float
    end: float
    probabilities: Floats


@dataclass(frozen=True)
class FilePrediction:
    """What a classifier said about a file.

    Attributes:
        path: The file.
        seconds: Its length.
        labels: Names of the classes.
        probabilities: (labels,) for the file as a whole.
        spans: The same over time, in order; empty when only the whole was asked for.
    """

    path: Path
    seconds: float
    labels: Sequence[str]
    probabilities: Floats
    spans: Sequence[Span] = ()

    def get_top_k(self, k: int = 1) -> list[TopK]:
        """The `k` most probable labels, best first."""
        return top_k(self.probabilities, self.labels, k)

    def as_dict(self, k: int) -> dict[str, Any]:
        """Plain values for JSON, with the `k` best labels of the file and of each span."""
        return {
            "file": str(self.path),
            "seconds": round(self.seconds, 3),
            "top": _plain(self.get_top_k(k)),
            "spans": [
                {
                    "start": round(span.start, 3),
                    "end": round(span.end, 3),
                    "top": _plain(top_k(span.probabilities, self.labels, k)),
                }
                for span in self.spans
            ],
        }


def top_k(probabilities: Floats, labels: Sequence[str], k: int) -> list[TopK]:
    """The `k` most probable labels of one row, best first; the earlier label wins a tie.

    Raises:
        UserError: `k` is below 1.
    """
    if k < 1:
        raise UserError(f"k must be at least 1, got {k}", where="top k", hint=f"use 1 to {len(labels)}")
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [TopK(labels[i], float(probabilities[i]), int(i)) for i in order]


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, computed without overflow."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def _plain(best: Sequence[TopK]) -> list[dict[str, Any]]:
    return [{"label": one.label, "score": round(one.score, 6)} for one in best]
