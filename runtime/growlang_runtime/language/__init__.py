"""Models of tokens: their objective, and the text that they continue."""
