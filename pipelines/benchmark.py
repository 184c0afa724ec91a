"""`recsys benchmark train|rank|recommend CONFIG [key=value ...]`, `recsys benchmark lookup|serve BUNDLE`"""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.arguments import Config, Overrides
from pipelines.console import run, session, show, tell

Seconds = Annotated[float, typer.Option(min=0.1, max=3600, help="How long the throughput is measured.")]

benchmark = typer.Typer(no_args_is_help=True, help="Measures speed and memory; says whether the machine was quiet.")


@benchmark.command()
def train(
    config: Config,
    overrides: Overrides = None,
    seconds: Seconds = 30.0,
) -> None:
    """Training clicks/s, memory, where the time goes, useful FLOP/s. Needs a prepared dataset."""
    from recsys.benchmark.commands import measure_training

    with session(config, overrides) as held:
        show(measure_training(held, seconds=seconds))


@benchmark.command()
def rank(
    config: Config,
    overrides: Overrides = None,
    seconds: Seconds = 30.0,
) -> None:
    """The ranker: training examples/s, memory, FLOP/s, and how soon one user's candidates are ranked."""
    from recsys.benchmark.commands import measure_ranking

    with session(config, overrides) as held:
        show(measure_ranking(held, seconds=seconds))


@benchmark.command()
def recommend(
    config: Config,
    overrides: Overrides = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="How many whole runs; their median counts.")] = 3,
) -> None:
    """Offline lists in users/s, memory, where the time goes, useful FLOP/s. Needs a published bundle."""
    from recsys.benchmark.commands import measure_recommending

    with session(config, overrides) as held:
        show(measure_recommending(held, repeats=repeats))


@benchmark.command()
def lookup(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|BUNDLE|VECTORS",
            help="A configuration, a bundle's directory, or made vectors: clustered:1000000x64, normal:100000x64.",
        ),
    ],
    kind: Annotated[
        str | None, typer.Option(help="Of the index to build: auto, flat, ivf, sq, pq, hnsw; none: the bundle's own.")
    ] = None,
    kinds: Annotated[str, typer.Option(help="Kinds to draw recall against speed of, as in ivf,sq,pq,hnsw.")] = "",
    out: Annotated[Path, typer.Option(help="The directory of benchmark/lookup.json, and of the plot.")] = Path(),
) -> None:
    """Nearest items: queries/s and recall of an index, of the exact search and of FAISS alone, on the same vectors."""
    from recsys.benchmark.lookup_command import measure_lookups

    show(
        measure_lookups(
            str(_bundle(source)), kind=kind, kinds=[name for name in kinds.split(",") if name], out=out, tell=tell
        )
    )


@benchmark.command()
def serve(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|BUNDLE|VECTORS",
            help="A configuration, a bundle's directory, or made vectors: clustered:1000000x64.",
        ),
    ],
    seconds: Seconds = 10.0,
    out: Annotated[Path, typer.Option(help="The directory of benchmark/serve.json.")] = Path(),
) -> None:
    """A server under load: requests/s and latencies, beside a bare route of the same server as the limit."""
    from recsys.benchmark.serve_command import measure_serving

    show(measure_serving(str(_bundle(source)), seconds=seconds, out=out, tell=tell))


def _bundle(source: str) -> Path:
    from recsys.config import load_config

    return load_config(source).workdir / "bundle" if source.endswith((".yaml", ".yml")) else Path(source)


if __name__ == "__main__":
    run(benchmark)
