"""Ids and features of a user as a body has them: a text or a number, never a number for a truth value."""

import math

from pydantic_core import PydanticCustomError

MOST_TEXT, MOST_VALUES = 512, 64
"""Letters of an id, and features of a user and values of each."""


def integer(value: object) -> object:
    """JSON has numbers of one kind: 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def scalar(value: object) -> object:
    """In one step: of a union each member would tell its own fault, with a copy of what it found."""
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise PydanticCustomError("letters", "String should have at most {most} characters", {"most": MOST_TEXT})
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("scalar", "Input should be a valid string or number")
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    return value


def item_id(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("scalar", "Input should be a valid string or number")
    return integer(scalar(value))


def told_of_user(value: object) -> object:
    if not isinstance(value, list):
        return scalar(value)
    if len(value) > MOST_VALUES:
        raise PydanticCustomError("values", "List should have at most {most} items", {"most": MOST_VALUES})
    return [scalar(each) for each in value]
