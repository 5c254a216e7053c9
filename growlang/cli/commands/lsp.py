"""`lsp`: the language server."""

import gc
from importlib.util import find_spec

from growlang.diagnostics import GrowlangError


def lsp() -> None:
    """Serve editors over stdin and stdout (Language Server Protocol)."""
    if find_spec("pygls") is None:
        raise GrowlangError(
            "the language server needs pygls, which is not installed",
            help='pip install "growlang[lsp]"',
        )
    from growlang.lsp.server import server

    gc.freeze()  # what is loaded stays: looking through it would cost each collection 20 ms
    gc.enable()
    server.start_io()
