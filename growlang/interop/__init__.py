"""Weights of other libraries: names, shapes and configs by tables that are data, both ways."""
