"""What a network has to beat on the same split: constants, the frame before, logistic regression, copying."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from kelly_melody.polymusic.memory import BUCKETS, KEYS
from kelly_melody.polymusic.source import RollSource

Answer = Callable[[RollSource, int], NDArray[np.float64]]
"""A piece of a source to (frames, 88) logits of the frame after each."""
WINDOW = 8
"""Frames that logistic regression sees."""
STEPS, BATCH, RATE, DECAY = 4000, 256, 3e-3, 1e-4
MOST_EPOCHS = 100
"""How it is trained: this many steps or more in whole epochs, of which validation data chooses one."""


def baselines(train: RollSource, validation: RollSource) -> dict[str, Answer]:
    """Predictors fitted on the training side, by name; with a memory also those that copy from the piece."""
    found = {
        "how often each key sounds": marginal(train),
        "frame before, key by key": frame_before(train),
        f"logistic regression, {WINDOW} frames": regression(train, validation, WINDOW, with_memory=False),
    }
    if train.candidates:
        found["longest match copied"] = copied(train)
        name = f"logistic regression, {WINDOW} frames and matches"
        found[name] = regression(train, validation, WINDOW, with_memory=True)
    return found


def marginal(train: RollSource) -> Answer:
    """The same for every frame."""
    on = np.sum([roll.sum(axis=0, dtype=np.int64) for roll in train.rolls], axis=0)
    logits = _logit(on, sum(map(len, train.rolls)))
    return lambda source, piece: np.tile(logits, (len(source.rolls[piece]), 1))


def frame_before(train: RollSource) -> Answer:
    """Each key by whether it sounds now."""
    now = np.concatenate([roll[:-1] for roll in train.rolls]).astype(bool)
    then = np.concatenate([roll[1:] for roll in train.rolls]).astype(bool)
    stays, begins = (
        _logit((now & then).sum(axis=0), now.sum(axis=0)),
        _logit((~now & then).sum(axis=0), (~now).sum(axis=0)),
    )
    return lambda source, piece: np.where(source.rolls[piece] > 0, stays, begins)


def copied(train: RollSource) -> Answer:
    """The continuation of the longest match, trusted by its length; without a match the frame before.

    Keys count alike: one probability for keys in the continuation and one for the others per length and
    whether the key sounds now.
    """
    counts = np.zeros((2, BUCKETS, 2, 2))  # does it sound then; length; in the continuation; does it sound now
    for piece, roll in enumerate(train.rolls):
        heard, length, now = _cells(train, piece)
        np.add.at(counts, (roll[1:].astype(int), length[:-1], heard[:-1], now[:-1]), 1)
    table = _logit(counts[1], counts.sum(axis=0))

    def answer(source: RollSource, piece: int) -> NDArray[np.float64]:
        heard, length, now = _cells(source, piece)
        logits: NDArray[np.float64] = table[length, heard, now]
        return logits

    return answer


@torch.enable_grad()  # baselines are asked for while a network is measured
def regression(train: RollSource, validation: RollSource, window: int, *, with_memory: bool) -> Answer:
    """Logistic regression for each key on the last frames, and on the continuations where there is a memory."""
    rows = [_rows(train, piece, window, with_memory=with_memory) for piece in range(len(train.rolls))]
    inputs = np.concatenate([row[:-1] for row in rows])
    targets = np.concatenate([roll[1:] for roll in train.rolls])
    heldout = [
        _rows(validation, piece, window, with_memory=with_memory) for piece in range(len(validation.rolls))
    ]
    weight = torch.zeros(KEYS, inputs.shape[1], requires_grad=True)
    bias = torch.tensor(marginal(train)(train, 0)[0], dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.AdamW([weight, bias], lr=RATE, weight_decay=DECAY, fused=True)
    rng = np.random.default_rng(0)
    best, kept = np.inf, (weight, bias)
    steps = max(1, len(inputs) // BATCH)
    epochs = min(-(-STEPS // steps), MOST_EPOCHS)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - epoch / epochs)
        for chosen in np.array_split(rng.permutation(len(inputs)), steps):
            some, wanted = (torch.from_numpy(array[chosen]).float() for array in (inputs, targets))
            loss = F.binary_cross_entropy_with_logits(F.linear(some, weight, bias), wanted, reduction="sum")
            optimizer.zero_grad()
            (loss / len(chosen)).backward()
            optimizer.step()
        nll = _nll(heldout, validation.rolls, weight, bias)
        if nll < best:
            best, kept = nll, (weight.detach().clone(), bias.detach().clone())

    def answer(source: RollSource, piece: int) -> NDArray[np.float64]:
        some = torch.from_numpy(_rows(source, piece, window, with_memory=with_memory)).float()
        return F.linear(some, *kept).detach().double().numpy()

    return answer


@torch.no_grad()
def _nll(
    rows: Sequence[NDArray[np.uint8]], rolls: Sequence[NDArray[np.uint8]], weight: Tensor, bias: Tensor
) -> float:
    total = 0.0
    for row, roll in zip(rows, rolls, strict=True):
        logits = F.linear(torch.from_numpy(row[:-1]).float(), weight, bias)
        wanted = torch.from_numpy(roll[1:]).float()
        total += float(F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum"))
    return total


def _rows(source: RollSource, piece: int, window: int, *, with_memory: bool) -> NDArray[np.uint8]:
    """(frames, inputs): the last frames, latest first, then continuations and one-hot lengths."""
    roll = source.rolls[piece]
    padded = np.concatenate([np.zeros((window - 1, KEYS), np.uint8), roll])
    columns = [padded[window - 1 - back : len(padded) - back] for back in range(window)]
    if with_memory:
        continuations, buckets = source.memory[piece]
        lengths = np.eye(BUCKETS, dtype=np.uint8)[buckets]
        columns += [continuations.reshape(len(roll), -1), lengths.reshape(len(roll), -1)]
    return np.concatenate(columns, axis=1)


def _cells(source: RollSource, piece: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(frames, 88) each: whether the first continuation has the key, its length, whether the key sounds now."""
    continuations, buckets = source.memory[piece]
    now = source.rolls[piece].astype(np.int64)
    return continuations[:, 0].astype(np.int64), np.repeat(buckets[:, :1], KEYS, axis=1), now


def _logit(on: NDArray[np.number], of: NDArray[np.number] | int) -> NDArray[np.float64]:
    """Log odds of counts, with a tenth of a count on each side."""
    share = (np.asarray(on, np.float64) + 0.1) / (np.asarray(of, np.float64) + 0.2)
    return np.log(share) - np.log1p(-share)
