"""Finds in a line of evidence what is written for machines: identifiers and digests, which a page shows short and copies whole, and what
somebody types, in backticks. A line is broken between words only: not at the hyphens of a date, an ID or a name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

IDENTIFIER = re.compile(
    r"sha256:[0-9a-f]{64}"  # a digest
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # an ID of Apple's
    r"|\b(?:vol|vs)_[0-9A-Za-z]{14,}\b"  # a volume or snapshot of Fly.io
    r"|\b[0-9A-HJKMNP-TV-Z]{26}\b"  # a machine version of Fly.io
    r"|\b(?:[0-9a-f]{14,}|[0-9A-F]{14,})\b"  # a machine's ID, a hash, a serial number
    r"|`(?P<typed>[^`]+)`"
)
WORD = re.compile(r"(?:`[^`]+`|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|\S)+|\s+")
UUID_LENGTH = 36


@dataclass(frozen=True)
class Piece:
    """A part of a line. An identifier may be cut off where there is no room for it."""

    text: str
    is_identifier: bool = False
    is_typed: bool = False

    @property
    def shown(self) -> int:
        """How many characters of an identifier a page shows: the first group of a UUID, so that no hyphen ends it."""
        return 8 if len(self.text) == UUID_LENGTH else 14


@dataclass(frozen=True)
class Word:
    """What stands between two spaces, or a space; a time and what is typed are one word."""

    pieces: Sequence[Piece]

    @property
    def breaks(self) -> bool:
        """Whether a browser would break it where a reader would not."""
        return any(piece.is_identifier or piece.is_typed or "-" in piece.text for piece in self.pieces)


def words(line: str) -> Iterator[Word]:
    """The words of `line` and the spaces between them, in order."""
    return (Word(list(pieces(found[0]))) for found in WORD.finditer(line))


def pieces(line: str) -> Iterator[Piece]:
    """The parts of `line`, in order; joined, their texts are the line without its backticks."""
    end = 0
    for found in IDENTIFIER.finditer(line):
        if found.start() > end:
            yield Piece(line[end : found.start()])
        typed = found["typed"]
        yield Piece(typed or found[0], is_identifier=not typed, is_typed=bool(typed))
        end = found.end()
    if end < len(line):
        yield Piece(line[end:])
