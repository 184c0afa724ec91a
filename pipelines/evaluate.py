"""`recsys evaluate CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show


def evaluate(config: Config, overrides: Overrides = None) -> None:
    """Ranks the whole catalogue for the test users, beside the baselines."""
    from recsys.stages.evaluate import evaluate as stage

    with session(config, overrides) as held:
        show(stage(held))


if __name__ == "__main__":
    run_alone(evaluate)
