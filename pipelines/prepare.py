"""`recsys prepare CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show


def prepare(config: Config, overrides: Overrides = None) -> None:
    """Reads and checks the log, and makes the dataset of it."""
    from recsys.stages.prepare import prepare as stage

    with session(config, overrides) as held:
        show(stage(held))


if __name__ == "__main__":
    run_alone(prepare)
