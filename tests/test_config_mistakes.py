"""A configuration that is no use: the key, what is wrong with it, who wrote it, and what to do."""

import re
from pathlib import Path

import pytest

from recsys.config import load_config
from recsys.errors import ConfigError

LOG = "data: {events: {path: clicks.csv}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(LOG)
    return path


def mistake(file: Path, text: str, *overrides: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_config(file, overrides)
    return str(refused.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "overrides", "told"),
    [
        ("model: {dimm: 3}", [], "FILE: model.dimm is not a key; did you mean model.dim?"),
        ("modle: {dim: 3}", [], "FILE: modle is not a key; did you mean model?"),
        ("dim: 3", [], "FILE: dim is not a key; did you mean model.dim?"),
        ("", ["recomend.k=3"], "the command line: recomend is not a key; did you mean recommend?"),
        ("", ["training.learning_rate=1"], "did you mean training.optimizer.learning_rate?"),
        ("", ["data.split.test_shar=.2"], "data.split.test_shar is not a key; did you mean data.split.test_share?"),
        ("qqqq: 1", [], "qqqq is not a key; the keys there are data, evaluation, index, model,"),
        ("", ["seed.x=1"], "the command line: seed must be a valid integer; found {'x': 1}"),
        ("", ["data.events.keep=[{colum: a, value: 1}]"], "data.events.keep.0.colum is not a key; did you mean "
         "data.events.keep.0.column?"),
        ("", ["data.split={kind: leave_last_out, test_share: .2}"], "data.split.test_share is not a key; it goes with "
         "another data.split.kind; the keys of this one are kind"),
        ("5: 3", [], "FILE: 5 must be text, as every key; found 5"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_named_with_the_nearest_one(text, overrides, told, file):
    assert told in mistake(file, LOG + text, *overrides)


@pytest.mark.parametrize(
    ("text", "overrides", "told"),
    [
        ("model: {dim: big}", [], "FILE: model.dim must be a valid integer, unable to parse string as an integer; "
         "found 'big'"),
        ("model: 3", [], "FILE: model must be a mapping of keys to values; found 3"),
        ("model:", [], "FILE: model must be a mapping of keys to values; found None"),
        ("workdir: 3", [], "FILE: workdir must be a path, as text; found 3"),
        ("", ["model.dim="], "the command line: model.dim must be a valid integer; found None"),
        ("", ["seed=-1"], "the command line: seed must be greater than or equal to 0; found -1"),
        ("", ["training.optimizer.betas=[.9, 2]"], "training.optimizer.betas.1 must be less than or equal to 1; "
         "found 2"),
        ("", ["data.events.time_kind=calender"], "must be 'calendar', 'relative' or 'order'; found 'calender'"),
        ("", ["data.split.kind=by_colum"], "the command line: data.split.kind must be one of 'leave_last_out', "
         "'by_time', 'by_column'; found 'by_colum'"),
        ("", ["data.split.kind=by_column"], "data.split.column is required and missing"),
        ("model: {score: {temperature: 1}}", [], "FILE: model.score.kind is required and missing"),
        ("model: {dim: " + "x" * 200 + "}", [], f"found '{'x' * 76}..."),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_shown_with_what_is_expected(text, overrides, told, file):
    assert told in mistake(file, LOG + text, *overrides)


def test_every_mistake_is_told_and_blamed_on_who_made_it(file):
    told = mistake(file, LOG + "model: {dimm: 3}\nseed: x\n", "recommend.k=0").splitlines()
    assert sorted(line.split(":")[0] for line in told) == ["FILE", "FILE", "the command line"]
    assert {line.split(": ")[1].split()[0] for line in told} == {"model.dimm", "seed", "recommend.k"}


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_at_least_one(k, file):
    assert mistake(file, LOG, f"recommend.k={k}") == (
        f"the command line: recommend.k must be greater than 0; found {k}"
    )


@pytest.mark.parametrize("value", [".inf", ".nan"])
@pytest.mark.parametrize("key", ["width", "offset"])
def test_a_mixer_has_finite_numbers(key, value, file):
    told = mistake(file, LOG + f"model: {{mixer: {{kind: gaussian, {key}: {value}}}}}")
    assert told.startswith(f"FILE: model.mixer.{key} must be")


def test_sections_that_do_not_fit_are_blamed_on_all_who_wrote_them(file):
    overrides = ["model.layer_drop=0.5", "training.devices=2"]
    assert mistake(file, LOG, *overrides).startswith("FILE and the command line: ")
    assert mistake(file, LOG + "model: {layer_drop: 0.5}\ntraining: {devices: 2}").startswith("FILE: ")


def test_heads_must_divide_dim(file):
    told = mistake(file, LOG + "model: {dim: 10, mixer: {num_heads: 4}}")
    assert told == "FILE: model: dim (10) must be divisible by mixer.num_heads (4); change one of the two"
    assert mistake(file, LOG, "model.dim=9").startswith("FILE and the command line: model: dim (9) must be divisible")


def test_a_split_by_time_needs_a_calendar(file):
    told = mistake(file, LOG, "data.split.kind=by_time", "data.events.time_kind=order")
    assert told == (
        "FILE and the command line: data.split.kind by_time needs times of a calendar, and data.events.time_kind is "
        "order; use leave_last_out"
    )


@pytest.mark.parametrize("kind", ["order", "relative"])
def test_a_calendar_needs_dates(file, kind):
    log = f"data: {{events: {{path: a.csv, time_kind: {kind}}}}}\n"
    told = mistake(file, log + "model: {calendar: {kind: stretches}}\n")
    assert f"with data.events.time_kind {kind} nobody knows: use none" in told


@pytest.mark.parametrize("key", ["gaps: {kind: log}", "query_time: {kind: log}", "mixer: {kind: time_gaps}"])
def test_spans_need_times(file, key):
    told = mistake(file, f"data: {{events: {{path: a.csv, time_kind: order}}}}\nmodel: {{{key}}}\n")
    assert "model.gaps and model.query_time of kind log and model.mixer of kind time_gaps read the time" in told


def test_devices_do_not_leave_out_layers_of_their_own(file):
    told = mistake(file, LOG + "model: {layer_drop: 0.1}\ntraining: {devices: 2}\n")
    assert told == (
        "FILE: model.layer_drop leaves layers out of a training step, and training.devices 2 wait for the gradients of "
        "all of them: use layer_drop 0, or one device"
    )


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("gru", "a gru mixer reads what is earlier alone"),
        ("causal_cnn", "a causal_cnn mixer reads what is earlier alone"),
        ("time_gaps", "a time_gaps mixer reads times, which a ranker has in its positions of kind time alone"),
    ],
)
def test_a_ranker_refuses_mixers_that_do_not_fit_it(file, kind, why):
    told = mistake(file, LOG + f"ranker: {{model: {{interest: {{kind: bst, mixer: {{kind: {kind}}}}}}}}}\n")
    assert why in told
    assert "choose another ranker.model.interest.mixer" in told


def test_a_key_twice_is_a_mistake_and_where_it_is(file):
    told = mistake(file, LOG + "seed: 1\nseed: 2\n")
    assert told == "FILE is not valid YAML: the key 'seed' is there twice in line 3, column 1"
    assert "'dim' is there twice" in mistake(file, LOG + "model: {dim: 8, dim: 16}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "FILE is not valid YAML: expected the node content, but found '<stream end>' in line 1, column 5"),
        ("? [a]\n: 3", "found unhashable key in line 1, column 3"),
        ("seed: !!python/object:os.system x", "could not determine a constructor for the tag"),
        ("a: \x01", "FILE is not valid YAML: unacceptable character #x0001"),
        ("- a", "FILE: a configuration is a mapping of keys to values; found list"),
        ("", "FILE: data is required and missing"),
        ("data: {events: {}}", "FILE: data.events.path is required and missing"),
    ],
)
def test_a_file_that_is_no_configuration(text, told, file):
    assert told in mistake(file, text)


def test_bytes_that_are_no_text_and_a_directory_are_told_as_such(file):
    file.write_bytes(b"seed: \xff")
    with pytest.raises(ConfigError, match=r"mine\.yaml cannot be read as a UTF-8 text file"):
        load_config(file)
    with pytest.raises(ConfigError, match="cannot be read as a UTF-8 text file"):
        load_config(file.parent)


def test_a_missing_file_is_told_with_those_that_exist(file, monkeypatch):
    missing = file.with_name("mime.yaml")
    with pytest.raises(ConfigError, match=re.escape(f"there is no configuration file {missing}; there are {file}")):
        load_config(missing)
    (file.parent / "configs").mkdir()
    file.rename(file.parent / "configs/mine.yaml")
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigError, match=r"there is no configuration file mine.yaml; there are configs/mine.yaml$"):
        load_config("mine.yaml")


@pytest.mark.parametrize("text", ["model.dim", "=3", "model..dim=3", ".=3"])
def test_an_override_reads_key_equals_value(text, file):
    told = f"the command line: an override reads key=value, as in model.dim=128; found {text!r}"
    assert mistake(file, LOG, text) == told


def test_an_override_that_is_no_yaml_is_quoted(file):
    assert mistake(file, LOG, "model.dim=[3").startswith("the command line: 'model.dim=[3' is not valid YAML: expected")
