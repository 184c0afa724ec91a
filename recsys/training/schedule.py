"""What any training is configured by: how long, how fast it learns, and on what it runs."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from recsys.section import Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RateConfig(Section):
    """The learning rate over training: warm-up, then cosine or constant."""

    learning_rate: PositiveFloat
    warmup_share: Share = 0.02
    """Share of training over which the learning rate rises from 0."""
    schedule: Literal["cosine", "constant"] = "cosine"


class ScheduleConfig(Section):
    max_epochs: PositiveInt = 100
    max_minutes: PositiveFloat | None = None
    """Training ends, and the schedule with it, at the first of the two limits."""
    patience: PositiveInt = 10
    """Validations without a better one before training stops."""
    optimizer: RateConfig
    average_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the average of the weights that a step leaves; the average is validated and kept. 0: no average."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: PositiveInt = 1
    """Processes of data-parallel training, one a device; a batch holds the token budget of each."""
    precision: Literal["auto", "32", "bf16-mixed"] = "auto"
    """auto: bf16-mixed on CUDA, 32 on the CPU."""
    threads: PositiveInt | None = None
    """CPU threads; by default one a core."""
    checkpoint_minutes: PositiveFloat = 1.0
    """How much work a crash may cost. An epoch's end is always saved."""
