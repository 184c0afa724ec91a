"""Whether an opened bundle answers as it did when it was made: asked before anybody is answered from it."""

import numpy as np
from numpy.typing import NDArray

from recsys.bundle.golden import GoldenQuery
from recsys.errors import BundleError
from recsys.recommender import Recommender
from recsys.rules import Clicks


def try_out(recommender: Recommender) -> None:
    """BundleError where it answers otherwise, or its ranker gives no numbers. Warms up all that answers, too."""
    bundle = recommender.bundle
    for number, query in enumerate(bundle.golden.queries):
        if not bundle.golden.agrees(number, _scores(recommender, query)):
            raise BundleError(
                f"bundle {bundle.path} does not answer its own question {number} as it did when it was made"
            )
    if bundle.manifest.num_ranked:
        for query in bundle.golden.queries[:1]:
            k = min(len(query.scores), bundle.manifest.num_ranked)
            if not np.isfinite(recommender.lists(_clicks(query), k=k, exclude_seen=False).scores).all():
                raise BundleError(f"the ranker of bundle {bundle.path} gives scores that are no numbers")
    popular = np.flatnonzero(bundle.known & bundle.candidates)[:1]
    if len(popular):
        recommender.lookups.near_each(popular, min(10, len(bundle.index)))


def _scores(recommender: Recommender, query: GoldenQuery) -> NDArray[np.float32]:
    """The best, as they are: an approximate index, which is asked too, may miss some."""
    bundle, clicks = recommender.bundle, _clicks(query)
    found = recommender.lists(clicks, k=len(query.scores), exclude_seen=False, rerank=False).scores[0]
    if bundle.recommend_index is None:
        return found
    user = recommender.user_vectors(clicks).cpu().numpy()
    return np.sort((user @ bundle.item_vectors[bundle.candidates].T)[0])[::-1]


def _clicks(query: GoldenQuery) -> Clicks:
    return Clicks.of([np.array(query.history, np.int32)])
