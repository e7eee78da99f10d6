"""What the repository's files must never hold; installs that are exact and the same anywhere."""

from __future__ import annotations

import json
import re
from importlib.metadata import distributions
from typing import Final

import pytest

from tests.contracts.sources import PACKAGES, ROOT, name_of, tracked_files

# Put together from parts, so that this file does not hold them itself.
_REGISTRIES: Final = re.compile(
    "|".join(
        re.escape(host + "." + domain)
        for host, domain in (
            ("pypi", "org"),
            ("files.pythonhosted", "org"),
            ("registry.npmjs", "org"),
            ("registry.yarnpkg", "com"),
            ("crates", "io"),
        )
    )
    + "|--(?:extra-)?index-url|--find-links"
)
_MACHINE_PATHS: Final = re.compile(
    r"(?<![\w.$}\]-])/(?:" + "|".join(("home", "root", "work", "Users", "mnt", "opt")) + r")/\w"
)
_TEMPORARY_PATH: Final = re.compile(r"(?<![\w.$}\]-])/" + "tmp" + r"/\w")


def _texts() -> dict[str, str]:
    return {name_of(path): path.read_bytes().decode("utf-8", "replace") for path in tracked_files()}


def test_no_file_names_a_registry() -> None:
    found = {name for name, text in _texts().items() if _REGISTRIES.search(text)}
    assert found == {"tests/contracts/test_files.py"}


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    found = {
        f"{name}: {match.group()}"
        for name, text in _texts().items()
        for pattern in (_MACHINE_PATHS, _TEMPORARY_PATH)
        if (match := pattern.search(text))
    }
    assert found == set()


def test_no_file_holds_a_key_that_moves_money() -> None:
    live = re.compile("(?:sk|rk)_" + r"live_[0-9A-Za-z]{16,}")
    assert {name for name, text in _texts().items() if live.search(text)} == set()


@pytest.mark.parametrize("lock", ["dev", "runtime"])
def test_every_requirement_is_exact_and_hashed(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    entries = re.split(r"(?<!\\)\n(?=\S)", text.strip())
    assert len(entries) > 40
    shape = re.compile(
        r"[a-z0-9-]+(?:\[[a-z,]+\])?==\S+(?: ; [^\\]+)?(?: \\\n    --hash=sha256:\w{64})+"
    )
    assert [entry.splitlines()[0] for entry in entries if not shape.fullmatch(entry)] == []


def test_what_runs_is_part_of_what_is_tested() -> None:
    runtime, dev = (
        set(re.findall(r"^([a-z0-9-]+==[^\s;]+)", text, re.MULTILINE))
        for text in (
            (ROOT / "requirements" / f"{name}.lock").read_text() for name in ("runtime", "dev")
        )
    )
    assert runtime
    assert runtime - dev == set()


def test_the_javascript_lock_is_hashed_and_names_no_server() -> None:
    packages = json.loads((ROOT / "tests/clients/package-lock.json").read_text())["packages"]
    installed = {name: entry for name, entry in packages.items() if name}
    assert installed
    assert {name for name, entry in installed.items() if "resolved" in entry} == set()
    assert {name for name, entry in installed.items() if "integrity" not in entry} == set()


def test_no_dependency_brings_a_module_of_our_name() -> None:
    ours = {*PACKAGES, "benchmarks", "tests"}
    taken = {
        f"{distribution.metadata['Name']}: {file.parts[0]}"
        for distribution in distributions()
        if distribution.metadata["Name"] != "rebill"
        for file in distribution.files or ()
        if file.parts[0].removesuffix(".py") in ours
    }
    assert taken == set()
