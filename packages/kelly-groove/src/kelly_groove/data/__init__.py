"""Reading drum performances and making training examples of them."""
