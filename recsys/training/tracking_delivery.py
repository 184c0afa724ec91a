"""Carries a workdir's events to wherever runs are kept: the life of the worker that `tracking_courier` starts.

Knows nothing of MLflow.
"""

import contextlib
import fcntl
import os
import secrets
import select
from collections.abc import Callable
from typing import Protocol

from recsys.training.tracking_spool import (
    Assignment,
    Event,
    Receipt,
    Spool,
    Status,
    now,
    read_receipt,
    without_password,
)

POLL_SECONDS = 0.1
RETRY_SECONDS = 60.0
"""A server that failed is left alone for so long; it costs training nothing."""


class Unreachable(Exception):  # noqa: N818 - a state of the world
    """Nothing can be delivered now; all of it is to be kept."""


class Refused(Exception):  # noqa: N818 - an answer
    """This one event cannot be delivered, now or later."""


class Store(Protocol):
    """Where runs are kept; both methods raise Unreachable, `deliver` also Refused."""

    def connect(self, known_run_id: str | None, key: str) -> str:
        """The run's id: the known one if it still exists, else the one that has this key, else a new one."""

    def deliver(self, event: Event) -> None: ...


class Delivery:
    """Sends what the spool holds, keeps the receipt, goes on until the owner has gone."""

    def __init__(self, assignment: Assignment) -> None:
        self.workdir = assignment.workdir
        self.spool = Spool(self.workdir)
        self.store: Store | None = None
        self.status = "RUNNING"
        last = read_receipt(self.workdir)
        key = secrets.token_hex(8) if last is None else last.key
        self.receipt = Receipt(worker=os.getpid(), uri=assignment.safe_uri, key=key, run_id=assignment.run_id)
        is_same_place = last is not None and last.uri == assignment.safe_uri and last.delivered <= self.spool.size()
        if last is not None and is_same_place and assignment.run_id in (None, last.run_id):
            self.receipt = self.receipt.model_copy(update={"run_id": last.run_id, "delivered": last.delivered})
        self.note()

    def run(self, open_store: Callable[[], Store], has_gone: Callable[[float], bool]) -> None:
        """`has_gone(seconds)` waits so long at most for the owner's end, and says whether it has come."""
        reached, gone = True, False
        while not gone:
            gone = has_gone(POLL_SECONDS if reached else RETRY_SECONDS)
            reached = self._attempt(open_store)
        # an owner that left without a word was killed
        if reached and self.status == "RUNNING" and self.store is not None:
            with contextlib.suppress(Unreachable, Refused):
                self.store.deliver(Status(status="KILLED", time=now()))

    def note(self, **changes: str | int | None) -> None:
        self.receipt = self.receipt.model_copy(update=changes)
        self.receipt.write(self.workdir)

    def _attempt(self, open_store: Callable[[], Store]) -> bool:
        try:
            if self.store is None:
                self._connect(open_store())
            self._deliver_all()
        except Unreachable as error:
            self.note(failure=without_password(str(error)))
            return False
        return True

    def _connect(self, store: Store) -> None:
        run_id = store.connect(self.receipt.run_id, self.receipt.key)
        delivered = self.receipt.delivered if run_id == self.receipt.run_id else 0
        self.note(run_id=run_id, delivered=delivered, failure=None)
        self.store = store

    def _deliver_all(self) -> None:
        assert self.store is not None
        for event, end in self.spool.after(self.receipt.delivered):
            try:
                if event is not None:
                    self.store.deliver(event)
            except Refused as answer:
                self.note(refused=self.receipt.refused + 1, refusal=without_password(str(answer)))
            self.status = event.status if isinstance(event, Status) else self.status
            self.note(delivered=end, failure=None)


def deliver_until_gone(open_store: Callable[[Assignment], Store]) -> None:
    """The worker's whole life; returns when the owner has closed the pipe, or died, and the rest is sent."""
    # unbuffered: a second line that was read ahead would be invisible to `select`
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        assignment = Assignment.model_validate_json(pipe.readline())
        with Spool(assignment.workdir).path.open("rb") as file:
            # a worker whose owner was killed may still be sending the same events
            fcntl.flock(file, fcntl.LOCK_EX)
            Delivery(assignment).run(
                lambda: open_store(assignment),
                has_gone=lambda seconds: bool(select.select([pipe], [], [], seconds)[0]),
            )
