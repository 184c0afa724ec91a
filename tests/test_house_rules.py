"""Small files, short functions, and a few words that have no place here."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for top in ("recsys", "pipelines", "tests", "bench") for path in (ROOT / top).rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 250, 40
VAGUE_NAMES = {"utils", "util", "helpers", "misc", "base", "common", "manager", "processor", "handler"}
MAY_HOLD_CODE = {"recsys/__init__.py", "recsys/nn/mixers/__init__.py"}


def label(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(params=FILES, ids=label)
def source(request):
    return request.param.read_text(encoding="utf-8")


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_files_are_short(source):
    assert source.count("\n") <= MAX_FILE_LINES


def test_functions_are_short(source):
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in functions(ast.parse(source))}
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}


def test_nothing_is_swallowed_or_put_off(source):
    handlers = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler)]
    wide = [node.lineno for node in handlers if node.type is None or "Exception" in names_in(node.type)]
    assert wide == [], "an `except` names what it expects"
    assert not re.search(r"\b(TO" + "DO|FIX" + "ME|XX" + "X)\\b", source)


def names_in(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def test_no_path_of_one_machine(source):
    assert not re.search("/(wo" + "rk|ro" + "ot|ho" + "me)/", source)


@pytest.mark.parametrize("path", FILES, ids=label)
def test_names_say_what_is_inside(path):
    assert path.stem not in VAGUE_NAMES
    if path.name == "__init__.py" and label(path) not in MAY_HOLD_CODE:
        assert path.read_text(encoding="utf-8") == "", "importing one module imports no other"
