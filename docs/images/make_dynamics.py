"""Writes docs/images/dynamics.png: `python docs/images/make_dynamics.py FLAT.mid PLAYED.mid`."""  # noqa: INP001 - a script

from __future__ import annotations

import sys
from pathlib import Path

from kelly_core.features.midi import read_midi
from kelly_core.features.midi.picture import draw_roll

PICTURE = Path(__file__).parent / "dynamics.png"


def main() -> None:
    """Draw both files below each other."""
    flat, played = (read_midi(Path(name)) for name in sys.argv[1:3])
    rolls = {"flat, as given": flat.notes, "played by DynamicsEngine": played.notes}
    draw_roll(PICTURE, rolls, title="kelly predict dynamics", seconds=12.0)
    print(PICTURE)


if __name__ == "__main__":
    main()
