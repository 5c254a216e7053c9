"""What becomes of every tensor of a parent when a net grows."""
