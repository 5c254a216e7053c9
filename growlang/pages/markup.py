"""HTML that is escaped by construction: text is text, and only `Html` is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

VOID = frozenset({"img", "input", "meta", "br"})
"""Elements without an end tag."""


class Html(str):
    """Markup that may stand in a page as it is."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def element(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element; text among its children is escaped, and so are the values of attributes.

    `class_` is the attribute `class`, `data_step` is `data-step`. True gives an attribute without a
    value; None and False leave it out.
    """
    shown = "".join(
        f" {_named(key)}" if value is True else f' {_named(key)}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    opened = f"<{name}{shown}>"
    return Html(opened if name in VOID else f"{opened}{_inner(children)}</{name}>")


def joined(*children: Child) -> Html:
    """Several pieces, one after the other."""
    return Html(_inner(children))


def table(
    head: Sequence[Child], rows: Iterable[Sequence[Child]], numbers: Sequence[int] = (), **more: str
) -> Html:
    """A table; the columns at the indices `numbers` are aligned to the right."""

    def kind(index: int) -> str | None:
        return "number" if index in numbers else None

    top = [element("th", cell, scope="col", class_=kind(i)) for i, cell in enumerate(head)]
    body = [
        element("tr", [element("td", cell, class_=kind(i)) for i, cell in enumerate(row)])
        for row in rows
    ]
    inner = element("table", element("thead", element("tr", top)), element("tbody", body), **more)
    return element("div", inner, class_="wide", tabindex=0)


def _named(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _inner(children: Iterable[Child]) -> str:
    return "".join(map(_text, children))


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int | float):
        return escape(str(child))
    return _inner(child)
