"""The sizes a ranker is built for."""

from typing import Self

from recsys.data.click_columns import ClickFeature
from recsys.data.dataset import Dataset
from recsys.model.embedding import FeatureShape
from recsys.section import Section


class ClickFeatureShape(Section):
    """How many values a feature of clicks has, index 0 (none) included."""

    num_values: int
    is_context: bool

    @classmethod
    def of(cls, feature: ClickFeature) -> Self:
        return cls(num_values=feature.num_values, is_context=feature.is_context)


class RankerShape(Section):
    num_items: int
    num_users: int
    item_features: tuple[FeatureShape, ...] = ()
    user_features: tuple[FeatureShape, ...] = ()
    click_features: tuple[ClickFeatureShape, ...] = ()
    num_pairs: int = 0
    """Of items that followed each other, where the ranker counts them."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        return cls(
            num_items=len(dataset.items),
            num_users=len(dataset.users),
            item_features=tuple(FeatureShape.of(feature) for feature in dataset.features.inputs),
            user_features=tuple(FeatureShape.of(feature) for feature in dataset.user_features.inputs),
            click_features=tuple(ClickFeatureShape.of(feature) for feature in dataset.click_features),
        )
