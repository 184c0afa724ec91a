"""Work in a process that may die of it."""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable


def in_a_child(work: Callable[[], object]) -> int:
    """Runs `work` in a forked process and returns how that ended: an exit code, or minus a signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ended(work: Callable[..., object], *arguments: object) -> int | None:
    """The same in a process that has run nothing before: Polars' threads do not outlive a fork. `work` has a name."""
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload([work.__module__])
    process = fresh.Process(target=work, args=arguments)
    process.start()
    process.join(timeout=120)
    return process.exitcode
