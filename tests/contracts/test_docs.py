"""The documentation says what the code does: settings, error codes, example queries."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from pydantic import AliasChoices

from gateway.errors import ErrorCode, RequestErrorCode
from gateway.settings import Settings
from tests.contracts.sources import ROOT, tracked_files

_ROW: Final = re.compile(r"^\| `([A-Z_0-9]+)` \|(.*)\|$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def _table(path: str, heading: str | None = None) -> dict[str, list[str]]:
    """The tables of a page: first cell (a name) → the others."""
    text = (ROOT / path).read_text()
    if heading is not None:
        text = text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    names = [name for name, _ in _ROW.findall(text)]
    assert len(names) == len(set(names)), "a name stands twice"
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in _ROW.findall(text)}


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    meant = {
        _variable(name, field): [_default(field), field.description]
        for name, field in Settings.model_fields.items()
    }
    assert _table("docs/settings.md") == meant


def _variable(name: str, field: Any) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"REBILL_{name.upper()}"


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    if field.default in (None, ()):
        return "none"
    shown = str(field.default)
    return f"`{shown.lower() if isinstance(field.default, bool) else shown}`"


def test_every_error_code_is_documented() -> None:
    codes = _table("docs/errors.md", "Codes of `userErrors` (`ErrorCode`)")
    assert list(codes) == [code.value for code in ErrorCode]
    requests = _table("docs/errors.md", "Codes of top-level errors (`RequestErrorCode`)")
    assert list(requests) == [code.value for code in RequestErrorCode]
    assert {len(cells) for cells in [*codes.values(), *requests.values()]} == {2}


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text())


def test_every_example_query_is_valid(contract: GraphQLSchema) -> None:
    for path in tracked_files():
        if path.suffix == ".md":
            for query in re.findall(r"```graphql\n(.*?)```", path.read_text(), re.DOTALL):
                assert validate(contract, parse(query)) == [], f"{path.name}: {query}"


def test_the_readme_shows_a_query() -> None:
    assert "```graphql" in (ROOT / "README.md").read_text()


def test_every_link_leads_somewhere() -> None:
    broken = {
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in _LINK.findall(path.read_text())
        if not (path.parent / target).exists()
    }
    assert broken == set()


def test_every_decision_is_in_the_index_and_short() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    pages = sorted(path for path in (ROOT / "docs/adr").glob("0*.md"))
    assert re.findall(r"\((\d{4}-[\w-]+\.md)\)", index) == [page.name for page in pages]
    assert [page.name for page in pages if len(page.read_text().splitlines()) > 40] == []
