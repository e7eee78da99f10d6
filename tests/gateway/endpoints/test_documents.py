"""Known documents are read once, and memory for them is bounded."""

import pytest

from gateway.endpoints.answers import Rejected
from gateway.endpoints.documents import Documents
from gateway.endpoints.limits import Limits
from tests.gateway.endpoints.toy import toy_schema


def documents(limits: Limits | None = None) -> Documents:
    return Documents(toy_schema()._schema, limits or Limits())


def test_the_same_text_is_read_once() -> None:
    known = documents()
    assert known.get("{ hello }") is known.get("{ hello }")
    assert known.get("{ hello }") is not known.get("{ hello  }")


def test_documents_unused_for_longest_are_dropped_first() -> None:
    known = documents(Limits(cached_document_chars=60))
    first = known.get("{ a: hello }" + " " * 8)
    second = known.get("{ b: hello }" + " " * 8)
    known.get("{ c: hello }" + " " * 8)
    assert known.get("{ a: hello }" + " " * 8) is first
    known.get("{ d: hello }" + " " * 8)
    assert known.get("{ a: hello }" + " " * 8) is first
    assert known.get("{ b: hello }" + " " * 8) is not second
    assert known._good_chars == sum(document.chars for document in known._good.values()) == 60


def test_refusals_are_remembered_up_to_a_number() -> None:
    known = documents(Limits(cached_refusals=2))
    entries = []
    for text in ("{ a }", "{ b }", "{ c }", "{ c }"):
        with pytest.raises(Rejected) as refused:
            known.get(text)
        entries.append(refused.value.entries)
    assert entries[3] is entries[2]
    assert len(known._refused) == 2
    assert not known._good


def test_a_long_name_in_a_refusal_is_cut() -> None:
    with pytest.raises(Rejected) as refused:
        documents().get("{ " + "x" * 20_000 + " }")
    assert len(refused.value.entries[0]["message"]) == 500


def test_at_most_ten_mistakes_are_told() -> None:
    with pytest.raises(Rejected) as refused:
        documents().get("{ " + " ".join(f"x{i}" for i in range(19)) + " }")
    assert len(refused.value.entries) == 10
