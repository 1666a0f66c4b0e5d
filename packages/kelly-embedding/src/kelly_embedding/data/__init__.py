"""From listed sound to windows."""
