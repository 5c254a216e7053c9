"""The words of a caption, as a model with `words(...)` reads them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

import torch

from growlang.plans.plan import SEMANTICS

WITHOUT_SPACES = (
    "\u0e00-\u0eff"  # Thai and Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese and Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana and iteration marks
    "\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Scripts that are written without spaces: each of their letters is a word."""
_ALONE = re.compile(f"[{WITHOUT_SPACES}]")


def words(caption: str, semantics: int = SEMANTICS) -> list[str]:
    r"""The words of a caption, in order.

    They are the runs of letters, digits and underscores (`\w+`), and of their marks, of
    the caption in NFC and without case (`str.casefold`): `CAFÉ` is `café` and `STRASSE` is
    `straße`, however they are encoded. Invisible characters, such as a soft hyphen, are left out,
    and so is the dot that `İ` keeps when it becomes `i`. Where a script has no spaces, each letter
    with its marks is a word. With `semantics` 1, they are the runs of `\w+` of the lower-cased
    caption, as in version 0.1.
    """
    if semantics == 1 or caption.isascii():  # of which both make the same
        return re.findall(r"\w+", caption.lower())
    found: list[str] = []
    open_ = False
    for character in normalised(caption):
        mark = unicodedata.category(character)[0] == "M"
        if not (mark or character.isalnum() or character == "_"):
            open_ = False
        elif open_ and (mark or not (_ALONE.match(character) or _ALONE.match(found[-1]))):
            found[-1] += character
        elif not mark:
            found.append(character)
            open_ = True
    return found


def word_ids(caption: str, vocabulary: int, semantics: int = SEMANTICS) -> list[int]:
    """The words of a caption as ids in [0, vocabulary).

    The id is BLAKE2b-64 of the word's UTF-8, read as a little-endian number, modulo the
    vocabulary. `semantics` is as in `words`.
    """
    return [
        int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little") % vocabulary
        for word in words(caption, semantics)
    ]


def padded_ids(
    captions: Sequence[Sequence[int]], length: int, null: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of captions, cut to a length or filled up with the null id, and what is read of them.

    (B, length) int64, and a mask (B, length) bool with at least one place in each row.
    """
    ids = torch.full((len(captions), length), null)
    mask = torch.zeros(len(captions), length, dtype=torch.bool)
    mask[:, 0] = True
    for row, found in enumerate(captions):
        seen = found[:length]
        ids[row, : len(seen)] = torch.tensor(seen, dtype=torch.int64)
        mask[row, : len(seen)] = True
    return ids, mask


def normalised(caption: str) -> str:
    """A caption in NFC, without case and without characters that are never seen.

    It is decomposed first, as the caseless match of canonical equivalents asks for (The Unicode
    Standard, 3.13, D145).
    """
    folded = unicodedata.normalize("NFD", caption).casefold()
    seen = (c for c in folded if c == "\u200b" or not _is_invisible(c))
    return unicodedata.normalize("NFC", "".join(seen)).replace("i\u0307", "i")


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"
