"""Source code for programs that use a model's files, generated from its contract."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.contract import Contract
from kelly_core.errors import PluginError, UserError

if TYPE_CHECKING:
    from kelly_core.plugins import PluginHost
    from kelly_core.specs import LazyRef, ModelSpec


def write_code(host: PluginHost, spec: ModelSpec, languages: Sequence[str], folder: Path) -> list[Path]:
    """Write code in every language asked for, beside the contract.

    Args:
        host: Where exporters are found; each may know languages.
        spec: The model.
        languages: Names such as `"cpp"`.
        folder: Where the contract and the files lie.

    Returns:
        What was written.

    Raises:
        UserError: Nothing installed writes a language; names those that are known.
        ContractError: The folder has no contract of the model.
    """
    if not languages:
        return []
    known = _languages(host)
    for language in languages:
        if language not in known:
            raise UserError(
                f"nothing installed writes code in {language!r} (known: {', '.join(sorted(known)) or 'none'})",
                where="--code",
                hint="install the exporter that does, e.g. `pip install kelly-export`",
            )
    contract = Contract.load(folder / f"{spec.model_id}.contract.json")
    return [
        path for language in dict.fromkeys(languages) for path in known[language].resolve()(contract, folder)
    ]


def _languages(host: PluginHost) -> dict[str, LazyRef]:
    known: dict[str, LazyRef] = {}
    for entry in host.entries:
        if entry.kind == "exporter":
            with suppress(PluginError):  # one that can't be loaded knows no language
                known |= host.exporter(entry.name).code
    return known
