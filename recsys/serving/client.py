"""A server's answers in a few lines of Python; needs neither torch nor FAISS.

client = recsys.Client("http://127.0.0.1:8000")
client.similar("i01999", k=5)                    # -> [Scored(item, score, title), ...]
client.recommend(["i01999", "i00007"], k=5)      # -> Recommendations(bundle, source, recommendations, unknown)
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from recsys.errors import DataError, UserError
from recsys.serving.requests import (
    BatchAnswer,
    BatchRequest,
    BundleFacts,
    Click,
    ItemId,
    Neighbours,
    Recommendations,
    RecommendationsRequest,
    Scored,
    SearchAnswer,
    UserValue,
)

Model = TypeVar("Model", bound=BaseModel)


class ServerError(UserError):
    """The server refused, or there is none; `status` is 0 then."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Titles come along. Every answer but `similar`'s and `search`'s names the bundle that gave it."""

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = timeout

    def similar(self, item: ItemId, *, k: int = 10) -> list[Scored]:
        path = f"/v1/items/{quote(str(item), safe='')}/similar?{urlencode({'k': k, 'titles': 'true'})}"
        return self._ask(Neighbours, path).neighbours

    def recommend(
        self,
        history: Sequence[ItemId],
        *,
        k: int = 10,
        times: Sequence[float] | None = None,
        rerank: bool = True,
        user: Mapping[str, UserValue | list[UserValue]] | None = None,
    ) -> Recommendations:
        """`times` of the clicks in seconds since 1970, and features of the user, for a model that reads them."""
        if times is not None and len(times) != len(history):
            raise DataError(f"every click has one time: got {len(times)} times for {len(history)} clicks")
        clicks = history if times is None else [Click(item=i, time=t) for i, t in zip(history, times, strict=True)]
        told = None if user is None else dict(user)
        asked = RecommendationsRequest(history=list(clicks), k=k, rerank=rerank, titles=True, user=told)
        return self._ask(Recommendations, "/v1/recommendations", asked.model_dump(mode="json"))

    def recommend_many(self, asked: Sequence[RecommendationsRequest]) -> list[Recommendations]:
        body = BatchRequest(requests=list(asked)).model_dump(mode="json")
        return self._ask(BatchAnswer, "/v1/recommendations:batch", body).answers

    def search(self, text: str) -> SearchAnswer:
        return self._ask(SearchAnswer, f"/v1/items?{urlencode({'q': text})}")

    def bundle(self) -> BundleFacts:
        return self._ask(BundleFacts, "/v1/bundle")

    def _ask(self, model: type[Model], path: str, body: Any = None) -> Model:
        if not self._url.startswith(("http://", "https://")):
            raise ServerError(f"{self._url} is no server's address: name one like http://127.0.0.1:8000", 0)
        headers = {"content-type": "application/json"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(self._url + path, data=data, headers=headers)
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return model.model_validate_json(answer.read())
        except urllib.error.HTTPError as error:
            raise ServerError(f"{self._url}: {_reason(error)}", error.code) from None
        except (ValidationError, http.client.BadStatusLine):
            raise ServerError(f"what answers at {self._url} is no `recsys serve`", 0) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(f"no answer from {self._url} ({reason}): is `recsys serve` running there?", 0) from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, LookupError, TypeError):
        return f"status {error.code}"
