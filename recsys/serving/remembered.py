"""Answers that are kept, the least recently asked going first. Knows neither HTTP nor recommending. Of one thread."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
OVERHEAD = 300
"""Bytes that an entry takes besides the answer's own."""


class Remembered(Generic[Key]):
    """What `answer` says of a key, from memory where it is there; all together take at most so many bytes."""

    def __init__(self, answer: Callable[[Key], bytes], *, most_bytes: int) -> None:
        self._answer = answer
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self.size = 0

    def __call__(self, key: Key) -> bytes:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        found = self._kept[key] = self._answer(key)
        self.size += len(found) + OVERHEAD
        while self.size > self._most_bytes:
            _, gone = self._kept.popitem(last=False)
            self.size -= len(gone) + OVERHEAD
        return found
