"""audio-autoencoder for Kelly: sound to a small embedding, trained without labels."""

__version__ = "0.1.0"
