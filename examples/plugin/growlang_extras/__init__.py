"""The ConvNeXt block, captions by their bytes and a robust loss, for the Grow language."""
