"""The shell around every command: signals, errors to exit codes, and where messages go. Knows no stage."""

import json
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsys.errors import Interrupted, RecsysError

if TYPE_CHECKING:
    from recsys.stages.session import Session

out = Console(highlight=False, soft_wrap=True, emoji=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def tell(message: str) -> None:
    """One line about what is going on, to stderr."""
    _err.print(message, style="dim", markup=False)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """To stdout; all columns but the first are aligned to the right where they hold numbers."""
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        is_number = number > 0 and all(re.fullmatch(r"-?[\d.,]+%?|-|", row[number]) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(table)


class Shown(Protocol):
    """A result that can say what it is, in lines."""

    def lines(self) -> list[str]: ...


def show(result: Shown) -> None:
    """To stdout."""
    out.print("\n".join(result.lines()), markup=False)


def show_json(value: object) -> None:
    """To stdout."""
    out.print(json.dumps(value, ensure_ascii=False, indent=1), markup=False)


@contextmanager
def session(config: str, overrides: Sequence[str] | None) -> Iterator["Session"]:
    """The workdir of a configuration, held."""
    from recsys.config import load_config
    from recsys.stages.session import opened

    source = " ".join([config, *(overrides or [])])
    with opened(load_config(config, overrides or ()), source=source, tell=tell) as held:
        yield held


def run_alone(command: Callable[..., None]) -> None:
    """What `python -m pipelines.<stage>` does."""
    app = typer.Typer(add_completion=False)
    app.command()(command)
    run(app)


def run(app: typer.Typer) -> None:
    """Exit codes: 0 done, 2 the user's mistake, 3 a damaged artefact, 130 SIGINT, 143 SIGTERM, 1 a bug."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app()
    except RecsysError as error:
        _err.print(f"error: {error}", style="red", markup=False)
        sys.exit(error.exit_code)


def _stop(number: int, _: FrameType | None) -> Any:
    signal.signal(number, signal.SIG_DFL)
    raise Interrupted(number)
