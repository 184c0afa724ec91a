"""What is wrong is told before the bundle is loaded, in one message, with what to do about it."""

import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import pytest
import uvicorn

from recsys.errors import ConfigError
from recsys.serving.config import ServeConfig
from recsys.serving.connections import Limits
from recsys.serving.listening import bound, unavailable, url_of
from recsys.serving.server import application, serve
from recsys.serving.stopping import Server
from tests.bundle.resealed import resealed_copy
from tests.pipelines.commands import assert_one_message, command
from tests.serving.bare import works
from tests.serving.servers import ROOT, Running
from tests.serving.test_reloading import with_other_scores


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def hangups() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("hangups")
def test_a_port_in_use_is_told_before_the_bundle_is_looked_at(taken: int, tmp_path: Path, workers: int) -> None:
    with pytest.raises(ConfigError, match="another process listens there: stop it, or choose another --port"):
        serve(tmp_path / "nowhere", ServeConfig(port=taken, workers=workers))


def test_two_that_start_at_the_same_time_are_told_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "capture_signals", lambda _: nullcontext())
    (faster,) = bound("127.0.0.1", 0)
    with closing(faster):
        slower = bound("127.0.0.1", faster.getsockname()[1])
        faster.listen()
        config = uvicorn.Config(partial(works, 0.0), interface="asgi3", lifespan="off", log_config=None)
        with pytest.raises(ConfigError, match="another process listens there"):
            Server(config).run(slower)
        for listener in slower:
            listener.close()


@pytest.mark.parametrize("host", ["nobody.invalid", "192.0.2.1", "a" * 70])
def test_a_host_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(ConfigError, match=r"name one of its own, .* for itself alone"):
        bound(host, 0)


def test_what_to_do_about_a_port_of_the_systems() -> None:
    assert "from 1024 on" in str(unavailable("127.0.0.1", 80, PermissionError(13, "Permission denied")))


def test_every_address_of_a_host_gets_the_same_port_and_a_url_can_be_opened() -> None:
    sockets = bound("localhost", 0)
    assert len({listener.getsockname()[1] for listener in sockets}) == 1
    assert url_of(sockets) == f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    for listener in sockets:
        listener.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_of_ipv6_has_brackets() -> None:
    try:
        sockets = bound("::1", 0)
    except ConfigError:
        pytest.skip("no IPv6 here")
    assert url_of(sockets) == f"http://[::1]:{sockets[0].getsockname()[1]}"
    sockets[0].close()


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("token", ["", " "])
def test_an_empty_token_opens_no_door(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_TOKEN", token)
    with pytest.raises(ConfigError, match="RECSYS_TOKEN is set, but empty: give it a value, or unset it"):
        serve(tmp_path, ServeConfig(port=0))


def test_an_empty_administrators_token_is_none(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_ADMIN_TOKEN", "")
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr("sys.setswitchinterval", lambda _: None)
    told: dict[str, object] = {}
    monkeypatch.setattr("recsys.serving.server.create_app", lambda *_, **named: told.update(named))
    application(bundle, ServeConfig())
    assert told == {"token": None, "admin": None}


def test_values_that_cannot_be_are_one_message(tmp_path: Path) -> None:
    for value in ("inf", "nan"):
        with pytest.raises(ConfigError, match=f"watch_seconds cannot be {value}"):
            ServeConfig.told(watch_seconds=float(value))
    done = command(tmp_path, "serve", "nowhere", "--watch", "inf")
    assert done.returncode == 2
    assert_one_message(done, "watch_seconds cannot be inf")


def test_there_are_fewer_connections_than_files() -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert Limits.of(ServeConfig()).connections <= 1_000
    assert files == resource.RLIM_INFINITY or Limits.of(ServeConfig(connections=10**9)).connections < files


def test_sighup_while_starting_ends_nothing(bundle: Path) -> None:
    command = [sys.executable, "-m", "pipelines.command", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None and not ignores(status, signal.SIGHUP):
            time.sleep(0.01)
        server = Running(process, 0, [])
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.1)
        assert process.poll() is None
        assert process.stderr is not None
        assert any("serving on" in line for line in iter(process.stderr.readline, ""))
        assert server.stop() == 0


def ignores(status: Path, number: int) -> bool:
    (ignored,) = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigIgn")]
    return bool(int(ignored, 16) >> (number - 1) & 1)


@pytest.mark.slow
def test_several_processes_are_not_started_on_a_bundle_that_answers_otherwise(bundle: Path, tmp_path: Path) -> None:
    other = resealed_copy(bundle, tmp_path / "other", "golden.json", with_other_scores)
    done = command(tmp_path, "serve", str(other), "--port", "0", "--workers", "2")
    assert done.returncode == 3
    assert_one_message(done, "does not answer its own question 0 as it did when it was made")


@pytest.mark.slow
def test_a_bundle_that_is_spoilt_before_the_processes_open_it_ends_all_with_a_line_of_each(
    bundle: Path, tmp_path: Path
) -> None:
    other = resealed_copy(bundle, tmp_path / "other", "golden.json", with_other_scores)
    code = (
        "from pathlib import Path; from recsys.serving import server; from recsys.serving.config import ServeConfig\n"
        "server.tried_out = lambda _: None\n"
        f"server.serve(Path({str(other)!r}), ServeConfig(port=0, workers=2))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3
    assert "does not answer its own question 0" in done.stderr
    assert "Traceback" not in done.stderr
