"""Model cards: generated from a run, never typed in."""

from kelly_core.cards.data import (
    CardData,
    DataSummary,
    Figure,
    SideSummary,
    data_summary,
    load_card_data,
    save_card_data,
)
from kelly_core.cards.write import card_path, write_card

__all__ = [
    "CardData",
    "DataSummary",
    "Figure",
    "SideSummary",
    "card_path",
    "data_summary",
    "load_card_data",
    "save_card_data",
    "write_card",
]
