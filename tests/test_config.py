"""Defaults in code, differences in a file, the last word on the command line."""

from pathlib import Path

import pytest
import yaml

from recsys.config import (
    RunConfig,
    _parse,
    _parse_override,
    is_set,
    load_config,
    make_config,
    overridden,
    resolved,
)
from recsys.data.config import DataConfig
from recsys.data.split_config import ByColumnConfig, ByTimeConfig, LeaveLastOutConfig
from recsys.model.retriever import RetrieverConfig
from recsys.nn.spans import LogSpansConfig
from recsys.section import flatten
from recsys.training.tuning_config import FloatDimension, TuningConfig

LOG = "data: {events: {path: clicks.csv}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(LOG)
    return path


def loaded(file: Path, text: str, *overrides: str) -> RunConfig:
    file.write_text(text)
    return load_config(file, overrides)


def test_a_log_is_all_that_a_configuration_must_name(file):
    config = load_config(file)
    assert config.data.events.path == Path("clicks.csv")
    assert (config.seed, config.workdir) == (0, Path("runs/mine"))
    assert (config.data.events.columns.user, config.data.events.columns.item) == ("user_id", "item_id")
    assert (config.data.events.columns.time, config.data.events.time_kind) == ("timestamp", "calendar")
    assert (config.training.max_epochs, config.training.max_minutes) == (100, None)
    assert (config.recommend.k, config.recommend.exclude_seen) == (10, True)
    assert config.tracking.kind == "mlflow"


def test_the_file_holds_differences_only(file):
    default = load_config(file)
    config = loaded(file, LOG + "seed: 3\nmodel: {dim: 32}\nworkdir: elsewhere\n")
    assert (config.seed, config.model.dim, config.workdir) == (3, 32, Path("elsewhere"))
    assert config.model.model_copy(update={"dim": default.model.dim}) == default.model
    assert config.training == default.training


def test_the_times_of_the_log_choose_the_default_split(file):
    assert load_config(file).data.split == ByTimeConfig()
    for kind in ("relative", "order"):
        config = load_config(file, [f"data.events.time_kind={kind}"])
        assert config.data.split == LeaveLastOutConfig()


def test_an_override_has_the_last_word_in_the_type_of_its_key(file):
    config = loaded(
        file,
        LOG + "model: {dim: 32, norm: rms}\nseed: 1\n",
        "model.dim=16",
        "training.optimizer.learning_rate=1e-3",
        "training.optimizer.betas=[0.8, 0.9]",
        "recommend.exclude_seen=false",
        "training.max_minutes=null",
        "data.events.separator=::",
        "data.events.keep=[{column: rating, value: 4}]",
        "workdir=runs/a=b",
    )
    assert (config.model.dim, config.model.norm, config.seed) == (16, "rms", 1)
    assert config.training.optimizer.learning_rate == 0.001
    assert config.training.optimizer.betas == (0.8, 0.9)
    assert config.recommend.exclude_seen is False
    assert config.training.max_minutes is None
    assert config.data.events.separator == "::"
    assert config.data.events.keep[0].value == 4
    assert config.workdir == Path("runs/a=b")


def test_an_override_chooses_a_variant_and_fills_it(file):
    by_column = ["data.split.kind=by_column", "data.split.column=fold", "data.split.test_values=[9, x, true]"]
    assert load_config(file, by_column).data.split == ByColumnConfig(column="fold", test_values=(9, "x", True))
    sampled = load_config(file, ["training.objective.kind=sampled_softmax", "training.objective.num_negatives=7"])
    assert sampled.training.objective.model_dump()["num_negatives"] == 7
    assert load_config(file, ["model.score={kind: cosine, temperature: .1}"]).model.score.kind == "cosine"
    replaced = loaded(file, LOG.replace("}}", "}, split: {kind: leave_last_out}}"), "data.split.kind=by_time")
    assert replaced.data.split == ByTimeConfig()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E3", 1000.0), (".5", 0.5), ("-2.5e+1", -25.0), ("10", 10), ("-7", -7),
        (".inf", float("inf")), ("-0", 0), ("1.", 1.0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("yes", "yes"), ("off", "off"), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"),
        ("007", "007"), ("1_000", "1_000"), ("0x1f", "0x1f"),
        ("'5'", "5"), ("i12", "i12"), ("[1, a]", [1, "a"]),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, value):
    in_a_file = _parse(f"key: {text}", source="a test")["key"]
    assert (in_a_file, type(in_a_file)) == (value, type(value))
    _, overriding = _parse_override(f"key={text}")
    assert (overriding, type(overriding)) == (value, type(value))


@pytest.mark.parametrize("text", ["::", "|", ",", "*.csv", "&x", "# no comment", "a: b", "%", "\t", "!x", "- x", ">="])
def test_an_overriding_text_needs_no_quotes(text):
    assert _parse_override(f"key={text}") == ("key", text)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["data.events.keep=[{column: rating, operator: '>', value: 3.5}, {column: bot, operator: '==', value: false}]"],
        ["data.split.kind=by_column", "data.split.column=fold", "data.split.test_values=[9, '9', x, true, 1.5]"],
        ["data.items={path: items.csv, title: name, features: [{column: genres, separator: '|'}]}", "seed=5"],
        ["model.score={kind: cosine}", "training.objective.kind=sampled_softmax", "training.optimizer.betas=[0, 1]"],
        ["data.events.header=[a, b, c]", "data.events.columns.user=ü", "tracking.uri=http://localhost:1"],
    ],
)
def test_the_resolved_configuration_is_read_back_as_an_equal_one(overrides, file, tmp_path):
    config = load_config(file, overrides)
    again = tmp_path / "resolved.yaml"
    again.write_text(yaml.safe_dump(resolved(config), allow_unicode=True), encoding="utf-8")
    assert load_config(again) == config
    assert make_config(resolved(config), {}, source="a test") == config


def test_flatten_names_every_leaf_by_its_dotted_key(file):
    flat = flatten(load_config(file, ["data.split.kind=leave_last_out", "data.events.header=[a, ü]", "seed=4"]))
    assert flat["seed"] == "4"
    assert flat["data.split.kind"] == "leave_last_out"
    assert flat["data.events.path"] == "clicks.csv"
    assert flat["model.mixer.num_heads"] == "2"
    assert flat["recommend.exclude_seen"] == "true"
    assert flat["data.items"] == flat["training.max_minutes"] == "null"
    assert flat["training.optimizer.betas"] == "[0.9, 0.98]"
    assert not {"model", "data.split", "training.optimizer"} & flat.keys()


def test_sections_made_in_python_need_not_set_their_kind():
    config = RunConfig(
        workdir=Path("run"),
        data=DataConfig.model_validate({"events": {"path": "a.csv"}}),
        model=RetrieverConfig(gaps=LogSpansConfig(unit_seconds=5)),
        tuning=TuningConfig(space=(FloatDimension(key="model.dropout", low=0, high=0.5),)),
    )
    changed = overridden(config, {"model.dim": 8}, overrider="a test")
    assert (changed.model.gaps, changed.tuning) == (config.model.gaps, config.tuning)
    assert is_set(changed, "model.dim")
    assert not is_set(changed, "model.dropout")
