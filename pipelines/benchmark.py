"""`recsys benchmark train|rank|recommend CONFIG [key=value ...]`, `recsys benchmark lookup|serve|click BUNDLE`,
`recsys benchmark mixers CONFIG ... [key=value ...]`"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.arguments import Config, Overrides
from pipelines.console import run, session, show, tell
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.benchmark.mixers import Variant
    from recsys.stages.session import Session

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

    show(measure_lookups(str(_bundle(source)), kind=kind, kinds=_listed(kinds), out=out, tell=tell))


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


@benchmark.command()
def click(
    source: Annotated[str, typer.Argument(metavar="CONFIG|BUNDLE", help="A configuration, or a bundle's directory.")],
    out: Annotated[Path, typer.Option(help="The directory of benchmark/click.json.")] = Path(),
) -> None:
    """One more click of a user, and of 32 at once: a step of what was kept, beside a pass over the whole history."""
    from recsys.benchmark.incremental import measure_clicks

    show(measure_clicks(_bundle(source), out))


@benchmark.command()
def mixers(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG... [KEY=VALUE...]",
            help="YAML files that differ in model.mixer, as in configs/mixers/, and keys to override in all of them.",
        ),
    ],
    minutes: Annotated[float, typer.Option(min=0.0, help="Of training, with each seed; 0: none is trained.")] = 0.0,
    lengths: Annotated[str, typer.Option(help="Clicks of a row.")] = "50,200,1000,4000",
    seeds: Annotated[str, typer.Option(help="Of trainings.")] = "0",
    best: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many, the best with the first seed, are trained with the others; all by default."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="The directory of benchmark/mixers.json, of the plots and of the trainings;"
            " what is there already is not measured again."
        ),
    ] = Path("runs/mixers"),
) -> None:
    """Mixers side by side: parameters, time and memory of a training step at each length, NDCG@10 after a while."""
    rows, draws = _whole(lengths, "--lengths", 1), _whole(seeds, "--seeds", 0)
    from recsys.benchmark.mixers import Wanted, measure_mixers

    overrides = [source for source in sources if "=" in source]
    variants = [_variant(source, overrides) for source in sources if source not in overrides]
    if not variants:
        raise ConfigError("benchmark mixers takes one configuration or more, as in configs/mixers/*.yaml")
    show(measure_mixers(variants, Wanted(rows, out, minutes, draws, best), tell=tell))


def _variant(path: str, overrides: Sequence[str]) -> "Variant":
    from recsys.benchmark.mixers import Variant
    from recsys.config import load_config

    config = load_config(path, overrides)

    def opened(changes: Sequence[str]) -> "AbstractContextManager[Session]":
        return session(path, [*overrides, *changes])

    return Variant(Path(path).stem, config.model, config.training, opened)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(text: str, option: str, least: int) -> list[int]:
    """Numbers, as in 50,200."""
    parts = _listed(text)
    if not parts or not all(part.isdecimal() and int(part) >= least for part in parts):
        rule = f"whole numbers from {least} on, as in 50,200"
        raise typer.BadParameter(f"{rule}; found {text!r}", param_hint=option)
    return [int(part) for part in parts]


def _bundle(source: str) -> Path:
    from recsys.config import load_config

    return load_config(source).workdir / "bundle" if source.endswith((".yaml", ".yml")) else Path(source)


if __name__ == "__main__":
    run(benchmark)
