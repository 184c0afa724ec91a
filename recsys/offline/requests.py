"""Whose lists are wanted, and what each of them clicked: everybody in the log, some of them, or a file of histories."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.data.events.ids import id_column
from recsys.data.vocabulary import NumberVocabulary, TextVocabulary, Vocabulary
from recsys.durable import fingerprint, sha256_of
from recsys.errors import DataError
from recsys.offline.files import open_file
from recsys.offline.ids import IdFile, indices_of
from recsys.recommend_config import RecommendConfig
from recsys.rules import Clicks

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Requests:
    """User u clicked items[begins[u] : ends[u]], oldest first, in item indices of the bundle; 0 is no item of it.

    `times` are those of `items`, and everybody is asked about the moment of the log's last click, `asked`; `marks`
    are features of the clicks, `indices` the users' own in the log. A file of histories has none of this.
    `users` has each user's id once. `fingerprint` is another one for other users or other clicks.
    """

    users: pl.Series
    items: NDArray[np.int32]
    times: Int64 | None
    begins: Int64
    ends: Int64
    fingerprint: str
    asked: int | None = None
    marks: tuple[NDArray[np.int32], ...] = ()
    indices: Int64 | None = None

    def __len__(self) -> int:
        return len(self.users)

    def clicks(self, start: int, stop: int) -> Clicks:
        """Those of users [start, stop)."""
        begins, ends = self.begins[start:stop], self.ends[start:stop]
        clicks = Clicks.of_stretches(self.items, self.times, begins=begins, ends=ends, marks=self.marks)
        asked = None if self.asked is None else np.full(len(clicks), self.asked)
        return replace(clicks, asked=asked, users=None if self.indices is None else self.indices[start:stop])


def requests_of(config: RecommendConfig, dataset: Dataset, items: Vocabulary) -> Requests:
    """What the configuration asks for. `items` is the bundle's vocabulary."""
    requests = _requests_of(config, dataset, items)
    if not len(requests):
        raise DataError(f"{config.users or config.histories or dataset.directory} has no users: give at least one")
    return requests


def _requests_of(config: RecommendConfig, dataset: Dataset, items: Vocabulary) -> Requests:
    if config.histories is not None:
        return _of_histories(config, dataset, items)
    if not _are_equal(items, dataset.items):
        raise DataError(
            f"the bundle's {len(items):,} items are not those of {dataset.directory} ({len(dataset.items):,}):"
            " recommend from the bundle that was trained on it, or give recommend.histories"
        )
    return _of_everybody(dataset) if config.users is None else _of_users(config, dataset)


def _of_everybody(dataset: Dataset) -> Requests:
    offsets = np.asarray(dataset.histories.offsets)
    return Requests(
        users=id_column(dataset.users),
        items=dataset.histories.items,
        times=dataset.histories.times,
        begins=offsets[1:-1],
        ends=offsets[2:],
        fingerprint=fingerprint("everybody", dataset.fingerprint),
        asked=_last_moment(dataset),
        marks=_marks(dataset),
        indices=np.arange(1, len(offsets) - 1),
    )


def _of_users(config: RecommendConfig, dataset: Dataset) -> Requests:
    assert config.users is not None
    file = open_file(config.users, [config.user_column])
    ids = id_column(dataset.users)
    users = file.typed(file.column(config.user_column, "user"), ids.dtype).unique(maintain_order=True)
    indices = indices_of(users, ids)  # a user who is not in the log is user 0, who has no clicks
    offsets = np.asarray(dataset.histories.offsets)
    return Requests(
        users=users,
        items=dataset.histories.items,
        times=dataset.histories.times,
        begins=offsets[indices],
        ends=offsets[indices + 1],
        fingerprint=fingerprint("users", dataset.fingerprint, config.user_column, sha256_of(config.users)),
        asked=_last_moment(dataset),
        marks=_marks(dataset),
        indices=indices.astype(np.int64),
    )


def _marks(dataset: Dataset) -> tuple[NDArray[np.int32], ...]:
    return tuple(feature.values for feature in dataset.click_features)


def _last_moment(dataset: Dataset) -> int:
    return int(dataset.histories.times.max(initial=0))


def _of_histories(config: RecommendConfig, dataset: Dataset, items: Vocabulary) -> Requests:
    assert config.histories is not None
    file = open_file(config.histories, [config.user_column, config.item_column])
    users = file.column(config.user_column, "user")
    if file.is_text:
        users = file.typed(users, id_column(dataset.users).dtype)
    clicked = file.columns[config.item_column]
    is_nested = isinstance(clicked.dtype, pl.List | pl.Array)
    by_user = _one_row_a_user(file, users, clicked) if is_nested else _grouped(users, clicked)
    lengths = by_user["items"].list.len().fill_null(0).to_numpy().astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    flat = by_user["items"].filter(lengths > 0).explode().alias(config.item_column)
    return Requests(
        users=by_user["user"],
        items=_item_indices(file, flat, items),
        times=None,
        begins=offsets[:-1],
        ends=offsets[1:],
        fingerprint=fingerprint("histories", config.user_column, config.item_column, sha256_of(config.histories)),
    )


def _grouped(users: pl.Series, clicked: pl.Series) -> pl.DataFrame:
    """One row a click becomes one row a user; users and clicks stay in the order of the file."""
    clicks = pl.DataFrame({"user": users, "items": clicked})
    return clicks.group_by("user", maintain_order=True).agg("items")


def _one_row_a_user(file: IdFile, users: pl.Series, clicked: pl.Series) -> pl.DataFrame:
    if users.n_unique() < len(users):
        twice = users.filter(users.is_duplicated()).first()
        raise DataError(f"{file.path}: user {twice!r} has more than one row: give one row, with one list, a user")
    lists = clicked.arr.to_list() if isinstance(clicked.dtype, pl.Array) else clicked
    return pl.DataFrame({"user": users, "items": lists})


def _item_indices(file: IdFile, clicked: pl.Series, items: Vocabulary) -> NDArray[np.int32]:
    """0 where an item is unknown; DataError where it is of another type, which never matches."""
    if clicked.null_count():
        raise DataError(f"{file.path}: {clicked.null_count():,} clicks have no item: leave those clicks out")
    ids = id_column(items)
    if clicked.is_empty():
        return np.zeros(0, np.int32)
    if clicked.dtype.is_integer() and ids.dtype.is_integer():  # of another width; too large is unknown
        return indices_of(clicked.cast(ids.dtype, strict=False), ids).astype(np.int32)
    return indices_of(file.typed(clicked, ids.dtype), ids).astype(np.int32)


def _are_equal(one: Vocabulary, other: Vocabulary) -> bool:
    if isinstance(one, NumberVocabulary) and isinstance(other, NumberVocabulary):
        return one.id_type == other.id_type and np.array_equal(one.ids, other.ids)
    if isinstance(one, TextVocabulary) and isinstance(other, TextVocabulary):
        pairs = ((one.texts.offsets, other.texts.offsets), (one.texts.data, other.texts.data))
        return all(np.array_equal(ours, theirs) for ours, theirs in pairs)
    return False
