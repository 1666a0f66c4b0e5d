"""Models trained elsewhere, run by Kelly: Whisper Tiny and CLAP."""

__version__ = "0.1.0"
