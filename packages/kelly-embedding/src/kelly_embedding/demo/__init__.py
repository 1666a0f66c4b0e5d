"""The built-in synthetic instruments."""

from kelly_embedding.demo.dataset import DEMO, DemoOptions, open_demo, recognises

__all__ = ["DEMO", "DemoOptions", "open_demo", "recognises"]
