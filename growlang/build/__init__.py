"""Builds the net of a resolved model."""
