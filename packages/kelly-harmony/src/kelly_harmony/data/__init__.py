"""Reading tunes with chords, and turning them into training examples."""
