"""Full ranking of the held-out validation clicks."""

import numpy as np
import torch
from torch import Tensor, nn

from recsys.data.dataset import Dataset
from recsys.evaluation.metrics import ndcg
from recsys.model.encoding import encode_pasts, recent_pasts
from recsys.model.retriever import Retriever
from recsys.topk import Exclusions, target_ranks, whole_rows

K = 10
# Of a very large catalogue fewer users are ranked, so that a validation stays small beside an epoch.
MOST_SCORES = 1 << 30


class Validator:
    """NDCG@10 over every candidate, for at most `max_users` validation users drawn once, and 1 G scores."""

    metric = f"NDCG@{K}"

    def __init__(self, dataset: Dataset, *, exclude_seen: bool, max_users: int, seed: int) -> None:
        held_out = dataset.split.validation(dataset.histories)
        targets = np.asarray(dataset.histories.items)[held_out.positions]
        rows = np.flatnonzero(dataset.candidates[targets])
        max_users = min(max_users, max(1, MOST_SCORES // len(dataset.candidates)))
        if len(rows) > max_users:
            rows = np.sort(np.random.default_rng(seed).choice(rows, max_users, replace=False))
        self.dataset = dataset
        self.exclude_seen = exclude_seen
        self.users, self.positions = held_out.users[rows], held_out.positions[rows]
        self.targets_N = torch.from_numpy(targets[rows].astype(np.int64))

    def __len__(self) -> int:
        return len(self.users)

    @torch.inference_mode()
    def __call__(self, model: nn.Module) -> float:
        assert isinstance(model, Retriever)
        pasts = recent_pasts(
            self.dataset.histories,
            self.users,
            self.positions,
            max_length=model.config.max_length,
            known_V=self.dataset.known_items,
            reads_times=model.config.reads_times,
        )
        users_ND, items_VD = encode_pasts(model, pasts), model.item_vectors().float()
        step = whole_rows(len(items_VD))
        ranks = [self._ranks(users_ND, items_VD, start, start + step) for start in range(0, len(self), step)]
        return float(np.mean(ndcg(torch.cat(ranks).cpu().numpy(), K)))

    def _ranks(self, users_ND: Tensor, items_VD: Tensor, start: int, stop: int) -> Tensor:
        return target_ranks(
            users_ND[start:stop] @ items_VD.T,
            self.targets_N[start:stop].to(users_ND.device),
            candidates_V=torch.from_numpy(np.array(self.dataset.candidates)),
            exclusions=self._seen(slice(start, stop)) if self.exclude_seen else None,
        )

    def _seen(self, rows: slice) -> Exclusions:
        begins, ends = self.dataset.histories.offsets[self.users[rows]], self.positions[rows]
        return Exclusions.of_stretches(self.dataset.histories.items, begins, ends)
