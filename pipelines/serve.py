"""`recsys serve BUNDLE [--host 127.0.0.1 --port 8000]`"""

import signal
from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import run_alone


def serve(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's directory, such as runs/mine/bundle.")],
    host: Annotated[str, typer.Option(help="Whom to listen to; 0.0.0.0 is everybody.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: one that is free.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes, which share the mapped index.")] = 1,
    watch: Annotated[float, typer.Option(min=0, help="Seconds between looks at the bundle's pointer; 0: none.")] = 0.0,
    drain: Annotated[int, typer.Option(min=1, help="Seconds for accepted requests after SIGTERM.")] = 10,
) -> None:
    """Serves nearest items and recommendations over HTTP. RECSYS_TOKEN is asked of clients where it is set."""
    # until there is a bundle to load again; the import alone takes seconds
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from recsys.serving.config import ServeConfig
    from recsys.serving.server import serve as run_server

    config = ServeConfig.told(host=host, port=port, workers=workers, watch_seconds=watch, drain_seconds=drain)
    run_server(bundle, config)


if __name__ == "__main__":
    run_alone(serve)
