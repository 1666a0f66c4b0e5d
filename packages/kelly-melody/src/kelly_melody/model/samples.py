"""What a training run leaves to listen to: first bars of a few melodies, continued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kelly_core.features.midi import encode
from kelly_core.features.midi.samples import write_sample
from kelly_melody.compose import Arrays, Composer, Host, Step
from kelly_melody.data.source import MelodySource
from kelly_melody.infer import TICKS, VELOCITY, Written, note_table
from kelly_melody.model.frames import FramesNet
from kelly_melody.model.network import MelodyNet
from kelly_melody.sampling import SplitMix64, Taste
from kelly_melody.tokens import Melody

TASTE = Taste(top_p=0.95)


def write_samples(
    model: nn.Module, source: MelodySource, folder: Path, count: int, heard: int, bars: int
) -> None:
    """Let the network hear the first bars of melodies spread over a source and go on.

    Args:
        model: The network, in evaluation mode.
        source: Where the melodies come from.
        folder: Where to.
        count: How many.
        heard: Bars that it hears.
        bars: Bars that it adds.
    """
    assert isinstance(model, MelodyNet | FramesNet)
    chosen = np.linspace(0, len(source.melodies) - 1, min(count, len(source.melodies))).astype(int)
    for number, at in enumerate(chosen):
        melody = beginning(source.melodies[at], heard)
        host = Host(melody.key, melody.metres, melody.start)
        composer = Composer(host, network_step(model))
        composer.listen(melody)
        ticks = host.to_bar_line() + bars * host.metre.ticks
        made = composer.write(ticks, TASTE, SplitMix64(number))
        before = list(zip(melody.pitch.tolist(), melody.duration.tolist(), strict=True))
        whole = Written([*before, *made], melody.start, 0, host)
        metre = (host.metre.numerator, host.metre.denominator)
        data = encode(note_table(whole, TICKS, 0, VELOCITY), melody.bpm, metre, TICKS, ("melody",))
        write_sample(folder, f"{Path(source.paths[at]).stem}.continued", data)


def beginning(melody: Melody, bars: int) -> Melody:
    """The tokens that begin in the first bars."""
    count = int(np.searchsorted(melody.onsets()[:-1], melody.metres[0][1].ticks * bars))
    return replace(melody, pitch=melody.pitch[:count], duration=melody.duration[:count])


def network_step(model: MelodyNet | FramesNet) -> Step:
    """One token through the network itself."""
    names = list(model.backbone.state_shapes())
    device = next(model.parameters()).device

    @torch.no_grad()
    def step(inputs: Mapping[str, NDArray[Any]], state: Arrays) -> tuple[NDArray[Any], NDArray[Any], Arrays]:
        tensors = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        before = [torch.from_numpy(state[name]).to(device) for name in names] if state else None
        pitch, duration, after = model.step(
            tensors["last"], tensors["place"], tensors["proposals"], before or model.backbone.initial_state(1)
        )
        following = {name: tensor.cpu().numpy() for name, tensor in zip(names, after, strict=True)}
        return pitch[0].cpu().numpy(), duration[0].cpu().numpy(), following

    return step
