"""Whatever bytes and whatever requests come, the server refuses or answers, goes on, and repeats nothing."""

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.serving.servers import Running

MARK = b"s3cr3t"
BODIES = [
    b'{"items": ["i050"], "k": 3}',
    b'{"history": ["i050", "i070"], "k": 3, "because": true}',
    b'{"history": [{"item": "i050", "time": 1e9}], "asked": NaN}',
    b'{"history": ["\\ud800"], "k": 1e400}',
    b'{"requests": [{"history": ["s3cr3t"]}]}',
    b"[" * 2000,
]
PATHS = [
    b"/v1/similar",
    b"/v1/recommendations",
    b"/v1/recommendations:batch",
    b"/v1/items/i050/similar?k=3",
    b"/v1/items/%ff%00s3cr3t/similar",
    b"/v1/items?q=%ED%A0%80s3cr3t",
    b"/v1/bundle",
    b"/docs",
    b"/../../etc/passwd",
]
METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"s3cr3t"]
HEADERS = [
    b"content-length: 5",
    b"content-length: -1",
    b"content-length: 99999999999999999999",
    b"transfer-encoding: chunked",
    b"expect: 100-continue",
    b"authorization: Bearer s3cr3t",
    b"x-s3cr3t: \xff\xfe",
    b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: s3cr3t\r\nsec-websocket-version: 13",
    b"x: " + b"y" * 9000,
]


def requests(number: int) -> Iterator[bytes]:
    """Half of them well-formed but strange, half of them cut, repeated, or with other bytes here and there."""
    chance = random.Random(0)
    for _ in range(number):
        body, method, path = chance.choice(BODIES), chance.choice(METHODS), chance.choice(PATHS)
        headers = [b"host: x", b"content-length: %d" % len(body), *chance.sample(HEADERS, chance.randrange(3))]
        made = bytearray(b"%s %s HTTP/1.1\r\n%s\r\n\r\n%s" % (method, path, b"\r\n".join(headers), body))
        if chance.random() < 0.5:
            for _ in range(chance.randrange(1, 8)):
                made[chance.randrange(len(made))] = chance.randrange(256)
            made = made[: chance.randrange(1, len(made))] * chance.randrange(1, 3)
        yield bytes(made)


def answered(port: int, request: bytes) -> bytes:
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, suppress(ConnectionError):
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(1 << 16):
            found += part
    return found


@pytest.mark.slow
def test_ten_thousand_requests_over_raw_sockets(server: Running) -> None:
    statuses = set()
    for request in requests(10_000):
        found = answered(server.port, request)
        if found:
            statuses.add(int(found[9:12]))
            told = found.replace(b'"unknown":["s3cr3t"]', b"")
            assert MARK not in told, (request, found)
    assert {200, 400, 404, 405, 422} <= statuses
    assert all(status < 500 or status == 503 for status in statuses), statuses
    assert server.ask("GET", "/healthz")[0] == 200
    faults = [place for place, line in enumerate(server.lines) if "Traceback" in line]
    assert not faults, "".join(server.lines[faults[0] - 5 : faults[0] + 60])


# Its own list of refusals lacks 413, which a body of a megabyte gets before anybody looks into it.
REFUSALS = """[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, 503]
"""


@pytest.mark.slow
def test_every_check_of_schemathesis(server: Running, tmp_path: Path) -> None:
    """Some 800 cases; 10,000 are `--max-examples 1000`, and a few minutes."""
    (tmp_path / "schemathesis.toml").write_text(REFUSALS)
    checks = ["--checks", "all", "--max-examples", "60", "--seed", "1", "--no-color"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", *checks]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert not any("Traceback" in line for line in server.lines)
