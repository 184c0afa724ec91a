"""What pydantic finds wrong with a configuration, in the words of who wrote it.

Knows types and keys, not files: the caller says where the values came from.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

# pydantic's types of error whose own words name Python's types
PLAIN = {
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "path_type": "must be a path, as text",
    "invalid_key": "must be text, as every key",
}


@dataclass(frozen=True)
class Place:
    """A dotted key, and the types its value may have."""

    key: str
    kinds: tuple[Any, ...]

    @property
    def names(self) -> list[str]:
        """The keys that may stand here."""
        return list(dict.fromkeys(name for kind in self.kinds if _is_section(kind) for name in kind.model_fields))

    def below(self, part: str | int) -> "Place":
        """One step of pydantic's path: a field, an index, or the tag of a variant, which no user writes."""
        tagged = tuple(kind for kind in self.kinds if _is_section(kind) and part in _tags(kind))
        if tagged and part not in self.names:
            return Place(self.key, tagged)
        sections = [kind for kind in self.kinds if _is_section(kind) and part in kind.model_fields]
        fields = [alternative for kind in sections for alternative in _alternatives(kind.model_fields[part].annotation)]
        members = [
            alternative
            for kind in self.kinds
            for element in _elements(kind, part)
            for alternative in _alternatives(element)
        ]
        return Place(f"{self.key}.{part}" if self.key else str(part), tuple(fields + members))


@dataclass(frozen=True)
class Problem:
    """What is wrong at a dotted key; the text names the key."""

    key: str
    text: str


def problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Everything that is wrong with the values of a `model`."""
    return [_problem(details, model) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    parent, place = Place("", (model,)), Place("", (model,))
    for part in details["loc"]:
        parent, place = place, place.below(part)
    match details["type"]:
        case "extra_forbidden":
            return Problem(place.key, f"{place.key} is not a key; {_nearest(place.key, parent, model)}")
        case "missing":
            return Problem(place.key, f"{place.key} is required and missing")
        case "union_tag_not_found":
            return Problem(f"{place.key}.kind", f"{place.key}.kind is required and missing")
        case "union_tag_invalid":
            tags = details["ctx"]["expected_tags"]
            rule = f"must be one of {tags}; found {details['ctx']['tag']!r}"
            return Problem(f"{place.key}.kind", f"{place.key}.kind {rule}")
        case "value_error" | "assertion_error":
            rule = details["msg"].split(", ", 1)[1]
            names_the_key = rule.startswith(f"{place.key}.") or not place.key
            return Problem(place.key, rule if names_the_key else f"{place.key}: {rule}")
    rule = PLAIN.get(details["type"]) or details["msg"].replace("Input should be", "must be")
    return Problem(place.key, f"{place.key} {rule[0].lower()}{rule[1:]}; found {_shown(details['input'])}")


def _nearest(key: str, parent: Place, model: type[BaseModel]) -> str:
    name = key.rpartition(".")[2]
    everywhere = list(_keys(Place("", (model,))))
    if key in everywhere:
        return f"it goes with another {parent.key}.kind; the keys of this one are {', '.join(sorted(parent.names))}"
    prefix = f"{parent.key}." if parent.key else ""
    siblings = difflib.get_close_matches(name, parent.names, n=1)
    if siblings:
        return f"did you mean {prefix}{siblings[0]}?"
    namesakes = [other for other in everywhere if other.rpartition(".")[2] == name]
    close = namesakes or difflib.get_close_matches(key, everywhere, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"the keys there are {', '.join(sorted(parent.names))}" if parent.names else f"{parent.key} has no keys"


def _keys(place: Place) -> Iterator[str]:
    for name in place.names:
        below = place.below(name)
        yield below.key
        yield from _keys(below)


def _alternatives(annotation: Any) -> list[Any]:
    """The types of a union, unions within it flattened; None and what only annotates left out."""
    if isinstance(annotation, type) or get_origin(annotation) in {tuple, list, dict, Literal}:
        return [] if annotation is type(None) else [annotation]
    parts = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        parts = parts[:1]
    return [alternative for part in parts for alternative in _alternatives(part)]


def _elements(kind: Any, part: str | int) -> list[Any]:
    is_sequence = get_origin(kind) in {tuple, list} and isinstance(part, int)
    return [element for element in get_args(kind) if element is not ...] if is_sequence else []


def _tags(section: type[BaseModel]) -> set[Any]:
    """What may stand for this section in pydantic's path: the value of its `kind`, or its name."""
    kind = section.model_fields.get("kind")
    return {section.__name__, *(get_args(kind.annotation) if kind else ())}


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
