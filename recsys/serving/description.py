"""What the routes take and give, as OpenAPI: also of the bodies that routes parse by themselves."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from recsys.serving.guard import ALWAYS, RELOAD
from recsys.serving.lookup import Answers
from recsys.serving.requests import BatchRequest, RecommendationsRequest, SimilarRequest
from recsys.serving.values import MOST_TEXT

REFERENCE = "#/components/schemas/{model}"
ASKED: tuple[type[BaseModel], ...] = (SimilarRequest, RecommendationsRequest, BatchRequest)
PROBLEM = {
    "title": "Problem",
    "description": "Problem details, RFC 9457. The server's log knows the request by the same id.",
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "request_id")},
        "status": {"type": "integer"},
    },
    "required": ["type", "title", "detail", "request_id", "status"],
}


def described(asked: type[BaseModel], answer: type[BaseModel]) -> dict[str, Any]:
    """Arguments of a route that parses its own body."""
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model=asked.__name__)}}}
    summary = (asked.__doc__ or "").split("\n")[0]
    return {
        "response_model": answer,
        "summary": summary,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def openapi(app: FastAPI, answers: Answers, *, has_token: bool) -> dict[str, Any]:
    """Of the bundle that is served: its type of ids, some of them as examples, and what it reads of a user."""
    told = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, asked = models_json_schema([(model, "validation") for model in ASKED], ref_template=REFERENCE)
    schemas = told.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(asked["$defs"])
    known = {"title": "KnownId", "type": _json_type(answers.id_type), "examples": answers.examples}
    longest = {"maxLength": MOST_TEXT} if known["type"] == "string" else {}
    schemas.update(KnownId=known, ItemId={**known, "title": "ItemId", **longest}, Problem=PROBLEM)
    _tell_user(schemas, answers.user_features)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    for path in told["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["example"] = str(next(iter(answers.examples), ""))
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "Refused, and why", "content": problem}
    _tell_tokens(told, has_token=has_token)
    return told


def _tell_tokens(told: dict[str, Any], *, has_token: bool) -> None:
    """Which operations ask for which of the two."""
    schemes = {"token": {"type": "http", "scheme": "bearer"}} if has_token else {}
    for path, operations in told["paths"].items():
        for operation in operations.values():
            if path == RELOAD:
                schemes["administrator"] = {"type": "http", "scheme": "bearer"}
                operation["security"] = [{"administrator": []}]
            elif has_token and path not in ALWAYS:
                operation["security"] = [{"token": []}]
    if schemes:
        told["components"]["securitySchemes"] = schemes


def _tell_user(schemas: dict[str, Any], names: Sequence[str]) -> None:
    """A user has the features that the bundle's ranker reads, and no others; where it reads none, there is no user."""
    value = schemas.pop("User")["additionalProperties"]
    if names:
        features = dict.fromkeys(names, value)
        schemas["User"] = {"title": "User", "type": "object", "properties": features, "additionalProperties": False}
    else:
        del schemas["RecommendationsRequest"]["properties"]["user"]


def _json_type(id_type: str) -> str:
    if id_type == "string":
        return "string"
    return "number" if id_type.startswith("float") else "integer"
