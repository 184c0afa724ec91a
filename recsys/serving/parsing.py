"""Bodies and queries as they are read. A refusal says where and what, in the models' words: no client's is repeated."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from recsys.serving.refusal import unprocessable
from recsys.serving.requests import BatchRequest, Click, RecommendationsRequest, SimilarRequest

Model = TypeVar("Model", bound=BaseModel)
NAMED = "user"
"""The field in which names are the client's own."""
OURS = {
    name for model in (SimilarRequest, RecommendationsRequest, BatchRequest, Click) for name in model.model_fields
} | {"q"}
MOST_TOLD, MOST_LOOKED_AT = 3, 100


def parsed(model: type[Model], body: bytes) -> Model:
    """Refusal with the first faults, where it breaks the model's rules."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # to make a list of all would take much longer than to read the body
        if error.error_count() > MOST_LOOKED_AT:
            raise unprocessable(f"the body breaks the rules in {error.error_count():,} places: see /docs") from None
        raise unprocessable(told(error.errors(include_url=False, include_input=False))) from None


def told(faults: Sequence[Any]) -> str:
    """The first few."""
    return "; ".join(islice(dict.fromkeys(map(_fault, faults)), MOST_TOLD))


def _fault(error: Any) -> str:
    if error["type"] == "json_invalid":
        return "the body is no JSON"
    if error["type"] == "extra_forbidden":
        return "the body has a field too many"
    parts = error["loc"]
    own = parts[: parts.index(NAMED) + 1 if NAMED in parts else None]
    where = ".".join(str(part) for part in own if isinstance(part, int) or part in OURS)
    return f"{where or 'the body'}: {error['msg']}"


def query_of(text: bytes, names: Collection[str]) -> Mapping[str, str]:
    """What a query says, which may say these names, each once."""
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True) if text else []
    said = dict(pairs)
    if not said.keys() <= set(names):
        raise unprocessable(f"the query takes {' and '.join(names) or 'nothing'}")
    if len(said) < len(pairs):
        raise unprocessable("the query says a name twice")
    return said


def whole(text: str, least: int, most: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise unprocessable(f"{name} is a whole number from {least} to {most:,}")
    return int(text)


def truth(text: str, name: str) -> bool:
    if text not in ("true", "false"):
        raise unprocessable(f"{name} is true or false")
    return text == "true"
