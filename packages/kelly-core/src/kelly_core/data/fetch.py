"""Download a dataset's official archive: shown, resumable, checked before it is used."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from kelly_core.errors import DataError
from kelly_core.progress import Progress
from kelly_core.specs import ArchiveSpec

BLOCK = 1 << 18
TIMEOUT = 30.0
"""Seconds without a byte before the connection counts as lost."""


def fetch(archive: ArchiveSpec, folder: Path, progress: Progress) -> Path:
    """The archive in `folder`: what lies there if it is whole, else downloaded, going on where it stopped.

    Args:
        archive: Address, size and checksum.
        folder: Where downloads are kept; an unfinished one is called NAME.part.
        progress: Where the download reports.

    Raises:
        DataError: It can't be reached or stopped half-way (run again to go on), or isn't what it should be.
    """
    target = folder / archive.filename
    if target.is_file():
        check(target, archive)
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive.filename}.part"
    have = part.stat().st_size if part.exists() else 0
    if archive.size is None or have != archive.size:
        try:
            _download(archive, part, have, progress)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise DataError(
                f"the download stopped: {reason}",
                where=archive.url,
                hint="run the same command to go on, or give a file you have: --from ARCHIVE",
                code="data.download",
            ) from None
    try:
        check(part, archive)
    except DataError:
        part.unlink()
        raise
    part.replace(target)
    return target


def check(path: Path, archive: ArchiveSpec) -> str:
    """SHA-256 of a file, which must be the archive's where that is known.

    Raises:
        DataError: Size or checksum differ.
    """
    size = path.stat().st_size
    if archive.size is not None and size != archive.size:
        raise DataError(
            f"has {size:,} bytes, {archive.filename} has {archive.size:,}",
            where=str(path),
            hint=f"delete it and download it again from {archive.url}",
            code="data.checksum",
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if archive.sha256 and found != archive.sha256.lower():
        raise DataError(
            f"its SHA-256 is {found}, it should be {archive.sha256}",
            where=str(path),
            hint=f"delete it and download it again from {archive.url}",
            code="data.checksum",
        )
    return found


def _download(archive: ArchiveSpec, part: Path, have: int, progress: Progress) -> None:
    """Bytes from `have` on; from the start where the server doesn't do ranges."""
    request = urllib.request.Request(archive.url, headers={"User-Agent": "kelly"})  # noqa: S310 - a plugin names it
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416 and archive.size is None:  # nothing beyond what is there
            return
        if error.code == 416:
            part.unlink()
        raise
    with response:
        if response.status != 206:
            have = 0
        left = response.length
        what = f"{archive.filename}" + (f", from byte {have:,}" if have else "")
        blocks = None if left is None else -(-left // BLOCK)
        with part.open("ab" if have else "wb") as file:
            written = have
            for block in progress.track(_blocks(response), what, blocks):
                written += len(block)
                if archive.size is not None and written > archive.size:
                    raise OSError(f"the server sends more than the {archive.size:,} bytes of the archive")
                file.write(block)
    if left is not None and written < have + left:
        raise OSError(f"the connection was lost after {written:,} bytes")


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    while block := response.read(BLOCK):
        yield block
