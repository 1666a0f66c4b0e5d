"""Samples that a person can look at and listen to: how a piece goes on, and how the model would go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kelly_melody.polymusic.memory import KEYS, RollMemory, bucket
from kelly_melody.polymusic.model import KeysNet, KeysStep

HEARD, DRAWN = 32, 64
"""Frames of the piece that are given, and that are drawn after them."""
TICKS, FRAME_TICKS, BPM = 480, 240, 100.0
"""A frame sounds as an eighth; the files don't say how long it was."""
LOWEST = 21


def write_sample(folder: Path, name: str, net: KeysNet, roll: NDArray[np.uint8]) -> None:
    """Go on after the first frames of a piece: MIDI and sound, and a picture beside the piece itself."""
    from kelly_core.features.midi import encode
    from kelly_core.features.midi.picture import draw_roll
    from kelly_core.features.midi.samples import write_sample as write_heard

    ours = continued(net, roll[:HEARD], DRAWN, seed=0)
    theirs = notes_of(roll[: HEARD + DRAWN])
    stem = name.replace(" ", "-")
    heard = write_heard(folder, stem, encode(notes_of(ours), BPM))
    seconds = len(ours) * FRAME_TICKS / TICKS * 60 / BPM
    panels = {"the piece": theirs, f"its first {HEARD} frames, and what was drawn after them": heard.notes}
    draw_roll(folder / f"{stem}.png", panels, title=name, seconds=seconds)


@torch.no_grad()
def continued(net: KeysNet, roll: NDArray[np.uint8], frames: int, seed: int) -> NDArray[np.uint8]:
    """The frames given and as many drawn after them, key by key: (frames given + frames, 88)."""
    rng = np.random.default_rng(seed)
    step, memory = KeysStep(net), RollMemory(net.candidates)
    state = step.initial_state(1)
    device = state[0].device
    played = list(roll)
    for at in range(len(roll) + frames - 1):
        heard, lengths = memory.push(played[at])
        told = [torch.from_numpy(played[at].astype(np.float32))[None]]
        if net.candidates:
            told += [torch.from_numpy(heard.astype(np.float32))[None], torch.from_numpy(bucket(lengths))[None]]
        logits, *state = step(*(tensor.to(device) for tensor in told), *state)
        if at >= len(roll) - 1:
            chance = torch.sigmoid(logits[0]).cpu().numpy()
            played.append((rng.random(KEYS) < chance).astype(np.uint8))
    return np.stack(played)


def notes_of(roll: NDArray[np.uint8]) -> NDArray[Any]:
    """A note table: neighbouring frames with the same key are one note."""
    from kelly_core.features.midi import make_notes

    edges = np.diff(np.pad(roll.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    key, onset = np.nonzero(edges.T == 1)
    _, end = np.nonzero(edges.T == -1)
    return make_notes(key + LOWEST, onset * FRAME_TICKS, (end - onset) * FRAME_TICKS, 72, bpm=BPM)
