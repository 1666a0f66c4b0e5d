"""Unpack a downloaded archive, trusting nothing that it says: no way out of its folder, no links, no bombs."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kelly_core.errors import DataError
from kelly_core.progress import Progress

MOST_BYTES = 50 << 30
MOST_FILES = 1_000_000
LARGEST_RATIO = 200
"""Bytes unpacked per byte packed; real music packs 2 to 20 times."""
RATIO_FROM = 64 << 20
"""Small archives may pack as well as they like."""
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size: int
    kind: str
    source: Any


def unpack(archive: Path, target: Path, progress: Progress) -> list[str]:
    """Unpack a ZIP or TAR archive (gzip, bzip2 and xz too) into a folder; all of it appears, or nothing.

    Files of the system that packed it (`__MACOSX`, `.DS_Store`, `Icon`) are left out.

    Args:
        archive: The file.
        target: Folder that its entries come to lie in.
        progress: Where the work reports.

    Returns:
        Names of what now lies in `target`, sorted.

    Raises:
        DataError: It is no such archive, is damaged, holds a link or a path out of its folder, would
            unpack to an absurd size, or something of these names is there already.
    """
    try:
        with _opened(archive) as (members, reader):
            wanted = [member for member in members if not _junk(member.name)]
            _check(wanted, archive)
            tops = sorted({PurePosixPath(member.name).parts[0] for member in wanted})
            if there := [name for name in tops if (target / name).exists()]:
                raise DataError(
                    f"{there[0]!r} is there already",
                    where=str(target),
                    hint="use it, or move it away first",
                    code="data.exists",
                )
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target, prefix=".unpacking-") as folder:
                for member in progress.track(wanted, f"unpacking {archive.name}", len(wanted)):
                    _write(member, reader, Path(folder))
                for name in tops:
                    (Path(folder) / name).replace(target / name)
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(
                f"can't be unpacked: {error.strerror}",
                where=str(archive),
                hint=f"look at {target}",
                code="data.archive",
            ) from None
        raise DataError(
            f"is damaged or no archive ({error})",
            where=str(archive),
            hint="download it again",
            code="data.archive",
        ) from None
    return tops


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[_Member], Any]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield [_of_zip(info) for info in archive.infolist()], archive.open
    else:
        with tarfile.open(path) as archive:
            yield [_of_tar(info) for info in archive.getmembers()], archive.extractfile


def _of_zip(info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    kind = "folder" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
    return _Member(info.filename, info.file_size, kind, info)


def _of_tar(info: tarfile.TarInfo) -> _Member:
    kind = "folder" if info.isdir() else "file" if info.isfile() else "link"
    return _Member(info.name, info.size, kind, info)


def _junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or "__MACOSX" in parts or parts[-1] in {".DS_Store", "Icon\r"}


def _check(members: list[_Member], archive: Path) -> None:
    for member in members:
        parts = PurePosixPath(member.name).parts
        odd = any(ord(letter) < 32 for letter in member.name) or "\\" in member.name or ":" in parts[0]
        if odd or ".." in parts or PurePosixPath(member.name).is_absolute():
            raise DataError(
                f"it holds {member.name!r}, which leads out of its folder or is no name of a file",
                where=str(archive),
                hint="don't use this archive; download the official one",
                code="data.archive",
            )
        if member.kind == "link":
            raise DataError(
                f"it holds {member.name!r}, which is a link or a device",
                where=str(archive),
                hint="don't use this archive; download the official one",
                code="data.archive",
            )
    size, packed = sum(member.size for member in members), archive.stat().st_size
    bomb = size > RATIO_FROM and size > LARGEST_RATIO * packed
    if size > MOST_BYTES or len(members) > MOST_FILES or bomb:
        raise DataError(
            f"its {packed:,} bytes would become {size:,} in {len(members):,} files",
            where=str(archive),
            hint="don't use this archive; download the official one",
            code="data.archive",
        )


def _write(member: _Member, reader: Any, folder: Path) -> None:
    target = folder / member.name
    if member.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source: IO[bytes]
    with reader(member.source) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
        if file.tell() != member.size:
            raise ValueError(f"{member.name!r} has {file.tell()} bytes instead of {member.size}")
