"""Data: lazy item tables, metadata files, audio reading, splits, leak checks, import."""

from kelly_core.data.dataset import Dataset, Item, Problem

__all__ = ["Dataset", "Item", "Problem"]
