"""The Python API: what the command line does, as functions. `import growlang` gives its names."""
