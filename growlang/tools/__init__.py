"""Tools over specs: format, show, fix, and what has changed since a commit."""
