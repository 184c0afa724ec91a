"""Servers that are dead, mute or broken: training waits for none, and nothing that was told is lost."""

import http.server
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from recsys.training.tracking import TrackingConfig, open_tracker
from recsys.training.tracking_spool import read_receipt

TIMEOUT = 2


@pytest.fixture
def refusing():
    """A port where nobody listens."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def mute():
    """The kernel accepts, and nobody ever answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Broken(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_error(500, "out of order")

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *args): ...


@pytest.fixture
def broken():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(workdir, uri, step, timeout=TIMEOUT) -> tuple[float, float]:
    """Seconds that were spent telling, and closing."""
    started = time.monotonic()
    tracker = open_tracker(TrackingConfig(uri=uri, timeout_seconds=timeout), workdir=workdir)
    tracker.log_params({"model.dim": "64"})
    tracker.log_metrics({"loss": 1.0 / step}, step=step)
    told = time.monotonic()
    # a training longer than MLflow's import, or what is measured is that
    while read_receipt(workdir) is None or read_receipt(workdir).worker != tracker.courier.process.pid:
        assert time.monotonic() < told + 30
        time.sleep(0.05)
    closing_began = time.monotonic()
    tracker.close("FINISHED")
    return told - started, time.monotonic() - closing_began


@pytest.mark.parametrize(
    ("server", "reason"),
    [("refusing", "Connection refused"), ("mute", "did not take everything|timed out"), ("broken", "500")],
)
def test_a_bad_server_costs_seconds_and_one_warning(server, reason, request, tmp_path, caplog):
    uri = request.getfixturevalue(server)
    telling, closing_took = run(tmp_path, uri, step=1)
    assert telling < 0.5
    assert closing_took < TIMEOUT + 2
    [record] = caplog.records
    assert re.search(reason, record.message), record.message
    assert uri in record.message
    spool = (tmp_path / "tracking-spool.jsonl").read_text()
    assert [kind in spool for kind in ('"params"', '"metrics"', '"FINISHED"')] == [True] * 3
    assert read_receipt(tmp_path).delivered == 0


def test_the_exit_of_a_training_is_its_own(mute, tmp_path):
    code = f"""
import sys
from pathlib import Path
from recsys.training.tracking import TrackingConfig, open_tracker
config = TrackingConfig(uri={mute!r}, timeout_seconds={TIMEOUT})
tracker = open_tracker(config, workdir=Path({str(tmp_path)!r}))
tracker.log_metrics({{"loss": 1.0}})
tracker.close("KILLED")
assert "mlflow" not in sys.modules
sys.exit(143)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 143
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("tracking: no MLflow at http://127.0.0.1:")


def test_what_a_dead_server_missed_is_delivered_by_the_next_command(refusing, tmp_path, caplog):
    run(tmp_path, refusing, step=1)
    caplog.clear()
    run(tmp_path, None, step=2)
    assert caplog.text == ""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert sorted(database.execute("select step, value from metrics")) == [(1, 1.0), (2, 0.5)]
        assert database.execute("select key, value from params").fetchall() == [("model.dim", "64")]
        assert database.execute("select status from runs").fetchall() == [("FINISHED",)]


@pytest.mark.slow
def test_a_real_server_that_comes_back_gets_everything_once(tmp_path, caplog):
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    uri, home = f"http://127.0.0.1:{port}", tmp_path / "server"
    home.mkdir()
    run(tmp_path / "work", uri, step=1)
    assert len(caplog.records) == 1
    caplog.clear()
    (tmp_path / "work/report.md").write_text("# Report")
    options = [f"--backend-store-uri=sqlite:///{home}/db", f"--artifacts-destination={home}/files", "--workers=1"]
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", *options]
    with (tmp_path / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            wait_until_healthy(uri)
            # a server's first requests set up its database: on a busy machine that is no matter of seconds
            run(tmp_path / "work", uri, step=2, timeout=120)
            tracker = open_tracker(TrackingConfig(uri=uri, timeout_seconds=120), workdir=tmp_path / "work")
            tracker.log_artifact(tmp_path / "work/report.md", "data")
            tracker.close("FINISHED")
        finally:
            server.terminate()
    assert caplog.text == ""
    with closing(sqlite3.connect(home / "db")) as database:
        assert sorted(database.execute("select step, value from metrics")) == [(1, 1.0), (2, 0.5)]
        assert database.execute("select status from runs").fetchall() == [("FINISHED",)]
    assert [file.read_text() for file in (home / "files").rglob("data/report.md")] == ["# Report"]


def wait_until_healthy(uri: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise AssertionError("the server did not start")
