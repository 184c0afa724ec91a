"""What the processes of data-parallel training tell the one that started them."""

import signal

from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from recsys import errors
from recsys.errors import Interrupted, RecsysError


def error_of_rank(error: ProcessRaisedException | ProcessExitedException) -> RecsysError | None:
    """The error of ours that ended a process, None where it was another; torch hands over its traceback's text."""
    _, ours, last_lines = str(error).rpartition(f"\n{errors.__name__}.")
    name, _, text = last_lines.partition(": ")
    kind = getattr(errors, name, None) if ours else None
    if kind is Interrupted:  # a scheduler's signal that reached this process's children alone
        return Interrupted(signal.SIGTERM)
    return kind(text.strip()) if kind is not None else None
