"""The one-way street of `docs/adr/0015`, held by import-linter and by a look at the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.contracts.sources import PACKAGES, ROOT, name_of, python_files

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def test_every_import_contract_is_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kept, 0 broken" in done.stdout


def test_every_module_of_the_gateway_has_its_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(one["layers"] for one in settings["contracts"] if one["id"] == "layers")
    named = {name.strip() for layer in layers for name in re.split("[|:()]", layer)}
    present = {
        f"gateway.{path.stem}"
        for path in (ROOT / "gateway").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert present - named == {"gateway.migrations"}, "tell pyproject.toml where they belong"
    assert named - present - {""} == {"resolvers", "schema"}


_IMPORT_LATE: Final = {
    "schema/late.py": "types that name each other: one of the two is looked up when first needed"
}


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks"])
def test_no_import_stands_inside_a_function(package: str) -> None:
    found = [
        f"{name_of(path)}:{inner.lineno}"
        for path in python_files(package)
        for outer in ast.walk(ast.parse(path.read_text()))
        if isinstance(outer, _FUNCTIONS)
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_modules_are_imported_by_name_in_one_known_place() -> None:
    found = {
        name_of(path)
        for path in python_files(*PACKAGES, "benchmarks")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == "import_module")
        or (isinstance(node, ast.Name) and node.id in {"import_module", "__import__"})
    }
    assert found == set(_IMPORT_LATE)
