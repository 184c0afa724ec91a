"""`recsys blend CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show


def blend(config: Config, overrides: Overrides = None) -> None:
    """Chooses, by the validation clicks, how much the ranker says beside the retriever."""
    from recsys.stages.blend import blend as stage

    with session(config, overrides) as held:
        show(stage(held))


if __name__ == "__main__":
    run_alone(blend)
