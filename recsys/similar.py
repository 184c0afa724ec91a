"""An opened bundle that answers `similar`, in external ids."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.bundle.opened import Bundle
from recsys.catalogue import Catalogue
from recsys.data.vocabulary import ItemId
from recsys.errors import ConfigError, DataError
from recsys.index.selection import Selection
from recsys.lookups import Lookups, Nearest


@dataclass(frozen=True)
class Neighbour:
    """`score` is the cosine."""

    item: ItemId
    score: float
    title: str | None


class SimilarItems:
    """Nearest items by cosine, out of the candidates."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.catalogue = Catalogue(bundle)
        self.lookups = Lookups(bundle)

    def similar(
        self,
        item: ItemId,
        *,
        k: int = 10,
        allow: Sequence[ItemId] | None = None,
        deny: Sequence[ItemId] | None = None,
        exact: bool = False,
    ) -> list[Neighbour]:
        """The k items of largest cosine with `item`, itself left out; UnknownItem has close matches in its text.

        `allow` names all that may be found, `deny` what may not: a list is short only where fewer are left. Through the
        bundle's index, which states its recall; `exact` compares with every item.
        """
        if allow is not None or deny is not None or exact:
            return self.similar_many([item], k=k, allow=allow, deny=deny, exact=exact)[0]
        items, scores = self.lookups.near(self.catalogue.trained_index(item), self._num_near(k))
        return self._list(items, scores)

    def similar_many(
        self,
        items: Sequence[ItemId],
        *,
        k: int = 10,
        allow: Sequence[ItemId] | None = None,
        deny: Sequence[ItemId] | None = None,
        exact: bool = False,
    ) -> list[list[Neighbour]]:
        """`similar` for each item, in fewer steps."""
        return self._neighbours(self.nearest(self._trained(items), k=k, allow=allow, deny=deny, exact=exact))

    def nearest(
        self,
        items: NDArray[np.int64],
        *,
        k: int,
        allow: Sequence[ItemId] | None = None,
        deny: Sequence[ItemId] | None = None,
        exact: bool = False,
    ) -> Nearest:
        """`similar_many` in item indices of the bundle, which the model was trained on."""
        selection = self._selection(allow, deny)
        return self.lookups.near_each(items, self._num_near(k), selection=selection, exact=exact)

    def similar_to_all(
        self,
        items: Sequence[ItemId],
        *,
        k: int = 10,
        allow: Sequence[ItemId] | None = None,
        deny: Sequence[ItemId] | None = None,
        exact: bool = False,
    ) -> list[Neighbour]:
        """The nearest of the items taken together: of the mean of their unit vectors. They themselves are left out."""
        if not len(items):
            raise ConfigError("name at least one item: nothing is near to none")
        indices = self._trained(items)
        selection = self._selection(allow, deny)
        found = self.lookups.near_all(indices, self._num_near(k), selection=selection, exact=exact)
        return self._neighbours(found)[0]

    def parse_item(self, text: str) -> ItemId:
        """An id as it is typed on a command line, in the catalogue's type; UnknownItem where it cannot be one."""
        return self.catalogue.parse(text)

    def name_of(self, item: ItemId) -> str:
        """The id with its title, for people."""
        return self.catalogue.name(self.catalogue.index(item))

    def features_of(self, item: ItemId) -> dict[str, list[str]]:
        """What the item table says of it, by column."""
        return self.catalogue.features(self.catalogue.index(item))

    def _trained(self, items: Sequence[ItemId]) -> NDArray[np.int64]:
        if isinstance(items, str):
            raise DataError(f"several items are a list of ids, got the text {items!r}: give [{items!r}]")
        return np.array([self.catalogue.trained_index(item) for item in items], dtype=np.int64)

    def _num_near(self, k: int) -> int:
        return min(checked_k(k), len(self.bundle.index))

    def _selection(self, allow: Sequence[ItemId] | None, deny: Sequence[ItemId] | None) -> Selection | None:
        told = (None if items is None else self.catalogue.indices(items).astype(np.int64) for items in (allow, deny))
        return self.lookups.selection(*told)

    def _neighbours(self, found: Nearest) -> list[list[Neighbour]]:
        is_found = found.items > 0
        together = self._list(found.items[is_found], found.scores[is_found].tolist())
        ends = is_found.sum(axis=1).cumsum().tolist()
        return [together[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def _list(self, items: NDArray[np.int64], scores: Sequence[float]) -> list[Neighbour]:
        told = zip(self.catalogue.ids(items), scores, self.catalogue.titles(items), strict=False)
        return [Neighbour(*each) for each in told]


def checked_k(k: int) -> int:
    """ConfigError where k is no count."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise ConfigError(f"k must be a whole number, got {k!r}")
    if k < 1:
        raise ConfigError(f"k must be at least 1, got {k}")
    return int(k)
