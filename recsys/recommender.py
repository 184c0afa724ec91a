"""An opened bundle that answers `recommend` and `similar`, in external ids."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.bundle.opened import Bundle
from recsys.by_index import ByIndex
from recsys.data.user_features import User
from recsys.data.vocabulary import PADDING, ItemId
from recsys.errors import ConfigError, DataError
from recsys.model.encoding import Pasts, encode_pasts
from recsys.moments import Moment, ticks_of
from recsys.reranking import Reranker
from recsys.rules import Clicks, most_popular
from recsys.similar import SimilarItems, checked_k
from recsys.topk import Exclusions, TopK, topk

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
class Lists:
    """[users, k] item indices by falling score, 0 and -inf where a list is short; k is at most the catalogue's size.

    `is_popular` marks users of whom nothing is known; `num_unknown` counts clicks the model could not read.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float32]
    is_popular: NDArray[np.bool_]
    num_unknown: NDArray[np.int64]


class Recommender(SimilarItems):
    """Answers from one bundle. Every candidate is scored, unless the bundle was made with `recommend.approximate`.

    Histories run from the oldest click on.
    """

    def __init__(self, bundle: Bundle, *, device: str = "cpu") -> None:
        super().__init__(bundle)
        self.device = torch.device(device)
        # moving a module moves it for everybody, and the bundle is not this recommender's alone
        self._retriever = bundle.retriever if device == "cpu" else copy.deepcopy(bundle.retriever).to(device)
        self._vectors = torch.from_numpy(bundle.item_vectors).to(device)
        self._candidates = torch.from_numpy(bundle.candidates)
        through = bundle.recommend_index
        self._by_index = None if through is None else ByIndex(through, bundle.candidates)
        self._rerank = self._reranker()
        self.source: Source = "retriever" if self._rerank is None else "ranker"
        self._popular = most_popular(bundle.popularity, bundle.candidates)

    def _reranker(self) -> Reranker | None:
        ranker, blend = self.bundle.ranker, self.bundle.manifest.blend
        if ranker is None or blend is None:
            return None
        own = ranker if self.device.type == "cpu" else copy.deepcopy(ranker).to(self.device)
        return Reranker(own, blend, self.device)

    def recommend(  # noqa: PLR0913 - each is what somebody wants to say
        self,
        history: Sequence[ItemId],
        *,
        times: Sequence[Moment] | None = None,
        asked: Moment | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        allow: Sequence[ItemId] | None = None,
        deny: Sequence[ItemId] | None = None,
        user: User | None = None,
    ) -> list[Recommendation]:
        """At most k items, best first; fewer where fewer are left.

        The most recent clicks that the model knows are read, as many as it was trained for. Items it does not know
        are skipped: `unknown` tells which. With nothing known, the most clicked items come back, source "popular".
        A model with `gaps` reads the clicks' `times`, and one with `query_time` the moment `asked` about, where given.
        `allow` names all that may be recommended, `deny` what may not. `user` tells features of the user by name, a
        value or several, for a ranker that reads them; to one that reads ids, too, the user stays an unknown one.
        """
        return self.recommend_many(
            [history],
            times=None if times is None else [times],
            asked=None if asked is None else [asked],
            k=k,
            exclude_seen=exclude_seen,
            allow=allow,
            deny=deny,
            users=None if user is None else [user],
        )[0]

    def recommend_many(  # noqa: PLR0913
        self,
        histories: Sequence[Sequence[ItemId]],
        *,
        times: Sequence[Sequence[Moment]] | None = None,
        asked: Sequence[Moment] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        allow: Sequence[ItemId] | None = None,
        deny: Sequence[ItemId] | None = None,
        rerank: bool = True,
        users: Sequence[User | None] | None = None,
    ) -> list[list[Recommendation]]:
        """`recommend` for each history, in fewer steps; `rerank` is whether a ranker, if there is one, has its say."""
        clicks = replace(
            Clicks.of([self.catalogue.indices(history) for history in histories]),
            times=None if times is None else _times_of(histories, times),
            asked=None if asked is None else _asked_of(histories, asked),
            told=() if users is None else self._told_of(histories, users),
        )
        candidates = self.candidates(allow, deny)
        lists = self.lists(clicks, k=k, exclude_seen=exclude_seen, candidates=candidates, rerank=rerank)
        source = self.source if rerank else "retriever"
        return [self._recommendations(lists, row, source) for row in range(len(clicks))]

    def lists(
        self,
        clicks: Clicks,
        *,
        k: int,
        exclude_seen: bool,
        candidates: NDArray[np.bool_] | None = None,
        rerank: bool = True,
    ) -> Lists:
        """The same in item indices of the bundle; [items + 1] `candidates` are some of the bundle's own."""
        popular = self._popular if candidates is None else self._popular[candidates[self._popular]]
        num_ranked = min(checked_k(k), len(self._popular))
        known = clicks.only(self.bundle.known)
        vectors = self.user_vectors(known)
        seen = Exclusions(torch.from_numpy(clicks.items.astype(np.int64)), torch.from_numpy(clicks.offsets))
        exclusions = seen if exclude_seen else None
        num_found = min(self._num_found(k) if rerank else k, len(self._popular))
        best = self._retrieved(vectors, num_found, candidates, exclusions)
        if self._rerank is not None and rerank:
            best = self._rerank(known, best, num_ranked)
        items, scores = best.indices_UK.cpu().numpy(), best.scores_UK.cpu().numpy()
        is_popular = known.counts == 0
        for user in np.flatnonzero(is_popular):
            seen_items = clicks.items[clicks.offsets[user] : clicks.offsets[user + 1]] if exclude_seen else ()
            items[user], scores[user] = self._most_popular(popular, seen_items, num_ranked)
        return Lists(items, scores, is_popular, clicks.counts - known.counts)

    def candidates(self, allow: Sequence[ItemId] | None, deny: Sequence[ItemId] | None) -> NDArray[np.bool_] | None:
        """[items + 1] what may be recommended; None where that is all that may be."""
        if allow is None and deny is None:
            return None
        told = self.bundle.candidates.copy()
        if allow is not None:
            told &= np.isin(np.arange(len(told)), self.catalogue.indices(allow))
        if deny is not None:
            told[self.catalogue.indices(deny)] = False
        return told

    def _retrieved(
        self, vectors: Tensor, k: int, candidates: NDArray[np.bool_] | None, exclusions: Exclusions | None
    ) -> TopK:
        if self._by_index is not None:
            return self._by_index.topk(vectors, k=k, candidates_V=candidates, exclusions=exclusions)
        allowed = self._candidates if candidates is None else torch.from_numpy(candidates)
        return topk(vectors, self._vectors, k=k, candidates_V=allowed, exclusions=exclusions)

    def _most_popular(
        self, popular: NDArray[np.int64], seen: Sequence[int] | NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """[k] items and their clicks; 0 and -inf where there are fewer."""
        popular = popular[~np.isin(popular, seen)] if len(seen) else popular
        items, scores = np.zeros(k, np.int64), np.full(k, -np.inf, np.float32)
        items[: len(popular)] = popular[:k]
        scores[: len(popular)] = self.bundle.popularity[popular[:k]]
        return items, scores

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

    def unknown(self, history: Sequence[ItemId]) -> list[ItemId]:
        """The items of a history that the model cannot read: not in the catalogue, or never clicked in training."""
        is_known = self.bundle.known[self.catalogue.indices(history)]
        return [item for item, known in zip(history, is_known, strict=True) if not known]

    def _told_of(
        self, histories: Sequence[Sequence[ItemId]], users: Sequence[User | None]
    ) -> tuple[NDArray[np.int32], ...]:
        if len(users) != len(histories):
            raise DataError(f"every history is one user's: got {len(users)} users for {len(histories)} histories")
        return self.bundle.user_features.values(users)

    def _recommendations(self, lists: Lists, row: int, stage: Source) -> list[Recommendation]:
        items = lists.items[row][lists.items[row] != PADDING]
        source: Source = "popular" if lists.is_popular[row] else stage
        return [
            Recommendation(item, float(score), source, self.catalogue.title(index))
            for item, index, score in zip(self.catalogue.ids(items), items, lists.scores[row], strict=False)
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
