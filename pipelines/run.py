"""`recsys run CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides, Restart
from pipelines.console import out, run_alone, session, show


def run(config: Config, overrides: Overrides = None, restart: Restart = False) -> None:
    """Every stage: prepare, train, evaluate, index, recommend. What is done and unchanged is not done again."""
    from recsys.stages.run import run as stages

    with session(config, overrides) as held:
        everything = stages(held, restart=restart, show=show)
    out.print("\n[bold]Where everything is[/bold]")
    for name, place in everything.places(held.tracking_uri).items():
        out.print(f"  {name:<16} {place}", markup=False)
    published = everything.published
    out.print(f"\nNext: recsys similar {published.pointer} {published.example_item}", markup=False)


if __name__ == "__main__":
    run_alone(run)
