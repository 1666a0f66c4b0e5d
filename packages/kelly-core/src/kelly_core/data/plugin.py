"""The datasets that core brings: any folder of MIDI or of sound files. Light; reading lives beside it."""

from __future__ import annotations

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import DatasetSpec, LazyRef

KELLY_API = 1


@hookimpl
def kelly_datasets() -> list[DatasetSpec]:
    """Folders of files, for the models that name them in `ModelSpec.datasets`."""
    return [
        DatasetSpec(
            name="midi-folder",
            summary="any tree of .mid files, with metadata.csv / metadata.json where there is one",
            models=(),
            opener=LazyRef("kelly_core.data.midi_folder:open_midi_folder"),
            recognises=LazyRef("kelly_core.data.midi_folder:recognises"),
        ),
        DatasetSpec(
            name="sound-folder",
            summary="any tree of sound files, with metadata.csv / metadata.json where there is one",
            models=(),
            opener=LazyRef("kelly_core.data.sound_folder:open_sound_folder"),
            recognises=LazyRef("kelly_core.data.sound_folder:recognises"),
        ),
    ]
