"""Training: a plan's phases from start weights or a checkpoint to finished weights."""
