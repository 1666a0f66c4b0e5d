"""Drum notes on a 16th grid, and what the network is told about each step.

Positions count 16ths of a quarter-note beat from the start of the file; an offset is the distance of a note
from the nearest 16th, in 16ths, negative when early. Triplet feels are offsets: the last third of a beat,
2.667 16ths, is step 3 with an offset of -0.333. Velocities are MIDI's, 1 to 127.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_groove.drums import DRUMS

STEPS_PER_BEAT = 4
REACH = 16
"""Steps that the network sees on either side."""
WINDOW = 2 * REACH + 1
LIMIT = 0.5
"""Largest offset, 16ths."""
CONTEXT = 16 + STEPS_PER_BEAT + 2
"""Numbers in `context`: place in the bar, place in the beat, bar is 4/4, tempo."""
N_DRUMS = len(DRUMS)
HIT_DTYPE = np.dtype(
    [("step", "i4"), ("drum", "i4"), ("offset", "f4"), ("velocity", "f4"), ("sixteenth_ms", "f4")]
)
STEP_DTYPE = np.dtype([("in_bar", "i4"), ("bar_steps", "i4"), ("bpm", "f4")])

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Performance:
    """One drum part.

    Attributes:
        hits: (hits,) `HIT_DTYPE`, in the order of the file; `sixteenth_ms` is the length of a 16th there.
        steps: (steps,) `STEP_DTYPE`: position in the bar and length of the bar, 16ths; tempo.
        style: As the dataset writes it.
    """

    hits: NDArray[np.void]
    steps: NDArray[np.void]
    style: str = ""

    @property
    def mask(self) -> Floats:
        """(steps, drums): 1 where a drum is hit."""
        mask = np.zeros((len(self.steps), N_DRUMS), dtype=np.float32)
        mask[self.hits["step"], self.hits["drum"]] = 1.0
        return mask

    def cells(self) -> Floats:
        """(steps, drums, 4): hits, mean offset in 16ths, mean velocity, length of a 16th in ms."""
        flat = self.hits["step"].astype(np.int64) * N_DRUMS + self.hits["drum"]
        size = len(self.steps) * N_DRUMS
        count = np.bincount(flat, minlength=size)
        means = [
            np.bincount(flat, self.hits[name], size) / np.maximum(count, 1)
            for name in ("offset", "velocity", "sixteenth_ms")
        ]
        return np.stack([count, *means], axis=1).reshape(-1, N_DRUMS, 4).astype(np.float32)

    def played(self) -> Floats:
        """(steps, drums, 3): hit (0 or 1), offset in 16ths, velocity / 127, as the network is told."""
        return played_of(self.cells())

    def context(self) -> Floats:
        """(steps, CONTEXT) of `step_context`."""
        return step_context(self.steps["in_bar"], self.steps["bar_steps"], self.steps["bpm"])


def played_of(cells: Floats) -> Floats:
    """What the network is told of hits: (..., 4) of `Performance.cells` -> (..., 3)."""
    told = np.minimum(cells[..., :3], np.array([1.0, LIMIT, 127.0], dtype=np.float32))
    return told / np.array([1.0, 1.0, 127.0], dtype=np.float32)


def step_context(in_bar: NDArray[np.int32], bar_steps: NDArray[np.int32], bpm: Floats) -> Floats:
    """What the network is told about a step beside the hits.

    Args:
        in_bar: (steps,) position in the bar, 16ths.
        bar_steps: (steps,) length of the bar, 16ths.
        bpm: (steps,) quarter notes a minute.

    Returns:
        (steps, CONTEXT): one-hot of the position in the bar (modulo 16), one-hot of the position in the
        beat, 1 where the bar has 16 steps, log2 of the tempo over 120.
    """
    rows = np.arange(len(in_bar))
    result = np.zeros((len(in_bar), CONTEXT), dtype=np.float32)
    result[rows, in_bar % 16] = 1.0
    result[rows, 16 + in_bar % STEPS_PER_BEAT] = 1.0
    result[:, 16 + STEPS_PER_BEAT] = bar_steps == 16
    result[:, 17 + STEPS_PER_BEAT] = np.log2(np.clip(bpm, 20.0, 480.0) / 120.0)
    return result


def windows(mask: Floats) -> Floats:
    """What is hit around each step: (steps, drums) -> (steps, WINDOW, drums), zeros beyond the ends."""
    padded = np.pad(mask, ((REACH, REACH), (0, 0)))
    return np.ascontiguousarray(
        np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0).transpose(0, 2, 1)
    )
