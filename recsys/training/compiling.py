"""Compiles the encoder with `torch.compile`, in place: its weights keep their names, so checkpoints stay the same."""

from typing import Any

import pytorch_lightning as pl

from recsys.training.retrieval_task import RetrievalTask


class CompileEncoder(pl.Callback):
    """One graph serves every batch's shape; more are made, and torch gives up after some, for rows of each new length
    with an hstu mixer, for what layer_drop leaves, for spans that grow and for a gru. In each process anew, for what is
    compiled does not survive a spawn."""

    def on_fit_start(self, _: pl.Trainer, pl_module: Any) -> None:
        assert isinstance(pl_module, RetrievalTask)
        pl_module.retriever.encoder.compile(dynamic=True)
