"""Which items somebody may have meant by a text that is no item's id: those whose id or title is most like it."""

from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from recsys.data.texts import Texts
from recsys.data.titles import Titles
from recsys.data.vocabulary import TextVocabulary, Vocabulary

NUM_COMPARED, SHORT = 200, 20
"""Texts that are looked at closely, and letters up to which so many are: it takes as long as the letters' square."""
LEAST_LIKENESS = 0.6


def close_items(text: str, items: Vocabulary, titles: Titles | None, *, limit: int = 5) -> list[int]:
    """At most `limit` item indices, the closest first; none where nothing is close."""
    ids = items.texts if isinstance(items, TextVocabulary) else Texts.of(str(item) for item in items)
    likeness = {number + 1: like for number, like in _likeness(text, ids).items()}
    if titles is not None:
        for item, like in _likeness(text, titles.texts).items():
            likeness[item] = max(like, likeness.get(item, 0.0))
    likeness.pop(0, None)
    return sorted(likeness, key=lambda item: (-likeness[item], item))[:limit]


def _likeness(text: str, texts: Texts) -> dict[int, float]:
    """Numbers of the texts that resemble `text`, upper and lower case being one, and how much, up to 1."""
    wanted = text.lower()
    found = {}
    for number in _most_shared_letters(wanted.encode(errors="replace"), texts):
        other = texts[int(number)].lower()
        like = _ratio(wanted, other)
        if len(wanted) > 2 and wanted in other:
            like = max(like, 0.9)
        if like >= LEAST_LIKENESS:
            found[int(number)] = like
    return found


def _ratio(wanted: str, other: str) -> float:
    """0 where it is too small to matter, which is soon seen: long texts take long to compare."""
    matcher = SequenceMatcher(None, wanted, other)
    if matcher.real_quick_ratio() < LEAST_LIKENESS or matcher.quick_ratio() < LEAST_LIKENESS:
        return 0.0
    return matcher.ratio()


def _most_shared_letters(wanted: bytes, texts: Texts) -> NDArray[np.int64]:
    """The texts worth a closer look: a pass over all bytes instead of a comparison of every text."""
    letters = np.frombuffer(np.asarray(texts.data).tobytes().lower(), dtype=np.uint8)
    offsets = np.asarray(texts.offsets)
    shared = np.zeros(len(texts), dtype=np.int64)
    for letter in set(wanted):
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(letters == letter)])
        shared += np.minimum(np.diff(before[offsets]), wanted.count(letter))
    bound = 2 * shared / np.maximum(1, np.diff(offsets) + len(wanted))
    num_compared = NUM_COMPARED * SHORT // max(SHORT, len(wanted))
    by_ratio = np.argsort(-bound, kind="stable")[:num_compared]
    return np.union1d(by_ratio, _containing(wanted, letters.tobytes(), offsets))


def _containing(wanted: bytes, letters: bytes, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first texts that `wanted` is a part of."""
    numbers: list[int] = []
    place = letters.find(wanted) if wanted else -1
    while place >= 0 and len(numbers) < NUM_COMPARED:
        number = int(np.searchsorted(offsets, place, side="right")) - 1
        if place + len(wanted) <= offsets[number + 1]:
            numbers.append(number)
        place = letters.find(wanted, place + 1)
    return np.unique(np.array(numbers, dtype=np.int64))
