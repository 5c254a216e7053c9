"""How a net grows by rules: its spaces, what becomes of each, and of every tensor."""
