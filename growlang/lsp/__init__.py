"""The language server: pure functions over a text and its analysis; `server` is the transport.

Places are `Point`s and `Span`s, whose rows and columns count from 1 in characters.
"""
