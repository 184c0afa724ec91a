"""The bundle that is served, and how another one takes its place: whole, verified, tried out, or not at all."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from recsys.bundle.golden import GoldenQuery
from recsys.bundle.manifest import MANIFEST, content_id, resolved
from recsys.bundle.opened import ILLEGIBLE, open_bundle
from recsys.errors import BundleError, RecsysError
from recsys.recommender import Recommender
from recsys.rules import Clicks
from recsys.serving.lookup import Answers

Outcome = Literal["loaded", "unchanged", "refused"]


@dataclass(frozen=True)
class Sight:
    """What a pointer leads to, as a look at it tells: no file is opened. Equal where nothing has changed."""

    directory: Path
    files: frozenset[tuple[str, int, int]]
    """Name, size and time of the last change."""

    @classmethod
    def of(cls, pointer: Path) -> "Sight":
        try:
            directory = resolved(pointer)
            with os.scandir(directory) as entries:
                told = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
        except (RecsysError, OSError):
            return cls(pointer, frozenset())
        return cls(directory, frozenset((name, found.st_size, found.st_mtime_ns) for name, found in told))


class Current:
    """`answers` is one bundle's; whoever holds it while another comes keeps it to the end of the request."""

    def __init__(self, pointer: Path, *, tell: Callable[[str], None]) -> None:
        self._pointer = pointer
        self._tell = tell
        self._lock = threading.Lock()
        self._tried = Sight.of(pointer)
        self.answers = tried_out(pointer)

    @property
    def has_moved(self) -> bool:
        """Whether the pointer leads to what was not tried yet, be it served now or refused."""
        return Sight.of(self._pointer) != self._tried

    def reload(self) -> Outcome:
        """What the pointer leads to now; what is served stays where that is not sound."""
        with self._lock:
            self._tried = Sight.of(self._pointer)
            served, name = self.answers.bundle, self._tried.directory.name
            if _content_of(self._tried.directory) == served:
                self._tell(f"serve: {served} is unchanged")
                return "unchanged"
            try:
                answers = tried_out(self._pointer)
            except (RecsysError, OSError) as error:
                self._tell(f"serve: {name} is refused, {served} stays: {error}")
                return "refused"
            self.answers = answers
            self._tell(f"serve: {answers.bundle} takes over")
            return "loaded"


def tried_out(pointer: Path) -> Answers:
    """Of a bundle that answers as it did when it was made; BundleError where it does not."""
    recommender = Recommender(open_bundle(pointer))
    answers = Answers(recommender)
    try:
        answers.check()
        _check_what_it_leaves(recommender)
    except ILLEGIBLE as error:
        raise BundleError(f"bundle {pointer} cannot answer its own questions: {error}; publish it again") from error
    return answers


def _check_what_it_leaves(recommender: Recommender) -> None:
    """The scores behind an approximate index, which itself may miss some; and that a ranker's are numbers."""
    bundle = recommender.bundle
    if bundle.recommend_index is not None:
        vectors = bundle.item_vectors[bundle.candidates]
        for number, query in enumerate(bundle.golden.queries):
            user = recommender.user_vectors(_history(query)).cpu().numpy()
            if not bundle.golden.agrees(number, np.sort((user @ vectors.T)[0])[::-1]):
                raise BundleError(f"bundle {bundle.path} does not score question {number} as it did when it was made")
    if bundle.manifest.num_ranked:
        for query in bundle.golden.queries[:1]:
            k = min(len(query.scores), bundle.manifest.num_ranked)
            lists = recommender.lists(_history(query), k=k, exclude_seen=False)
            if not np.isfinite(lists.scores).all():
                raise BundleError(f"the ranker of bundle {bundle.path} gives scores that are no numbers")


def _history(query: GoldenQuery) -> Clicks:
    return Clicks.of([np.array(query.history, np.int32)])


def _content_of(directory: Path) -> str | None:
    try:
        return content_id((directory / MANIFEST).read_bytes())
    except OSError:
        return None
