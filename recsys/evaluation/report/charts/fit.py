"""How much room a line of text takes, without a font to ask: rather too much than too little."""

import unicodedata

NARROW, WIDE = frozenset(" .,;:'|!()[]filjrtI1"), frozenset("mwMW@%<>+=~")
"""Of letters in common sans-serif fonts."""


def width_of(text: str, size: float) -> float:
    return size * sum(_width(letter) for letter in text)


def fitted(text: str, room: float, size: float) -> str:
    """The text, or as much of its beginning as there is room for with an ellipsis behind it."""
    if width_of(text, size) <= room:
        return text
    left = room - size
    for end, letter in enumerate(text):
        left -= size * _width(letter)
        if left < 0:
            return f"{text[:end].rstrip()}…"
    return text


def _width(letter: str) -> float:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    if letter in WIDE or unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in NARROW:
        return 0.4
    return 0.72 if letter.isupper() else 0.6
