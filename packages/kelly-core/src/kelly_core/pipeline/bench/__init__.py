"""Latency of exported files as numbers: what is called, how it is timed, and how it is shown."""
