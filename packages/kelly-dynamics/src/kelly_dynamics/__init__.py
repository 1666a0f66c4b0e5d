"""DynamicsEngine: note context to velocity, timing deviation, articulation and expression."""

__version__ = "0.1.0"
