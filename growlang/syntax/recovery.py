"""Goes through a text that does not parse and finds what is wrong in each of its statements.

The parser stops at its first error. Here its table is driven by hand: at an error, the statement
at fault is left out, and the parser goes on with the next one from where it stood before. Line
starts and indentation tell where statements begin; where the text parses they mean nothing.
What was not left out is parsed again, so that names and shapes are checked in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lark import Lark, Token

from growlang.diagnostics import Diagnostic, Findings, Note, TooMany
from growlang.syntax.document import Cut
from growlang.syntax.explain import (
    keyword,
    malformed,
    place,
    unexpected,
    unfinished,
)
from growlang.syntax.layout import (
    BAD,
    FOLLOWS,
    begins_line,
    cut_of,
    read_tokens,
    statement_starts,
)
from growlang.syntax.parser import Parser
from growlang.syntax.places import elsewhere

LEVELS = {
    **dict.fromkeys(("import", "param", "block", "model", "data"), 0),
    **dict.fromkeys(("train", "sample", "evaluate"), 0),
    "phase": 1,
}
"""How many braces are open where a keyword's statement can stand, if that is one number."""
HEADERS = {
    "model": ("MODEL", "NAME", "LBRACE"),
    "train": ("TRAIN", "LBRACE"),
    "sample": ("SAMPLE", "LBRACE"),
    "evaluate": ("EVALUATE", "LBRACE"),
    "phase": ("PHASE", "NAME", "FOR", "NUMBER", "LBRACE"),
}
"""What stands for the head of a statement that has statements inside."""
BODIES = (*HEADERS, "block", "stage")
"""The keywords of statements that have a body."""
HEAD = 40
"""Most tokens between the keyword of a statement and its body that are looked at."""

MADE = {"NAME": "_", "NUMBER": "1", "LBRACE": "{"}
"""The texts of the terminals of a head, but for its keywords."""


class Survey(NamedTuple):
    """The tokens of a text, those of the statements that parse, and what these lack."""

    tokens: Sequence[Token]
    kept: Sequence[Token]
    cut: Cut


def recover(
    text: str, filename: str, lark: Lark, findings: Findings, *, bodies: bool = False
) -> Survey:
    """Record a finding for each statement of `text` that does not parse, in linear time.

    A text that parses keeps all its tokens. With `bodies`, the statements in a body stay where its
    head does not parse, below a head that is made up.
    """
    recovery = _Recovery(text, filename, lark, findings, bodies)
    try:
        recovery.run()
    except TooMany:
        return Survey(recovery.tokens, [], Cut(frozenset(), frozenset({""})))
    kept = recovery.whole()
    return Survey(recovery.tokens, kept, cut_of(recovery.tokens, recovery.starts, kept))


class _Brace(NamedTuple):
    """An open brace; what stands in one whose head was left out is left out with it."""

    at: int
    kept: bool


class _Mark(NamedTuple):
    """Where a statement begins, and where the parser stood there."""

    at: int
    stack: tuple[int, ...]
    braces: tuple[_Brace, ...]
    kept: int


class _Recovery:
    def __init__(
        self, text: str, filename: str, lark: Lark, findings: Findings, bodies: bool
    ) -> None:
        self.bodies = bodies
        interactive = lark.parse_interactive(text)
        table = interactive.parser_state.parse_conf
        self.parser = Parser(table)
        self.signs = {t.name: t.pattern.value for t in lark.terminals if t.pattern.type == "str"}
        self.filename, self.findings = filename, findings
        self.tokens = read_tokens(interactive, text)
        self.starts = statement_starts(self.tokens)
        self.braces: list[_Brace] = []
        self.kept: list[Token] = []  # what was taken and is not left out
        self.mark = _Mark(0, tuple(self.parser.stack), (), 0)
        self.open = 0  # round and square brackets since the mark
        self.last = -1  # the token of the last finding
        self.reach = -1  # the furthest token that was taken or refused before going back

    def run(self) -> None:
        at: int | None = self._edition()
        while at is not None and at < len(self.tokens):
            at = self._step(at)

    def _step(self, at: int) -> int | None:
        """Take one token; the next one to take, or None at the end."""
        token = self.tokens[at]
        if at in self.starts and not self.open and self._ended():
            self._remember(at)
        elif at <= self.reach and self._sibling(at) and not self._ended():
            return self._unfinished(at)
        if not self._take(token):
            return self._mend(at)
        if token.type == "LBRACE":
            self.braces.append(_Brace(at, self._keeps()))
            if self._ended():  # the body is one of statements
                self._remember(at + 1)
        elif token.type == "RBRACE":
            self.braces.pop()
            self._remember(at + 1)
        elif token.type in ("LPAR", "LSQB"):
            self.open += 1
        elif token.type in ("RPAR", "RSQB"):
            self.open -= 1
        return at + 1

    def whole(self) -> list[Token]:
        """What is left of the text, without a last statement that does not end, and closed."""
        if self.tokens[-1].type == "$END" and not self._ended():
            self._back()
        closing = sum(brace.kept for brace in self.braces)
        return [*self.kept, *(_made("RBRACE", "}", self.tokens[-1]) for _ in range(closing))]

    def _keeps(self) -> bool:
        return all(brace.kept for brace in self.braces)

    def _take(self, token: Token) -> bool:
        """Take a token, and keep it where what is around it is kept."""
        taken = self.parser.feed(token.type)
        if taken and self._keeps():
            self.kept.append(token)
        return taken

    def _ended(self) -> bool:
        """Whether a statement could end here."""
        return self.parser.after("RBRACE" if self.braces else "$END") is not None

    def _remember(self, at: int) -> None:
        self.mark = _Mark(at, tuple(self.parser.stack), tuple(self.braces), len(self.kept))
        self.open = 0

    def _back(self) -> None:
        """Stand again where the statement at fault begins."""
        self.parser.stack, self.braces = list(self.mark.stack), list(self.mark.braces)
        del self.kept[self.mark.kept :]
        self.open = 0

    # --- mending ---------------------------------------------------------------------------------

    def _edition(self) -> int | None:
        """Take the edition, or what stands for it; the token after it."""
        first = self.tokens[0]
        if first.type == "$END":
            self._report(0)
            return None
        at = 0
        if first == "/" and self.tokens[1] in ("/", "*"):
            self._report(0)
            at = next((i for i, t in enumerate(self.tokens) if t.type == "GROW"), 0) + 2
            if at < len(self.tokens) and self.tokens[at - 1].type == "NUMBER":
                self._take(self.tokens[at - 2])
                self._take(self.tokens[at - 1])
                self._remember(at)
                return at
        if first.type != "GROW":
            message = "missing edition statement"
            span = place(first, self.filename)
            self._record(Diagnostic("G002", message, span, "begin the file with `grow 1`"), 0)
        self._take(first if first.type == "GROW" else _made("GROW", "grow", first))
        if first.type == "GROW":
            at = 1
            if self.tokens[1].type == "NUMBER":
                at = 2
            else:
                self._report(1)
                if self.tokens[1].type == "$END":
                    return None
        self._take(self.tokens[1] if at == 2 else _made("NUMBER", "1", first))
        self._remember(at)
        if first.type == "GROW" and at == 1:
            return self._next(1)
        return at

    def _mend(self, at: int) -> int | None:
        """Report the token at `at`, which cannot stand there; where to go on, or None."""
        token = self.tokens[at]
        if token.type == "$END":
            self._report(at)
            return None
        self.reach = max(self.reach, at)
        return self._close(at) or self._open_body(at) or self._cut(at) or self._skip(at)

    def _close(self, at: int) -> int | None:
        """Put in the braces that are missing before a statement of an outer level."""
        begin = self.mark.at
        first, follower = self.tokens[begin], self.tokens[min(begin + 1, len(self.tokens) - 1)]
        level = LEVELS.get(first)
        depth = len(self.mark.braces)
        if level is None or depth <= level or follower.type not in FOLLOWS[first]:
            return None
        opened = self.tokens[self.mark.braces[level].at]
        self._back()
        while len(self.braces) > level and self._take(_made("RBRACE", "}", first)):
            self.braces.pop()
        if len(self.braces) > level:
            self._back()
            return None
        notes = (Note("opened here", place(opened, self.filename)),)
        message = f"missing `}}` before `{first} {follower}`"
        span = place(first, self.filename)
        inside = (first.column or 1) > 1
        help = "close what is open" + f"; {elsewhere(first, '}')}" * inside
        self._record(Diagnostic("G001", message, span, help, notes), at)
        self._remember(begin)
        return begin

    def _open_body(self, at: int) -> int | None:
        """Put in the brace that is missing where a line begins after the head of a statement."""
        for body in (at, at - 1):
            if body <= self.mark.at or not begins_line(self.tokens, body):
                continue
            stack, kept = list(self.parser.stack), list(self.kept)
            self._back()
            taken = all(map(self._take, self.tokens[self.mark.at : body]))
            brace = _made("LBRACE", "{", self.tokens[body])
            if taken and body in self.starts and self._take(brace):
                head = " ".join(self.tokens[self.mark.at : body][:2])
                last = self.tokens[body - 1]
                message, span = f"`{head}` has no body", place(last, self.filename)
                help = f"write `{{` after `{last}`"
                self._record(Diagnostic("G001", message, span, help), at)
                self.braces.append(_Brace(body - 1, self._keeps()))
                self._remember(body)
                return body
            self.parser.stack, self.kept = stack, kept
        return None

    def _sibling(self, at: int) -> bool:
        """Whether a line begins at `at` that is indented no more than the statement at fault."""
        first = self.tokens[self.mark.at]
        begins = at in self.starts and (self.tokens[at].column or 1) <= (first.column or 1)
        return begins and at > self.mark.at and begins_line(self.tokens, at)

    def _cut(self, at: int) -> int | None:
        """Go back to where the layout says that the statement at fault ends, if that is before."""
        for sibling in range(self.mark.at + 1, at + 1):
            closing = (
                sibling == at
                and self.tokens[at].type == "RBRACE"
                and 0 < len(self.braces) == len(self.mark.braces)
            )
            if closing or self._sibling(sibling):
                self._back()
                for token in self.tokens[self.mark.at : sibling]:
                    self.parser.feed(token.type)
                return self._unfinished(sibling)
        return None

    def _unfinished(self, at: int) -> int:
        """Report that the statement before `at` lacks its end; go on at `at`."""
        statement = self.tokens[self.mark.at : at]
        found = unfinished(statement, self.parser.accepted(), self.signs, self.filename)
        self._record(found, at - 1)
        self._back()
        self._remember(at)
        return at

    def _skip(self, at: int) -> int | None:
        """Leave out the statement at fault."""
        token = self.tokens[at]
        if token.type == "RBRACE" and not self.braces:
            message, help = "unmatched `}`", "remove it, or open the body that it closes"
            if self._ended():
                self._record(Diagnostic("G001", message, place(token, self.filename), help), at)
                self._remember(at + 1)
                return at + 1
        again = at <= self.last
        if not again:
            self._report(at)
        return self._next(max(at, self.mark.at + 1) if again else self.mark.at + 1, at)

    def _next(self, after: int, failed: int = -1) -> int | None:
        """Where to go on behind the statement at fault, at `after` or later."""
        self._back()
        begin, depth = self.mark.at, 0
        indent = self.tokens[begin].column or 1
        for at in range(begin + 1, len(self.tokens)):
            token = self.tokens[at]
            if token.type == "LBRACE":
                if depth == 0 and failed <= at and self._head(begin):
                    self.braces.append(_Brace(at, kept=self.bodies and self._keeps()))
                    self._remember(at + 1)
                    return at + 1
                depth += 1
            elif token.type == "RBRACE":
                if depth == 0 and self.braces and at >= failed:
                    return at
                depth = max(0, depth - 1)
            elif at >= after and at in self.starts:
                strong = self.starts[at] and (depth == 0 or (token.column == 1))
                if strong or (depth == 0 and (token.column or 1) <= indent):
                    self._remember(at)
                    return at
        return None

    def _head(self, begin: int) -> bool:
        """Take what stands for the head of the statement with a body that begins at a token."""
        word = keyword(str(self.tokens[begin]))
        if word not in HEADERS:
            return False
        if not all(self.parser.feed(terminal) for terminal in HEADERS[word]):
            self._back()
            return False
        if self.bodies and self._keeps():
            self.kept += self._made_head(begin, HEADERS[word])
        return True

    def _made_head(self, begin: int, terminals: Sequence[str]) -> Iterator[Token]:
        """The head of a statement: its own keyword and name, where they are there, and the rest."""
        for at, terminal in enumerate(terminals, begin):
            own = self.tokens[min(at, len(self.tokens) - 1)]
            if at <= begin + 1 and own.type == terminal != "LBRACE":
                yield own
            else:
                yield _made(terminal, MADE.get(terminal, terminal.lower()), self.tokens[begin])

    def _report(self, at: int) -> None:
        token = self.tokens[at]
        if token.type == BAD:
            before = self.tokens[at - 1] if at else None
            self._record(malformed(token, before, self.filename), at)
        else:
            begin, accepted = min(self.mark.at, at), self.parser.accepted()
            signs, body = self.signs, self._body()
            found = unexpected(self.tokens, begin, at, accepted, signs, self.filename, body)
            self._record(found, at)

    def _body(self) -> str:
        """The keyword of the body around the statement; empty where that is the file."""
        if not self.mark.braces:
            return ""
        head = self.mark.braces[-1].at
        around = self.tokens[max(0, head - HEAD) : head][::-1]
        return next((str(t) for t in around if t in BODIES), "another body")

    def _record(self, found: Diagnostic, at: int) -> None:
        self.findings.record(found)
        self.last = max(self.last, at)


def _made(terminal: str, text: str, place: Token) -> Token:
    """A token that the text lacks, at the start of another."""
    return Token(
        terminal, text, place.start_pos, place.line, place.column, place.line, place.column
    )
