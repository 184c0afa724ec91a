"""Indices to what people read: titles, ids and a few labels."""

from collections.abc import Iterable, Iterator

from recsys.data.dataset import Dataset
from recsys.evaluation.report.contents import ShownItem

MAX_LABELS = 3


def shown_items(dataset: Dataset, indices: Iterable[int]) -> tuple[ShownItem, ...]:
    """An item without a title is called by its id."""
    found = [int(index) for index in indices]
    ids = [str(external_id) for external_id in dataset.items.ids_of(found)]
    titles = dataset.titles
    names = [(titles and titles.of(index)) or item_id for index, item_id in zip(found, ids, strict=True)]
    return tuple(map(ShownItem, names, ids, (_labels(dataset, index) for index in found)))


def user_id(dataset: Dataset, index: int) -> str:
    return str(dataset.users.ids_of([index])[0])


def _labels(dataset: Dataset, index: int) -> tuple[str, ...]:
    """Of the first features first."""
    return tuple(_all_labels(dataset, index))[:MAX_LABELS]


def _all_labels(dataset: Dataset, index: int) -> Iterator[str]:
    for feature in dataset.features:
        for value in feature.values[feature.offsets[index] : feature.offsets[index + 1]]:
            yield feature.labels[int(value) - 1]
