"""The bundle that is served, and how another one takes its place: whole, verified, tried out, or not at all."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recsys.bundle.manifest import MANIFEST, content_id, resolved
from recsys.bundle.opened import ILLEGIBLE, open_bundle
from recsys.errors import BundleError, RecsysError
from recsys.recommender import Recommender
from recsys.serving.lookup import Answers
from recsys.serving.trial import try_out

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
    try:
        try_out(recommender)
    except ILLEGIBLE as error:
        raise BundleError(f"bundle {pointer} cannot answer its own questions: {error}; publish it again") from error
    return Answers(recommender)


def _content_of(directory: Path) -> str | None:
    try:
        return content_id((directory / MANIFEST).read_bytes())
    except OSError:
        return None
