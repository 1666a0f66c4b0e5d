"""From notes to the numbers that a network sees."""
