"""Building entries: paths, checksums and sizes of files, intervals of metrics."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from kelly_core.contract import ArtifactInfo
from kelly_core.registry.entries import (
    FORMAT_OF_EXPORTER,
    PRIMARY_ORDER,
    Artifact,
    FileRef,
    Interval,
    ModelEntry,
)


def now() -> str:
    """The present in UTC, to the second, as the registry writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def relative_to(folder: Path, path: Path) -> str:
    """`path` as the registry in `folder` writes it: relative, with forward slashes."""
    return Path(os.path.relpath(Path(path).absolute(), Path(folder).absolute())).as_posix()


def file_ref(folder: Path, path: Path) -> FileRef:
    """Reference with checksum to an existing file, for the registry in `folder`."""
    return FileRef(file=relative_to(folder, path), sha256=ArtifactInfo.of(path).sha256)


def artifact(
    folder: Path, path: Path, *, verified: bool = False, max_abs_diff: float | None = None
) -> Artifact:
    """Record of an existing artefact, for the registry in `folder`.

    Args:
        folder: `workspace.models`.
        path: The artefact, a file or a folder.
        verified: It passed parity just now.
        max_abs_diff: The largest absolute difference that parity saw.
    """
    measured = ArtifactInfo.of(path)
    return Artifact(
        file=relative_to(folder, path),
        sha256=measured.sha256,
        bytes=measured.bytes,
        verified=verified,
        verified_at=now() if verified else None,
        max_abs_diff=max_abs_diff,
    )


def with_artifacts(entry: ModelEntry, artifacts: Mapping[str, Artifact]) -> ModelEntry:
    """The entry with exactly these artefacts; `file`, `format` and `exports` follow from them.

    Args:
        entry: Any entry.
        artifacts: Exporter name -> artefact. None leaves `file` and `format` empty.
    """
    exports: dict[str, str | None] = {"onnx_path": None, "coreml_path": None}
    exports |= {f"{name}_path": made.file for name, made in artifacts.items()}
    first = next((name for name in (*PRIMARY_ORDER, *artifacts) if name in artifacts), None)
    return changed(
        entry,
        artifacts=dict(artifacts),
        exports=exports,
        file=artifacts[first].file if first else None,
        format=FORMAT_OF_EXPORTER.get(first, first) if first else None,
    )


def changed(entry: ModelEntry, **changes: object) -> ModelEntry:
    """A validated copy of the entry with these fields replaced."""
    return ModelEntry.model_validate({**dict(entry), **changes})


class IntervalLike(Protocol):
    """A figure with the ends of its interval, NaN where there is none, e.g. `kelly_core.evaluate`'s."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def intervals(figures: Mapping[str, IntervalLike]) -> dict[str, Interval]:
    """Metrics as the registry keeps them: figures that are not finite are left out, unknown ends empty."""
    return {
        name: Interval(value=float(one.value), low=_finite(one.low), high=_finite(one.high))
        for name, one in figures.items()
        if math.isfinite(one.value)
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
