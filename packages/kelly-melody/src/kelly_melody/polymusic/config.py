"""Settings of the head `keys`: piano rolls of 88 keys."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from kelly_core.config import StrictModel, setting

SETS = ("JSB_Chorales", "MuseData", "Nottingham", "Piano_midi")


class KeysConfig(StrictModel):
    """Which piano rolls, and what stands before and behind the backbone."""

    rolls: Literal["JSB_Chorales", "MuseData", "Nottingham", "Piano_midi"] = setting(
        "JSB_Chorales", "which of the sets is read: the file of this name with .mat behind it"
    )
    candidates: int = setting(
        2,
        "continuations of earlier matches in the piece that the network is shown; 0: no memory of the piece",
        ge=0,
        le=8,
    )
    crop: int = setting(192, "longest run of frames of one training example", unit="frames", ge=8, le=4096)
    warm: int = setting(
        32,
        "frames at the beginning of a run out of the middle of a piece that don't count in the loss",
        unit="frames",
        ge=0,
        le=1024,
    )
    neighbours: int = setting(
        0,
        "channels that look along the keyboard, the same for every key: steps and leaps of voices; 0: none",
        unit="channels",
        ge=0,
        le=256,
    )
    input_dropout: float = setting(0.3, "share of what goes in that is dropped while training", ge=0.0, lt=1.0)
    dropout: float = setting(0.5, "share of activations dropped before the output", ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _something_counts(self) -> KeysConfig:
        if self.warm > self.crop - 2:
            raise ValueError(f"warm ({self.warm} frames) must be at least two less than crop ({self.crop})")
        return self
