"""One process at a time works in a workdir; another one is told whose it is."""

import subprocess
import sys

import pytest

from recsys.errors import BusyError, DataError, DiskError, Interrupted
from recsys.stages.prepare import prepare
from recsys.stages.session import Session
from recsys.stages.train import train
from tests.stages.workdirs import Project

HOLD = """
import sys
from pathlib import Path
from recsys.durable import locked
with locked(Path("run"), "the workdir"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(project: Project):
    """Another process that works in the project's workdir until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=project.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_on_the_same_workdir_is_refused_and_the_next_one_is_not(holder, project):
    before = project.files()
    told = rf"^the workdir run is in use by process {holder.pid}: wait until it has ended, or stop it$"
    with pytest.raises(BusyError, match=told), project.session():
        pass
    assert project.files() == before
    holder.kill()
    holder.wait()
    with project.session() as session:
        train(session)


def test_a_session_that_failed_lets_go_of_the_workdir(project):
    with pytest.raises(DataError), project.session():
        raise DataError("as an example")
    with project.session() as session:
        prepare(session)


def test_a_session_ends_as_its_own_block_ended(project, monkeypatch):
    endings = []
    monkeypatch.setattr(Session, "close", lambda _, status: endings.append(status))
    try:
        raise DataError("of the caller, who opens a session to mend it")
    except DataError:
        with project.session():
            pass
    for error in (Interrupted(15), KeyboardInterrupt(), DataError("as an example"), ZeroDivisionError()):
        with pytest.raises(type(error)), project.session():
            raise error
    assert endings == ["FINISHED", "KILLED", "KILLED", "FAILED", "FAILED"]


def test_what_a_killed_process_left_half_written_is_swept(project):
    leftover = project.workdir / f".dataset.{2**22 + 1}-0123abcd-7.tmp"
    leftover.mkdir()
    with project.session():
        assert not leftover.exists()


def test_a_workdir_that_cannot_be_made_is_told_by_name(project, tmp_path):
    (tmp_path / "file").write_text("")
    told = r"cannot write .*file/run/\.lock: Not a directory; move away what stands there or choose another workdir"
    with pytest.raises(DiskError, match=told), project.session(workdir=str(tmp_path / "file" / "run")):
        pass
