"""Texts of statements on one line, and the columns in which neighbours stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from growlang.syntax.scan import Bracket, Node, Statement, Token

WIDTH = 100
"""Columns of a line."""


def first_token(node: Node) -> Token:
    """The token that a node begins with."""
    return node.open if isinstance(node, Bracket) else node


def last_token(node: Node) -> Token:
    """The token that a node ends with."""
    return node.close if isinstance(node, Bracket) else node


def flat(nodes: Sequence[Node]) -> str | None:
    """Nodes on one line; None where there are comments between them."""
    text = ""
    for node in nodes:
        first = first_token(node)
        if isinstance(node, Bracket):
            joined = joined_parts(node)
            close = node.close
            if joined is None or close.before or close.after or first.before:
                return None
            word = f"{first.text}{joined}{close.text}"
        elif node.before or node.after:
            return None
        else:
            word = node.text
        text += " " * (first.space if text else 0) + word
    return text


def joined_parts(bracket: Bracket) -> str | None:
    """The parts of a bracket on one line, without a last comma; None where comments stand."""
    if bracket.open.after:
        return None
    parts = [flat(part) for part in bracket.parts]
    comments = any(s.before or s.after for s in bracket.separators)
    if comments or any(p is None for p in parts):
        return None
    pipe = bool(bracket.separators) and bracket.separators[0].text == "|"
    return (" | " if pipe else ", ").join(p for p in parts if p is not None)


def flat_statement(statement: Statement) -> str | None:
    """A statement on one line, as its author left it; None where it needs several."""
    last = statement.close or last_token(statement.nodes[-1])
    after, last.after = last.after, ""
    before, statement.first.before = statement.first.before, []
    header = flat(statement.nodes)
    last.after, statement.first.before = after, before
    if statement.open is None or statement.close is None or header is None:
        return header
    if statement.body and (statement.spread or statement.kind == "model"):
        return None
    comments = (
        statement.open.before
        or statement.open.after
        or statement.close.before
        or any(s.first.before or (s.close or last_token(s.nodes[-1])).after for s in statement.body)
    )
    bodies = [flat_statement(s) for s in statement.body]
    if comments or any(b is None for b in bodies):
        return None
    inner = f" {'  '.join(b for b in bodies if b is not None)} " if bodies else ""
    return f"{header}{' ' * statement.open.space}{{{inner}}}"


# --- columns -------------------------------------------------------------------------------------


def columns(found: Sequence[Statement], indent: int) -> list[str | None]:
    """Pad neighbours into columns; the text of each statement that stays on one line."""
    texts: list[str | None] = []
    for run in _runs(found):
        inline = [s for s in run if s.open and _fitting(s, indent)]
        _pad(run, inline)
        while len(still := [s for s in inline if _fitting(s, indent)]) < len(inline):
            inline = still
            _pad(run, inline)
        kept = set(map(id, inline))
        texts += [_fitting(s, indent) if not s.open or id(s) in kept else None for s in run]
    return texts


def _fitting(statement: Statement, indent: int) -> str | None:
    """The statement on one line, if there is room for it."""
    text = flat_statement(statement)
    return text if text is not None and indent + len(text) <= WIDTH else None


def _runs(found: Sequence[Statement]) -> Iterable[list[Statement]]:
    """Neighbours of one kind without an empty line between them."""
    run: list[Statement] = []
    for statement in found:
        blank = statement.first.blank or any(r.blank for r in statement.first.before)
        if run and (blank or run[-1].kind != statement.kind):
            yield run
            run = []
        run.append(statement)
    if run:
        yield run


def _pad(run: Sequence[Statement], one_line: Sequence[Statement]) -> None:
    """Set the spaces that put the statements of a run into columns."""
    for statement in run:
        if statement.open:
            statement.open.space = 1
    kind = run[0].kind
    if kind in ("param", "data", "binding", "phase"):
        _align([(s, s.cell) for s in run], 1)
    elif kind == "slot":
        _align([(s, s.cell) for s in run], 2)
        _align_repeats(run)
    if kind in ("phase", "train", "section"):
        _align([(s, s.open) for s in one_line], 1)


def _align(cells: Sequence[tuple[Statement, Token | None]], gap: int) -> None:
    """Put tokens into one column, `gap` behind the longest text before them."""
    widths: dict[int, int] = {}
    plain = []
    for statement, token in cells:
        nodes = []
        for node in statement.nodes:
            if first_token(node) is token:
                break
            nodes.append(node)
        text = _flat_header(statement, nodes)
        if text is not None:
            widths[id(statement)] = len(text)
            if not any(isinstance(n, Bracket) for n in nodes):
                plain.append(len(text))
    column = max(plain or widths.values(), default=0) + gap
    for statement, token in cells:
        if token is not None and id(statement) in widths:
            token.space = max(gap, column - widths[id(statement)])


def _flat_header(statement: Statement, nodes: Sequence[Node]) -> str | None:
    before, statement.first.before = statement.first.before, []
    text = flat(nodes)
    statement.first.before = before
    return text


def _align_repeats(run: Sequence[Statement]) -> None:
    """Put the `*` of neighbouring slots with one repeated call of the same op into a column."""
    group: list[tuple[Statement, Token]] = []
    op = ""
    for statement in [*run, None]:
        star, name = _repeat(statement) if statement else (None, "")
        if group and (star is None or name != op):
            if group[1:]:
                _align(group, 1)
            group = []
        op = name
        if star is not None and statement is not None:
            group.append((statement, star))


def _repeat(statement: Statement) -> tuple[Token | None, str]:
    """The `*` of a slot that holds one repeated call, and the call with the slot's kind."""
    nodes = statement.nodes
    index = next(i for i, n in enumerate(nodes) if first_token(n) is statement.cell)
    pipe = nodes[index:]
    signs = [n for n in pipe if isinstance(n, Token) and n.text in ("|", "*")]
    if len(signs) == 1 and signs[0].text == "*" and isinstance(pipe[0], Token):
        return signs[0], f"{statement.first.text} {pipe[0].text}"
    return None, ""
