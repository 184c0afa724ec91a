"""`recsys benchmark mixers`: each step in a process of its own, and nothing that is known is found out again."""

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import yaml

from recsys.benchmark.machine import Load, LoadMeter
from recsys.benchmark.mixer_results import MixerResult, MixersBenchmark, MixerTraining
from recsys.benchmark.mixer_step import StepPlan, StepPoint
from recsys.benchmark.mixers import Variant, Wanted, measure_mixers, measured_alone
from recsys.benchmark.mixers_plot import LABEL_HEIGHT, mixers_plot, spread
from recsys.config import load_config, resolved
from recsys.errors import ConfigError
from recsys.nn.mixers import MixerConfig
from recsys.stages.session import opened
from recsys.training.outcome import TrainingOutcome
from recsys.training.reporting import EpochRecord

SHIPPED = Path(__file__).parents[2] / "configs"
CONFIGS = sorted((SHIPPED / "mixers").glob("*.yaml"))
ALSO_OTHERWISE = {"softmax-positions": {"positions"}, "hstu-alone": {"feedforward"}}
PLAN = StepPlan(model={"dim": 16}, length=300, tokens=600, device="cpu", precision="32-true", threads=1, seconds=0.1)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_is_that_of_movielens_with_another_mixer(path):
    config = load_config(path)
    kind = config.model.mixer.kind
    assert path.stem == kind or path.stem.startswith(f"{kind}-")
    own, usual = resolved(config), resolved(load_config(SHIPPED / "ml-1m.yaml"))
    for values in (own, usual):
        del values["workdir"]
        for key in {"mixer"} | ALSO_OTHERWISE.get(path.stem, set()):
            del values["model"][key]
    assert own == usual


def test_every_kind_of_mixer_has_a_configuration():
    kinds = {section.model_fields["kind"].default for section in get_args(get_args(MixerConfig)[0])}
    assert {yaml.safe_load(path.read_text())["model"]["mixer"]["kind"] for path in CONFIGS} == kinds


@pytest.fixture(scope="module")
def variants(small_log_file, tmp_path_factory):
    """Of softmax and rotary attention."""
    home = tmp_path_factory.mktemp("configurations")
    return [_variant(home / f"{kind}.yaml", kind, small_log_file) for kind in ("softmax", "rotary")]


def _variant(path, kind, log):
    values = {
        "data": {"events": {"path": str(log)}, "split": {"kind": "leave_last_out"}},
        "model": {"dim": 8, "num_blocks": 1, "max_length": 8, "mixer": {"kind": kind}},
        "training": {"batch_tokens": 256, "device": "cpu", "threads": 1},
    }
    path.write_text(yaml.safe_dump(values))
    config = load_config(path)

    def held(changes):
        return opened(load_config(path, changes), source=str(path), tell=lambda _: None)

    return Variant(kind, config.model, config.training, held)


@pytest.fixture(scope="module")
def measured(variants, tmp_path_factory):
    wanted = partial(Wanted, lengths=(16,), out=tmp_path_factory.mktemp("out"), step_seconds=0.05)
    return wanted, measure_mixers(variants, wanted(), tell=lambda _: None)


def test_steps_are_timed_and_weighed_at_each_length(measured):
    _, found = measured
    softmax, rotary = found.benchmark.mixers
    assert (softmax.name, rotary.name) == ("softmax", "rotary")
    assert softmax.parameters == rotary.parameters > 8 * 8 * 4
    for mixer in (softmax, rotary):
        assert [(step.length, step.rows) for step in mixer.steps] == [(16, 250)]
        assert all(step.seconds > 0 and step.steps > 0 and step.fault is None for step in mixer.steps)
        assert mixer.trainings == ()
    file, plots = found.files
    assert json.loads(file.read_text())["mixers"][1]["steps"][0]["seconds"] == rotary.steps[0].seconds
    assert "A training step, ms" in plots.read_text()
    header = next(line for line in found.lines() if line.startswith("mixer"))
    assert header.split("  ")[-1].strip() == "MB 16"


def test_what_is_known_is_neither_measured_nor_trained_again(variants, measured):
    wanted, before = measured
    told = []
    trained = measure_mixers(variants, wanted(minutes=0.005, seeds=(0, 1)), tell=told.append)
    assert [mixer.steps for mixer in trained.benchmark.mixers] == [mixer.steps for mixer in before.benchmark.mixers]
    assert sum(line.startswith("measured before") for line in told) == 2
    # what was measured on a busy machine stays so
    assert trained.benchmark.load.others >= max(mixer.steps[0].load.others for mixer in before.benchmark.mixers)
    assert all(len(mixer.validations) == 2 for mixer in trained.benchmark.mixers)
    assert "Validation NDCG@10, 0.005 minutes" in trained.files[1].read_text()
    models = {path: path.stat().st_mtime_ns for path in wanted().out.rglob("best/*")}
    assert len({path.parents[2] for path in models}) == 4
    again = measure_mixers(variants, wanted(minutes=0.005, seeds=(0, 1)), tell=told.append)
    assert again.benchmark.mixers == trained.benchmark.mixers
    assert {path: path.stat().st_mtime_ns for path in wanted().out.rglob("best/*")} == models


def test_only_the_best_with_the_first_seed_are_trained_with_the_others(variants, measured):
    wanted, _ = measured
    found = measure_mixers(variants, wanted(minutes=0.005, seeds=(1, 0), best=1), tell=lambda _: None).benchmark.mixers
    best, other = sorted(found, key=lambda mixer: mixer.validations[0], reverse=True)
    assert [training.seed for training in best.trainings] == [1, 0]
    assert [training.seed for training in other.trainings] == [1]


@pytest.mark.slow
def test_another_configuration_is_measured_anew(variants, measured, tmp_path):
    wanted, before = measured
    shutil.copytree(wanted().out / "steps", tmp_path / "steps")
    wider = variants[0].model.model_copy(update={"dim": 16})
    variant = Variant("softmax", wider, variants[0].training, variants[0].opened)
    found = measure_mixers([variant], wanted(out=tmp_path), tell=lambda _: None)
    assert found.benchmark.mixers[0].steps != before.benchmark.mixers[0].steps


@pytest.mark.parametrize(
    ("limits", "fault"), [({"most_mb": 0.5}, "> 0.0005 GB"), ({"most_seconds": 1e-3}, "> 0.001 s")]
)
def test_what_is_too_large_or_too_slow_is_told_and_ends_nothing(limits, fault):
    point = measured_alone(PLAN.model_copy(update=limits))
    assert (point.fault, point.seconds, point.has_failed) == (fault, None, False)
    assert (point.milliseconds_text, point.memory_text) == (fault, fault)


def test_a_step_that_fails_is_told_in_its_own_words():
    broken = PLAN.model_copy(update={"model": PLAN.model.model_copy(update={"num_blocks": -1})})
    point = measured_alone(broken)
    assert point.has_failed
    assert point.fault.startswith("failed: ")
    assert point.milliseconds_text == "failed"


def test_one_encoder_trained_in_one_way_under_names_of_their_own_is_compared(variants, tmp_path):
    wanted = Wanted(lengths=(4,), out=tmp_path)
    with pytest.raises(ConfigError, match="two configurations are called softmax"):
        measure_mixers([variants[0]] * 2, wanted, tell=lambda _: None)
    wide = replace(variants[0], name="wide", model=variants[0].model.model_copy(update={"dim": 16}))
    slow = replace(variants[0], name="slow", training=variants[0].training.model_copy(update={"windows": "last"}))
    for other, differing in ((wide, "model.dim"), (slow, "training.windows")):
        with pytest.raises(ConfigError, match=f"softmax and {other.name} differ in {differing};"):
            measure_mixers([variants[0], other], wanted, tell=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_keeps_what_it_was_made_on(variants, tmp_path, monkeypatch):
    wanted = Wanted(lengths=(4,), out=tmp_path, minutes=0.005, step_seconds=0.02)
    monkeypatch.setattr(LoadMeter, "load", lambda _: Load(others=0.5))
    busy = measure_mixers(variants[:1], wanted, tell=lambda _: None)
    monkeypatch.setattr(LoadMeter, "load", lambda _: Load(others=0.0))
    kept = measure_mixers(variants[:1], wanted, tell=lambda _: None)
    assert kept.benchmark == busy.benchmark.model_copy(update={"load": kept.benchmark.load})
    assert [kept.benchmark.load.others, kept.benchmark.mixers[0].trainings[0].load.others] == [0.5, 0.5]
    monkeypatch.setattr("recsys.benchmark.results.processor", lambda: "another processor")
    with pytest.raises(ConfigError, match=r"was trained on .*, and this is .*another processor"):
        measure_mixers(variants[:1], wanted, tell=lambda _: None)
    shutil.rmtree(tmp_path / "softmax-0.005min-seed0")
    anew = measure_mixers(variants[:1], wanted, tell=lambda _: None)
    assert anew.benchmark.load.others == 0.0


def test_a_training_that_no_benchmark_watched_is_of_an_unknown_load(variants, tmp_path):
    wanted = Wanted(lengths=(4,), out=tmp_path, minutes=0.005, step_seconds=0.02)
    measure_mixers(variants[:1], wanted, tell=lambda _: None)
    (tmp_path / "softmax-0.005min-seed0" / "machine.json").unlink()
    assert measure_mixers(variants[:1], wanted, tell=lambda _: None).benchmark.load.others is None


def _found(number: int, setting, load) -> MixersBenchmark:
    """Mixers whose curves end close together; the last one could not be measured where rows are long."""
    return MixersBenchmark(
        setting=setting,
        load=load,
        peak_mb=None,
        dim=64,
        num_blocks=2,
        tokens=4000,
        lengths=(50, 4000),
        minutes=5,
        mixers=tuple(_mixer(place, is_last=place == number - 1) for place in range(number)),
    )


def _mixer(place: int, *, is_last: bool) -> MixerResult:
    slow = StepPoint(length=4000, rows=1, fault="> 60 s")
    long = slow if is_last else StepPoint(length=4000, rows=1, steps=3, seconds=0.3, memory_mb=90 + place)
    epochs = tuple(EpochRecord(each, 6.0, 1e4, each * 1.0, 0.04 * each + place * 1e-4) for each in (1, 2, 3, 4))
    outcome = TrainingOutcome(
        best_epoch=4, validation=epochs[-1].validation, steps=40, clicks=4000, minutes=4.0, history=epochs
    )
    return MixerResult(
        name=f"mixer-{place:02}",
        kind="softmax",
        parameters=100_000 + place,
        steps=(StepPoint(length=50, rows=80, steps=3, seconds=0.1, memory_mb=80.0), long),
        trainings=(
            MixerTraining(seed=0, minutes=5, outcome=outcome),
            MixerTraining(seed=1, minutes=5, fault="diverged"),
        ),
    )


def test_names_in_the_plots_do_not_overlap(measured):
    _, small = measured
    found = _found(24, small.benchmark.setting, small.benchmark.load)
    panels = ET.fromstring(mixers_plot(found)).findall("{*}g")
    assert len(panels) == 2
    for panel in panels:
        names = [text for text in panel.findall("{*}text") if text.text.startswith("mixer-")]
        assert len({text.text for text in names}) == 24
        heights = sorted(float(text.get("y")) for text in names)
        assert min(above - below for below, above in pairwise(heights)) > LABEL_HEIGHT - 0.2
    told = "\n".join(found.lines())
    assert "  mixer-23, 4,000 clicks: > 60 s" in told
    assert "  mixer-00, seed 1: not trained: diverged" in told


def test_heights_are_spread_in_their_order_and_no_farther_than_need_be():
    assert spread([10.0, 50.0, 90.0], 15, 0, 100) == [10.0, 50.0, 90.0]
    assert spread([50.0, 50.0, 10.0], 15, 0, 100) == [50.0, 65.0, 10.0]
    assert spread([99.0, 98.0, 97.0], 15, 0, 100) == [100.0, 85.0, 70.0]
