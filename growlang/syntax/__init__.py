"""The syntaxes of the language: text to `Document`."""
