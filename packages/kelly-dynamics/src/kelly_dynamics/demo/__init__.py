"""Synthetic piano pieces, played by simple rules, made on the spot."""

from kelly_dynamics.demo.dataset import open_demo, recognises

__all__ = ["open_demo", "recognises"]
