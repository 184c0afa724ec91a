"""What one bundle can be asked, and the rule that a request breaks: none has a word of what the client wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from recsys.bundle.opened import Bundle
from recsys.data.vocabulary import ItemId
from recsys.errors import UserError
from recsys.serving.requests import RecommendationsRequest

Ids = TypeVar("Ids", Sequence[ItemId], Sequence[ItemId] | None)


@dataclass(frozen=True)
class Acceptance:
    bundle: Bundle

    def why_not(self, asked: RecommendationsRequest) -> str | None:
        """None where it can be answered."""
        for items in (asked.items, asked.allow or (), asked.deny or ()):
            if not self.bundle.items.accepts_all(items):
                return self._id_rule
        if asked.user is not None and not self.bundle.user_features.accepts(asked.user):
            return self.bundle.user_features.rule
        ranked = self.bundle.manifest.num_ranked
        if asked.rerank and ranked and asked.k > ranked:
            return f"this bundle's ranker puts {ranked} items in order: k is {ranked} at most, or set rerank to false"
        return None

    def own(self, items: Ids) -> Ids:
        """UserError where they are of another type than the bundle's."""
        if items is not None and not self.bundle.items.accepts_all(items):
            raise UserError(self._id_rule)
        return items

    @property
    def _id_rule(self) -> str:
        return f"ids of this bundle are of type {self.bundle.manifest.id_type}"
