"""Measures what growth promises: a parent and its child, built and compared."""
