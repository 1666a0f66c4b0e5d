"""HarmonyPredictor: the chords that go with a melody."""

__version__ = "0.1.0"
