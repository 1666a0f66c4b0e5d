"""Which task a configuration is trained by."""

from __future__ import annotations

from kelly_core.task import Task
from kelly_melody.config import MelodyConfig


def make_task(config: MelodyConfig) -> Task[MelodyConfig]:
    """The task of the configured head: notes of a melody, or keys of a piano roll."""
    if config.head == "keys":
        from kelly_melody.polymusic.task import KeysTask

        return KeysTask(config)
    from kelly_melody.task import MelodyTask

    return MelodyTask(config)
