"""The YAML syntax: to a document and from one, its layout and its JSON Schema."""
