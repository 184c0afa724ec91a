"""The wide part of Wide & Deep (Cheng et al. 2016, https://arxiv.org/abs/1606.07792): a weight a value, and a cross."""

import torch
from torch import Tensor, nn

from recsys.data.example_batches import RankingBatch
from recsys.model.ranking.vectors import RowVectors


class Wide(nn.Module):
    """The sum of a weight for the item, for each value of its features and of the user's, and for each cross.

    A cross of a user's and an item's feature has a weight for each pair of their values.
    """

    def __init__(self, items: RowVectors, users: RowVectors, crosses: list[tuple[int, int]]) -> None:
        super().__init__()
        self.items, self.users, self.crosses = items, users, crosses
        self.of_items = nn.Parameter(torch.zeros(items.num_rows + 1))
        self.of_item_values = nn.ParameterList(torch.zeros(size) for size in items.sizes)
        self.of_user_values = nn.ParameterList(torch.zeros(size) for size in users.sizes)
        self.of_pairs = nn.ParameterList(torch.zeros(users.sizes[u], items.sizes[i]) for u, i in crosses)

    def forward(self, batch: RankingBatch) -> Tensor:
        """-> [H, C]"""
        items_HC, users_H1 = batch.items_HC, batch.moments.users_H[:, None]
        told = [values_HM[:, None] for values_HM in batch.moments.told]
        total_HC = self.of_items[items_HC]
        for number, weights in enumerate(self.of_item_values):
            total_HC = total_HC + _sum(weights, self.items.values(number, items_HC))
        for number, weights in enumerate(self.of_user_values):
            total_HC = total_HC + _sum(weights, self.users.values(number, users_H1, told))
        for (user, item), weights in zip(self.crosses, self.of_pairs, strict=True):
            of_user_H1M1 = self.users.values(user, users_H1, told)[..., None]
            of_item_HC1M = self.items.values(item, items_HC)[:, :, None]
            both_HCMM = (of_user_H1M1 > 0) & (of_item_HC1M > 0)
            total_HC = total_HC + (weights[of_user_H1M1, of_item_HC1M] * both_HCMM).sum(dim=(-2, -1))
        return total_HC


def _sum(weights: Tensor, values: Tensor) -> Tensor:
    """[..., M] -> [...]: of the values that are there."""
    return (weights[values] * (values > 0)).sum(dim=-1)
