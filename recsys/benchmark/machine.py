"""What the machine did meanwhile: who took its CPU, and how much memory this process held. Linux tells."""

import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.section import Section

PROC = Path("/proc")
CLEAN_SHARE = 0.05
MB = 1e6


class Load(Section):
    """`others`: the share of the machine's CPU that went to other processes or was stolen; None where nobody tells."""

    others: float | None

    @property
    def is_clean(self) -> bool:
        return self.others is not None and self.others <= CLEAN_SHARE

    @classmethod
    def worst(cls, loads: "Sequence[Load]") -> "Load":
        """Of several stretches; unknown where one is."""
        shares = [load.others for load in loads if load.others is not None]
        return cls(others=max(shares) if len(shares) == len(loads) else None)

    def line(self) -> str:
        if self.others is None:
            return "NOT CLEAN: this system does not tell what other processes took of the CPU"
        if self.is_clean:
            return f"clean: other processes took {self.others:.1%} of the CPU"
        return (
            f"NOT CLEAN: other processes took {self.others:.1%} of the CPU, more than {CLEAN_SHARE:.0%}; "
            f"measure again on a quiet machine"
        )


@dataclass(frozen=True)
class _Reading:
    wall: float
    busy: float
    own: float


class LoadMeter:
    """Reads the CPU's counters from when it is made until it is asked."""

    def __init__(self) -> None:
        self._began = _read()

    def load(self) -> Load:
        began, now = self._began, _read()
        if began is None or now is None:
            return Load(others=None)
        others = (now.busy - began.busy) - (now.own - began.own)
        capacity = (now.wall - began.wall) * (os.cpu_count() or 1)
        return Load(others=max(0.0, others / capacity) if capacity > 0 else 0.0)


def _read() -> _Reading | None:
    path = PROC / "stat"
    if not path.exists():
        return None
    # user nice system idle iowait irq softirq steal
    ticks = [int(word) for word in path.read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    return _Reading(time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4]))


def forget_peak_memory() -> None:
    """From here on, `peak_memory` is that of what follows."""
    path = PROC / "self" / "clear_refs"
    with suppress(OSError):  # where it is forbidden, the peak is that of the whole process
        path.write_text("5")


def peak_memory() -> float | None:
    """The most this process held resident, in MB; None where nobody tells."""
    path = PROC / "self" / "status"
    if not path.exists():
        return None
    (line,) = (line for line in path.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / MB


def resident_memory(pid: int) -> float | None:
    """What another process holds resident, in MB; None where nobody tells."""
    path = PROC / str(pid) / "statm"
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB if path.exists() else None


def processor() -> str:
    """The CPU's name, as far as it is known."""
    path = PROC / "cpuinfo"
    names = [line for line in path.read_text().splitlines() if line.startswith("model name")] if path.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
