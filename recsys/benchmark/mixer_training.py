"""A training that is kept, and what it was made on."""

from recsys.benchmark.machine import Load, LoadMeter
from recsys.benchmark.results import Setting
from recsys.durable import write_json
from recsys.errors import ConfigError
from recsys.section import Section
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.train import train
from recsys.training.outcome import TrainingOutcome

MACHINE = "machine.json"


class KeptMachine(Section):
    """What a training was made on; of one that was stopped and went on, where it ended."""

    setting: Setting
    load: Load


def trained_here(session: Session, setting: Setting) -> tuple[TrainingOutcome, Load]:
    """What has finished is not trained again. ConfigError where that was on another machine: minutes of two machines
    do not compare."""
    file = session.layout.workdir / MACHINE
    if session.fault(Stage.TRAIN) is None:
        outcome = train(session).outcome
        if not file.exists():
            return outcome, Load(others=None)
        kept = KeptMachine.read(file, remedy="delete its directory, and train again")
        if kept.setting != setting:
            raise ConfigError(
                f"{session.layout.workdir} was trained on {kept.setting.line}, and this is {setting.line}: minutes do "
                f"not compare; delete it, or name another --out"
            )
        return outcome, kept.load
    meter = LoadMeter()
    outcome = train(session).outcome
    load = meter.load()
    write_json(file, KeptMachine(setting=setting, load=load).model_dump(mode="json"))
    return outcome, load
