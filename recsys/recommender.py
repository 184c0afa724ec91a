"""An opened bundle that answers `recommend` and `similar`, in external ids."""

import copy
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.bundle.opened import Bundle
from recsys.data.suggestions import close_items
from recsys.data.vocabulary import INTEGER, PADDING, ItemId
from recsys.errors import ConfigError, DataError, UnknownItem
from recsys.index.item_index import unit_rows
from recsys.model.encoding import Pasts, encode_pasts
from recsys.moments import Moment, ticks_of
from recsys.reranking import Reranker
from recsys.rules import Clicks, most_popular
from recsys.topk import Exclusions, topk

Source = Literal["retriever", "ranker", "popular"]


@dataclass(frozen=True)
class Recommendation:
    """`score` is the trained score; from `ranker` the blend of both stages' scores, from `popular` the number of
    training clicks. Sources do not compare."""

    item: ItemId
    score: float
    source: Source
    title: str | None


@dataclass(frozen=True)
class Neighbour:
    """`score` is the cosine."""

    item: ItemId
    score: float
    title: str | None


@dataclass(frozen=True)
class Lists:
    """[users, k] item indices by falling score, 0 and -inf where a list is short; k is at most the catalogue's size.

    `is_popular` marks users of whom nothing is known; `num_unknown` counts clicks the model could not read.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float32]
    is_popular: NDArray[np.bool_]
    num_unknown: NDArray[np.int64]


class Recommender:
    """Answers from one bundle, exactly: every candidate is scored. Histories run from the oldest click on."""

    def __init__(self, bundle: Bundle, *, device: str = "cpu") -> None:
        self.bundle = bundle
        self.device = torch.device(device)
        # moving a module moves it for everybody, and the bundle is not this recommender's alone
        self._retriever = bundle.retriever if device == "cpu" else copy.deepcopy(bundle.retriever).to(device)
        self._vectors = torch.from_numpy(bundle.item_vectors).to(device)
        self._candidates = torch.from_numpy(bundle.candidates)
        self._indexed = np.flatnonzero(bundle.candidates)
        self._rerank = self._reranker()
        self.source: Source = "retriever" if self._rerank is None else "ranker"
        self._popular = most_popular(bundle.popularity, bundle.candidates)

    def _reranker(self) -> Reranker | None:
        ranker, blend = self.bundle.ranker, self.bundle.manifest.blend
        if ranker is None or blend is None:
            return None
        own = ranker if self.device.type == "cpu" else copy.deepcopy(ranker).to(self.device)
        return Reranker(own, blend, self.device)

    def recommend(
        self,
        history: Sequence[ItemId],
        *,
        times: Sequence[Moment] | None = None,
        asked: Moment | None = None,
        k: int = 10,
        exclude_seen: bool = True,
    ) -> list[Recommendation]:
        """At most k items, best first; fewer where fewer are left.

        The most recent clicks that the model knows are read, as many as it was trained for. Items it does not know
        are skipped: `unknown` tells which. With nothing known, the most clicked items come back, source "popular".
        A model with `gaps` reads the clicks' `times`, and one with `query_time` the moment `asked` about, where given.
        """
        told_times, told_asked = None if times is None else [times], None if asked is None else [asked]
        lists = self.recommend_many([history], times=told_times, asked=told_asked, k=k, exclude_seen=exclude_seen)
        return lists[0]

    def recommend_many(
        self,
        histories: Sequence[Sequence[ItemId]],
        *,
        times: Sequence[Sequence[Moment]] | None = None,
        asked: Sequence[Moment] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
    ) -> list[list[Recommendation]]:
        """`recommend` for each history, in fewer steps."""
        clicks = replace(
            Clicks.of([self._indices(history) for history in histories]),
            times=None if times is None else _times_of(histories, times),
            asked=None if asked is None else _asked_of(histories, asked),
        )
        lists = self.lists(clicks, k=k, exclude_seen=exclude_seen)
        return [self._recommendations(lists, row) for row in range(len(clicks))]

    def lists(self, clicks: Clicks, *, k: int, exclude_seen: bool) -> Lists:
        """The same in item indices of the bundle."""
        num_ranked = min(_checked(k), len(self._popular))
        known = clicks.only(self.bundle.known)
        vectors = self.user_vectors(known)
        seen = Exclusions(torch.from_numpy(clicks.items.astype(np.int64)), torch.from_numpy(clicks.offsets))
        exclusions = seen if exclude_seen else None
        num_found = min(self._num_found(k), len(self._popular))
        best = topk(vectors, self._vectors, k=num_found, candidates_V=self._candidates, exclusions=exclusions)
        if self._rerank is not None:
            best = self._rerank(known, best, num_ranked)
        items, scores = best.indices_UK.cpu().numpy(), best.scores_UK.cpu().numpy()
        is_popular = known.counts == 0
        items[is_popular] = self._popular[:num_ranked]
        scores[is_popular] = self.bundle.popularity[self._popular[:num_ranked]]
        return Lists(items, scores, is_popular, clicks.counts - known.counts)

    def _num_found(self, k: int) -> int:
        """How many items the retriever is asked for; ConfigError where the ranker gets fewer than are wanted."""
        ranked = self.bundle.manifest.num_ranked
        if ranked and k > ranked:
            raise ConfigError(
                f"k is {k}, and this bundle's ranker puts {ranked} items in order: ask for {ranked} at most, or raise "
                "recommend.candidates and publish it again"
            )
        return ranked or k

    def user_vectors(self, known: Clicks) -> Tensor:
        """[users, D] on the recommender's device, of clicks that the model can read; zero where there are none."""
        starts = np.maximum(known.offsets[:-1], known.offsets[1:] - self.bundle.manifest.max_length)
        return encode_pasts(
            self._retriever, Pasts(known.items, known.times, starts, known.offsets[1:] - starts, known.asked)
        )

    def similar(self, item: ItemId, *, k: int = 10) -> list[Neighbour]:
        """The k items of largest cosine with `item`, itself left out; UnknownItem has close matches in its text."""
        index = self._index_of(item)
        query = unit_rows(self.bundle.item_vectors[index : index + 1])
        answer = self.bundle.index.search(query, _checked(k) + 1)
        items, scores = self._indexed[answer.rows[0]], answer.scores[0]
        order = np.lexsort((items, -scores))
        order = order[answer.found[0][order] & (items[order] != index)][:k]
        found = items[order]
        return [
            Neighbour(found_id, float(score), self._title(found_index))
            for found_id, found_index, score in zip(self._ids(found), found, scores[order], strict=True)
        ]

    def unknown(self, history: Sequence[ItemId]) -> list[ItemId]:
        """The items of a history that the model cannot read: not in the catalogue, or never clicked in training."""
        is_known = self.bundle.known[self._indices(history)]
        return [item for item, known in zip(history, is_known, strict=True) if not known]

    def parse_item(self, text: str) -> ItemId:
        """An id as it is typed on a command line, in the catalogue's type; UnknownItem where it cannot be one."""
        id_type = self.bundle.items.id_type
        if id_type == "string":
            return text
        if re.fullmatch(INTEGER, text) and not id_type.startswith("float"):
            return int(text)
        if id_type.startswith("float") and re.fullmatch(r"-?[0-9.]+([eE][-+]?[0-9]+)?", text):
            with suppress(ValueError):
                return float(text)
        raise UnknownItem(f"item {text!r} is no id of this bundle, whose ids are {id_type}{self._meant(text)}")

    def name_of(self, item: ItemId) -> str:
        """The id with its title, for people."""
        return self._named(self._index_of(item))

    def _indices(self, history: Sequence[ItemId]) -> NDArray[np.int32]:
        if isinstance(history, str):
            raise DataError(f"a history is a list of item ids, got the text {history!r}: give [{history!r}]")
        return self.bundle.items.indices_of(history)

    def _index_of(self, item: ItemId) -> int:
        index = int(self._indices([item])[0])
        if index == PADDING:
            size = f"{len(self.bundle.items):,} items"
            raise UnknownItem(f"item {item!r} is not in this bundle's catalogue ({size}){self._meant(str(item))}")
        if not self.bundle.known[index]:
            raise UnknownItem(f"item {item!r} was never clicked in training: nothing is known of its neighbours")
        return index

    def _meant(self, text: str) -> str:
        """The end of a message about an item that is not there."""
        close = close_items(text, self.bundle.items, self.bundle.titles)
        if not close:
            return ", and no id or title is like it"
        return f": did you mean {', '.join(map(self._named, close))}?"

    def _named(self, index: int) -> str:
        item, title = self._ids(np.array([index]))[0], self._title(index)
        return repr(item) if title is None else f"{item!r} ({title})"

    def _ids(self, indices: NDArray[np.int64]) -> list[ItemId]:
        return self.bundle.items.ids_of(indices)

    def _title(self, index: int) -> str | None:
        return None if self.bundle.titles is None else self.bundle.titles.of(int(index))

    def _recommendations(self, lists: Lists, row: int) -> list[Recommendation]:
        items = lists.items[row][lists.items[row] != PADDING]
        source: Source = "popular" if lists.is_popular[row] else self.source
        return [
            Recommendation(item, float(score), source, self._title(index))
            for item, index, score in zip(self._ids(items), items, lists.scores[row], strict=False)
        ]


def _times_of(histories: Sequence[Sequence[ItemId]], times: Sequence[Sequence[Moment]]) -> NDArray[np.int64]:
    """Of all clicks, history after history."""
    clicks, told = [len(history) for history in histories], [len(own) for own in times]
    if clicks != told:
        raise DataError(f"every click has one time: got {told} times for histories of {clicks} clicks")
    return ticks_of([moment for own in times for moment in own])


def _asked_of(histories: Sequence[Sequence[ItemId]], asked: Sequence[Moment]) -> NDArray[np.int64]:
    if len(asked) != len(histories):
        raise DataError(f"every history is asked about one moment: got {len(asked)} for {len(histories)} histories")
    return ticks_of(asked)


def _checked(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise ConfigError(f"k must be a whole number, got {k!r}")
    if k < 1:
        raise ConfigError(f"k must be at least 1, got {k}")
    return int(k)
