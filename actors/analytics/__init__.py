"""What is computed from the ticks of one index."""
