"""`recsys`: one command a stage, and what goes with them."""

import typer

from pipelines.audit import audit
from pipelines.benchmark import benchmark
from pipelines.blend import blend
from pipelines.compare import compare
from pipelines.console import run as run_app
from pipelines.evaluate import evaluate
from pipelines.index import index
from pipelines.prepare import prepare
from pipelines.rank import rank
from pipelines.recommend import recommend
from pipelines.run import run
from pipelines.serve import serve
from pipelines.similar import similar
from pipelines.simulate import simulate
from pipelines.train import train
from pipelines.tune import tune

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="A click log in, recommendations out.",
    epilog="Start with: recsys run configs/quickstart.yaml",
)
for command in (
    run,
    prepare,
    train,
    rank,
    blend,
    tune,
    evaluate,
    audit,
    index,
    recommend,
    compare,
    similar,
    serve,
    simulate,
):
    app.command()(command)
app.add_typer(benchmark, name="benchmark")


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        from recsys import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The console script."""
    run_app(app)


if __name__ == "__main__":
    main()
