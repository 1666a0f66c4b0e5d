"""What a card is made from. Kept as `card.json` in the run's folder, so that a card can be written again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kelly_core import atomic
from kelly_core.contract import Contract
from kelly_core.errors import RegistryError
from kelly_core.registry.entries import Interval, ModelEntry

CARD_FILE = "card.json"


@dataclass(frozen=True)
class SideSummary:
    """One side of a split.

    Attributes:
        items: Number of files.
        groups: Number of speakers, songs, drummers.
        labels: Files per class.
        hours: Sound or music in it, h; None where it isn't known.
    """

    items: int
    groups: int
    labels: Mapping[str, int] = field(default_factory=dict)
    hours: float | None = None


@dataclass(frozen=True)
class DataSummary:
    """The data of a run.

    Attributes:
        name: Dataset plugin that read it.
        sides: `"train"`, `"validation"`, `"test"`.
        classes: Class names in the model's order; may be empty.
        licence, citation: Of the data.
        synthetic: Made, not recorded.
        group_kind: What a group is, for people: `"speaker"`.
        content_hash: Over what was decoded.
        left_out: Files that couldn't be used.
        notes: Remarks (`"calm merged into neutral"`).
    """

    name: str
    sides: Mapping[str, SideSummary]
    classes: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    synthetic: bool = False
    group_kind: str = "file"
    content_hash: str = ""
    left_out: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A picture: PNG below the workspace, path with forward slashes, and what it shows."""

    path: str
    caption: str


@dataclass(frozen=True)
class CardData:
    """Everything a card says.

    Attributes:
        entry: The registry entry: figures, baselines, artefacts, checksums.
        data: What it was trained on.
        summary: One line: what the model does.
        contract: Tensors and front end, for the loading example; golden vectors aren't kept.
        measured_on: Split of `variants` and `breakdown`.
        variants: Change of the input -> metric -> figure (`"+6 dB"`).
        breakdown: Further figures by name (`"accuracy of the worst speaker"`).
        figures: Pictures, in order.
        limits: Known limits, one sentence each.
        config: Resolved configuration, nested.
        environment: Hardware and versions by name.
        command: The command that made it.
    """

    entry: ModelEntry
    data: DataSummary
    summary: str = ""
    contract: Contract | None = None
    measured_on: str = "test"
    variants: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    breakdown: Mapping[str, float] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    limits: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""


def data_summary(facts: Mapping[str, Any]) -> DataSummary:
    """From the `data` block of a run's `run.json`.

    Args:
        facts: `dataset`, `split` (side -> `items`, `groups`, `labels`) and, where known, `hours` per side,
            `classes`, `synthetic`, `licence`, `citation`, `group_kind`, `content_hash`, `problems`, `notes`.
    """
    hours = facts.get("hours", {})
    sides = {
        side: SideSummary(one["items"], one["groups"], dict(one.get("labels", {})), hours.get(side))
        for side, one in facts.get("split", {}).items()
    }
    return DataSummary(
        name=facts["dataset"],
        sides=sides,
        classes=tuple(facts.get("classes", ())),
        licence=facts.get("licence", ""),
        citation=facts.get("citation", ""),
        synthetic=bool(facts.get("synthetic", False)),
        group_kind=facts.get("group_kind", "file"),
        content_hash=facts.get("content_hash", ""),
        left_out=len(facts.get("problems", ())),
        notes=tuple(facts.get("notes", ())),
    )


def save_card_data(folder: Path, data: CardData) -> Path:
    """Write `card.json` into a run's folder."""
    if data.contract is not None:
        data = replace(data, contract=data.contract.model_copy(update={"golden": []}))
    path = folder / CARD_FILE
    atomic.write_json(path, TypeAdapter(CardData).dump_python(data, mode="json"))
    return path


def load_card_data(folder: Path) -> CardData:
    """Read a run's `card.json`.

    Raises:
        RegistryError: It is missing or damaged.
    """
    path = folder / CARD_FILE
    hint = "train the model again; a card is made from its run"
    try:
        return TypeAdapter(CardData).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise RegistryError(
            "this run left no data for a card", where=str(path), hint=hint, code="registry.no-run"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise RegistryError(
            f"damaged: {place}: {first['msg']}", where=str(path), hint=hint, code="registry.no-run"
        ) from None
