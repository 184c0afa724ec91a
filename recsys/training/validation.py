"""Full ranking of the held-out validation clicks after each epoch, and the best weights so far."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from recsys.data.dataset import Dataset
from recsys.evaluation.metrics import ndcg
from recsys.model.encoding import encode_pasts, recent_pasts
from recsys.model.retriever import Retriever
from recsys.topk import Exclusions, target_ranks, whole_rows
from recsys.training.averaging import WeightAverage
from recsys.training.retrieval_task import RetrievalTask

K = 10
# Of a very large catalogue fewer users are ranked, so that a validation stays small beside an epoch.
MOST_SCORES = 1 << 30


class Validator:
    """NDCG@10 over every candidate, for at most `max_users` validation users drawn once, and 1 G scores."""

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
    def __call__(self, retriever: Retriever) -> float:
        pasts = recent_pasts(
            self.dataset.histories,
            self.users,
            self.positions,
            max_length=retriever.config.max_length,
            known_V=self.dataset.known_items,
            reads_times=retriever.config.reads_times,
        )
        users_ND, items_VD = encode_pasts(retriever, pasts), retriever.item_vectors().float()
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


class KeepBest(pl.Callback):
    """Validates after each epoch, keeps the best weights, and stops training when they stay the best too long.

    What is validated and kept is the average of the weights where there is one. Without validation users the last
    weights are the ones kept.
    """

    def __init__(self, validator: Validator, average: WeightAverage, patience: int) -> None:
        self.validator = validator
        self.average = average
        self.patience = patience
        self.epochs = self.best_epoch = 0
        self.latest: float | None = None
        self.best: float | None = None
        self.weights: dict[str, Tensor] = {}

    @property
    def is_patient(self) -> bool:
        return self.epochs - self.best_epoch < self.patience

    def state_dict(self) -> dict[str, Any]:
        names = ("epochs", "best_epoch", "latest", "best", "weights")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, RetrievalTask)
        with self.average.in_place(pl_module.retriever):
            self._judge(trainer, pl_module.retriever)

    def _judge(self, trainer: pl.Trainer, retriever: Retriever) -> None:
        if len(self.validator):
            retriever.eval()
            self.latest = trainer.strategy.broadcast(self.validator(retriever) if trainer.is_global_zero else None)
            retriever.train()
        self.epochs += 1
        if self.latest is None or self.best is None or self.latest > self.best:
            self.best, self.best_epoch = self.latest, self.epochs
            self.weights = {name: value.detach().cpu().clone() for name, value in retriever.state_dict().items()}
