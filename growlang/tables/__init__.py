"""What a terminal or a notebook shows: nets, costs, mappings, promises and plans as tables."""
