"""Noise, the objective of training, and sampling."""
