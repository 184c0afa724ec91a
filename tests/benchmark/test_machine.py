"""What the system says of its CPU and memory, against processes that use them."""

import subprocess
import sys
import time

import pytest
import torch

from recsys.benchmark import machine
from recsys.benchmark.machine import Load, LoadMeter, forget_peak_memory, peak_memory, processor

SPIN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
linux = pytest.mark.skipif(not (machine.PROC / "stat").exists(), reason="only Linux tells")


def test_five_percent_is_clean_and_more_is_not():
    assert Load(others=0.05).is_clean
    assert Load(others=0.05).line() == "clean: other processes took 5.0% of the CPU"
    assert not Load(others=0.051).is_clean
    assert "NOT CLEAN: other processes took 5.1% of the CPU, more than 5%" in Load(others=0.051).line()


def test_of_several_stretches_the_worst_counts():
    assert Load.worst([Load(others=0.01), Load(others=0.2)]) == Load(others=0.2)
    assert Load.worst([Load(others=0.01), Load(others=None)]) == Load(others=None)


@linux
def test_a_busy_process_beside_is_noticed_and_own_work_is_not():
    with subprocess.Popen([sys.executable, "-c", SPIN]) as other:
        meter = LoadMeter()
        _use_the_cpu(1.0)
        beside = meter.load()
        other.kill()
    assert not beside.is_clean
    ours = LoadMeter()
    _use_the_cpu(1.0)
    # the test's machine may be busy; what counts is that our own work is none of it
    assert ours.load().others < beside.others


def _use_the_cpu(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize(("busy", "others"), [(0, 0.0), (100, 0.25)])
def test_idle_and_waiting_are_nobodys_and_stolen_time_is_somebodys(busy, others, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 100)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine.os, "times", lambda: (0.0, 0.0, 0.0, 0.0, 0.0))
    now = [0.0]
    monkeypatch.setattr(machine.time, "monotonic", lambda: now[0])
    (tmp_path / "stat").write_text("cpu 10 10 10 500 500 10 10 10 77 77\ncpu0 1 1\n")
    meter = LoadMeter()
    now[0] = 2.0
    (tmp_path / "stat").write_text(f"cpu 10 10 10 900 900 10 10 {10 + busy} 99 99\ncpu0 1 1\n")
    assert meter.load().others == pytest.approx(others)


def test_where_nobody_tells_nothing_is_called_clean(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "PROC", tmp_path)
    load = LoadMeter().load()
    assert not load.is_clean
    assert "does not tell" in load.line()
    forget_peak_memory()
    assert peak_memory() is None
    assert processor()


@linux
def test_the_peak_is_of_what_came_since():
    big = torch.ones(50_000_000)
    assert peak_memory() > 200
    del big
    forget_peak_memory()
    before = peak_memory()
    torch.ones(50_000_000)
    assert peak_memory() - before == pytest.approx(200, abs=20)
