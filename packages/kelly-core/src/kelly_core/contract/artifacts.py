"""Exported files beside the contract, and how long a call of them takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field

from kelly_core.config.base import StrictModel


class ArtifactInfo(StrictModel):
    """An exported file beside the contract."""

    file: str = Field(description="path relative to the contract")
    sha256: str = Field(description="SHA-256, hexadecimal")
    bytes: int = Field(description="size; of a folder, of all files in it")
    lossy: float = Field(
        default=0.0,
        description="largest difference from the trained model that the format may make, as a share of an "
        "output's largest value or of 1; 0: it computes what the model computes",
    )
    interface: str = Field(default="", description="one of `interfaces`; empty: the contract's own")

    @classmethod
    def of(cls, path: Path) -> ArtifactInfo:
        """Measure a file, or a folder such as an `.mlpackage`.

        A folder's checksum is taken over the sorted names and checksums of its files.
        """
        if not path.is_dir():
            return cls(file=path.name, sha256=_sha256(path), bytes=path.stat().st_size)
        names = {part.relative_to(path).as_posix(): part for part in path.rglob("*") if part.is_file()}
        total = hashlib.sha256()
        for name, part in sorted(names.items()):
            total.update(f"{name}\0{_sha256(part)}\n".encode())
        size = sum(part.stat().st_size for part in names.values())
        return cls(file=path.name, sha256=total.hexdigest(), bytes=size)


class LatencyInfo(StrictModel):
    """How long a call takes, one thread, one item; times in ms over many calls after a warm-up."""

    runtime: str = Field(description="what ran the file")
    what: str = Field(description="whole, step, whole with front end; empty for what isn't a runtime")
    p50_ms: float = Field(description="median")
    p99_ms: float = Field(description="99th percentile")
    p999_ms: float = Field(description="99.9th percentile")
    max_ms: float = Field(description="longest call")
    calls: int = Field(description="calls that were timed")
    after_others_ms: float | None = Field(
        default=None,
        description="median of a call right after other networks', when caches hold none of this one",
    )
    load_ms: float | None = Field(default=None, description="opening the file")
    first_ms: float | None = Field(default=None, description="the first call")
    memory_mib: float | None = Field(default=None, description="growth of a process that loads and calls it")
    hardware: str = Field(description="processor it was measured on")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
