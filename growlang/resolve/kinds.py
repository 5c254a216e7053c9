"""Refuses what a recipe says for another kind of model: of images, of tokens, or of a label."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from growlang.diagnostics import Findings, Span
from growlang.net import TIME, Net
from growlang.ops import CONDITIONS
from growlang.spec.data import HF, Source, Text
from growlang.spec.model import Model, Tokens
from growlang.spec.objectives import OBJECTIVES, Classify, Objective
from growlang.spec.recipe import Settings
from growlang.spec.tokenizers import Bytes
from growlang.syntax import document as d

TEXTS = 'name texts: `data corpus = text("corpus/*.jsonl")`'
IMAGES = "name images, `webdataset(...)` or `folder(...)`, or declare `tokens = tokens(...)`"


class Kind(NamedTuple):
    """What a model reads and predicts, and where a recipe without a setting is marked."""

    tokens: Tokens | None
    predicted: tuple[str, ...] | None
    """The labels whose class it predicts; None where a mistake leaves it open."""
    findings: Findings

    @property
    def computes(self) -> str:
        """What it computes, as `Objective.trains` has it."""
        return "tokens" if self.tokens else "labels" if self.predicted else "images"

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
                if isinstance(source.data, HF):
                    column = "remove `image`" if self.tokens else 'add `image = "image"`'
                    help = f"{column} in `hf(...)`, or {help}"
            elif self.tokens and source.where is not None:
                message = f"`where` keeps rows of images, and `{source.name}` holds texts"
                help = "keep the texts that are meant in files of their own, and name these"
            elif self.predicted and getattr(source.data, "label", "") is None:
                label, call = self.predicted[0], source.data.call
                message = f"the model predicts `{label}`, and `{source.name}` has no labels"
                where = {"folder": "folder", "hf": "label"}.get(call, "cls")
                help = f'say where they are: `{call}(..., label = "{where}")`'
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
        if self.predicted is None and not self.tokens:
            return
        label, wanted = (self.predicted or ("",))[0], self.computes
        message = f"`{objective.call}` trains models of {objective.trains}, and this one is of "
        fits = [f"{name}()" for name, found in OBJECTIVES.items() if found.trains == wanted]
        help = f"write `objective = {fits[0]}`, or leave it out"
        if isinstance(objective, Classify):
            if objective.label == label or objective.label in (self.predicted or ()):
                return
            message = f"`classify` trains to predict `{objective.label}`, and the head "
            message += f"predicts `{label}`" if label else "gives no logits of its classes"
            end = f"end the head with `classify({objective.label})`"
            help = f"write `classify({label})`" if label else end
        elif label:
            message = f"`{objective.call}` does not train to predict `{label}`, as the head does"
            help = f"write `objective = classify({label})`, or leave it out"
        elif objective.trains == wanted:
            return
        else:
            message += wanted
        self.findings.add("G502", message, place, help=help)


def _tokenizer(source: Source) -> str:
    """A source's tokenizer as it is written; empty for one of a package."""
    if not isinstance(source.data, Text | HF):
        return ""
    found = source.data.tokenizer
    return f"`{found.call}()`" if isinstance(found, Bytes) else f'`"{found}"`'


def refuse_time(net: Net, findings: Findings) -> None:
    """A finding about the embedding of the noise level in a model whose data gets no noise."""
    if not (net.of_tokens or net.predicts):
        return
    what = f"predicts `{net.predicts}`" if net.predicts else "is of tokens"
    for component in net.components:
        if component.name == TIME and component.span:
            findings.add(
                "G502",
                f"`time` embeds the noise level of noisy images, and the model {what}",
                component.span,
                help="remove `time`; what is kept of a parent must not have it either",
            )


def refuse_seeing(net: Net, findings: Findings) -> None:
    """A finding about a model that is shown what it is trained to predict: a token, or a label."""
    fields = {name: CONDITIONS.require(c["op"]).field for name, c in net.encoders.items()}
    for component in net.components if net.predicts else ():
        name, label = component.name, net.predicts
        if name != label and fields.get(name) == fields[label] and component.span:
            findings.add(
                "G503",
                f"the net reads the label as `{name}`, which it is trained to predict",
                component.span,
                help=f"remove `{name}`",
            )
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


def predicted_by(model: Model, broken: Collection[str]) -> tuple[str, ...] | None:
    """The labels that a model predicts; None where its head or a condition was refused."""
    if broken or None in model.head.pipe or not model.head.pipe:
        return None
    return model.predicted


def refuse_sections(model: Model, sections: Iterable[d.Section], findings: Findings) -> None:
    """Findings about sections on generated images in a model that makes none."""
    labels = model.predicted
    for section in sections:
        if section.kind == "evaluate" and (model.tokens or labels):
            held, metric = ("text", "held_out_loss") if model.tokens else ("images", "accuracy")
            what = "is of tokens" if model.tokens else f"predicts `{labels[0]}`"
            findings.add(
                "G502",
                f"`evaluate` measures images, and the model {what}",
                section.span,
                help=f"remove it, and write `holdout = 5%` in `train`: the loss on held-out {held} "
                f"is measured while it trains, and by `growlang evaluate RUN -m {metric}`",
            )
        elif section.kind == "sample" and labels:
            message = f"`sample` says how images are drawn, and the model predicts `{labels[0]}`"
            findings.add("G502", message, section.span, help="remove it")
