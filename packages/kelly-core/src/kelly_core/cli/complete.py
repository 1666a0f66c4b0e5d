"""Shell completion of names from package metadata: no plugin code runs at a press of Tab."""

from __future__ import annotations

from kelly_core.catalog import Kind, read_catalog


def complete_model(incomplete: str) -> list[tuple[str, str]]:
    """Models as `(name, description)`; give it to typer as `autocompletion=`."""
    return _names("model", incomplete)


def complete_dataset(incomplete: str) -> list[tuple[str, str]]:
    """Datasets as `(name, description)`."""
    return _names("dataset", incomplete)


def complete_exporter(incomplete: str) -> list[tuple[str, str]]:
    """Exporters as `(name, description)`."""
    return _names("exporter", incomplete)


def complete_device(incomplete: str) -> list[tuple[str, str]]:
    """Devices as `(name, description)`, with `auto`."""
    automatic = [("auto", "choose by measuring")] if "auto".startswith(incomplete) else []
    return automatic + _names("device", incomplete)


def _names(kind: Kind, incomplete: str) -> list[tuple[str, str]]:
    entries = read_catalog((kind,))
    names = [entry.name for entry in entries]
    shown = [entry.qualified if names.count(entry.name) > 1 else entry.name for entry in entries]
    pairs = zip(shown, entries, strict=True)
    return [
        (name, f"{entry.distribution} {entry.version}") for name, entry in pairs if name.startswith(incomplete)
    ]
