"""What each error code means: a file for each kind, read by `kelly_core.explain`."""
