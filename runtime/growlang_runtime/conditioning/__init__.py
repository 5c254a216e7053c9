"""From captions and labels to what a net reads of them."""
