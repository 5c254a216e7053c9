"""The report of runs as one self-contained page."""
