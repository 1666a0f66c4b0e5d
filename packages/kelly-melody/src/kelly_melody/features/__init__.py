"""What a network is told at each token, computed on the host without torch."""
