"""Fuzzes the front end, guided by the branches that inputs reach: `make fuzz`.

An input that breaks a promise is minimised and written to tests/fixtures/fuzz, where
tests/test_fuzz.py runs it from then on; the fuzzer goes on.
"""

from __future__ import annotations

import re
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["growlang"]):
    from fuzz.promises import FIXTURES, GROW, YAML, examine, furnish, most_calls
    from fuzz.words import ROOT, seeds, words

from fuzz.minimise import minimised
from work import at_most

FOUND = FIXTURES / "fuzz"
WORK = ROOT / ".fuzz"
"""The corpus of earlier runs and the dictionary; may be deleted."""
MARKS = {b"g": GROW, b"y": YAML}
"""The first byte of an input tells its syntax."""
INSTRUMENTED = 3
"""How many times more functions instrumented code may call: each branch calls the fuzzer."""
TOKEN = re.compile(rb"\w+|\s+|[^\w\s]")


class Fuzzer:
    """Puts inputs through the front end in one folder, and keeps those that break a promise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = [word.encode() for word in words()]
        self.found: set[str] = set()

    def one(self, data: bytes) -> None:
        """Examine one input."""
        place = self.broken(data)
        if place and place not in self.found:
            self.found.add(place)
            shortest = minimised(data[1:], lambda c: self.broken(data[:1] + c) == place)
            name = f"{place}{Path(MARKS.get(data[:1], GROW)).name.removeprefix('spec')}"
            (FOUND / name).write_bytes(shortest)
            print(f"found {name}", file=sys.stderr, flush=True)

    def broken(self, data: bytes) -> str:
        """Where the front end breaks a promise, as a name for a file; empty if it does not."""
        try:
            with at_most(INSTRUMENTED * most_calls(data[1:])):
                examine(data[1:], MARKS.get(data[:1], GROW), self.folder)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            inside = [f for f in frames if "growlang" in Path(f.filename).parts] or frames
            last = inside[-1]
            where = f"{Path(last.filename).stem}_{last.name.strip('_<>')}"
            if inside is frames or frames[-1].filename.endswith("promises.py"):
                where = f"{frames[-1].name.strip('_')}_{frames[-1].lineno}"
            return f"{type(error).__name__}_{where}".lower()
        return ""

    def mutate(self, data: bytes, limit: int, seed: int) -> bytes:
        """Change bytes as libFuzzer does, or whole words: left out, doubled, moved, put in."""
        random = Random(seed)
        if random.random() < 0.4:
            return bytes(atheris.Mutate(data, limit))
        tokens = TOKEN.findall(data[1:])
        for _ in range(random.randint(1, 4)):
            at = random.randint(0, len(tokens))
            piece = tokens[at : at + random.randint(1, 12)]
            match random.randint(0, 4):
                case 0:
                    del tokens[at : at + len(piece)]
                case 1:
                    tokens[at:at] = piece * random.choice((1, 1, 1, 20))
                case 2:
                    to = random.randint(0, len(tokens))
                    tokens[to:to] = piece
                case 3:
                    tokens[at : at + 1] = [random.choice(self.words)]
                case _:
                    tokens[at:at] = [random.choice(self.words)]
        return (data[:1] + b"".join(tokens))[:limit]


def main() -> None:
    """Fuzz for the minutes given; further arguments are libFuzzer's."""
    minutes, *options = sys.argv[1:] or ["10"]
    corpus = WORK / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        data = (b"y" if name == YAML else b"g") + content
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        furnish(Path(folder))
        fuzzer = Fuzzer(Path(folder))
        dictionary = WORK / "words"
        lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in fuzzer.words)
        dictionary.write_text("".join(f'"{line}"\n' for line in lines))
        arguments = [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={round(60 * float(minutes))}",
            f"-dict={dictionary}",
            "-max_len=6000",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={WORK}/",
            *options,
        ]
        atheris.Setup(arguments, fuzzer.one, custom_mutator=fuzzer.mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
