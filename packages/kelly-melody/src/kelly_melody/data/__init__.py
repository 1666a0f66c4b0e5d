"""Reading melodies and making training examples of them."""
