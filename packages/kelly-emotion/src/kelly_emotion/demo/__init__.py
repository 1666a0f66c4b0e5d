"""Seven emotions as short synthetic phrases, made on the spot from published acoustic cues."""

from kelly_emotion.demo.dataset import DemoOptions, open_demo, recognises

__all__ = ["DemoOptions", "open_demo", "recognises"]
