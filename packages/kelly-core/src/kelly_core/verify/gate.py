"""The gate: an artefact takes its place only after it computed what the trained model computes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.contract import ArtifactInfo
from kelly_core.errors import KellyError, ParityError
from kelly_core.runtime import ModuleRunner, Runtime
from kelly_core.verify.cases import Case, ranked_outputs
from kelly_core.verify.parity import TOLERANCE, ParityReport, check_parity

if TYPE_CHECKING:
    from kelly_core.export import Arrays, ExportBundle
    from kelly_core.specs import ExporterSpec

TRAINED = "trained model"


def export_verified(
    bundle: ExportBundle,
    exporter: ExporterSpec,
    path: Path,
    cases: Mapping[str, Case | Arrays],
    tolerance: float = TOLERANCE,
) -> tuple[ArtifactInfo, ParityReport]:
    """Export beside `path`, compare with the module on every case, and only then move into place.

    Whatever goes wrong, no new artefact is left and an old one stays as it was.

    Args:
        bundle: The trained module and its contract.
        exporter: The format.
        path: Where the artefact shall lie.
        cases: What to run, by name.
        tolerance: Largest allowed absolute difference.

    A file that can't be run on this machine is kept if inspecting it finds nothing wrong; its report then says
    that it was not run, and never that it passed.

    Raises:
        FormatError: The format can't carry this network; says why.
        ParityError: The artefact computes something else, has other files beside it, or can't be written;
            names case, output and difference.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        part = Path(folder) / path.name
        _write(bundle, exporter, part, path)
        report = _checked(bundle, exporter, part, cases, tolerance)
        report = replace(report, artifact=str(path)).require()
        info = ArtifactInfo.of(part).model_copy(
            update={"lossy": exporter.lossy, "interface": exporter.interface}
        )
        _move(part, path)
    return info, report


def _checked(
    bundle: ExportBundle,
    exporter: ExporterSpec,
    part: Path,
    cases: Mapping[str, Case | Arrays],
    tolerance: float,
) -> ParityReport:
    runtime = Runtime.of(exporter)
    found = runtime.inspection(part, bundle.contract, bundle.module)
    why_not = runtime.why_not()
    if why_not:
        return ParityReport(
            str(part), TRAINED, (), tuple(found.problems), why_not, tuple(found.facts), exporter.lossy
        )
    report = check_parity(
        bundle.reference or ModuleRunner.of(bundle.module, bundle.contract),
        runtime.open(part, bundle.contract),
        cases,
        tolerance,
        lossy=exporter.lossy,
        ranked=ranked_outputs(bundle.contract),
        artifact=str(part),
        against=TRAINED,
    )
    return replace(report, problems=tuple(found.problems), facts=tuple(found.facts))


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
            code="parity.exporter",
        ) from error
    written = sorted(p.name for p in part.parent.iterdir())
    if written != [part.name]:
        raise ParityError(
            f"the {exporter.name} exporter wrote {written} instead of {part.name!r} alone",
            where=str(path),
            hint="an artefact is one file or folder, with the weights inside; report this to the exporter",
            code="parity.exporter",
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
