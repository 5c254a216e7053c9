"""Exactness measured: grown nets against their parents, in float64, with random weights."""
