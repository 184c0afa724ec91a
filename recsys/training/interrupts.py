"""Signals that ask training to stop: noted at once, obeyed between two steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class SignalNote:
    """Remembers the first signal; a second one of the same kind takes its usual course, for the impatient."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._usual = {number: signal.getsignal(number) for number in STOPPING}

    def install(self) -> None:
        for number in STOPPING:
            signal.signal(number, self._note)

    def restore(self) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self._usual[signal.Signals(number)])


@contextmanager
def forwarded(send: Callable[[int], None]) -> Iterator[None]:
    """Passes signals on to the processes that train, and waits for what they make of it."""
    usual = {number: signal.signal(number, lambda number, _: send(number)) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
