"""MelodyTransformer: which note comes next, and how long it lasts."""

__version__ = "0.1.0"
