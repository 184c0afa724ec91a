"""The bundle that is served, and how another one takes its place: whole, verified, tried out, or not at all."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from recsys.bundle.opened import open_bundle
from recsys.errors import RecsysError
from recsys.recommender import Recommender
from recsys.serving.lookup import Answers

Outcome = Literal["loaded", "unchanged", "refused"]


class Current:
    """`answers` is one bundle's; whoever holds it while another comes keeps it to the end of the request."""

    def __init__(self, pointer: Path, *, tell: Callable[[str], None]) -> None:
        self._pointer = pointer
        self._tell = tell
        self._lock = threading.Lock()
        self._directory = pointer.resolve()
        self.answers = _opened(self._directory)

    @property
    def has_moved(self) -> bool:
        """Whether the pointer leads elsewhere now."""
        return self._pointer.resolve() != self._directory

    def reload(self) -> Outcome:
        """What the pointer leads to now; what is served stays where that is not sound."""
        with self._lock:
            directory = self._pointer.resolve()
            if directory == self._directory:
                return "unchanged"
            try:
                answers = _opened(directory)
            except (RecsysError, OSError) as error:
                self._tell(f"serve: {directory.name} is refused, {self.answers.bundle} stays: {error}")
                return "refused"
            self._directory, self.answers = directory, answers
            self._tell(f"serve: {answers.bundle} takes over")
            return "loaded"


def _opened(directory: Path) -> Answers:
    answers = Answers(Recommender(open_bundle(directory)))
    answers.check()
    return answers
