"""The YAML syntax of the language: reading it into the syntax tree, and writing the tree in it."""
