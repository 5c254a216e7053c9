"""The ConvNeXt block as an op of the Grow language."""
