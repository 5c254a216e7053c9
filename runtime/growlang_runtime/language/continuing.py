"""Text that a model of tokens continues, token by token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from growlang.net import Net
from growlang.spec.recipe import Sample
from growlang_runtime.data.tokenizers import Tokenizer
from growlang_runtime.diffusion.sampling import generator


@dataclass(frozen=True)
class Prompted:
    """A prompt, and what tells its random numbers from those of others."""

    text: str
    place: int
    """Among the prompts."""
    seed: int


@torch.no_grad()
def continued(
    module: Callable[..., Tensor],
    net: Net,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompted],
    asked: Sample,
    device: torch.device,
) -> list[str]:
    """What a model of tokens writes behind each prompt: `asked.length` tokens, or up to its end.

    It reads the last tokens of each text, as many as it was trained on. A text depends on its
    seed, its prompt and its place. An empty prompt is the beginning of a text.
    """
    start = [tokenizer.end or 0]
    texts = [[*map(int, ids)] or list(start) for ids in tokenizer.encode([p.text for p in prompts])]
    begun = [len(ids) for ids in texts]
    random = [generator(p.seed, p.place) for p in prompts]
    going = [*range(len(texts))]
    for _ in range(asked.length):
        logits = _next(module, net, [texts[row] for row in going], device)
        for row, values in zip(going, logits, strict=True):
            texts[row].append(chosen(values, asked, random[row]))
        going = [row for row in going if texts[row][-1] != tokenizer.end]
        if not going:
            break
    return [
        tokenizer.decode([id for id in ids[first:] if id != tokenizer.end])
        for ids, first in zip(texts, begun, strict=True)
    ]


def chosen(logits: Tensor, asked: Sample, random: torch.Generator) -> int:
    """The next token by its logits, (vocabulary,) float64 on the CPU.

    Top-k sampling (arXiv 1805.04833, section 5.4) of the softmax at a temperature; at 0, the
    likeliest.
    """
    if asked.temperature == 0:
        return int(logits.argmax())
    if asked.top_k is not None and asked.top_k < len(logits):
        least = logits.topk(asked.top_k).values[-1]
        logits = logits.masked_fill(logits < least, -torch.inf)
    probabilities = torch.softmax(logits / asked.temperature, 0)
    return int(torch.multinomial(probabilities, 1, generator=random))


def _next(
    module: Callable[..., Tensor], net: Net, texts: Sequence[Sequence[int]], device: torch.device
) -> Tensor:
    """The logits behind each text, (texts, vocabulary) float64 on the CPU.

    Behind its end a text is filled up with zeros, which a causal net does not see.
    """
    length = net.result.positions
    ids = torch.zeros(len(texts), length, dtype=torch.int64)
    last = []
    for row, text in enumerate(texts):
        read = text[-length:]
        ids[row, : len(read)] = torch.tensor(read)
        last.append(len(read) - 1)
    logits = module(ids.to(device))
    return logits[torch.arange(len(texts)), torch.tensor(last)].double().cpu()
