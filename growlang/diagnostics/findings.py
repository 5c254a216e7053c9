"""Places in source files and what is said about them."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, Generic, Literal, NamedTuple, ParamSpec, TypeVar

from growlang.diagnostics.exits import Exit

Severity = Literal["error", "warning"]
KeyPath = tuple[str | int, ...]
"""Where a value is in a tree: the keys and indices that lead to it."""
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, colour text or turn its direction, and are not text."""
P = ParamSpec("P")
T = TypeVar("T")


class Span(NamedTuple):
    """A range of text in one file. Rows and columns count from 1; the end column is exclusive."""

    filename: str
    row: int
    column: int
    end_row: int
    end_column: int

    def to(self, other: "Span") -> "Span":
        """The range from this span's start to the other's end."""
        return Span(self.filename, self.row, self.column, other.end_row, other.end_column)

    def covers(self, other: "Span") -> bool:
        """Whether the other lies within this range."""
        starts = (self.row, self.column) <= (other.row, other.column)
        ends = (other.end_row, other.end_column) <= (self.end_row, self.end_column)
        return self.filename == other.filename and starts and ends

    def __str__(self) -> str:
        return f"{self.filename}:{self.row}:{self.column}"


class Note(NamedTuple):
    """A second place that a diagnostic points to, such as where the other value was fixed."""

    message: str
    span: Span


class Edit(NamedTuple):
    """A replacement of the text of a span, which is `old`.

    It is safe if it only corrects spelling or layout. What picks one of several things that could
    be meant (another op, optimizer, unit or number) is not: a person decides.
    """

    span: Span
    text: str
    old: str
    safe: bool = False


class Diagnostic(NamedTuple):
    """One finding: a code of `diagnostics.codes`, what is wrong, where, and the edit that mends it.

    `edits` may mend it: `check --fix` makes those that are safe.
    """

    code: str
    message: str
    span: Span
    help: str = ""
    notes: tuple[Note, ...] = ()
    edits: tuple[Edit, ...] = ()


LIMIT = 1000
"""Most findings of one run: nobody reads more, and a file may have one for each ten bytes."""
LONGEST = 1000
"""Most characters of a message; names and values in it may be as long as the file."""
MOST_NOTES = 20
"""Most notes of a finding."""


class TooMany(Exception):
    """There are more findings than `LIMIT`: what comes after them is not looked at."""


class Outcome(NamedTuple, Generic[T]):
    """What a stage of the compiler makes of its input, and what it finds on the way."""

    result: T | None
    """None where what was found leaves nothing to go on with."""
    findings: tuple[Diagnostic, ...] = ()
    full: bool = False
    """Whether the stage ended early, with as many findings as are kept."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass
class Findings:
    """Collects the diagnostics of one stage, each once, up to `LIMIT` of them."""

    items: list[Diagnostic] = field(default_factory=list)
    seen: set[tuple[str, str, Span]] = field(default_factory=set)
    full: bool = False
    """Whether there are more than are kept."""
    _views: list[Callable[[Diagnostic], Diagnostic]] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        help: str = "",
        notes: Iterable[Note] = (),
        edits: Iterable[Edit] = (),
    ) -> None:
        """Record a finding unless the same one was recorded before. May raise TooMany."""
        self.record(Diagnostic(code, message, span, help, tuple(notes), tuple(edits)))

    def record(self, found: Diagnostic) -> None:
        """Record a finding unless the same was said of the same place before.

        Raises TooMany where there are `LIMIT` already: a pass ends there.
        """
        if (found.code, found.message, found.span) in self.seen:
            return
        for view in reversed(self._views):
            found = view(found)
        found = _bounded(found)
        said = (found.code, found.message, found.span)
        if said in self.seen:
            return
        if len(self.items) >= LIMIT:
            self.full = True
            raise TooMany
        self.seen.add(said)
        self.items.append(found)

    def extend(self, found: Iterable[Diagnostic]) -> None:
        """Record each of these. May raise TooMany."""
        for item in found:
            self.record(item)

    def of(self, outcome: Outcome[T]) -> T | None:
        """The result of a stage, its findings recorded. Raises TooMany where it ended early."""
        self.extend(outcome.findings)
        if outcome.full:
            self.full = True
            raise TooMany
        return outcome.result

    @contextmanager
    def seen_from(self, view: Callable[[Diagnostic], Diagnostic]) -> Iterator[None]:
        """Record what is found inside as `view` makes it, such as at the call of a block."""
        self._views.append(view)
        try:
            yield
        finally:
            self._views.pop()


def stage(work: Callable[Concatenate[Findings, P], T | None]) -> Callable[P, Outcome[T]]:
    """A function that records findings, as one that returns them with its result."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> Outcome[T]:
        findings = Findings()
        try:
            result = work(findings, *args, **kwargs)
        except TooMany:
            return Outcome(None, tuple(findings.items), True)
        return Outcome(result, tuple(findings.items), findings.full)

    return run


def _bounded(found: Diagnostic) -> Diagnostic:
    """A finding without the middle of texts that are longer than anyone reads."""
    notes = tuple(n._replace(message=_shortened(n.message)) for n in found.notes[:MOST_NOTES])
    message, help = _shortened(found.message), _shortened(found.help)
    return found._replace(message=message, help=help, notes=notes)


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} ... {text[len(text) - LONGEST // 2 + 5 :]}"


class GrowlangError(Exception):
    """The job cannot be done: a user's mistake outside a spec. Printed as one message.

    `message` says what is wrong and `help` how to mend it; a traceback shows both. A command ends
    with `exit_status`.
    """

    def __init__(self, message: str, *, help: str = "", exit_status: Exit = Exit.UNABLE) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.exit_status = exit_status
        if help:
            self.add_note(f"help: {help}")

    def as_text(self) -> str:
        """The message and its help, as the command line prints them.

        What would steer a terminal, such as in the name of a file, is escaped.
        """
        text = f"error: {self.message}" + (f"\n  help: {self.help}" if self.help else "")
        return STEERING.sub(lambda found: ascii(found.group())[1:-1], text)
