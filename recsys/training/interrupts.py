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


class Forwarding:
    """Passes the first signal on, and remembers it; a second one takes its usual course."""

    def __init__(self, send: Callable[[], None]) -> None:
        self.send = send
        self.received: int | None = None
        self._usual = {number: signal.getsignal(number) for number in STOPPING}

    @contextmanager
    def installed(self) -> Iterator["Forwarding"]:
        for number in STOPPING:
            signal.signal(number, self._pass_on)
        try:
            yield self
        finally:
            self._restore()

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self.received = number
        self._restore()
        self.send()

    def _restore(self) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)
