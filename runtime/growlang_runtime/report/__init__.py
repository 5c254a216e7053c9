"""What a run tells: progress, metrics, and grids of images with their captions."""
