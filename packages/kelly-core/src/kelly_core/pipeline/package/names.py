"""Name, version and requirements of a model's package, as installers read them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kelly_core import __version__
from kelly_core.catalog import HOST_DISTRIBUTION, normalise
from kelly_core.errors import MissingExtraError, UserError
from kelly_core.runtime import BUILTIN

if TYPE_CHECKING:
    from kelly_core.contract import ArtifactInfo
    from kelly_core.plugins import PluginHost
    from kelly_core.registry import ModelEntry
    from kelly_core.specs import ModelSpec

EXTRA_OF = {"onnxruntime": "onnx", "torch": "train"}
"""Extra of kelly-core that brings what a runtime of core needs."""


def checked_name(name: str, host: PluginHost) -> str:
    """A package's name as indexes compare it.

    Raises:
        UserError: It can't be one, or is that of an installed plugin's package.
    """
    normal = normalise(name).strip("-")
    module = normal.replace("-", "_")
    if not (normal.isascii() and module.isidentifier()) or keyword.iskeyword(module):
        hint = "letters, digits and hyphens, a letter first: kelly-model-emotion"
        raise UserError(
            f"{name!r} can't be a package's name", where="--name", hint=hint, code="usage.package-name"
        )
    if normal == HOST_DISTRIBUTION or any(entry.distribution == normal for entry in host.entries):
        raise UserError(
            f"{normal} is installed here and no trained model",
            where="--name",
            hint="add a word",
            code="usage.package-name",
        )
    return normal


def checked_version(text: str) -> str:
    """A version in its normal form.

    Raises:
        UserError: It is none (PEP 440), or has a local part, which indexes refuse.
    """
    require_packing()
    from packaging.version import InvalidVersion, Version

    try:
        version = Version(text)
    except InvalidVersion:
        version = None
    if version is None or version.local:
        raise UserError(
            f"{text!r} can't be a version",
            where="--version",
            hint="for example 1.2.0",
            code="usage.package-name",
        )
    return str(version)


def default_version(entry: ModelEntry) -> str:
    """The version of the code that trained the model, and when: two trainings never look the same.

    `0.1.0.post20251223100000` for version 0.1.0, trained on 2025-12-23 at ten.
    """
    require_packing()
    from packaging.version import InvalidVersion, Version

    try:
        base = Version(entry.model_version or "0").base_version
    except InvalidVersion:
        base = "0"
    trained = re.sub(r"\D", "", (entry.training.training_date or "").partition("+")[0])[:14]
    return f"{base}.post{int(trained)}" if trained else base


def requirements(spec: ModelSpec, host: PluginHost, artifacts: Mapping[str, ArtifactInfo]) -> tuple[str, ...]:
    """What has to be installed with it: core with the runtime of the first file, and the model's package.

    Args:
        spec: The model.
        host: Where packages are found.
        artifacts: What is packed, by format.
    """
    prepared = [name for name, info in artifacts.items() if not info.interface] or list(artifacts)
    first = next((name for name in (*BUILTIN, *prepared) if name in prepared), prepared[0])
    modules = BUILTIN[first].modules if first in BUILTIN else ()
    extras = ",".join(EXTRA_OF[module] for module in modules)
    asked = {HOST_DISTRIBUTION: f"{HOST_DISTRIBUTION}{f'[{extras}]' if extras else ''}{_range(__version__)}"}
    named = [e for e in host.entries if (e.kind, e.name) == ("model", spec.name)]
    owners = [e for e in named if host.spec_of(e) is spec]
    owners += [e for e in host.entries if first not in BUILTIN and (e.kind, e.name) == ("exporter", first)]
    for owner in owners:
        asked.setdefault(owner.distribution, f"{owner.distribution}{_range(owner.version)}")
    return tuple(asked.values())


def require_packing() -> None:
    """Refuse to go on without what writes wheels.

    Raises:
        MissingExtraError: It isn't installed.
    """
    from importlib.util import find_spec

    missing = [name for name in ("hatchling", "packaging") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"packing a model needs {' and '.join(missing)}, which isn't installed",
            hint="pip install 'kelly-core[package]'",
            code="missing-extra.package",
        )


def _range(version: str) -> str:
    """From a version up to the next that may break what it allowed (below 1.0 a minor one).

    >>> _range("0.1.3"), _range("2.4.0")
    ('>=0.1.3,<0.2', '>=2.4.0,<3')
    """
    from packaging.version import Version

    found = Version(version)
    end = f"{found.major + 1}" if found.major else f"0.{found.minor + 1}"
    return f">={found.public},<{end}"
