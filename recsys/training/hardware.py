"""Where training runs: device, precision, threads, strategy."""

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy, Strategy

from recsys.data.clicks import Clicks, MappedClicks, ResidentClicks
from recsys.errors import ConfigError
from recsys.training.schedule import ScheduleConfig

Precision = Literal["32-true", "bf16-mixed"]

# Of a device's free memory, how much the clicks may take: the rest is for the model, its gradients and the batch.
RESIDENT_SHARE = 0.25


@dataclass(frozen=True)
class Hardware:
    device: Literal["cpu", "cuda"]
    devices: int
    precision: Precision
    threads: int

    def strategy(self) -> Strategy:
        """One process, or one a device in data-parallel training (gloo on the CPU, NCCL on CUDA)."""
        if self.devices == 1:
            return SingleDeviceStrategy(torch.device(self.device, 0) if self.device == "cuda" else torch.device("cpu"))
        backend = "gloo" if self.device == "cpu" else "nccl"
        # no buffer ever changes, so none needs to be sent
        return DataParallel(start_method="spawn", process_group_backend=backend, broadcast_buffers=False)

    def __str__(self) -> str:
        count = f"{self.devices} x " if self.devices > 1 else ""
        threads = f", {self.threads} threads" if self.device == "cpu" else ""
        return f"{count}{self.device}, {self.precision}{threads}"


class DataParallel(DDPStrategy):
    """Leaves no process group behind: threads of one that outlive Python's end would abort a rank that is done."""

    def teardown(self) -> None:
        super().teardown()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def choose_hardware(config: ScheduleConfig) -> Hardware:
    """The configured hardware; `auto` takes CUDA and bf16-mixed where there is CUDA, else the CPU in fp32."""
    has_cuda = torch.cuda.is_available()
    if config.device == "cuda" and not has_cuda:
        raise ConfigError("training.device is cuda, but torch finds no CUDA device here; use auto or cpu")
    device: Literal["cpu", "cuda"] = "cuda" if has_cuda and config.device != "cpu" else "cpu"
    if device == "cuda" and config.devices > torch.cuda.device_count():
        raise ConfigError(
            f"training.devices is {config.devices}, but torch finds {torch.cuda.device_count()} CUDA device(s) here"
        )
    halves = config.precision == "bf16-mixed" or (config.precision == "auto" and device == "cuda")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = config.threads or max(1, cores // (config.devices if device == "cpu" else 1))
    return Hardware(device, config.devices, "bf16-mixed" if halves else "32-true", threads)


def free_memory(device: torch.device) -> int:
    """Bytes free on a CUDA device. The CPU offers none: the system caches what is read of a mapped file anyway."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def place_clicks(
    items: NDArray[np.int32], times: NDArray[np.int64] | None, device: torch.device, *, free_bytes: int
) -> Clicks:
    """A copy on the device where it has the room; else the files stay mapped."""
    num_bytes = items.nbytes + (0 if times is None else times.nbytes)
    place = ResidentClicks if num_bytes <= RESIDENT_SHARE * free_bytes else MappedClicks
    return place(items, times, device)
