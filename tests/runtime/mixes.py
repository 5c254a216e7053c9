"""Sources of shards for tests of mixes of images: see the fixture `open_images`."""

from collections.abc import Callable
from typing import Any

from growlang.spec.data import Crop, Flip, Resize, Source, Transform, WebDataset
from growlang_runtime.data.images import Images

Open = Callable[..., Images]
TRANSFORM: list[Transform] = [Resize(size=12), Crop(size=8, at="random"), Flip(probability=0.5)]


def source(name: str, **changes: Any) -> Source:
    return Source(name=name, data=WebDataset(urls=f"{name}.tar", image="png"), **changes)


def labelled(label: str, name: str = "e") -> Source:
    data = WebDataset(urls=f"{name}.tar", image="png", caption=None, label=label)
    return Source(name=name, data=data)
