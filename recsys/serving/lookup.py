"""Answers of an opened bundle as plain values. Knows no HTTP.

Items that nobody knows are told, never guessed at, and no error: a client's catalogue is ahead of a model's.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
from pydantic_core import to_json

from recsys.data.suggestions import close_items
from recsys.data.vocabulary import ItemId
from recsys.errors import UserError
from recsys.moments import ticks_of
from recsys.recommender import Recommendation, Recommender
from recsys.rules import Clicks
from recsys.serving.acceptance import Acceptance
from recsys.serving.explained import item_map, reasons
from recsys.serving.remembered import Remembered
from recsys.serving.requests import (
    BundleFacts,
    Found,
    ItemMap,
    Neighbours,
    Place,
    Reason,
    Recommendations,
    RecommendationsRequest,
    Scored,
    SearchAnswer,
    SimilarRequest,
)
from recsys.similar import Neighbour

# Items that a search by title finds, and bytes of answers that are kept.
NUM_FOUND, REMEMBERED_BYTES = 20, 50_000_000


class Answers:
    """One bundle's, by its id."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._acceptance = Acceptance(recommender.bundle)
        self.bundle = recommender.bundle.content_id
        # of no method of its own: what lies in a cycle waits for a collection, and a server's first bundle for ever
        self._remembered = Remembered(partial(_neighbours, recommender), most_bytes=REMEMBERED_BYTES)

    @property
    def id_type(self) -> str:
        """string, or the type of a number."""
        return self._recommender.bundle.manifest.id_type

    @property
    def user_features(self) -> list[str]:
        """The names of those that a request may tell."""
        return self._recommender.bundle.user_features.names

    @property
    def examples(self) -> list[ItemId]:
        """Two items that the model knows, if there are so many."""
        bundle = self._recommender.bundle
        return self._recommender.catalogue.ids(np.flatnonzero(bundle.known & bundle.candidates)[:2])

    def similar(self, asked: SimilarRequest) -> bytes:
        """JSON of a SimilarAnswer, made without one: models of thousands of items take longer than to find them."""
        indices = self._recommender.catalogue.indices(self._acceptance.own(asked.items)).astype(np.int64)
        is_known = self._recommender.bundle.known[indices]
        allow, deny = self._acceptance.own(asked.allow), self._acceptance.own(asked.deny)
        near = self._recommender.nearest(indices[is_known], k=asked.k, allow=allow, deny=deny, exact=asked.exact)
        catalogue, is_found = self._recommender.catalogue, near.items > 0
        ids, scores = catalogue.ids(near.items[is_found]), near.scores[is_found].tolist()
        scored: list[dict[str, object]] = [{"item": i, "score": s} for i, s in zip(ids, scores, strict=True)]
        if asked.titles:
            for one, title in zip(scored, catalogue.titles(near.items[is_found]), strict=True):
                one |= {} if title is None else {"title": title}
        lists = np.cumsum([0, *is_found.sum(axis=1)]).tolist()
        known = [item for item, is_so in zip(asked.items, is_known, strict=True) if is_so]
        unknown = [item for item, is_so in zip(asked.items, is_known, strict=True) if not is_so]
        answers = [
            {"bundle": self.bundle, "item": item, "neighbours": scored[start:end]}
            for item, start, end in zip(known, lists, lists[1:], strict=False)
        ]
        return to_json({"bundle": self.bundle, "answers": answers, "unknown": unknown})

    def neighbours(self, text: str, k: int, has_titles: bool) -> bytes | None:
        """JSON of one item's nearest items, by its id as text; None where the model does not know it.

        What was asked before is answered from memory: a bundle never changes.
        """
        index = self._recommender.catalogue.trained_index_of(text)
        return self._remembered((index, k, has_titles)) if index else None

    def recommend(self, asked: Sequence[RecommendationsRequest]) -> list[Recommendations | UserError]:
        """Those that differ in nothing but the history, the user and k are answered together.

        UserError in place of one that cannot be answered: the others are.
        """
        answers: list[Recommendations | UserError] = [UserError()] * len(asked)
        groups: dict[object, list[int]] = {}
        for place, request in enumerate(asked):
            reason = self._acceptance.why_not(request)
            if reason is None:
                groups.setdefault(_setting(request), []).append(place)
            else:
                answers[place] = UserError(reason)
        for places in groups.values():
            for place, answer in zip(places, self._together([asked[place] for place in places]), strict=True):
                answers[place] = answer
        return answers

    def search(self, text: str) -> SearchAnswer:
        """Items whose id or title is like the text."""
        catalogue, bundle = self._recommender.catalogue, self._recommender.bundle
        close = close_items(text, bundle.items, bundle.titles, limit=NUM_FOUND)
        ids = catalogue.ids(close)
        items = [Found(item=item, title=catalogue.title(index)) for item, index in zip(ids, close, strict=True)]
        return SearchAnswer(bundle=self.bundle, items=items)

    @cached_property
    def map(self) -> ItemMap:
        places, catalogue = item_map(self._recommender), self._recommender.catalogue
        told = zip(catalogue.ids(places.items), catalogue.titles(places.items), places.points.tolist(), strict=True)
        return ItemMap(
            bundle=self.bundle, places=[Place(item=item, title=title, x=x, y=y) for item, title, (x, y) in told]
        )

    def facts(self) -> BundleFacts:
        bundle = self._recommender.bundle
        manifest, record = bundle.manifest, bundle.record
        return BundleFacts(
            bundle=self.bundle,
            published=record.published,
            trained=record.trained,
            num_items=manifest.num_items,
            num_candidates=manifest.num_candidates,
            dim=manifest.dim,
            reads_last=manifest.max_length,
            recommend_metric=manifest.recommend_metric,
            similar_metric=manifest.similar_metric,
            index=bundle.index.statement.line(),
            has_ranker=manifest.num_ranked > 0,
            num_ranked=manifest.num_ranked,
            id_type=manifest.id_type,
            user_features=self.user_features,
            metrics=_metrics(bundle.metrics),
        )

    def _together(self, asked: Sequence[RecommendationsRequest]) -> list[Recommendations]:
        first = asked[0]
        lists = self._recommender.recommend_many(
            [request.items for request in asked],
            times=None if first.times is None else [request.times or [] for request in asked],
            asked=None if first.asked is None else [request.asked or 0.0 for request in asked],
            k=max(request.k for request in asked),
            exclude_seen=first.exclude_seen,
            allow=self._acceptance.own(first.allow),
            deny=self._acceptance.own(first.deny),
            rerank=first.rerank,
            users=None if all(request.user is None for request in asked) else [request.user for request in asked],
        )
        return [self._answer(request, own[: request.k]) for request, own in zip(asked, lists, strict=True)]

    def _answer(self, asked: RecommendationsRequest, own: list[Recommendation]) -> Recommendations:
        told = _scored(own, asked.titles)
        if asked.because:
            told = [
                one.model_copy(update={"because": why}) for one, why in zip(told, self._why(asked, own), strict=True)
            ]
        unknown = self._recommender.unknown(asked.items)
        stage = self._recommender.source if asked.rerank else "retriever"
        source = "popular" if len(unknown) == len(asked.items) else stage
        return Recommendations(bundle=self.bundle, source=source, recommendations=told, unknown=unknown)

    def _why(self, asked: RecommendationsRequest, own: Sequence[Recommendation]) -> list[list[Reason]]:
        catalogue = self._recommender.catalogue
        items = catalogue.indices([one.item for one in own]).astype(np.int64)
        return [
            [
                Reason(item=item, title=catalogue.title(index), raises=raises)
                for item, (index, raises) in zip(catalogue.ids([index for index, _ in why]), why, strict=True)
            ]
            for why in reasons(self._recommender, self._clicks(asked), items)
        ]

    def _clicks(self, asked: RecommendationsRequest) -> Clicks:
        return replace(
            Clicks.of([self._recommender.catalogue.indices(asked.items)]),
            times=None if asked.times is None else ticks_of(asked.times),
            asked=None if asked.asked is None else ticks_of([asked.asked]),
        )


def _neighbours(recommender: Recommender, asked: tuple[int, int, bool]) -> bytes:
    index, k, has_titles = asked
    (item,) = recommender.catalogue.ids([index])
    near = _scored(recommender.similar(item, k=k), has_titles)
    told = Neighbours(bundle=recommender.bundle.content_id, item=item, neighbours=near)
    return told.model_dump_json(exclude_none=True).encode()


def _setting(asked: RecommendationsRequest) -> object:
    allow, deny = (None if items is None else tuple(items) for items in (asked.allow, asked.deny))
    return asked.exclude_seen, asked.rerank, asked.times is None, asked.asked is None, allow, deny


def _scored(found: Sequence[Recommendation] | Sequence[Neighbour], has_titles: bool) -> list[Scored]:
    return [Scored(item=one.item, score=one.score, title=one.title if has_titles else None) for one in found]


def _metrics(metrics: object) -> dict[str, float]:
    """The retriever's on the test clicks, as far as the bundle tells."""
    try:
        told = metrics["systems"]["retriever"]["metrics"]  # type: ignore[index]
        return {name: float(found["value"]) for name, found in told.items()}
    except (KeyError, TypeError, ValueError):
        return {}
