"""What stands between a tune and a network of melody tokens, as C++17 headers. No torch."""
