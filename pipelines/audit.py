"""`recsys audit CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show


def audit(config: Config, overrides: Overrides = None) -> None:
    """Looks for leaks from the test clicks into training, counts and systems; exit code 2 where there is one."""
    from recsys.stages.audit import audit as stage

    with session(config, overrides) as held:
        audited = stage(held)
        show(audited)
        audited.require_clean()


if __name__ == "__main__":
    run_alone(audit)
