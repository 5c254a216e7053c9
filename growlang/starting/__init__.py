"""The first specs of somebody's own images: what `growlang init` chooses, and their text."""
