"""Synthetic tunes, made on the spot."""

from kelly_melody.demo.dataset import DemoOptions, open_demo, recognises

__all__ = ["DemoOptions", "open_demo", "recognises"]
