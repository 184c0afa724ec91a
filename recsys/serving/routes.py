"""What is asked of the server, and how it is answered. Knows neither FAISS nor torch.

Bodies are parsed by the models themselves, which refuse what JSON has no number for; an answer never repeats what a
client wrote, but for ids in `unknown`.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ValidationError

from recsys.errors import UserError
from recsys.serving.acceptance import Refused
from recsys.serving.batching import MicroBatcher
from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.description import described
from recsys.serving.guard import Refusal, demand_bearer
from recsys.serving.lookup import Answers
from recsys.serving.metrics import Metrics
from recsys.serving.pages import PAGES, PageFile
from recsys.serving.requests import (
    MOST_K,
    MOST_TEXT,
    BatchAnswer,
    BatchRequest,
    BundleFacts,
    ItemMap,
    K,
    Neighbours,
    Recommendations,
    RecommendationsRequest,
    SearchAnswer,
    SimilarAnswer,
    SimilarRequest,
)

Model = TypeVar("Model", bound=BaseModel)
JSON = "application/json"
NAMED = "user"
"""The field in which names are the client's own."""


class Routes:
    """Each takes one bundle at its beginning and answers from that."""

    def __init__(self, current: Current, config: ServeConfig, metrics: Metrics, executor: Executor) -> None:
        self._current = current
        self._config = config
        self._metrics = metrics
        self._executor = executor
        self._batcher: MicroBatcher[RecommendationsRequest, tuple[str, Recommendations | Refused]] = MicroBatcher(
            self._recommend_together,
            executor=self._executor,
            delay=config.batch_delay_ms / 1e3,
            size=config.batch_size,
        )

    def add_to(self, app: FastAPI, admin: str | None) -> None:
        app.get("/v1/items/{item}/similar", response_model=Neighbours, summary="The nearest items of one")(
            self.similar_one
        )
        app.post("/v1/similar", **described(SimilarRequest, SimilarAnswer))(self.similar)
        app.post("/v1/recommendations", **described(RecommendationsRequest, Recommendations))(self.recommend)
        app.post("/v1/recommendations:batch", **described(BatchRequest, BatchAnswer))(self.recommend_many)
        app.get("/v1/items", response_model=SearchAnswer, summary="Items whose id or title is like q")(self.search)
        app.get("/v1/map", response_model=ItemMap, summary="The most clicked items in two dimensions")(self.map)
        app.get("/v1/bundle", response_model=BundleFacts, summary="What is served")(self.facts)
        app.get("/healthz", summary="Whether the process lives")(self.health)
        app.get("/readyz", summary="Whether it answers")(self.health)
        app.get("/metrics", response_class=PlainTextResponse, summary="For Prometheus")(self.metrics)
        for path, file in PAGES.items():
            app.get(path, include_in_schema=False)(partial(_page, file))
        if admin is not None:
            app.post("/admin/reload", summary="Serves what the bundle's pointer leads to")(partial(self.reload, admin))

    @asynccontextmanager
    async def living(self, _: FastAPI) -> AsyncIterator[None]:
        """SIGHUP loads the bundle again, and so does a pointer that moves, where it is watched."""
        loop, loads = asyncio.get_running_loop(), set[asyncio.Task[str]]()

        def load() -> None:
            task = loop.create_task(self.load())
            loads.add(task)
            task.add_done_callback(loads.discard)

        with suppress(NotImplementedError, RuntimeError, ValueError):  # no main thread, no Unix
            loop.add_signal_handler(signal.SIGHUP, load)
        watcher = loop.create_task(self._watch())
        yield
        watcher.cancel()

    async def _watch(self) -> None:
        while self._config.watch_seconds:
            await asyncio.sleep(self._config.watch_seconds)
            if self._current.has_moved:
                await self.load()

    def neighbours(self, item: str, query: bytes) -> bytes:
        told = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
        strange = set(told) - {"k", "titles"}
        if strange:
            raise Refusal(422, "Unprocessable", "the query takes k and titles")
        k, titles = _whole(told.get("k", ["10"])[-1], 1, MOST_K, "k"), told.get("titles", ["false"])[-1]
        if titles not in ("true", "false"):
            raise Refusal(422, "Unprocessable", "titles is true or false")
        found = self._current.answers.neighbours(item, k, titles == "true")
        if found is None:
            raise Refusal(404, "Unknown item", "the model that is served knows no such item")
        return found

    async def similar_one(self, item: str, k: K = 10, titles: bool = False) -> Response:
        return Response(self.neighbours(item, f"k={k}&titles={str(titles).lower()}".encode()), media_type=JSON)

    async def similar(self, request: Request) -> Response:
        asked, answers = _parsed(SimilarRequest, await request.body()), self._current.answers
        return Response(await self._run(partial(answers.similar, asked)), media_type=JSON)

    async def recommend(self, request: Request) -> Response:
        _, answer = await self._batcher(_parsed(RecommendationsRequest, await request.body()))
        return _told(_accepted(answer))

    async def recommend_many(self, request: Request) -> Response:
        asked = _parsed(BatchRequest, await request.body())
        bundle, answers = await self._run(partial(self._batch, asked.requests))
        return _told(BatchAnswer(bundle=bundle, answers=[_accepted(answer) for answer in answers]))

    async def search(self, q: str) -> Response:
        # it may take as long as many recommendations, and needs nothing that they need
        return _told(await asyncio.to_thread(self._current.answers.search, q[:MOST_TEXT]))

    async def map(self) -> Response:
        answers = self._current.answers
        return _told(await asyncio.to_thread(lambda: answers.map))

    async def facts(self) -> Response:
        return _told(self._current.answers.facts())

    async def health(self) -> Response:
        return Response(b'{"status":"ok"}', media_type=JSON)

    async def metrics(self) -> Response:
        return PlainTextResponse(self._metrics.text())

    async def reload(self, admin: str, request: Request) -> Response:
        demand_bearer(request.scope, admin, "the administrator's token is asked for")
        if self._config.workers > 1:
            raise Refusal(409, "One of several", "several processes serve here: send the first SIGHUP, or use --watch")
        outcome = await self.load()
        if outcome == "refused":
            raise Refusal(409, "Refused", "the new bundle is not sound; the old one stays, and the log says why")
        return Response(f'{{"outcome":"{outcome}","bundle":"{self._current.answers.bundle}"}}', media_type=JSON)

    async def load(self) -> str:
        """Beside the requests, not before them."""
        outcome = await asyncio.to_thread(self._current.reload)
        self._metrics.reloaded(outcome)
        self._metrics.serving(self._current.answers.bundle)
        return outcome

    def _recommend_together(
        self, asked: Sequence[RecommendationsRequest]
    ) -> list[tuple[str, Recommendations | Refused]]:
        bundle, answers = self._batch(asked)
        return [(bundle, answer) for answer in answers]

    def _batch(self, asked: Sequence[RecommendationsRequest]) -> tuple[str, list[Recommendations | Refused]]:
        answers: Answers = self._current.answers
        return answers.bundle, answers.recommend(asked)

    async def _run(self, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except UserError as error:
            raise Refusal(422, "Unprocessable", str(error)) from None


async def _page(file: PageFile) -> Response:
    return Response(file.read(), media_type=file.kind)


def _parsed(model: type[Model], body: bytes) -> Model:
    """Refusal that says where and what, in the model's words: not one of the client's is repeated."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = map(_fault, error.errors(include_url=False, include_input=False))
        raise Refusal(422, "Unprocessable", "; ".join(dict.fromkeys(faults))) from None


def _fault(error: Any) -> str:
    if error["type"] == "json_invalid":
        return "the body is no JSON"
    parts = error["loc"] if error["type"] != "extra_forbidden" else ()
    known = [str(part) for part in parts[: parts.index(NAMED) + 1 if NAMED in parts else None]]
    where = ".".join(known) or "the body"
    return f"{where}: {error['msg']}" if error["type"] != "extra_forbidden" else "the body has a field too many"


def _accepted(answer: Recommendations | Refused) -> Recommendations:
    if isinstance(answer, Refused):
        raise Refusal(422, "Unprocessable", answer.reason)
    return answer


def _told(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(exclude_none=True), media_type=JSON)


def _whole(text: str, least: int, most: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise Refusal(422, "Unprocessable", f"{name} is a whole number from {least} to {most:,}")
    return int(text)
