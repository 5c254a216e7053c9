"""From a checked net to PyTorch: modules, the graph that calls them, and tensors across growth."""
