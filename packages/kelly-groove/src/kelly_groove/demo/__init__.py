"""Synthetic drummers, made on the spot."""

from kelly_groove.demo.dataset import DemoOptions, open_demo, recognises

__all__ = ["DemoOptions", "open_demo", "recognises"]
