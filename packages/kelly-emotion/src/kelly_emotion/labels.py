"""The seven classes, and the table that maps other sets' names for them onto these."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from kelly_core.errors import DataError

EMOTIONS = ("happy", "sad", "angry", "fear", "surprise", "disgust", "neutral")
"""The classes, in the order of the model's outputs."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    # English, then German, French, Spanish, Italian and Portuguese, then the codes of CREMA-D, IEMOCAP,
    # EMOVO and TESS. Codes of one letter or of digits mean different things in different sets: not here.
    "happy": (
        *("happiness", "joy", "joyful", "joyous", "glad", "cheerful", "hap"),
        *("freude", "froh", "frohlich", "glucklich", "joie", "joyeux", "heureux", "heureuse"),
        *("alegria", "alegre", "feliz", "felicidad", "gioia", "felice", "felicita", "felicidade", "gio"),
    ),
    "sad": (
        *("sadness", "sorrow", "sorrowful"),
        *("trauer", "traurig", "traurigkeit", "tristesse", "triste"),
        *("tristeza", "tristezza", "tri"),
    ),
    "angry": (
        *("anger", "rage", "ang"),
        *("wut", "wutend", "arger", "argerlich", "zorn", "colere", "fache", "fachee"),
        *("enojo", "enojado", "enfado", "ira", "rabia", "rabbia", "arrabbiato", "raiva", "rab"),
    ),
    "fear": (
        *("fearful", "afraid", "scared", "fea"),
        *("angst", "furcht", "angstlich", "peur", "apeure"),
        *("miedo", "temor", "paura", "medo", "pau"),
    ),
    "surprise": (
        *("surprised", "pleasant surprise", "pleasant surprised", "ps", "sur"),
        *("uberraschung", "uberrascht", "surpris", "sorpresa", "sorpreso", "sorprendido"),
        *("surpresa", "surpreso", "sor"),
    ),
    "disgust": (
        *("disgusted", "dis"),
        *("ekel", "angeekelt", "degout", "degoute", "asco", "repugnancia", "disgusto", "disgustato", "nojo"),
    ),
    "neutral": ("neutrality", "neu", "neutre", "neutro", "neutrale"),
}
_CALM = ("calm", "calmness")


def _normalise(raw: str) -> str:
    """Lower case without accents, with single spaces for `_` and `-`."""
    plain = unicodedata.normalize("NFKD", raw.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.split(r"[\s_\-]+", letters.strip(" _-\t")))


_TABLE = {name: emotion for emotion, names in SYNONYMS.items() for name in (emotion, *names)}
_PREFIX = re.compile(r"^(?:\d+|oaf|yaf) (?=\D)")  # "03_happy"; TESS calls its folders "OAF_angry"


def map_label(raw: str, overrides: Mapping[str, str] | None = None) -> str | None:
    """The class a label stands for, or None if it isn't known.

    Args:
        raw: The label as the dataset writes it; case, accents and `_` or `-` for a space don't matter.
        overrides: Labels that mean something else here, or that the table lacks.

    >>> map_label("Fröhlich"), map_label("OAF_Pleasant_surprise"), map_label("bored")
    ('happy', 'surprise', None)
    >>> map_label("bored", {"bored": "neutral"})
    'neutral'
    """
    name = _normalise(raw)
    for given, emotion in (overrides or {}).items():
        if _normalise(given) == name:
            return emotion
    return _TABLE.get(name) or _TABLE.get(_PREFIX.sub("", name))


def map_labels(
    counts: Mapping[str, int], where: str, overrides: Mapping[str, str] | None = None, calm: str = "drop"
) -> dict[str, str | None]:
    """The class of each label of a dataset; None for those to leave out.

    Args:
        counts: How many items have each label, as the dataset writes it.
        where: The dataset's place, for the message.
        overrides: As in `map_label`.
        calm: `"drop"` leaves items labelled calm out, `"neutral"` counts them as neutral.

    Raises:
        DataError: A label isn't known; every such label is listed with its count.
    """
    result: dict[str, str | None] = {}
    unknown: dict[str, int] = {}
    for raw, count in counts.items():
        emotion = map_label(raw, overrides)
        if emotion is None and _PREFIX.sub("", _normalise(raw)) in _CALM:
            emotion = "neutral" if calm == "neutral" else None
        elif emotion not in EMOTIONS:
            unknown[raw] = count
        result[raw] = emotion
    if unknown:
        listed = ", ".join(f"{raw!r} ({count})" for raw, count in sorted(unknown.items()))
        example = min(unknown)
        raise DataError(
            f"labels that stand for none of {', '.join(EMOTIONS)}: {listed}",
            where=where,
            hint=f"say what each means in the config, e.g. labels: {{synonyms: {{{example}: neutral}}}}, "
            "or take those files out",
            code="data.label",
        )
    return result
