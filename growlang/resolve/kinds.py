"""Refuses what a recipe says for the other kind of model: of images, or of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from growlang.diagnostics import Findings, Span
from growlang.net import Net
from growlang.spec.data import HF, Source, Text
from growlang.spec.model import Tokens
from growlang.spec.objectives import OBJECTIVES, Objective
from growlang.spec.recipe import Settings
from growlang.spec.tokenizers import Bytes
from growlang.syntax import document as d

TEXTS = 'name texts: `data corpus = text("corpus/*.jsonl")`'
IMAGES = "name images, `webdataset(...)` or `folder(...)`, or declare `tokens = tokens(...)`"


class Kind(NamedTuple):
    """What a model reads, and where a recipe without a setting is marked."""

    tokens: Tokens | None
    findings: Findings

    def refuse(self, settings: Settings, written: Mapping[str, d.Binding], place: Span) -> None:
        """Findings about the data, objective and transform of a recipe that do not fit the model.

        `written` has the settings where they stand.
        """

        def at(name: str) -> Span:
            return written[name].value.span if name in written else place

        self.refuse_data(settings.data, at("data"))
        self._objective(settings.objective, at("objective"))
        self.refuse_transform(written)

    def refuse_transform(self, written: Mapping[str, d.Binding]) -> None:
        """A finding about a transform in a model of tokens."""
        if self.tokens and "transform" in written:
            message = "`transform` is what is done to images, and the model reads tokens"
            self.findings.add("G502", message, written["transform"].value.span, help="remove it")

    def refuse_data(self, sources: list[Source], place: Span) -> None:
        """A finding about the first source that holds something else than the model reads."""
        wanted = "texts" if self.tokens else "images"
        for source in sources:
            if source.data.holds != wanted:
                reads = f"trains on {wanted}, and `{source.name}` holds {source.data.holds}"
                message = f"a model of {'tokens' if self.tokens else 'images'} {reads}"
                help = TEXTS if self.tokens else IMAGES
            elif self.tokens and source.where is not None:
                message = f"`where` keeps rows of images, and `{source.name}` holds texts"
                help = "keep the texts that are meant in files of their own, and name these"
            elif short := self._vocabulary(source):
                message, help = short
            elif (other := _tokenizer(source)) != _tokenizer(sources[0]):
                message = f"`{sources[0].name}` and `{source.name}` have different tokenizers"
                help = f"give both the tokenizer of `{sources[0].name}`, not {other}"
            else:
                continue
            self.findings.add("G502", message, place, help=help)
            return

    def _vocabulary(self, source: Source) -> tuple[str, str] | None:
        data = source.data
        if not (self.tokens and isinstance(getattr(data, "tokenizer", None), Bytes)):
            return None
        has, needs = self.tokens.vocabulary, Bytes.vocabulary
        if has >= needs:
            return None
        message = f"`bytes()` gives ids of {needs} tokens, and the model knows {has}"
        return message, f"write `tokens(vocabulary = {needs}, length = {self.tokens.length})`"

    def _objective(self, objective: Objective, place: Span) -> None:
        wanted = "tokens" if self.tokens else "images"
        if objective.trains == wanted:
            return
        fits = [name for name, found in OBJECTIVES.items() if found.trains == wanted]
        self.findings.add(
            "G502",
            f"`{objective.call}` trains models of {objective.trains}, and this one is of {wanted}",
            place,
            help=f"write `objective = {fits[0]}()`, or leave it out",
        )


def _tokenizer(source: Source) -> str:
    """A source's tokenizer as it is written; empty for one of a package."""
    if not isinstance(source.data, Text | HF):
        return ""
    found = source.data.tokenizer
    return f"`{found.call}()`" if isinstance(found, Bytes) else f'`"{found}"`'


def refuse_seeing(net: Net, findings: Findings) -> None:
    """A finding about a model of tokens that is shown what it is trained to predict."""
    if not net.of_tokens:
        return
    for node in net.nodes:
        args = node.args
        if "causal" in args and not args["causal"] and node.span:
            findings.add(
                "G503",
                f"`{node.op}` sees the next token, which the model is trained to predict",
                node.span,
                help="write `causal = true` in it",
            )
            return


def refuse_evaluation(section: d.Section, findings: Findings) -> None:
    """The finding about `evaluate` in a model of tokens."""
    findings.add(
        "G502",
        "`evaluate` measures images, and the model is of tokens",
        section.span,
        help="remove it, and write `holdout = 5%` in `train`: the loss on held-out text is "
        "measured while it trains, and by `growlang evaluate RUN -m held_out_loss`",
    )
