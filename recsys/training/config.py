"""How a retriever is trained: the `training` section."""

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from recsys.data.windows import WindowKind
from recsys.model.objectives import FullSoftmaxConfig, ObjectiveConfig
from recsys.training.layouts import LayoutKind
from recsys.training.schedule import RateConfig, ScheduleConfig, Share


class OptimizerConfig(RateConfig):
    """AdamW (Loshchilov & Hutter 2019) with decay on all but vectors; warm-up, then cosine or constant."""

    learning_rate: PositiveFloat = 4e-3
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Share, Share] = (0.9, 0.98)
    clip_norm: PositiveFloat = 1.0
    """Gradients longer than this are shortened to it."""


class TrainingConfig(ScheduleConfig):
    batch_tokens: PositiveInt = 4096
    """Positions in a batch on each device, padding included."""
    windows: WindowKind = "all"
    """`last`: each user's most recent clicks; `random`: a stretch of them drawn anew each epoch; `all`: every training
    click once an epoch."""
    objective: ObjectiveConfig = FullSoftmaxConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    refit: bool = False
    """Train once more, on the validation clicks too, for as many epochs as were best. The bundle gets that model."""
    layout: LayoutKind = "padded"
    """`padded`: to the longest row of a batch, whose lengths differ little; `packed`: none, for the variable-length
    attention of CUDA in bf16."""
    compile: bool = False
    """Fuse the encoder's kernels with torch.compile: tens of seconds before the first step, and a C++ compiler."""
    validation_users: PositiveInt = 20_000
    """At most so many users are ranked after each epoch, the same ones every time; fewer from 50,000 items on."""
