"""Styles of the Groove MIDI Dataset, and the eight families that a user steers by.

A style is written as the dataset writes it, `primary/secondary`. The network has one embedding for the
style and one for the family, and is trained with either or both left out, so that a family alone is enough.
"""

from __future__ import annotations

import difflib
import re

from kelly_core.errors import UserError

FAMILIES = ("straight", "swing", "shuffle", "laid_back", "pushed", "funk", "jazz", "latin")
"""`laid_back` and `pushed` are no styles of music: while training, the latest and the earliest quarter of
the performances are sometimes called so, which teaches the network what they mean."""
UNKNOWN = 0
"""Index of "not told", for styles and families alike."""
STYLES = (
    "rock",
    "hiphop",
    "funk",
    "punk",
    "neworleans",
    "jazz",
    "rock/halftime",
    "latin/brazilian",
    "soul",
    "funk/purdieshuffle",
    "afrocuban",
    "country",
    "jazz/funk",
    "funk/rock",
    "reggae",
    "latin",
    "gospel",
    "funk/fast",
    "pop",
    "afrobeat",
    "jazz/swing",
    "jazz/fusion",
    "dance",
    "shuffle",
    "highlife",
    "middleeastern",
)
_FAMILY_OF = {
    "rock": "straight",
    "punk": "straight",
    "pop": "straight",
    "dance": "straight",
    "country": "straight",
    "rock/halftime": "straight",
    "hiphop": "funk",
    "funk": "funk",
    "soul": "funk",
    "gospel": "funk",
    "funk/rock": "funk",
    "funk/fast": "funk",
    "neworleans": "funk",
    "jazz/funk": "funk",
    "funk/purdieshuffle": "shuffle",
    "shuffle": "shuffle",
    "jazz": "jazz",
    "jazz/fusion": "jazz",
    "jazz/swing": "swing",
    "latin": "latin",
    "latin/brazilian": "latin",
    "afrocuban": "latin",
    "reggae": "latin",
    "afrobeat": "latin",
    "highlife": "latin",
    "middleeastern": "latin",
}


def style_index(name: str) -> int:
    """Index of a style as a dataset writes it, from 1; `UNKNOWN` where nothing fits.

    >>> STYLES[style_index("funk/groove1") - 1], STYLES[style_index("latin/brazilian-samba") - 1]
    ('funk', 'latin/brazilian')
    >>> style_index("polka")
    0
    """
    name = name.strip().lower()
    primary, _, secondary = name.partition("/")
    tries = [name, f"{primary}/{secondary.partition('-')[0]}", "shuffle" if "shuffle" in secondary else ""]
    for candidate in (*tries, primary):
        if candidate in STYLES:
            return STYLES.index(candidate) + 1
    return UNKNOWN


def family_index(name: str) -> int:
    """Index of a family, from 1, for the name of a family or a style; `UNKNOWN` where nothing fits.

    >>> FAMILIES[family_index("jazz/swing") - 1], FAMILIES[family_index("laid_back") - 1]
    ('swing', 'laid_back')
    """
    name = re.sub(r"[ -]", "_", name.strip().lower()) if name.strip().lower() not in STYLES else name
    if name in FAMILIES:
        return FAMILIES.index(name) + 1
    style = style_index(name)
    return FAMILIES.index(_FAMILY_OF[STYLES[style - 1]]) + 1 if style else UNKNOWN


def controls(name: str | None) -> tuple[int, int]:
    """Style and family index for what a user typed: a style, a family, or nothing.

    A family that is also a style (`funk`, `jazz`, `latin`) means both.

    Raises:
        UserError: It is neither; names what is close.
    """
    if name is None:
        return UNKNOWN, UNKNOWN
    style, family = style_index(name), family_index(name)
    if not style and not family:
        known = sorted({*STYLES, *FAMILIES})
        close = difflib.get_close_matches(name, known, 3) or known
        raise UserError(f"there is no style {name!r}", where="--style", hint=f"use one of: {', '.join(close)}")
    return style, family
