"""Old or new, never between: in one process, under errors of the disk, and under kill -9 at every step."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from recsys import durable
from recsys.errors import BusyError, DiskError, UserError

REPOSITORY = Path(__file__).parents[1]


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def test_bytes_json_and_arrays_come_back(tmp_path: Path) -> None:
    durable.write_bytes(tmp_path / "new/bytes", b"\0\xff")
    durable.write_json(tmp_path / "value.json", {"b": 1, "a": ["é", None, 0.1]})
    durable.write_array(tmp_path / "array.npy", np.arange(6, dtype=np.int32).reshape(2, 3))
    assert (tmp_path / "new/bytes").read_bytes() == b"\0\xff"
    assert (tmp_path / "value.json").read_bytes() == durable.json_bytes({"a": ["é", None, 0.1], "b": 1})
    assert np.load(tmp_path / "array.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_cannot_be_stored_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.write_bytes(path, b"old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        durable.write_json(path, {"ndcg": float("nan")})
    with pytest.raises(ValueError, match="pickle"):
        durable.write_array(path, np.array([{}], dtype=object))
    assert contents(tmp_path) == {"file": b"old"}


def test_a_failed_block_leaves_the_old_directory(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with durable.replaced_directory(target) as temporary:
        (temporary / "old").write_text("1")
    with pytest.raises(KeyError), durable.replaced_directory(target) as temporary:
        (temporary / "new").write_text("2")
        raise KeyError
    assert contents(tmp_path) == {"model/old": b"1"}


def test_a_directory_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for name in ("first", "second"):
        with durable.replaced_directory(target) as temporary:
            (temporary / "sub").mkdir()
            (temporary / "sub" / name).write_text(name)
    assert contents(tmp_path) == {"model/sub/second": b"second"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_without_the_exchange_call_a_directory_is_still_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_exchange", lambda *_: False)
    test_a_directory_is_replaced_whole(tmp_path)


def test_a_link_is_replaced(tmp_path: Path) -> None:
    for target in ("bundles/a", "bundles/b"):
        durable.point(tmp_path / "bundle", target)
        assert os.readlink(tmp_path / "bundle") == target
    assert len(list(tmp_path.iterdir())) == 1


def test_fingerprints_keep_parts_apart() -> None:
    parts = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ('a","b', "c"), ("a", "b", "c")]
    assert len({durable.fingerprint(*part) for part in parts}) == len(parts)


def test_sweep_removes_only_what_the_dead_left(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = [
        f".x.{ended.pid}-0123abcd-0.tmp",
        f".x.{os.getpid()}-0123abcd-1.tmp",
    ]  # the second: an earlier life
    kept = [
        ".x.1-0123abcd-0.tmp",
        f".x.{os.getpid()}-{durable._TOKEN}-0.tmp",
        "x.tmp",
        ".hidden",
        ".notes.tmp",
    ]
    for name in (*dead, *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    durable.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    durable.write_bytes(tmp_path / "file", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        message = r"cannot write .*file: No space left on device; free some space"
        with pytest.raises(DiskError, match=message):
            durable.write_bytes(tmp_path / "file", b"new")
        with (
            pytest.raises(DiskError, match=r"cannot write .*model: No space left"),
            durable.replaced_directory(tmp_path / "model") as temporary,
        ):
            (temporary / "part").touch()
    assert contents(tmp_path) == {"file": b"old"}
    assert issubclass(DiskError, UserError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_inside_the_block(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskError, match=r"cannot write .*file: No space left"),
        durable.replaced_file(tmp_path / "file"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"1")
    assert contents(tmp_path) == {}


def test_errors_of_other_files_are_not_the_disks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), durable.replaced_file(tmp_path / "out"):
        Path("/nowhere/input").read_bytes()


READ_ONLY = """
import os, sys
from pathlib import Path
from recsys import durable
from recsys.errors import DiskError
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
here = Path(sys.argv[1])
def make_directory(path):
    with durable.replaced_directory(path):
        pass
def lock(path):
    with durable.locked(path, "workdir"):
        pass
attempts = [
    lambda: durable.write_bytes(here / "file", b"1"), lambda: durable.write_bytes(here / "deep/file", b"1"),
    lambda: make_directory(here / "model"), lambda: durable.point(here / "link", "x"), lambda: lock(here),
]
for attempt in attempts:
    try:
        attempt()
    except DiskError as error:
        print(error)
"""


def test_a_read_only_directory_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:  # tmp_path lies below directories that only root may enter
        here = Path(name)
        here.chmod(0o555)
        command = [sys.executable, "-c", READ_ONLY, name]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
        assert ended.returncode == 0, ended.stderr
        here.chmod(0o755)
        assert contents(here) == {}
    lines = ended.stdout.splitlines()
    paths = [line.split(": ")[0].removeprefix(f"cannot write {name}/") for line in lines]
    assert paths == ["file", "deep/file", "model", "link", ".lock"]
    assert all(line.endswith("Permission denied; choose a workdir that may be written") for line in lines)


HOLD = """
import sys
from pathlib import Path
from recsys import durable
with durable.locked(Path(sys.argv[1]), "workdir"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_directory_is_refused_until_the_holder_dies(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    message = f"workdir {tmp_path} is in use by process {holder.pid}: wait until it has ended"
    with pytest.raises(BusyError, match=message), durable.locked(tmp_path, "workdir"):
        pass
    holder.kill()
    holder.communicate()
    with durable.locked(tmp_path, "workdir"):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


KILLED = """
import os, signal, sys
from pathlib import Path
from recsys import durable
workdir, fatal, version = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
steps = 0
def count(path):
    global steps
    steps += 1
    if steps == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
durable.before_write = count
with durable.replaced_directory(workdir / "model") as temporary:
    for name in "ab":
        (temporary / name).write_text(version)
durable.write_bytes(workdir / "file", version.encode())
durable.point(workdir / "link", version)
print(steps)
"""


def run_killed(workdir: Path, fatal: int, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(workdir), str(fatal), version]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_killed_before_every_step_it_is_old_or_new(tmp_path: Path) -> None:
    total = int(run_killed(tmp_path / "whole", 0, "old").stdout)
    assert total >= 7
    for fatal in range(1, total + 1):
        workdir = tmp_path / str(fatal)
        assert run_killed(workdir, 0, "old").returncode == 0
        ended = run_killed(workdir, fatal, "new")
        assert ended.returncode == -signal.SIGKILL, f"the kill before step {fatal} missed its window"
        directory = {name: (workdir / "model" / name).read_text() for name in "ab"}
        assert directory in ({"a": "old", "b": "old"}, {"a": "new", "b": "new"})
        assert (workdir / "file").read_text() in ("old", "new")
        assert os.readlink(workdir / "link") in ("old", "new")
        assert run_killed(workdir, 0, "new").returncode == 0
        durable.sweep(workdir)  # what a stage's lock does
        assert sorted(path.name for path in workdir.iterdir()) == ["file", "link", "model"]
        assert {path.read_text() for path in (workdir / "model").iterdir()} == {"new"}
