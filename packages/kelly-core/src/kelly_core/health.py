"""What `kelly doctor` looks at: each check is a value with a verdict, what was found, and what to do."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from kelly_core.catalog import Entry, read_catalog
from kelly_core.errors import KellyError
from kelly_core.isolation import DEFAULT_LIMIT_S, DEVICE_LIMIT_S, ProbeResult, probe_plugins, run_isolated
from kelly_core.plugins import PluginHost
from kelly_core.specs import DeviceSpec, ExporterSpec, ModelSpec
from kelly_core.workspace import DATA_FOLDERS, Workspace

Verdict = Literal["ok", "absent", "broken"]
LIBRARIES = (
    "torch", "lightning-fabric", "librosa", "scikit-learn", "matplotlib", "numpy", "scipy", "pydantic",
    "pluggy", "typer", "soundfile", "soxr", "onnx", "onnxruntime",
)  # fmt: skip
TRAINING = {"torch", "lightning-fabric", "librosa", "scikit-learn", "matplotlib"}
LOW_SPACE_BYTES = 2 * 10**9
"""Free space below which a data set of the recommended size, 2 GB, no longer fits."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        section: `python`, `libraries`, `plugins`, `trained`, `pretrained`, `devices`, `exporters`, `data` or
            `registry`.
        name: What was looked at.
        verdict: `absent` is nothing wrong: an optional thing that isn't there.
        message: What was found.
        hint: What to do about it.
        traceback: Where there is one.
        facts: Numbers for `--json`.
    """

    section: str
    name: str
    verdict: Verdict
    message: str
    hint: str = ""
    traceback: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def examine(workspace: Workspace, limit_s: float = DEFAULT_LIMIT_S) -> Iterator[Check]:
    """Run every check, the quick ones first.

    Args:
        workspace: Whose data and registry are looked at.
        limit_s: Longest time a plugin's code may take, in seconds.
    """
    yield Check(
        "python", "python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.platform()}"
    )
    yield from _libraries()
    yield from _data(workspace)
    yield _registry(workspace)
    entries = read_catalog()
    probes = probe_plugins(entries, limit_s)
    yield from plugin_checks(entries, probes)
    yield from trained_checks(read_catalog(("trained",)))
    healthy = [entry for entry in entries if not probes[entry.distribution, entry.module].problem]
    host = PluginHost(healthy)
    yield from _pretrained(host, workspace)
    yield from _exporters(host)
    yield from _devices(healthy, host)


def _libraries() -> Iterator[Check]:
    for name in LIBRARIES:
        try:
            yield Check("libraries", name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            extra = "train" if name in TRAINING else "onnx"
            hint = "pip install kelly-export" if name == "onnx" else f"pip install 'kelly-core[{extra}]'"
            yield Check("libraries", name, "absent", "not installed", hint)


def _data(workspace: Workspace) -> Iterator[Check]:
    root = workspace.data_root()
    if not root.exists():
        hint = "`kelly data init` makes it; KELLY_DATA_ROOT may name another place"
        yield Check("data", "data root", "absent", f"{root} does not exist", hint)
        return
    if not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
        hint = "give KELLY_DATA_ROOT a folder that you may read"
        yield Check("data", "data root", "broken", f"{root} is not a readable folder", hint)
        return
    free = shutil.disk_usage(root).free
    hint = (
        "" if free >= LOW_SPACE_BYTES else "little space is left; `kelly data cache` shows what can be cleared"
    )
    yield Check(
        "data", "data root", "ok", f"{root}, {free / 1e9:.1f} GB free", hint, facts={"free_bytes": free}
    )
    missing = [name for name in DATA_FOLDERS if not (root / name).is_dir()]
    facts = {"folders": {name: name not in missing for name in DATA_FOLDERS}}
    if missing:
        message = f"{len(DATA_FOLDERS) - len(missing)} of {len(DATA_FOLDERS)} folders; no {', '.join(missing)}"
        yield Check("data", "layout", "absent", message, "`kelly data init` makes them", facts=facts)
    else:
        yield Check("data", "layout", "ok", f"all {len(DATA_FOLDERS)} folders", facts=facts)


def _registry(workspace: Workspace) -> Check:
    path = workspace.registry
    if not path.exists():
        return Check(
            "registry", "registry", "absent", f"{path} does not exist yet", "the first training makes it"
        )
    from kelly_core.registry import load

    if fault := _first_fault(path):
        return Check("registry", "registry", "broken", *fault)
    models = len(load(path).models)
    return Check("registry", "registry", "ok", f"{path}, {models} models", facts={"models": models})


def _first_fault(registry: Path) -> tuple[str, str] | None:
    """What is wrong with a registry and its files, and what to do; None where nothing is."""
    from kelly_core.registry.validate import validate

    faults = [fault for fault in validate(registry) if fault.severity == "error"]
    if not faults:
        return None
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    message = ": ".join(filter(None, (faults[0].where, faults[0].field, faults[0].message)))
    return message + more, faults[0].hint or "`kelly registry validate` lists every fault"


def plugin_checks(entries: list[Entry], probes: dict[tuple[str, str], ProbeResult]) -> Iterator[Check]:
    """How each probed plugin module fared, and names of theirs that two packages declare.

    Args:
        entries: Everything that is installed.
        probes: Results by `(distribution, module)`, as `probe_plugins` gives them.
    """
    concerned = [entry for entry in entries if (entry.distribution, entry.module) in probes]
    for (distribution, module), result in probes.items():
        mine = [entry for entry in concerned if (entry.distribution, entry.module) == (distribution, module)]
        title = f"{distribution} {mine[0].version}"
        if result.problem:
            hint = f"upgrade it or report it, or `kelly uninstall {distribution}`; --no-plugins does without"
            yield Check("plugins", title, "broken", result.problem, hint, result.traceback)
        else:
            brought = ", ".join(f"{entry.kind} {entry.name}" for entry in mine)
            yield Check("plugins", title, "ok", brought, "; ".join(result.deprecated))
    for kind, name in dict.fromkeys((entry.kind, entry.name) for entry in concerned):
        owners = [entry for entry in entries if (entry.kind, entry.name) == (kind, name)]
        if len(owners) > 1:
            yield Check("plugins", f"{kind} {name!r}", "broken", *_doubled(owners))


def trained_checks(entries: list[Entry]) -> Iterator[Check]:
    """Whether the files of installed trained models are whole, and models that two packages bring.

    Args:
        entries: Catalog entries of kind `trained`.
    """
    from kelly_core.contract import UPGRADE
    from kelly_core.trained import REINSTALL, home_of

    for entry in entries:
        title = f"{entry.distribution} {entry.version}"
        try:
            home = home_of(entry, Workspace.locate())
            formats = ", ".join(home.contract().artifacts)
        except KellyError as error:
            message = error.message.removeprefix(f"{title}: ")
            yield Check("trained", title, "broken", message, error.hint or REINSTALL)
            continue
        if fault := _first_fault(home.workspace.registry):
            message, hint = fault
            yield Check("trained", title, "broken", message, UPGRADE if hint == UPGRADE else REINSTALL)
        else:
            yield Check("trained", title, "ok", f"{entry.name}, {formats}")
    for name in dict.fromkeys(entry.name for entry in entries):
        owners = [entry for entry in entries if entry.name == name]
        if len(owners) > 1:
            yield Check("trained", f"trained model {name!r}", "broken", *_doubled(owners))


def _doubled(owners: list[Entry]) -> tuple[str, str]:
    """That several packages declare one name, and what to do."""
    message = "declared by " + " and ".join(f"{entry.distribution} {entry.version}" for entry in owners)
    return message, f"say {' or '.join(repr(entry.qualified) for entry in owners)}; or uninstall one of them"


def _pretrained(host: PluginHost, workspace: Workspace) -> Iterator[Check]:
    """Models that are only run: whether their libraries and their weights are here."""
    for spec in host.specs("model", ModelSpec):
        if spec.pretrained is None:
            continue
        if missing := spec.pretrained.missing():
            message = f"needs {', '.join(missing)}"
            yield Check("pretrained", spec.name, "absent", message, spec.pretrained.install_hint)
            continue
        try:
            yield Check("pretrained", spec.name, "ok", str(spec.pretrained.find.resolve()(workspace)))
        except KellyError as error:
            yield Check("pretrained", spec.name, "absent", error.message, error.hint or "")
        except Exception as error:  # noqa: BLE001 - somebody's package; the other checks must go on
            message = f"looking for its weights raised {type(error).__name__}: {error}"
            yield Check("pretrained", spec.name, "broken", message, "upgrade or report its package")


def _exporters(host: PluginHost) -> Iterator[Check]:
    for spec in host.specs("exporter", ExporterSpec):
        missing = [module for module in spec.modules if not _importable(module)]
        if missing:
            yield Check("exporters", spec.name, "absent", f"needs {', '.join(missing)}", spec.install_hint)
        else:
            yield Check("exporters", spec.name, "ok", spec.summary)


def _devices(healthy: list[Entry], host: PluginHost) -> Iterator[Check]:
    owners = {(entry.distribution, entry.module): entry for entry in healthy if entry.kind == "device"}
    for distribution, module in owners:
        result = run_isolated("devices", distribution, module, limit_s=DEVICE_LIMIT_S)
        found = {report["name"]: report for report in result.values}
        for entry in healthy:
            if (entry.kind, entry.distribution, entry.module) == ("device", distribution, module):
                spec = host.spec_of(entry)
                assert isinstance(spec, DeviceSpec)
                yield _device(spec, found.get(spec.name), result)


def _device(spec: DeviceSpec, report: dict[str, Any] | None, result: ProbeResult) -> Check:
    if report is None:
        message = f"its probe {result.problem or 'gave no answer'}"
        return Check("devices", spec.name, "broken", message, "update its driver and PyTorch", result.traceback)
    low, high = spec.batch_size
    facts = {
        "batch_size": [low, high],
        "num_workers": spec.num_workers,
        "pin_memory": spec.pin_memory,
        "memory_bytes": report["memory_bytes"],
    }
    if not report["available"]:
        return Check("devices", spec.name, "absent", report["reason"], facts=facts)
    memory = f"{report['memory_bytes'] / 2**30:.1f} GiB; " if report["memory_bytes"] else ""
    pin = "on" if spec.pin_memory else "off"
    advice = f"batch size {low}-{high}, {spec.num_workers} workers, pin-memory {pin}"
    return Check("devices", spec.name, "ok", f"{report['detail']}; {memory}recommended: {advice}", facts=facts)


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
