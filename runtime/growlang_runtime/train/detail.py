"""The variance of detail in the data, which a net with retained ends takes for granted.

V = mean of (H x)^2 / n_H for each channel, with H what D and U lose and n_H the same mean of white
noise, so that the detail of noise would have a variance of 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import closing

import torch
from torch import Tensor

from growlang.growth.mapping import Mapping as Growth
from growlang.growth.transforms import Initialise
from growlang.net import Net, Node
from growlang.net.generations import MEASURED, refinements
from growlang.torch_backend.generations import high, noise_in_detail, pooled
from growlang_runtime.data.mix import Mix, prefetch

DRAWS = 1024
"""Images that the variance is measured on: the first that the run would draw."""
CHUNK = 32


def unmeasured(net: Net, mapping: Growth) -> dict[str, Node]:
    """The tensors that the data is to give, and that the start weights do not, with their nodes."""
    names = [(t.name, n) for n in refinements(net) for t in n.tensors if t.init == MEASURED]
    entries = mapping.by_name
    return {name: n for name, n in names if isinstance(entries[name].transform, Initialise)}


def detail_variances(nodes: Mapping[str, Node], images: Mix, workers: int) -> dict[str, Tensor]:
    """The variance (C,) float32 of the detail that each node adds, by the name of its tensor."""
    if not nodes:
        return {}
    sums: dict[str, Tensor | float] = dict.fromkeys(nodes, 0.0)
    for x in _batches(images, workers):
        for name, node in nodes.items():
            sums[name] = sums[name] + _detail(x.double(), node).sum((0, 2, 3))
    found = {}
    for name, node in nodes.items():
        args = node.args
        pixels = DRAWS * math.prod(node.output.dims[1:])
        share = noise_in_detail(args["factor"], args["upsample"])
        found[name] = (torch.as_tensor(sums[name]) / (pixels * share)).float()
    return found


def _batches(images: Mix, workers: int) -> Iterator[Tensor]:
    first = images.first
    ranges = [range(first + at, first + at + CHUNK) for at in range(0, DRAWS, CHUNK)]
    with closing(prefetch(images, ranges, max(1, workers))) as batches:
        for batch in batches:
            yield batch.images


def _detail(x: Tensor, node: Node) -> Tensor:
    """The squared detail of the images that a node makes."""
    args = node.args
    return high(pooled(x, args["above"]), args["factor"], args["upsample"]).square()
