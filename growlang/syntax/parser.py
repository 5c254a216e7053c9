"""The parser's table, driven by hand: what may stand next, and from where a parse goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lark import Lark, Token, Tree
from lark.parsers.lalr_analysis import Shift


def parse_tokens(lark: Lark, tokens: Iterable[Token]) -> Tree[Token]:
    """The tree of tokens. Raises UnexpectedInput where they make none."""
    interactive = lark.parse_interactive("")
    for token in tokens:
        interactive.feed_token(token)
    tree: Tree[Token] = interactive.feed_eof()  # type: ignore[no-untyped-call]
    return tree


class Parser:
    """A stack of states over the LALR table; a copy of `stack` is a place to go back to."""

    def __init__(self, table: Any) -> None:
        self._states = table.states
        self._end: int = table.end_state
        self.stack: list[int] = [table.start_state]

    def after(self, terminal: str) -> tuple[int, list[int]] | None:
        """How many states stay and which follow when a terminal is taken; None if it cannot be."""
        base, above = len(self.stack), list[int]()
        while True:
            state = above[-1] if above else self.stack[base - 1]
            action, argument = self._states[state].get(terminal, (None, None))
            if action is None:
                return None
            if action is Shift:
                return base, [*above, argument]
            count = len(argument.expansion)
            base -= max(0, count - len(above))
            del above[max(0, len(above) - count) :]
            state = above[-1] if above else self.stack[base - 1]
            above.append(self._states[state][argument.origin.name][1])
            if above[-1] == self._end:
                return base, above

    def feed(self, terminal: str) -> bool:
        """Take a terminal; False, with the stack as it was, where it cannot stand."""
        taken = self.after(terminal)
        if taken is not None:
            self.stack[taken[0] :] = taken[1]
        return taken is not None

    def accepted(self) -> set[str]:
        """The terminals that may stand here."""
        here = self._states[self.stack[-1]]
        return {t for t in here if t.isupper() or t == "$END" if self.after(t)}
