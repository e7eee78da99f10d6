"""Files that can be read in one sitting, in folders whose names say what is in them."""

from __future__ import annotations

from typing import Final

from tests.contracts.sources import PACKAGES, ROOT, name_of, python_files, tracked_files

_MOST_LINES: Final = 300
_EXCEPTIONS: Final = {
    "gateway/errors.py": "one class for each refusal; apart they could not be read as a tree",
    "gateway/migrations/0001_initial.py": "printed by the ORM from the models, never edited",
}
_EMPTY_NAMES: Final = {"utils", "common", "core", "helpers", "managers", "kit"}


def test_no_source_file_is_longer_than_one_sitting() -> None:
    lines = {
        name_of(path): len(path.read_text().splitlines())
        for path in python_files(*PACKAGES, "benchmarks")
    }
    long = {name for name, count in lines.items() if count > _MOST_LINES}
    assert long - set(_EXCEPTIONS) == set()
    assert set(_EXCEPTIONS) - long == set(), "an exception that is no longer needed"


def test_no_name_says_nothing() -> None:
    names = {
        part.removesuffix(".py"): name_of(path)
        for path in tracked_files()
        for part in path.relative_to(ROOT).parts
    }
    assert {part: names[part] for part in _EMPTY_NAMES & set(names)} == {}
