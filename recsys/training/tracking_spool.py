"""What a run has told its tracker, on disk first: a list of events, and how far MLflow has received it.

    tracking-spool.jsonl     one event a line, only ever appended to, by the process that works
    tracking-receipt.json    how many of its bytes are delivered, and where; written by the process that delivers

The spool is the truth and MLflow a copy: another tracking URI, or a run that is gone, is sent the whole of it.
Knows nothing of MLflow.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, TypeAdapter, ValidationError

from recsys.durable import write_bytes
from recsys.section import Section

RunStatus = Literal["RUNNING", "FINISHED", "KILLED", "FAILED"]


class Params(Section):
    kind: Literal["params"] = "params"
    values: dict[str, str]


class Metrics(Section):
    """Finite numbers; the time, in ms since 1970, is that of the event, so a second delivery changes nothing."""

    kind: Literal["metrics"] = "metrics"
    values: dict[str, float]
    step: int
    time: int


class Tags(Section):
    kind: Literal["tags"] = "tags"
    values: dict[str, str]


class Artifact(Section):
    """One file: relative to the spool's directory if it lies there, so that a workdir may be moved."""

    kind: Literal["artifact"] = "artifact"
    path: str
    folder: str


class Status(Section):
    kind: Literal["status"] = "status"
    status: RunStatus
    time: int


Event = Annotated[Params | Metrics | Tags | Artifact | Status, Field(discriminator="kind")]
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Spool:
    """The events of one workdir."""

    def __init__(self, workdir: Path) -> None:
        self.path = workdir / "tracking-spool.jsonl"

    def mend(self) -> None:
        """End the line that a killed process left unfinished, so that the next event stands on its own."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.tell() > 0:
                file.seek(-1, 2)
                if file.read() != b"\n":
                    file.write(b"\n")

    def append(self, event: Event) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(event.model_dump_json().encode() + b"\n")

    def after(self, offset: int) -> Iterator[tuple[Event | None, int]]:
        """Each event that starts at byte `offset` or later, with the offset behind it; None where a line was torn."""
        with self.path.open("rb") as file:
            file.seek(offset)
            while (line := file.readline()).endswith(b"\n"):
                yield _parsed(line), file.tell()

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


class Receipt(Section):
    """What has become of a spool; replaced as a whole, so a reader never sees half of it."""

    worker: int
    """Process that wrote this."""
    uri: str
    """Where the events were delivered to, without the password."""
    key: str
    """Tag of the run: a run that was created, but never reported, is found again by it."""
    run_id: str | None = None
    delivered: NonNegativeInt = 0
    """Bytes of the spool."""
    failure: str | None = None
    """Why nothing can be delivered at the moment."""
    refused: NonNegativeInt = 0
    """Events that this worker could not deliver though the server answered."""
    refusal: str = ""
    """Why, of the latest of them."""

    def write(self, workdir: Path) -> None:
        write_bytes(receipt_path(workdir), self.model_dump_json(indent=1).encode())


def receipt_path(workdir: Path) -> Path:
    return workdir / "tracking-receipt.json"


def read_receipt(workdir: Path) -> Receipt | None:
    """None where nothing was ever delivered, or the file is not a receipt."""
    try:
        return Receipt.model_validate_json(receipt_path(workdir).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


class Assignment(Section):
    """What the process that delivers is told when it starts."""

    workdir: Path
    uri: str
    experiment: str
    run_id: str | None

    @property
    def safe_uri(self) -> str:
        return without_password(self.uri)


def is_delivered(assignment: Assignment) -> bool:
    """Whether the whole spool has arrived at this place, as far as the receipt tells."""
    size, receipt = Spool(assignment.workdir).size(), read_receipt(assignment.workdir)
    return size == 0 or (receipt is not None and receipt.uri == assignment.safe_uri and receipt.delivered >= size)


def without_password(text: str) -> str:
    """Every `//user:password@host` in a text becomes `//***@host`; the path of `sqlite:///a@b` stays."""
    return re.sub(r"(?<!/)//[^/\s]+@", "//***@", text)


def _parsed(line: bytes) -> Event | None:
    try:
        return _EVENT.validate_json(line)
    except ValidationError:
        return None
