"""From a checked net to PyTorch: modules, the graph that calls them, and tensors across growth."""

from importlib.util import find_spec

from growlang.diagnostics import GrowlangError


def require_torch(what: str = "this command") -> None:
    """Raise GrowlangError, which says that `what` needs it, if PyTorch is not installed."""
    if find_spec("torch") is None:
        raise GrowlangError(
            f"{what} needs PyTorch, which is not installed", help='pip install "growlang[train]"'
        )
