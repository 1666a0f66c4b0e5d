"""GroovePredictor: where drummers really play, and how loud."""

__version__ = "0.1.0"
