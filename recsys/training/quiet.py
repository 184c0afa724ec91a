"""Lightning without its announcements: what a user reads here is ours."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

CHATTY = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")

# Raised inside Lightning by its use of other libraries; nothing a user of ours could mend.
NOT_OURS = (
    r".*isinstance\(treespec, LeafSpec\).*",
    r".*exists and is not empty.*",
    r"The `srun` command is available.*",
)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Only errors of Lightning's are logged, and its known warnings about others are dropped."""
    loggers = [logging.getLogger(name) for name in CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in NOT_OURS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
