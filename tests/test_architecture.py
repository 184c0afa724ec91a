"""The import graph is part of the design: who may import whom, and which package is known where."""

import ast
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for top in ("recsys", "pipelines") for path in (ROOT / top).rglob("*.py"))

# package or module -> what it may import of this project; its own package always
LOW = {"recsys.errors", "recsys.section", "recsys.durable"}
ROOMS = {"recsys.data", "recsys.model", "recsys.training", "recsys.evaluation", "recsys.index"}
BUNDLE = {"recsys.data", "recsys.model", "recsys.index"}
RECOMMENDER = {
    "recsys.errors",
    "recsys.section",
    "recsys.moments",
    "recsys.reranking",
    "recsys.blend",
    "recsys.topk",
    "recsys.by_index",
    "recsys.rules",
    "recsys.bundle",
    "recsys.similar",
} | BUNDLE
METRICS = {"recsys.evaluation.metrics", "recsys.evaluation.click_metrics"}
EVALUATED = {f"recsys.evaluation.{name}" for name in ("config", "metrics", "outcome", "questions", "ranking")}
OFFLINE = RECOMMENDER | {"recsys.durable", "recsys.recommender", "recsys.recommend_config", "recsys.lookups"}
MAY_IMPORT = {
    "recsys.errors": set(),
    "recsys.config_errors": set(),
    "recsys.config_rules": {"recsys.data", "recsys.model", "recsys.training", "recsys.recommend_config"},
    "recsys.evaluation.metrics": set(),
    "recsys.evaluation.click_metrics": set(),
    "recsys.evaluation.significance": set(),
    "recsys.section": {"recsys.errors"},
    "recsys.durable": {"recsys.errors"},
    "recsys.topk": {"recsys.errors"},
    "recsys.moments": {"recsys.errors"},
    "recsys.by_index": {"recsys.index", "recsys.topk"},
    "recsys.catalogue": {"recsys.errors", "recsys.bundle", "recsys.data"},
    "recsys.lookups": {"recsys.bundle", "recsys.index", "recsys.topk"},
    "recsys.similar": {"recsys.errors", "recsys.catalogue", "recsys.lookups"} | {"recsys.bundle", *BUNDLE},
    "recsys.blend": {"recsys.section"},
    "recsys.reranking": {"recsys.blend", "recsys.data", "recsys.model", "recsys.rules", "recsys.topk"},
    "recsys.rules": {"recsys.errors", "recsys.section"},
    "recsys.recommend_config": {"recsys.blend", "recsys.errors", "recsys.section"},
    "recsys.nn": {"recsys.errors", "recsys.section"},
    "recsys.data": LOW,
    "recsys.index": LOW,
    "recsys.model": {"recsys.errors", "recsys.section", "recsys.data", "recsys.nn"},
    "recsys.training": LOW | {"recsys.data", "recsys.model", "recsys.topk", *METRICS},
    "recsys.evaluation": LOW
    | {"recsys.blend", "recsys.by_index", "recsys.data", "recsys.model", "recsys.topk", "recsys.index"},
    "recsys.evaluation.audit": LOW | {"recsys.data", "recsys.topk"} | EVALUATED,
    "recsys.evaluation.report.charts": {"recsys.evaluation.report.wording", "recsys.evaluation.outcome"},
    "recsys.bundle": LOW | BUNDLE | {"recsys.blend"},
    "recsys.recommender": RECOMMENDER,
    "recsys.offline": OFFLINE,
    "recsys.serving": RECOMMENDER | {"recsys.recommender", "recsys.lookups"},
    "recsys.config": ROOMS
    | {"recsys.errors", "recsys.section", "recsys.config_errors", "recsys.config_rules", "recsys.recommend_config"},
    "recsys.stages": ROOMS | OFFLINE | {"recsys.config", "recsys.offline"},
    "recsys.benchmark": ROOMS | OFFLINE | {"recsys.nn", "recsys.offline", "recsys.serving", "recsys.stages"},
    "recsys": {"recsys.stages", "recsys.recommender", "recsys.config", "recsys.bundle", "recsys.serving.client"},
    "pipelines": {
        "recsys.load",
        "recsys.__version__",
        "recsys.config",
        "recsys.stages",
        "recsys.benchmark",
        "recsys.recommender",
        "recsys.similar",
        "recsys.offline.neighbours",
        "recsys.data.vocabulary.ItemId",
        "recsys.serving",
        "recsys.errors",
    },
}

# third-party package -> the only files that may import it, as patterns
POLARS = ["events/*", "categorical.py", "features.py", "prepare.py", "read_click_columns.py", "simul*.py"]
FENCES = {
    "polars": [*(f"recsys/data/{name}" for name in POLARS), "recsys/offline/*", "recsys/evaluation/*"],
    "faiss": ["recsys/index/*", "recsys/benchmark/lookup.py", "recsys/benchmark/raw_lookups.py"],
    "mlflow": ["recsys/training/tracking*.py"],
    "optuna": ["recsys/training/tuning.py"],
    "pytorch_lightning": ["recsys/training/*"],
    "yaml": ["recsys/config.py"],
    "typer": ["pipelines/*"],
    "pyarrow": ["recsys/offline/neighbours.py"],
    "scipy": ["recsys/evaluation/baselines/*"],
    "sklearn": ["recsys/evaluation/report/item_map.py"],
    "jinja2": ["recsys/evaluation/report/page.py"],
    "markupsafe": [
        "recsys/evaluation/report/figures.py",
        "recsys/evaluation/report/charts/*",
        "recsys/benchmark/recall_plot.py",
    ],
    "fastapi": ["recsys/serving/http.py", "recsys/serving/routes.py", "recsys/serving/description.py"],
    "uvicorn": [
        *(f"recsys/serving/{name}.py" for name in ("server", "stopping", "connections", "workers")),
        "recsys/benchmark/bare.py",
    ],
    "starlette": ["recsys/serving/http.py", "recsys/benchmark/bare.py"],
}

PACKAGE_FILES = ("importlib.metadata", "importlib.resources")
NO_TENSORS = ("routes", "http", "guard", "batching", "metrics", "requests", "client", "config")
# file pattern -> third-party packages that it may never import, fence or no fence
STRANGERS = {
    "recsys/data/*config.py": {"polars", "torch"},
    "recsys/evaluation/metrics.py": {"polars", "torch"},
    "recsys/evaluation/significance.py": {"polars", "torch"},
    "recsys/evaluation/report/charts/*": {"numpy", "polars", "torch"},
    "recsys/*/config.py": {"polars"},
    "recsys/index/*": {"torch"},
    **{f"recsys/serving/{name}.py": {"torch", "numpy"} for name in NO_TENSORS},
    "recsys/rules.py": {"torch"},
    "recsys/nn/*": {"numpy"},
}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def owner(module):
    """The longest row that the module lies in; the row `recsys` is for recsys/__init__.py alone."""
    parts = module.split(".")
    prefixes = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((row for row in prefixes if row in MAY_IMPORT and (row != "recsys" or module == "recsys")), None)


def imports(path):
    """Every import in the file, including those hidden inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 0 for node in froms), f"{path} imports relatively"
    return plain | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}


def lies_in(module, package):
    return module == package or module.startswith(f"{package}.")


def wrong_imports(path):
    row = owner(name_of(path))
    assert row, f"{name_of(path)} has no row in MAY_IMPORT: say what it may import"
    ours = {name for name in imports(path) if name.split(".")[0] in {"recsys", "pipelines"}}
    return {name for name in ours if not any(lies_in(name, package) for package in MAY_IMPORT[row] | {row})}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_only_flow_downwards(path):
    assert not wrong_imports(path), f"allowed: {sorted(MAY_IMPORT[owner(name_of(path))])}"


def test_an_upward_import_hidden_in_a_function_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "recsys" / "nn" / "norm.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f():\n    from recsys.data import dataset\n    import recsys.section\n")
    assert wrong_imports(path) == {"recsys.data.dataset"}


def test_the_allowed_graph_has_no_cycles():
    remaining = {
        row: {other for need in needs for other in MAY_IMPORT if lies_in(other, need)} - {row}
        for row, needs in MAY_IMPORT.items()
    }
    while remaining:
        ready = {row for row, needs in remaining.items() if not needs & remaining.keys()}
        assert ready, f"import cycle among {sorted(remaining)}"
        remaining = {row: needs for row, needs in remaining.items() if row not in ready}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_third_party_packages_stay_behind_their_fences(path):
    file = str(path.relative_to(ROOT))
    used = {name.split(".")[0] for name in imports(path) if not name.startswith(PACKAGE_FILES)}
    fenced = {name for name, patterns in FENCES.items() if not any(fnmatch(file, p) for p in patterns)}
    strange = {name for pattern, names in STRANGERS.items() if fnmatch(file, pattern) for name in names}
    assert not used & (fenced | strange)
    assert not used & {"importlib", "pickle", "utils"}, "nobody's to import"


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("module", ["recsys", "pipelines.command"])
def test_importing_is_cheap(module):
    heavy = "{'torch', 'pytorch_lightning', 'mlflow', 'polars', 'faiss', 'numpy', 'pandas'}"
    done = run_python(f"import sys, {module}; print(sorted({heavy} & sys.modules.keys()))")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_training_on_a_prepared_dataset_needs_neither_polars_nor_faiss_nor_mlflow(small_log_file, tmp_path):
    workdir = tmp_path / "run"
    config = tmp_path / "c.yaml"
    config.write_text(
        f"workdir: {workdir}\n"
        f"data: {{events: {{path: {small_log_file}}}, split: {{kind: leave_last_out}}}}\n"
        "model: {dim: 8, num_blocks: 1, max_length: 8}\n"
        "training: {max_epochs: 1, device: cpu, threads: 1}\n"
        "tracking: {kind: none}\n"
    )
    prepared = run_python(f"import sys; sys.argv = ['recsys', 'prepare', {str(config)!r}]\n{MAIN}")
    assert prepared.returncode == 0, prepared.stderr
    absent = "sys.modules.update(dict.fromkeys(('polars', 'faiss', 'mlflow', 'optuna', 'pandas', 'pyarrow')))"
    trained = run_python(f"import sys; {absent}; sys.argv = ['recsys', 'train', {str(config)!r}]\n{MAIN}")
    assert trained.returncode == 0, trained.stderr
    assert "1 epochs, " in trained.stdout


MAIN = "from pipelines.command import main; main()"
