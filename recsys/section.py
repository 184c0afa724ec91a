"""The base of every configuration class."""

import json

from pydantic import BaseModel, ConfigDict, JsonValue


class Section(BaseModel):
    """A piece of configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


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
