"""What the README shows, works: its commands run, its Python runs, its configuration is the default one."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from recsys.config import load_config, make_config, resolved
from tests.conftest import small_log
from tests.serving.servers import running

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK = ["training.max_minutes=0.001", "training.threads=1", "tracking.kind=none"]
MOST_SECONDS = 600
STAGES = {"run", "prepare", "train", "tune", "evaluate", "audit", "index", "recommend"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """Every `recsys ...` line, comments left out."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("recsys ")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A directory with the README's files in it: the shop, its configuration, and the simulated log."""
    place = tmp_path_factory.mktemp("readme")
    (place / "shop").mkdir()
    log = small_log().with_columns(pl.col("item_id").str.replace("i0*(.)", "sku$1"), pl.lit(5).alias("rating"))
    names = {"user_id": "customer", "item_id": "sku", "timestamp": "clicked_at"}
    log.rename(names).write_csv(place / "shop" / "clicks.csv")
    log.select(pl.col("user_id").unique().alias("customer")).head(5).write_csv(place / "shop" / "some_customers.csv")
    items = log.select(pl.col("item_id").unique().sort().alias("sku")).with_columns(
        pl.col("sku").str.to_uppercase().alias("name"), pl.lit("acme").alias("brand"), pl.lit("a|b").alias("tags")
    )
    items.write_csv(place / "shop" / "items.csv")
    (shop_yaml,) = [block for block in blocks("yaml") if block.startswith("# shop.yaml")]
    (tuning_yaml,) = [block for block in blocks("yaml") if block.startswith("# and in shop.yaml")]
    (place / "shop.yaml").write_text(shop_yaml + tuning_yaml, encoding="utf-8")
    (place / "configs").symlink_to(ROOT / "configs")
    run_command(["recsys", "simulate", "--out", "runs/simulated/clicks.parquet"], place)
    return place


def run_command(command: list[str], place: Path) -> str:
    more = ["--seconds", "0.3"] if command[1:3] == ["benchmark", "serve"] else QUICK if command[1] in STAGES else []
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.command", *command[1:], *more],
        cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=MOST_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_the_two_commands_are_there():
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = [line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]
    assert shown == ["quickstart", "test"]
    assert all(f"\n{target}:" in targets for target in shown)


@pytest.mark.slow
def test_the_commands_run(shop):
    shown = commands()
    assert {command[1] for command in shown} >= {"run", "similar", "recommend", "audit", "compare", "tune"}
    for command in shown:
        if command[1] == "serve":
            with running(shop / command[2]) as server:
                assert server.ask("GET", "/")[0] == 200
                for asked in (other for other in shown if "--url" in other):
                    there = [server.url if word.startswith("http") else word for word in asked]
                    assert "cosine" in run_command(there, shop)
                assert server.stop() == 0
        elif command[1] != "similar":
            run_command(command, shop)
    for command in shown:
        if command[1] == "similar" and "--url" not in command:
            told = run_command(command, shop)
            assert "cosine" in told or {"--json", "--all"} & {*command}


def test_the_shop_is_a_configuration(shop, monkeypatch):
    monkeypatch.chdir(shop)
    assert load_config("shop.yaml").data.events.columns.item == "sku"


def test_the_python_runs(shop, monkeypatch):
    monkeypatch.chdir(shop)
    (code,) = blocks("python")
    quick = code.replace('"training.max_minutes": 10', '"training.max_minutes": 0.001, "tracking.kind": "none"')
    assert quick != code
    exec(compile(quick, "README.md", "exec"), {})


def test_the_configuration_shown_is_the_default_one():
    shown = yaml.safe_load(next(block for block in blocks("yaml") if "covisitation_decay" in block))
    config = make_config(shown, {}, source="README.md")
    defaults = make_config(
        {"workdir": shown["workdir"], "data": {"events": {"path": shown["data"]["events"]["path"]}}},
        {},
        source="README.md",
    )
    assert config == defaults
    assert keys(shown) == keys(resolved(defaults))


def keys(tree, prefix="") -> set[str]:
    if not isinstance(tree, dict):
        return {prefix}
    return {name for key, value in tree.items() for name in keys(value, f"{prefix}.{key}")}
