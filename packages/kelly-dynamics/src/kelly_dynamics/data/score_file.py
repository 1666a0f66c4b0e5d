"""Opening a MusicXML file, plain or packed, from anybody: nothing in it can make reading explode."""

from __future__ import annotations

import io
import lzma
import xml.etree.ElementTree as ET
import zipfile
import zlib
from pathlib import Path
from typing import Any
from xml.parsers import expat

from kelly_core.errors import DataError

LARGEST = 32 * 2**20
"""Bytes of a score, unpacked; the longest of (n)ASAP has 4 million."""
_CONTAINER = "META-INF/container.xml"
_DAMAGED = (zipfile.BadZipFile, KeyError, RuntimeError, zlib.error, lzma.LZMAError, EOFError, OSError)


class _RootReached(Exception):  # noqa: N818 - ends a parse, no error
    pass


def read_xml(path: Path) -> ET.Element:
    """The root of a score.

    A document type with declarations of its own is refused: no music program writes one, and entities and
    default attributes declared there can make a small file fill the memory.

    Raises:
        DataError: It can't be read, is too large, no XML or no packed score, or declares such things.
    """
    try:
        data = _limited(path.open("rb"), path)
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})",
            where=str(path),
            hint="check the path and its rights",
            code="data.score",
        ) from error
    if data[:2] == b"PK":
        data = _unpacked(data, path)
    return _parsed(data, path)


def _limited(file: Any, path: Path) -> bytes:
    with file:
        data: bytes = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DataError(
            f"has more than {LARGEST // 2**20} MB",
            where=str(path),
            hint="check that it is a score, or cut it",
            code="data.score",
        )
    return data


def _unpacked(data: bytes, path: Path) -> bytes:
    """The score in an `.mxl` archive, which its container names."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            container = _parsed(_limited(archive.open(_CONTAINER), path), path)
            named = [one.get("full-path") for one in container.iter() if one.tag.endswith("rootfile")]
            return _limited(archive.open(named[0] or "" if named else ""), path)
    except _DAMAGED as error:
        raise DataError(
            f"is no packed MusicXML ({error})",
            where=str(path),
            hint="export it again as .musicxml",
            code="data.score",
        ) from error


def _parsed(data: bytes, path: Path) -> ET.Element:
    try:
        _check_head(data, path)
        return ET.fromstring(data)  # noqa: S314 - what could explode was refused
    except (ET.ParseError, expat.ExpatError, ValueError, LookupError) as error:
        raise DataError(
            f"not readable MusicXML: {error}", where=str(path), hint="export it again", code="data.score"
        ) from error


def _check_head(data: bytes, path: Path) -> None:
    """Read up to the root element, before which all declarations stand."""

    def document_type(_name: str, _system: str, _public: str, has_declarations: int) -> None:
        if has_declarations:
            raise DataError(
                "its document type declares things of its own, which scores never need",
                where=str(path),
                hint="don't trust this file; export it again from a music program",
                code="data.score",
            )

    def root(_name: str, _attributes: Any) -> None:
        raise _RootReached

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = document_type
    parser.StartElementHandler = root
    try:
        parser.Parse(data, True)
    except _RootReached:
        return
