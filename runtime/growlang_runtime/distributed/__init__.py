"""Several processes that train one net: how they find each other, and what they exchange."""
