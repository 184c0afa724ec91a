"""The configuration of a run: defaults in code, differences in a file, the last word on the command line."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import JsonValue, NonNegativeInt, ValidationError, model_validator

from recsys.config_errors import Problem, problems
from recsys.config_rules import (
    require_causality,
    require_enough_candidates,
    require_times,
    require_what_ranks,
    require_whole_steps,
    with_examples,
)
from recsys.data.config import DataConfig
from recsys.errors import ConfigError
from recsys.evaluation.config import EvaluationConfig
from recsys.index.config import AutoIndex, IndexConfig
from recsys.model.retriever import RetrieverConfig
from recsys.recommend_config import RecommendConfig
from recsys.section import Section
from recsys.training.config import TrainingConfig
from recsys.training.ranker_section import RankerSection
from recsys.training.tracking import TrackingConfig
from recsys.training.tuning_config import TuningConfig

COMMAND_LINE = "the command line"
COLLECTIONS_AND_QUOTES = ("[", "{", "'", '"')


class RunConfig(Section):
    """Everything a run depends on. Relative paths start at the current directory."""

    workdir: Path
    """Everything a run writes lies under it; by default runs/<name of the configuration's file>."""
    seed: NonNegativeInt = 0
    data: DataConfig
    model: RetrieverConfig = RetrieverConfig()
    training: TrainingConfig = TrainingConfig()
    ranker: RankerSection | None = None
    evaluation: EvaluationConfig = EvaluationConfig()
    index: IndexConfig = AutoIndex()
    recommend: RecommendConfig = RecommendConfig()
    tracking: TrackingConfig = TrackingConfig()
    tuning: TuningConfig = TuningConfig()

    @model_validator(mode="before")
    @classmethod
    def _default_examples(cls, values: Any) -> Any:
        return with_examples(values)

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        require_times(self.model, self.data)
        require_whole_steps(self.model, self.training)
        require_causality(self.model, self.training, self.ranker)
        require_what_ranks(self.ranker, self.data)
        require_enough_candidates(self.ranker, self.recommend)
        return self


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration in a YAML file, with `dotted.key=value` overrides; ConfigError where it is no use."""
    values = {"workdir": f"runs/{Path(path).stem}", **_read(Path(path))}
    return make_config(values, dict(map(_parse_override, overrides)), source=str(path))


def make_config(
    values: Mapping[str, JsonValue],
    overrides: Mapping[str, Any],
    *,
    source: str,
    overrider: str = COMMAND_LINE,
) -> RunConfig:
    """A configuration of nested values and dotted overrides; `source` and `overrider` name them in errors."""
    tree = dict(values)
    for key, value in overrides.items():
        tree = _placed(tree, key.split("."), value)
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        found = problems(error, RunConfig)
        told = [f"{_blamed(problem, overrides, source, overrider)}: {problem.text}" for problem in found]
        raise ConfigError("\n".join(told)) from error


def resolved(config: RunConfig) -> dict[str, JsonValue]:
    """The whole configuration as plain JSON, which is YAML too: `load_config` reads it back unchanged."""
    return config.model_dump(mode="json")


def overridden(config: RunConfig, values: Mapping[str, JsonValue], *, overrider: str) -> RunConfig:
    """The configuration with other values at dotted keys; ConfigError, naming `overrider`, where they are no use."""
    return make_config(_set_by_user(config), values, source="the configuration", overrider=overrider)


def value_at(config: RunConfig, key: str) -> JsonValue:
    """What stands at a dotted key, set or by default; None where nothing does."""
    return _found(resolved(config), key)


def is_set(config: RunConfig, key: str) -> bool:
    """Whether a dotted key has a value of its own, and not the default."""
    return _found(_set_by_user(config), key) is not None


def as_yaml(config: RunConfig) -> str:
    """What was set for a run, as a configuration file of its own: without defaults and what tunes it."""
    values = {name: value for name, value in _set_by_user(config).items() if name != "tuning"}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _found(value: JsonValue, key: str) -> JsonValue:
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _set_by_user(config: RunConfig) -> dict[str, JsonValue]:
    whole, values = resolved(config), config.model_dump(mode="json", exclude_unset=True)
    return {name: _kept(value, whole[name]) for name, value in values.items()}


def _kept(value: JsonValue, whole: JsonValue) -> JsonValue:
    """`value` with the kind of each section: whoever makes a section in Python need not set it."""
    if isinstance(value, dict) and isinstance(whole, dict):
        kind = {"kind": whole["kind"]} if "kind" in whole else {}
        return kind | {name: _kept(part, whole[name]) for name, part in value.items()}
    if isinstance(value, list) and isinstance(whole, list):
        return [_kept(*pair) for pair in zip(value, whole, strict=True)]
    return value


def _blamed(problem: Problem, overrides: Mapping[str, Any], source: str, overrider: str) -> str:
    """Who wrote what is wrong: an override of the key or of one above it, or, of keys below it, perhaps both."""
    if any(f"{problem.key}.".startswith(f"{key}.") for key in overrides):
        return overrider
    below = f"{problem.key}." if problem.key else ""
    is_mixed = any(key.startswith(below) for key in overrides)
    return f"{source} and {overrider}" if is_mixed else source


def _placed(tree: Mapping[str, Any], path: Sequence[str], value: object) -> dict[str, Any]:
    """A copy of the tree with the value at the path; what stood in the way gives way."""
    name, *rest = path
    if rest:
        below = tree.get(name)
        value = _placed(below if isinstance(below, Mapping) else {}, rest, value)
    return {**tree, name: value}


def _parse_override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigError(f"{COMMAND_LINE}: an override reads key=value, as in model.dim=128; found {text!r}")
    if value.startswith(COLLECTIONS_AND_QUOTES):
        return key, _parse(value, source=f"{COMMAND_LINE}: {text!r}")
    return key, _scalar(value.strip() or value)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = sorted(map(str, path.parent.glob("*.yaml"))) or sorted(map(str, Path("configs").glob("*.yaml")))
        hint = f"; there are {', '.join(near)}" if near else ""
        raise ConfigError(f"there is no configuration file {path}{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a UTF-8 text file: {error}") from error
    values = {} if (parsed := _parse(text, source=str(path))) is None else parsed
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a configuration is a mapping of keys to values; found {type(values).__name__}")
    return values


def _parse(text: str, *, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
        raise ConfigError(f"{source} is not valid YAML: {error.problem}{place}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {str(error).splitlines()[0]}") from error


def _scalar(text: str) -> Any:
    """A null, a boolean, a number, or the text as it stands, whatever it means elsewhere in YAML: `::`, `*.csv`."""
    loader = _Loader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return loader.construct_object(yaml.ScalarNode(tag, text))


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema (1e-3 is a number; yes, 1:30 and 2024-01-01 are text), and no key twice."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _resolve(tag: str, pattern: str, first: Iterable[str]) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), list(first))


_resolve("null", "~|null|Null|NULL|", ["~", "n", "N", ""])
_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", "[-+]?(0|[1-9][0-9]*)", "-+0123456789")
_resolve(
    "float",
    r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.inf|\.nan",
    "-+.0123456789",
)
