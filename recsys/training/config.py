"""How a retriever is trained: the `training` section."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from recsys.data.windows import WindowKind
from recsys.model.objectives import FullSoftmaxConfig, ObjectiveConfig
from recsys.section import Section
from recsys.training.layouts import LayoutKind

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class OptimizerConfig(Section):
    """AdamW (Loshchilov & Hutter 2019) with decay on matrices only; warm-up, then cosine or constant."""

    learning_rate: PositiveFloat = 4e-3
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Share, Share] = (0.9, 0.98)
    warmup_share: Share = 0.02
    """Share of training over which the learning rate rises from 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: PositiveFloat = 1.0
    """Gradients longer than this are shortened to it."""


class TrainingConfig(Section):
    max_epochs: PositiveInt = 100
    max_minutes: PositiveFloat | None = None
    """Training ends, and the schedule with it, at the first of the two limits."""
    patience: PositiveInt = 10
    """Validations without a better NDCG@10 before training stops."""
    batch_tokens: PositiveInt = 4096
    """Positions in a batch on each device, padding included."""
    windows: WindowKind = "all"
    """`last`: each user's most recent clicks; `random`: a stretch of them drawn anew each epoch; `all`: every training
    click once an epoch."""
    objective: ObjectiveConfig = FullSoftmaxConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    average_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the average of the weights that a step leaves; the average is validated and kept. 0: no average."""
    refit: bool = False
    """Train once more, on the validation clicks too, for as many epochs as were best. The bundle gets that model."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: PositiveInt = 1
    """Processes of data-parallel training, one a device; a batch holds the token budget of each."""
    precision: Literal["auto", "32", "bf16-mixed"] = "auto"
    """auto: bf16-mixed on CUDA, 32 on the CPU."""
    layout: LayoutKind = "padded"
    """`padded`: to the longest row of a batch, whose lengths differ little; `packed`: none, for the variable-length
    attention of CUDA in bf16."""
    compile: bool = False
    """Fuse the encoder's kernels with torch.compile: tens of seconds before the first step, and a C++ compiler."""
    threads: PositiveInt | None = None
    """CPU threads; by default one a core."""
    checkpoint_minutes: PositiveFloat = 1.0
    """How much work a crash may cost. An epoch's end is always saved."""
    validation_users: PositiveInt = 20_000
    """At most so many users are ranked after each epoch, the same ones every time; fewer from 50,000 items on."""
