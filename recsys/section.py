"""The base of every configuration class."""

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from recsys.errors import BundleError


class Section(BaseModel):
    """A piece of configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def read(cls, path: Path, *, remedy: str) -> Self:
        """What a JSON file of ours holds; BundleError, with the remedy, where it is damaged."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            found = error.errors(include_url=False)[0]["msg"]
            raise BundleError(f"{path} is damaged ({found}): {remedy}") from None


def flatten(section: BaseModel) -> dict[str, str]:
    """Dotted keys to values as text: {"model.mixer.num_heads": "2", ...}; lists stay whole, as JSON."""
    flat: dict[str, str] = {}
    _flatten(section.model_dump(mode="json"), "", flat)
    return flat


def _flatten(value: JsonValue, key: str, flat: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            _flatten(part, f"{key}.{name}" if key else name, flat)
    else:
        flat[key] = value if isinstance(value, str) else json.dumps(value)
