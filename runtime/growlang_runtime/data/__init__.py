"""Images with captions and labels: read from shards, drawn in a random order, transformed."""
