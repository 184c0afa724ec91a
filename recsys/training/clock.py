"""The callback that drives training: time, learning rate, randomness, checkpoints, and when to stop."""

import signal
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from recsys.errors import Interrupted
from recsys.training.checkpoints import LAST
from recsys.training.hardware import choose_hardware
from recsys.training.interrupts import SignalNote
from recsys.training.keep_best import KeepBest
from recsys.training.optimizer import learning_rate
from recsys.training.progress import Progress
from recsys.training.schedule import ScheduleConfig


class Clock(pl.Callback):
    """Everything random in a step follows from (seed, step, rank), so a resumed run needs no generator's state."""

    def __init__(
        self, config: ScheduleConfig, progress: Progress, keep_best: KeepBest, *, seed: int, directory: Path
    ) -> None:
        self.config = config
        self.progress = progress
        self.keep_best = keep_best
        self.seed = seed
        self.directory = directory
        self.started = self.saved = 0.0

    def state_dict(self) -> dict[str, Any]:
        return self.progress.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.progress.load_state_dict(state_dict)

    def on_train_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        self.signals = SignalNote()
        self.signals.install()  # after Lightning's own, which would end the process with exit code 0
        if trainer.world_size > 1:  # the process that started this one has it too, and passes it on
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        torch.set_num_threads(choose_hardware(self.config).threads)
        self.started, self.saved = time.monotonic() - self.progress.seconds, self.progress.seconds
        trainer.should_stop = self._is_done()

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        entropy = np.random.SeedSequence([self.seed, self.progress.step, trainer.global_rank])
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))
        rate = learning_rate(self.config.optimizer, self.progress.share_done(self.config))
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def on_train_batch_end(self, trainer: pl.Trainer, _: Any, __: Any, batch: Any, ___: int) -> None:
        self.progress.batch += 1
        self.progress.step += 1
        self.progress.clicks += batch.num_targets
        self._read_clock(trainer)
        trainer.should_stop = self._is_done()
        if trainer.should_stop or self.progress.is_epoch_over:
            return  # validation comes first: a checkpoint without its verdict could not go on as this run does
        if self._stop_asked(trainer):
            self.save(trainer)
            self._stop()
        if self.progress.seconds - self.saved > 60 * self.config.checkpoint_minutes:
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Runs after validation, so an epoch's checkpoint holds its verdict."""
        self.progress.next_epoch()
        self._read_clock(trainer)
        self.save(trainer)
        if self._stop_asked(trainer):
            self._stop()
        trainer.should_stop = self._is_done()

    def on_fit_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """A signal that came while the best weights were written: they are safe, and what was to follow does not."""
        if self._stop_asked(trainer):
            self._stop()

    def save(self, trainer: pl.Trainer) -> None:
        self.saved = self.progress.seconds
        trainer.save_checkpoint(self.directory / LAST, weights_only=False)

    def on_exception(self, trainer: pl.Trainer, _: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException):  # it came before our handler was in place
            self.save(trainer)
        self._restore_signals()  # Lightning calls no teardown after an exception, and the process may live on

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._restore_signals()

    def _restore_signals(self) -> None:
        if hasattr(self, "signals"):
            self.signals.restore()

    def _stop(self) -> NoReturn:
        raise Interrupted(self.signals.received or signal.SIGTERM)  # perhaps another rank got it

    def _is_done(self) -> bool:
        return self.progress.share_done(self.config) >= 1.0 or not self.keep_best.is_patient

    def _read_clock(self, trainer: pl.Trainer) -> None:
        # every rank must see the same time: the learning rate follows from it
        self.progress.seconds = trainer.strategy.broadcast(time.monotonic() - self.started)

    def _stop_asked(self, trainer: pl.Trainer) -> bool:
        return trainer.strategy.reduce_boolean_decision(self.signals.received is not None, all=False)
