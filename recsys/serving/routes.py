"""What is asked of the server, and how it is answered. Knows neither FAISS nor torch.

An answer never repeats what a client wrote, but for ids in `unknown`.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from recsys.errors import UserError
from recsys.serving.batching import MicroBatcher, slices
from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.description import described
from recsys.serving.guard import demand_bearer
from recsys.serving.lookup import Answers
from recsys.serving.metrics import Metrics
from recsys.serving.pages import PAGES, PageFile
from recsys.serving.parsing import parsed, query_of, truth, whole
from recsys.serving.refusal import Refusal, unprocessable
from recsys.serving.reloading import Reloading
from recsys.serving.requests import (
    MOST_K,
    MOST_QUERY,
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

JSON = "application/json"
# Of a batch, what is answered before the others have their turn: requests, and items of their lists together.
SLICE, SLICE_SIZE = 16, 1_000


class Routes:
    """Each takes one bundle at its beginning and answers from that."""

    def __init__(self, current: Current, config: ServeConfig, metrics: Metrics, executor: Executor) -> None:
        self._current = current
        self._config = config
        self._metrics = metrics
        self._executor = executor
        self._reloading = Reloading(current, metrics, watch_seconds=config.watch_seconds)
        self.living = self._reloading.living
        self._batcher: MicroBatcher[RecommendationsRequest, Recommendations | UserError] = MicroBatcher(
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

    def neighbours_asked(self, item: str, query: bytes) -> bytes:
        if not query:
            return self.neighbours(item, 10, False)
        said = query_of(query, ("k", "titles"))
        return self.neighbours(
            item, whole(said.get("k", "10"), 1, MOST_K, "k"), truth(said.get("titles", "false"), "titles")
        )

    def neighbours(self, item: str, k: int, has_titles: bool) -> bytes:
        found = self._current.answers.neighbours(item, k, has_titles)
        if found is None:
            raise Refusal(404, "Unknown item", "the model that is served knows no such item")
        return found

    async def similar_one(self, item: str, k: K = 10, titles: bool = False) -> Response:
        return Response(self.neighbours(item, k, titles), media_type=JSON)

    async def similar(self, request: Request) -> Response:
        asked, answers = parsed(SimilarRequest, await request.body()), self._current.answers
        return Response(await self._run(partial(answers.similar, asked)), media_type=JSON)

    async def recommend(self, request: Request) -> Response:
        answer = await self._batcher(parsed(RecommendationsRequest, await request.body()))
        if isinstance(answer, UserError):
            raise unprocessable(str(answer))
        return _told(answer)

    async def recommend_many(self, request: Request) -> Response:
        asked, answers = parsed(BatchRequest, await request.body()).requests, self._current.answers
        told: list[bytes] = []
        for part in slices([each.size for each in asked], number=SLICE, size=SLICE_SIZE):
            told += await self._run(partial(_told_each, answers, asked[part], part.start))
        return Response(b'{"bundle":"%s","answers":[%s]}' % (answers.bundle.encode(), b",".join(told)), media_type=JSON)

    async def search(self, q: Annotated[str, Query(max_length=MOST_QUERY)]) -> Response:
        # it may take as long as many recommendations, and needs nothing that they need
        return _told(await asyncio.to_thread(self._current.answers.search, q))

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
        outcome = await self._reloading.load()
        if outcome == "refused":
            raise Refusal(409, "Refused", "the new bundle is not sound; the old one stays, and the log says why")
        return Response(f'{{"outcome":"{outcome}","bundle":"{self._current.answers.bundle}"}}', media_type=JSON)

    def _recommend_together(self, asked: Sequence[RecommendationsRequest]) -> list[Recommendations | UserError]:
        return self._current.answers.recommend(asked)

    async def _run(self, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except UserError as error:
            raise unprocessable(str(error)) from None


async def _page(file: PageFile) -> Response:
    return Response(file.read(), media_type=file.kind)


def _told_each(answers: Answers, asked: Sequence[RecommendationsRequest], first: int) -> list[bytes]:
    """Some of a batch, which begin at `first`; UserError, which says where, if one of them cannot be answered."""
    found = answers.recommend(asked)
    for number, answer in enumerate(found, start=first):
        if isinstance(answer, UserError):
            raise UserError(f"requests.{number}: {answer}")
    return [_json(answer) for answer in found if isinstance(answer, Recommendations)]


def _told(answer: BaseModel) -> Response:
    return Response(_json(answer), media_type=JSON)


def _json(answer: BaseModel) -> bytes:
    return answer.model_dump_json(exclude_none=True).encode()
