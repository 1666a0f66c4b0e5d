"""Datasets that EmotionRecognizer trains on, and the source that feeds them."""
