"""Trained models for others to use: plain weights, and folders that diffusers loads alone."""
