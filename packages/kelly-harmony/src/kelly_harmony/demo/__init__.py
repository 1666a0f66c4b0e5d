"""Synthetic songs with chords, made on the spot."""

from kelly_harmony.demo.dataset import DEMO, DemoOptions, open_demo, recognises

__all__ = ["DEMO", "DemoOptions", "open_demo", "recognises"]
