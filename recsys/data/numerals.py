"""Numbers as text."""

import re

NUMERAL = r"-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
"""Pattern of numbers as they are written into a column of text; 01 and +1 are none."""


def number_of(text: str) -> int | float | None:
    """None where the text is no number."""
    if re.fullmatch(NUMERAL, text) is None:
        return None
    return float(text) if set(text) & {".", "e"} else int(text)
