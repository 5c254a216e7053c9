"""Tokenizers: what turns text into the ids of tokens."""

from typing import ClassVar

from growlang.signatures.signature import Signature
from growlang.signatures.tables import table


class Bytes(Signature):
    """The bytes of a text in UTF-8 as its tokens: ids 0 to 255, of which 0 ends a text."""

    call: ClassVar[str] = "bytes"
    vocabulary: ClassVar[int] = 256


TOKENIZERS = table(Bytes)
