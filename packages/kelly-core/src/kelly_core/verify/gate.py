"""The gate: an artefact takes its place only after it computed what the trained model computes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.contract import ArtifactInfo
from kelly_core.errors import KellyError, ParityError
from kelly_core.runtime import ModuleRunner, Runtime
from kelly_core.verify.cases import ranked_outputs
from kelly_core.verify.parity import TOLERANCE, ParityReport, check_parity

if TYPE_CHECKING:
    from kelly_core.export import Arrays, ExportBundle
    from kelly_core.specs import ExporterSpec


def export_verified(
    bundle: ExportBundle,
    exporter: ExporterSpec,
    path: Path,
    cases: Mapping[str, Arrays],
    tolerance: float = TOLERANCE,
) -> tuple[ArtifactInfo, ParityReport]:
    """Export beside `path`, compare with the module on every case, and only then move into place.

    Whatever goes wrong, no new artefact is left and an old one stays as it was.

    Args:
        bundle: The trained module and its contract.
        exporter: The format.
        path: Where the artefact shall lie.
        cases: Inputs by name, by case.
        tolerance: Largest allowed absolute difference.

    Raises:
        ParityError: The artefact computes something else, has other files beside it, or can't be written;
            names case, output and difference.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        part = Path(folder) / path.name
        _write(bundle, exporter, part, path)
        runtime = Runtime(exporter.name, exporter.open_runner, exporter.modules, exporter.install_hint)
        runner = runtime.open(part, bundle.contract)
        report = check_parity(
            ModuleRunner(bundle.module, bundle.contract),
            runner,
            cases,
            tolerance,
            ranked=ranked_outputs(bundle.contract),
            artifact=str(path),
        ).require()
        info = ArtifactInfo.of(part)
        _move(part, path)
    return info, report


def _write(bundle: ExportBundle, exporter: ExporterSpec, part: Path, path: Path) -> None:
    try:
        exporter.export.resolve()(bundle, part)
    except KellyError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ParityError(
            f"the {exporter.name} exporter can't write this network: {type(error).__name__}: {reason}",
            where=str(path),
            hint="see the traceback with --debug; another format may carry it",
        ) from error
    written = sorted(p.name for p in part.parent.iterdir())
    if written != [part.name]:
        raise ParityError(
            f"the {exporter.name} exporter wrote {written} instead of {part.name!r} alone",
            where=str(path),
            hint="an artefact is one file or folder, with the weights inside; report this to the exporter",
        )


def _move(part: Path, path: Path) -> None:
    if part.is_dir():
        # A folder can't be replaced in one step; the old one is moved aside first and goes with the temporary.
        if path.exists():
            path.replace(part.parent / "previous")
        part.replace(path)
        return
    if path.is_dir():
        shutil.rmtree(path)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)
