"""Several processes behind one port: they answer alike, follow the pointer, and end together."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.servers import Running, running
from tests.serving.test_reload import point, two

__all__ = ["two"]


def processes_of(server: Running) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def wait_until_it_answers(server: Running) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if server.ask("GET", "/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("".join(server.lines))


def wait_until(is_so: Callable[[], bool], server: Running) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not is_so():
        time.sleep(0.05)
    assert is_so(), "".join(server.lines)


@pytest.mark.slow
def test_they_answer_as_one_and_end_as_one(two: tuple[Path, list[Path]]) -> None:
    workdir, (first, second) = two
    with running(workdir / "bundle", "--workers", "2", RECSYS_ADMIN_TOKEN="admin") as server:
        wait_until_it_answers(server)
        assert "with 2 processes" in server.wait_for("serving on")
        assert len(processes_of(server)) == 2
        assert {server.ask("GET", "/v1/bundle")[2]["bundle"] for _ in range(20)} == {first.name}
        status, _, told = server.ask("POST", "/admin/reload", "", {"authorization": "Bearer admin"})
        assert (status, told["title"]) == (409, "One of several")

        os.kill(processes_of(server)[0], signal.SIGKILL)
        assert {server.ask("GET", "/v1/bundle")[0] for _ in range(20)} == {200}, "the other one goes on"

        before = set(processes_of(server))
        point(workdir, second)
        server.process.send_signal(signal.SIGHUP)
        deadline, seen = time.monotonic() + 90, []
        while time.monotonic() < deadline and seen[-20:] != [second.name] * 20:
            seen.append(server.ask("GET", "/v1/bundle")[2]["bundle"])
            time.sleep(0.05)
        assert seen[-1] == second.name
        assert not before & set(processes_of(server))

        hung = processes_of(server)[0]
        os.kill(hung, signal.SIGSTOP)
        wait_until(lambda: hung not in processes_of(server), server)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(processes_of(server)) == 3, server)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 4, "in the middle of a replacement, too"
    assert not any("Traceback" in line for line in server.lines)
