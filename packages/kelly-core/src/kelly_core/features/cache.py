"""Keep computed features on disk: found by content, memory-mapped, bounded, safe under many processes.

Arrays lie in shards: raw bytes, each array on a 64-byte boundary, written whole and renamed into place.
One SQLite index says which shard holds which array, with a checksum, and remembers which content a file
had when it was last decoded, so that a warm start decodes nothing. A few large shards, not a file per
clip, since every mapping holds a file descriptor and macOS grants 256.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import sqlite3
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from kelly_core import atomic
from kelly_core.errors import KellyError

MAX_BYTES = 4 << 30
_ALIGN = 64
_ORPHAN_S = 3600.0
_MAPPED_FROM = 1 << 20  # smaller shards are read, since there may be many and each mapping is an open file
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT, sample_rate INTEGER, size INTEGER, mtime_ns INTEGER, content TEXT,
    PRIMARY KEY (path, sample_rate)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (name TEXT PRIMARY KEY, bytes INTEGER, used REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arrays (
    space TEXT, content TEXT, shard TEXT, offset INTEGER, dtype TEXT, shape TEXT, checksum INTEGER,
    PRIMARY KEY (space, content)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS arrays_of_shard ON arrays (shard);
"""

Array = NDArray[Any]


class FeatureCache:
    """Arrays by content key, for one feature configuration.

    Args:
        folder: Where the cache lies; several configurations and processes may share it.
        key_config: Everything that decides what is computed; JSON values.
        code_version: Changes whenever the code computes something else.
        max_bytes: Bound on all shards of the folder; those unused for longest go first. What this object
            has used is never dropped, even if it alone is larger.
    """

    def __init__(
        self, folder: str | Path, key_config: Mapping[str, Any], code_version: str, max_bytes: int = MAX_BYTES
    ) -> None:
        self.folder = Path(folder)
        key = json.dumps([key_config, code_version], sort_keys=True)
        self.space = hashlib.sha256(key.encode()).hexdigest()[:16]
        self.max_bytes = max_bytes
        self._maps: dict[str, mmap.mmap | bytes | None] = {}

    def get_many(self, keys: Sequence[str]) -> dict[str, Array]:
        """The arrays that are there, read-only and memory-mapped; damaged ones count as absent."""
        found: dict[str, Array] = {}
        with _index(self.folder) as db:
            query = "SELECT content, shard, offset, dtype, shape, checksum FROM arrays WHERE space = ?"
            rows = _select(db, query, (self.space,), "content", keys)
            for content, *place in rows:
                array = self._view(*place)
                if array is not None:
                    found[content] = array
            used = {shard for content, shard, *_ in rows if content in found}
            db.executemany("UPDATE shards SET used = ? WHERE name = ?", [(time.time(), name) for name in used])
        return found

    def put_many(self, arrays: Mapping[str, Array]) -> None:
        """Store arrays by content key, as one shard, then drop what exceeds the bound.

        Raises:
            KellyError: The disk is full or can't be written.
        """
        if not arrays:
            return
        name = f"{self.space}-{uuid.uuid4().hex}.shard"
        try:
            places, size = _write_shard(self.folder / name, arrays)
        except OSError as error:
            raise KellyError(
                f"the feature cache can't be written: {error.strerror or error}",
                where=str(self.folder),
                hint="free some space, `kelly data cache --clear`, or move data_root to another disk",
                code="failure.write",
            ) from error
        rows = [(self.space, content, name, *place) for content, place in places.items()]
        with _index(self.folder) as db:
            db.execute("INSERT INTO shards VALUES (?, ?, ?)", (name, size, time.time()))
            db.executemany("INSERT OR REPLACE INTO arrays VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._map(name)
        self._prune()

    def get_or_compute(self, content_key: str, compute: Callable[[], Array]) -> Array:
        """The array of this content, computed and stored if it isn't there."""
        found = self.get_many([content_key])
        if content_key not in found:
            computed = np.asarray(compute())
            self.put_many({content_key: computed})
            found = self.get_many([content_key]) or {content_key: computed}
        return found[content_key]

    def known_contents(self, paths: Sequence[str], sample_rate: int) -> dict[str, str]:
        """Content keys, at this rate, of files that are unchanged in size and time since they were decoded."""
        with _index(self.folder) as db:
            query = "SELECT path, size, mtime_ns, content FROM files WHERE sample_rate = ?"
            rows = _select(db, query, (sample_rate,), "path", paths)
        return {path: content for path, size, mtime, content in rows if file_state(path) == (size, mtime)}

    def remember_contents(self, files: Mapping[str, tuple[tuple[int, int], str]], sample_rate: int) -> None:
        """Note by path the state of a file before it was decoded (`file_state`) and its content key."""
        with _index(self.folder) as db:
            rows = [(path, sample_rate, *state, content) for path, (state, content) in files.items()]
            db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)

    def _view(self, shard: str, offset: int, dtype: str, shape: str, checksum: int) -> Array | None:
        mapped = self._map(shard)
        dims = json.loads(shape)
        kind = np.dtype(dtype)
        end = offset + kind.itemsize * int(np.prod(dims))
        if mapped is None or end > len(mapped) or zlib.crc32(memoryview(mapped)[offset:end]) != checksum:
            return None
        return np.frombuffer(mapped, kind, int(np.prod(dims)), offset).reshape(dims)

    def _map(self, shard: str) -> mmap.mmap | bytes | None:
        if shard not in self._maps:
            try:
                with (self.folder / shard).open("rb") as file:
                    small = os.fstat(file.fileno()).st_size < _MAPPED_FROM
                    whole = file.read() if small else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self._maps[shard] = whole
            except OSError:  # dropped by another process
                self._maps[shard] = None
        return self._maps[shard]

    def _prune(self) -> None:
        with _index(self.folder) as db:
            live = "(SELECT DISTINCT shard FROM arrays)"
            dead = [row[0] for row in db.execute(f"SELECT name FROM shards WHERE name NOT IN {live}")]  # noqa: S608
            total = db.execute("SELECT coalesce(sum(bytes), 0) FROM shards").fetchone()[0]
            for name, size in db.execute("SELECT name, bytes FROM shards ORDER BY used").fetchall():
                if total <= self.max_bytes:
                    break
                if name not in self._maps:
                    dead.append(name)
                    total -= size
            for name in dead:
                db.execute("DELETE FROM arrays WHERE shard = ?", (name,))
                db.execute("DELETE FROM shards WHERE name = ?", (name,))
            live_names = {row[0] for row in db.execute("SELECT name FROM shards")}
        for path in self.folder.glob("*.shard"):
            # Without a row: dropped just now, or its writer was killed; a young one may get its row yet.
            if path.name in dead or (path.name not in live_names and _age(path) > _ORPHAN_S):
                path.unlink(missing_ok=True)


def file_state(path: str) -> tuple[int, int] | None:
    """Size in bytes and time of the last change in ns; None if the file can't be seen."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path per file costs more than the call
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def cache_size(folder: str | Path) -> tuple[int, int]:
    """Number of files of a cache and their bytes."""
    found = [path for path in Path(folder).rglob("*") if path.is_file()]
    return len(found), sum(path.stat().st_size for path in found)


def clear_cache(folder: str | Path) -> int:
    """Delete a cache and say how many bytes that freed. Arrays already mapped stay readable."""
    _, size = cache_size(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return size


def _write_shard(path: Path, arrays: Mapping[str, Array]) -> tuple[dict[str, tuple[Any, ...]], int]:
    """Write arrays one after the other; offset, dtype, shape and checksum of each, and the size in bytes."""
    places: dict[str, tuple[Any, ...]] = {}
    with atomic.replacing(path) as part, part.open("wb") as file:
        for content, array in arrays.items():
            file.write(b"\0" * (-file.tell() % _ALIGN))
            data = np.ascontiguousarray(array).tobytes()
            places[content] = (file.tell(), array.dtype.str, json.dumps(array.shape), zlib.crc32(data))
            file.write(data)
        size = file.tell()
    return places, size


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another process was quicker
        return 0.0


@contextmanager
def _index(folder: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on the index; a damaged index is set aside and begun anew."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        db = _connect(folder / "index.sqlite")
    except sqlite3.OperationalError:  # locked for a minute, disk full: not damage
        raise
    except sqlite3.DatabaseError:
        with FileLock(folder / "index.lock"):
            for path in folder.glob("index.sqlite*"):
                path.unlink(missing_ok=True)
            db = _connect(folder / "index.sqlite")
    try:
        with db:
            yield db
    finally:
        db.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60)
    try:
        # Readers don't wait for writers; where the file system can't do it, SQLite stays with its journal.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def _select(
    db: sqlite3.Connection, query: str, fixed: tuple[Any, ...], column: str, values: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Rows of `query` whose `column` is one of `values`, a few hundred at a time."""
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(values), 500):
        part = values[start : start + 500]
        marks = ",".join("?" * len(part))
        rows += db.execute(f"{query} AND {column} IN ({marks})", (*fixed, *part)).fetchall()
    return rows
