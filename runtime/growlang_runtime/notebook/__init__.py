"""Runs, weights and conditions as objects for a script or a notebook of one's own."""
