"""Folders of images packed into tar shards: what `growlang pack` does."""
