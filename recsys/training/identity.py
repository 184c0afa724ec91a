"""What a training run is a function of. A checkpoint may be resumed only under the identity it was started with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from recsys.durable import write_json
from recsys.errors import ConfigError
from recsys.section import Section, flatten

FILE = "identity.json"
DATASET = "the prepared dataset"

# How the work is done, not what comes out of it.
IRRELEVANT = {"training.checkpoint_minutes", "training.refit", "training.device", "training.threads"}


@dataclass(frozen=True)
class Identity:
    """Dotted keys and their values as text."""

    values: Mapping[str, str]

    @classmethod
    def of(cls, *, dataset: str, seed: int, exclude_seen: bool, model: Section, training: Section) -> "Identity":
        values = {
            "seed": str(seed),
            "recommend.exclude_seen": str(exclude_seen),
            DATASET: dataset,
        }
        sections: dict[str, BaseModel] = {"model": model, "training": training}
        for name, section in sections.items():
            values |= {f"{name}.{key}": value for key, value in flatten(section).items()}
        return cls.of_values(values)

    @classmethod
    def of_values(cls, values: Mapping[str, str]) -> "Identity":
        """Without what decides how the work is done."""
        return cls({key: value for key, value in values.items() if key.removeprefix("ranker.") not in IRRELEVANT})

    def claim(self, directory: Path) -> None:
        """Marks a fresh directory as this run's."""
        if not (directory / FILE).exists():
            write_json(directory / FILE, dict(self.values))

    def differences(self, directory: Path) -> str:
        """In which keys the run that the directory holds is another one, for people; empty where it is this one."""
        path = directory / FILE
        if not path.exists():
            return ""
        saved: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        changed = sorted(key for key in saved.keys() | self.values.keys() if saved.get(key) != self.values.get(key))
        told = [
            f"{DATASET} has changed" if key == DATASET else f"{key} was {saved.get(key)}, is {self.values.get(key)}"
            for key in changed
        ]
        return "; ".join(told[:3])


def refusal(directory: Path, differences: str) -> ConfigError:
    return ConfigError(
        f"{directory} holds an unfinished training of another configuration: {differences}. "
        f"Set it back to go on, or forget that training with --restart (from Python, restart=True)"
    )
