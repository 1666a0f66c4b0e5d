"""DynamicsEngine: sound to seven emotions, in real time."""

__version__ = "0.1.0"
