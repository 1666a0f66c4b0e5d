"""The dataset that core brings: any folder of MIDI files. Light; reading lives in `midi_folder`."""

from __future__ import annotations

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import DatasetSpec, LazyRef

KELLY_API = 1


@hookimpl
def kelly_datasets() -> list[DatasetSpec]:
    """Folders of MIDI files, for the models that name it in `ModelSpec.datasets`."""
    return [
        DatasetSpec(
            name="midi-folder",
            summary="any tree of .mid files, with metadata.csv / metadata.json where there is one",
            models=(),
            opener=LazyRef("kelly_core.data.midi_folder:open_midi_folder"),
            recognises=LazyRef("kelly_core.data.midi_folder:recognises"),
        )
    ]
