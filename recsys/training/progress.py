"""How far training has come: what a checkpoint must know to go on with exactly the next batch."""

from dataclasses import asdict, dataclass
from typing import Any

from recsys.errors import ConfigError
from recsys.training.schedule import ScheduleConfig


@dataclass
class Progress:
    """`epoch` and `batch` name the next batch; `seconds` is time spent training, resumed runs added up."""

    precision: str = "32-true"
    epoch: int = 0
    batch: int = 0
    step: int = 0
    clicks: int = 0
    seconds: float = 0.0
    batches_per_epoch: int = 1
    clicks_ahead: int = 0
    """Clicks of the epoch that were still to come when it was begun, or resumed."""

    @property
    def is_epoch_over(self) -> bool:
        return self.batch >= self.batches_per_epoch

    def share_done(self, config: ScheduleConfig) -> float:
        """The larger of the shares of epochs and of minutes, at most 1."""
        by_epochs = (self.epoch + self.batch / self.batches_per_epoch) / config.max_epochs
        by_minutes = 0.0 if config.max_minutes is None else self.seconds / 60 / config.max_minutes
        return min(1.0, max(by_epochs, by_minutes))

    def next_epoch(self) -> None:
        self.epoch, self.batch = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["precision"] != self.precision:
            raise ConfigError(
                f"training.precision was {state['precision']} when it was stopped, and is {self.precision} here; "
                f"set it back to go on, or forget that run with --restart"
            )
        for name, value in state.items():
            setattr(self, name, value)
